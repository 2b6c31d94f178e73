//! The faults of a run, written as entries of a plan: with nodes in place of roles, and moments in
//! place of conditions. Written to a file that is a plan by itself: another run of the scenario
//! meets the same.

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

/// What a run under another setting has to meet in place of `fault`: what waits for the n-th disk
/// operation strikes when this run came to it, at the moment that `at` returns, since the other
/// run comes to it at another moment or never. `None` if this run never did.
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
