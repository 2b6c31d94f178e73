//! The faults of a run, written as entries of a plan: with nodes in place of roles, and times in
//! place of conditions. As a file they are a separate plan, with which another run of the scenario
//! has the same faults.

use crate::condition::ClusterNames;
use crate::roles::{is_broker, is_controller};
use machine::{NodeId, Span};
use spec::{Fault, FaultKind, Role, Target, Time};

/// `fault` as it was injected at `at`, as an entry of a plan.
pub(super) fn resolved(
    fault: &Fault,
    at: Span,
    injected: &FaultKind<NodeId>,
    clusters: &ClusterNames,
) -> Fault {
    let kind = injected.map(&mut |node| vec![exactly(*node, clusters)]);
    Fault { at: Some(Time(at)), when: None, kind, ..fault.clone() }
}

/// The replacement for `fault` in a run under another setting. A fault that waits for the n-th disk
/// operation happens at the time `at` at which this run reached that operation, since the other run
/// reaches it at another time or never. `None` if this run never reached it.
pub(super) fn observed(fault: &Fault, at: impl FnOnce() -> Option<Span>) -> Option<Fault> {
    let mut fault = fault.clone();
    let FaultKind::World(kind) = &mut fault.kind else { return Some(fault) };
    let (nth, during_stop) = match kind {
        sim::Fault::Crash(crash) => (&mut crash.at_disk_operation, &mut crash.during_stop),
        sim::Fault::PowerLoss(loss) => (&mut loss.at_disk_operation, &mut loss.during_stop),
        _ => return Some(fault),
    };
    if nth.take().is_none() {
        return Some(fault);
    }
    *during_stop = false;
    let at = at()?;
    let armed = fault.at.unwrap_or_default().0;
    // It ends when it would have ended.
    fault.lasts = fault.lasts.map(|lasts| Time(Span((armed.0 + lasts.0.0).saturating_sub(at.0))));
    fault.at = Some(Time(at));
    Some(fault)
}

/// This node and no other.
fn exactly(node: NodeId, clusters: &ClusterNames) -> Target {
    let role = match node {
        broker if is_broker(broker) => Role::Broker(broker.node),
        controller if is_controller(controller) => Role::Controller(controller.node),
        client => Role::Client(client.node),
    };
    Target { cluster: clusters.other_than_first(node.cluster), role }
}
