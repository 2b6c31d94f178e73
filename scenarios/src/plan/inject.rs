//! From a fault with roles to faults of the simulator with nodes.

use crate::condition::{ClusterNames, Roster, resolve};
use crate::view::Board;
use judge::node::{is_controller, is_server};
use machine::{ClusterId, NodeId, Span};
use sim::{
    Crash, CrashAtDiskOp, DelayInbound, LossyLink, Partition, Pause, PowerLoss, Restart, SlowLink,
};
use spec::{Fault, FaultKind, Target};
use std::fmt;

/// How long a process may take to stop before it is killed, beyond its own time-out.
const STOP_LIMIT: Span = Span::secs(30);
/// How long a process is down in a restart that names no time.
const RESTART_DOWN: Span = Span::millis(500);

/// One thing to do to the world.
#[derive(Clone, Debug)]
pub enum Injection {
    /// A fault of the simulator, and for how long.
    Fault(sim::Fault, Option<Span>),
    /// The admin client of a cluster holds a preferred election.
    Elect(Election),
}

/// A preferred election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    /// The entry of the plan.
    pub entry: usize,
    /// The topics; all if empty.
    pub topics: Vec<String>,
}

impl Election {
    /// The election that an entry of the plan is, if it is one.
    pub fn of(entry: usize, kind: &FaultKind) -> Option<Self> {
        match kind {
            FaultKind::PreferredElection { topics } => Some(Self { entry, topics: topics.clone() }),
            _ => None,
        }
    }
}

impl Injection {
    /// The node that it is about, if it is about one.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Self::Fault(sim::Fault::DelayInbound(DelayInbound { node, .. }), _) => Some(*node),
            _ => self.takes_down(),
        }
    }

    /// The node that cannot work while it lasts.
    pub fn takes_down(&self) -> Option<NodeId> {
        match self {
            Self::Fault(
                sim::Fault::Crash(Crash { node })
                | sim::Fault::CrashAtDiskOp(CrashAtDiskOp { node, .. })
                | sim::Fault::PowerLoss(PowerLoss { node })
                | sim::Fault::Pause(Pause { node })
                | sim::Fault::Restart(Restart { node, .. }),
                _,
            ) => Some(*node),
            _ => None,
        }
    }

    /// Whether unsynced data may be lost.
    pub fn loses_power(&self) -> bool {
        matches!(self, Self::Fault(sim::Fault::PowerLoss(_), _))
    }

    /// The nodes that it is upon.
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Fault(fault, _) => fault.nodes(),
            Self::Elect(_) => Vec::new(),
        }
    }
}

/// What a fault comes to at this moment.
pub fn injections(
    entry: usize,
    fault: &Fault,
    seed: u64,
    board: &Board,
    roster: &Roster,
) -> Vec<Injection> {
    let lasts = fault.lasts.map(|lasts| lasts.0);
    let of = |target: &Target| resolve(target, seed, board, roster);
    let each = |target: &Target, make: &dyn Fn(NodeId) -> sim::Fault| -> Vec<Injection> {
        of(target).into_iter().map(|node| Injection::Fault(make(node), lasts)).collect()
    };
    let links = |from: &Target, to: &Target| {
        let (from, to) = (of(from), of(to));
        (!from.is_empty() && !to.is_empty()).then_some((from, to))
    };
    let one = |fault: Option<sim::Fault>| -> Vec<Injection> {
        fault.into_iter().map(|fault| Injection::Fault(fault, lasts)).collect()
    };
    match &fault.kind {
        FaultKind::Crash { target, at_disk_operation: None } => {
            each(target, &|node| Crash { node }.into())
        }
        FaultKind::Crash { target, at_disk_operation: Some(nth) } => {
            each(target, &|node| CrashAtDiskOp { node, nth: *nth }.into())
        }
        FaultKind::PowerLoss { target } => each(target, &|node| match is_server(node) {
            true => PowerLoss { node }.into(),
            // A client keeps nothing on its disk, and its clock has to go on.
            false => Crash { node }.into(),
        }),
        FaultKind::Pause { target } => each(target, &|node| Pause { node }.into()),
        FaultKind::Restart { target } => {
            let down = lasts.unwrap_or(RESTART_DOWN);
            let restart = |node| Restart { node, limit: STOP_LIMIT, down }.into();
            // It ends by itself, so many nanoseconds after the process has stopped.
            of(target).into_iter().map(|node| Injection::Fault(restart(node), None)).collect()
        }
        FaultKind::Partition { groups } => one(partition(groups, &of)),
        FaultKind::OneWayPartition { from, to } => {
            one(links(from, to).and_then(|(from, mut to)| {
                to.retain(|node| !from.contains(node));
                let cuts = !to.is_empty();
                cuts.then(|| Partition { groups: vec![from, to], one_way: true }.into())
            }))
        }
        FaultKind::SlowLink { from, to, one_way, by, jitter, bandwidth } => one(links(from, to)
            .map(|(from, to)| {
                let bytes_per_second = bandwidth.unwrap_or(0);
                let (delay, jitter) = (by.0, jitter.unwrap_or_default().0);
                let both_ways = !one_way;
                SlowLink { from, to, both_ways, delay, jitter, bytes_per_second }.into()
            })),
        FaultKind::LossyLink { from, to, one_way, loss, duplication, reordering } => {
            one(links(from, to).map(|(from, to)| {
                let both_ways = !one_way;
                let (duplicate, reorder) =
                    (duplication.unwrap_or_default(), reordering.unwrap_or_default());
                LossyLink {
                    from,
                    to,
                    both_ways,
                    loss_ppm: loss.0,
                    duplicate_ppm: duplicate.0,
                    reorder_ppm: reorder.0,
                }
                .into()
            }))
        }
        FaultKind::DelayMetadata { target, by } => {
            each(target, &|node| delay_metadata(node, by.0, roster))
        }
        FaultKind::PreferredElection { .. } => {
            Election::of(entry, &fault.kind).map(Injection::Elect).into_iter().collect()
        }
    }
}

/// A node is in the first group that names it; groups without anybody are left out.
fn partition(groups: &[Vec<Target>], of: &dyn Fn(&Target) -> Vec<NodeId>) -> Option<sim::Fault> {
    let mut taken: Vec<NodeId> = Vec::new();
    let mut resolved: Vec<Vec<NodeId>> = Vec::new();
    for group in groups {
        let mut nodes: Vec<NodeId> = group.iter().flat_map(of).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.retain(|node| !taken.contains(node));
        taken.extend(&nodes);
        if nodes.is_empty() {
            // Cutting off nobody is not what was meant.
            return None;
        }
        resolved.push(nodes);
    }
    (resolved.len() > 1).then(|| Partition { groups: resolved, one_way: false }.into())
}

fn delay_metadata(node: NodeId, delay: Span, roster: &Roster) -> sim::Fault {
    let ClusterId(_) = node.cluster;
    let controllers =
        roster.servers.iter().filter(|s| s.cluster == node.cluster && is_controller(**s));
    DelayInbound { node, from: controllers.copied().collect(), delay }.into()
}

impl Injection {
    /// In words, with the names of clusters.
    pub fn in_words(&self, clusters: &ClusterNames) -> String {
        let list = |nodes: &[NodeId]| {
            nodes.iter().map(|node| clusters.node(*node)).collect::<Vec<_>>().join(" ")
        };
        match self {
            Self::Fault(sim::Fault::Partition(Partition { groups, one_way }), _) => {
                let sign = if *one_way { " -> " } else { " | " };
                let groups: Vec<String> = groups.iter().map(|group| list(group)).collect();
                format!("partition {}", groups.join(sign))
            }
            Self::Fault(fault, _) => format!("{} {}", fault.name(), list(&fault.nodes())),
            Self::Elect(Election { topics, .. }) if topics.is_empty() => {
                "preferred election of all topics".to_owned()
            }
            Self::Elect(Election { topics, .. }) => {
                format!("preferred election of {}", topics.join(", "))
            }
        }
    }
}

/// The targets of a partition's groups that mean nobody at this moment, in words: the others are
/// cut off all the same.
pub(super) fn nobody(fault: &Fault, seed: u64, board: &Board, roster: &Roster) -> Vec<String> {
    let FaultKind::Partition { groups } = &fault.kind else { return Vec::new() };
    let all = groups.iter().flatten();
    let idle = all.filter(|target| resolve(target, seed, board, roster).is_empty());
    idle.map(|target| format!("{target}: nobody")).collect()
}

/// Clusters by their numbers, as the trace has them.
impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(&ClusterNames::default()))
    }
}
