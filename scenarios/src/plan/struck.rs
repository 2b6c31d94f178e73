//! What a fault came to, written as faults again: with nodes in place of roles, and a moment in
//! place of a condition. So another run can meet the same.

use super::inject::Injection;
use judge::node::{is_broker, is_controller};
use machine::{NodeId, Span};
use spec::{Fault, FaultKind, Role, Target, Time};

/// The faults that `fault` came to at `at` when `injected` was done for it. `nodes` tells whom a
/// target meant.
pub(super) fn faults(
    fault: &Fault,
    at: Span,
    injected: &[Injection],
    nodes: &dyn Fn(&Target) -> Vec<NodeId>,
) -> Vec<Fault> {
    if injected.is_empty() {
        return Vec::new();
    }
    let with = |kind| Fault { at: Some(Time(at)), when: None, kind, ..fault.clone() };
    // One for each node, without those that the budget kept from it.
    let each = |target: &Target, kind: &dyn Fn(Target) -> FaultKind| {
        let struck = injected.iter().filter_map(Injection::node);
        struck.map(|node| with(kind(exactly(target, node)))).collect()
    };
    // One for each link, since a target of several nodes cannot be written otherwise.
    let pairs = |from: &Target, to: &Target, kind: &dyn Fn(Target, Target) -> FaultKind| {
        let (senders, mut receivers) = (nodes(from), nodes(to));
        receivers.retain(|node| !senders.contains(node));
        let pair = |sender: NodeId| {
            receivers.iter().map(move |receiver| (exactly(from, sender), exactly(to, *receiver)))
        };
        senders.into_iter().flat_map(pair).map(|(from, to)| with(kind(from, to))).collect()
    };
    match &fault.kind {
        FaultKind::Crash { target, at_disk_operation } => each(target, &|target| {
            FaultKind::Crash { target, at_disk_operation: *at_disk_operation }
        }),
        FaultKind::PowerLoss { target } => each(target, &|target| FaultKind::PowerLoss { target }),
        FaultKind::Pause { target } => each(target, &|target| FaultKind::Pause { target }),
        FaultKind::Restart { target } => each(target, &|target| FaultKind::Restart { target }),
        FaultKind::DelayMetadata { target, by } => {
            each(target, &|target| FaultKind::DelayMetadata { target, by: *by })
        }
        FaultKind::Partition { groups } => {
            let group = |targets: &Vec<Target>| -> Vec<Target> {
                let of = |target: &Target| -> Vec<Target> {
                    nodes(target).into_iter().map(|node| exactly(target, node)).collect()
                };
                targets.iter().flat_map(of).collect()
            };
            let groups = groups.iter().map(group).collect();
            vec![with(FaultKind::Partition { groups })]
        }
        FaultKind::OneWayPartition { from, to } => {
            pairs(from, to, &|from, to| FaultKind::OneWayPartition { from, to })
        }
        FaultKind::SlowLink { from, to, one_way, by, jitter, bandwidth } => {
            pairs(from, to, &|from, to| FaultKind::SlowLink {
                from,
                to,
                one_way: *one_way,
                by: *by,
                jitter: *jitter,
                bandwidth: *bandwidth,
            })
        }
        FaultKind::LossyLink { from, to, one_way, loss, duplication, reordering } => {
            pairs(from, to, &|from, to| FaultKind::LossyLink {
                from,
                to,
                one_way: *one_way,
                loss: *loss,
                duplication: *duplication,
                reordering: *reordering,
            })
        }
        FaultKind::PreferredElection { topics } => {
            vec![with(FaultKind::PreferredElection { topics: topics.clone() })]
        }
    }
}

/// What another run has to meet in place of `fault`: a crash at the n-th disk operation strikes when
/// this run came to that operation, as `at` tells, since another comes to it at another moment or
/// never. None if this one never did.
pub(super) fn observed(fault: &Fault, at: impl FnOnce() -> Option<Span>) -> Option<Fault> {
    let FaultKind::Crash { target, at_disk_operation: Some(_) } = &fault.kind else {
        return Some(fault.clone());
    };
    let at = at()?;
    let armed = fault.at.unwrap_or_default().0;
    // It ends when it would have ended.
    let lasts = fault.lasts.map(|lasts| Time(Span((armed.0 + lasts.0.0).saturating_sub(at.0))));
    let kind = FaultKind::Crash { target: target.clone(), at_disk_operation: None };
    Some(Fault { at: Some(Time(at)), lasts, kind, ..fault.clone() })
}

/// This node and no other.
fn exactly(target: &Target, node: NodeId) -> Target {
    let role = match node {
        broker if is_broker(broker) => Role::Broker(broker.node),
        controller if is_controller(controller) => Role::Controller(controller.node),
        client => Role::Client(client.node),
    };
    Target { cluster: target.cluster.clone(), role }
}
