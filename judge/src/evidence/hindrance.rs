//! Faults that may have delayed a node, for checks of lateness.

use super::observed::{Fault, FaultKind};
use super::view::View;
use machine::{NodeId, Span};

/// How long after its end a fault may still delay a node: elections, reconnects and retries take
/// some time.
const AFTERMATH: Span = Span::secs(10);

impl View {
    /// Whether a fault that was in force at some time since `from`, or shortly before, may delay
    /// messages between `node` and `others`: it names one of them, or the link between `node` and
    /// one of the others.
    pub fn is_hindered(&self, node: NodeId, others: &[NodeId], from: u64) -> bool {
        let from = from.saturating_sub(AFTERMATH.0);
        let hinders = |fault: &Fault| {
            let named = |it: &NodeId| fault.nodes.contains(it);
            match fault.kind {
                FaultKind::Link => named(&node) && others.iter().any(named),
                _ => named(&node) || others.iter().any(named),
            }
        };
        let mut relevant = self.faults.iter().filter(|(_, fault)| hinders(fault));
        relevant.clone().any(|(moment, _)| moment.at >= from) || {
            let applied = relevant.clone().filter(|(_, fault)| fault.applied).count();
            let undone = relevant.by_ref().filter(|(_, fault)| !fault.applied).count();
            applied > undone
        }
    }
}
