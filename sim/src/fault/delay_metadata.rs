//! Messages from some nodes to one node are late: metadata lags behind while everything else is on
//! time. Long delays exceed time-outs, and so deliver messages that their sender has given up.

use super::table::fault;
use super::{Harm, Inflict, Targets};
use crate::net::LinkShape;
use machine::{NodeId, Span};

fault! {
    /// Messages from the controllers to a node arrive late.
    DelayMetadata = "delay-metadata" {
        /// The nodes that receive metadata late.
        target: Targets<W>,
        /// How much longer each message takes.
        by: Span,
        /// The senders; all controllers of the target's cluster unless given.
        from: Option<Targets<W>>,
    }
}

impl Inflict for DelayMetadata<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Links
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        let sends = self.from.as_ref().is_some_and(|senders| senders.0.contains(&from));
        if sends && self.target.0.contains(&to) {
            shape.delay = shape.delay.saturating_add(self.by);
        }
    }
}
