//! Resolves an entry of a plan at a given time: faults with nodes in place of targets.

use crate::condition::{Roster, resolve};
use crate::roles::{is_controller, is_server};
use crate::view::Board;
use machine::NodeId;
use sim::{
    Crash, DelayMetadata, Harm, LossyLink, OneWayPartition, Partition, PowerLoss, SlowLink, Targets,
};
use spec::{Fault, FaultKind, PreferredElection, Target};
use std::collections::BTreeSet;

/// A preferred election that a plan may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    /// The entry of the plan.
    pub entry: usize,
    /// The topics; all if empty.
    pub topics: Vec<String>,
}

impl Election {
    /// The election of an entry of the plan, if it is one.
    pub fn of<W>(entry: usize, kind: &FaultKind<W>) -> Option<Self> {
        match kind {
            FaultKind::PreferredElection(PreferredElection { topics }) => {
                Some(Self { entry, topics: topics.clone() })
            }
            FaultKind::World(_) => None,
        }
    }
}

/// The result for an entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Strikes {
    /// The faults to inject: one for each node, where that is possible.
    pub(super) all: Vec<FaultKind<NodeId>>,
    /// Targets that match no node at this time, in words.
    pub(super) unmatched: Vec<String>,
}

/// The result for a fault at this time.
pub(super) fn strikes(fault: &Fault, seed: u64, board: &Board, roster: &Roster) -> Strikes {
    let mut unmatched: Vec<String> = Vec::new();
    let kind = fault.kind.map(&mut |target: &Target| {
        let nodes = resolve(target, seed, board, roster);
        if nodes.is_empty() {
            unmatched.push(format!("{target}: no node matches"));
        }
        nodes
    });
    let all = match kind {
        FaultKind::PreferredElection(_) => vec![kind],
        FaultKind::World(fault) => {
            let possible = possible(fault).map_err(|why| {
                // An unmatched target is the reason already.
                if unmatched.is_empty() {
                    unmatched.push(why);
                }
            });
            let each = possible.iter().flat_map(|fault| match fault {
                // Its hosts restart one after another, so that it remains one fault.
                sim::Fault::PowerLoss(PowerLoss { stagger: Some(_), .. }) => vec![fault.clone()],
                fault => fault.each(),
            });
            each.map(|fault| FaultKind::World(completed(fault, roster))).collect()
        }
    };
    Strikes { all, unmatched }
}

/// The fault without repeated nodes; or why it would affect no node or no link.
fn possible(fault: sim::Fault<NodeId>) -> Result<sim::Fault<NodeId>, String> {
    match fault {
        sim::Fault::Partition(Partition { groups }) => {
            // A node belongs to the first group that names it.
            let mut taken: Vec<NodeId> = Vec::new();
            let mut first = |group: &Vec<NodeId>| -> Vec<NodeId> {
                let mut nodes = group.clone();
                nodes.sort_unstable();
                nodes.dedup();
                nodes.retain(|node| !taken.contains(node));
                taken.extend(&nodes);
                nodes
            };
            let groups: Vec<_> = groups.0.iter().map(&mut first).collect();
            // Cutting off no node is not intended.
            let cuts = groups.len() > 1 && groups.iter().all(|group| !group.is_empty());
            let why = || "a group has no node that is in none before it".to_owned();
            cuts.then(|| Partition { groups: sim::Groups(groups) }.into()).ok_or_else(why)
        }
        sim::Fault::OneWayPartition(OneWayPartition { from, to }) => {
            let (from, mut to) = (distinct(from), distinct(to));
            to.0.retain(|node| !from.0.contains(node));
            let cuts = !from.0.is_empty() && !to.0.is_empty();
            let why = || "each node of `to` is in `from` as well, and receives".to_owned();
            cuts.then(|| OneWayPartition { from, to }.into()).ok_or_else(why)
        }
        sim::Fault::SlowLink(SlowLink { from, to, by, jitter, bandwidth, one_way }) => {
            let (from, to) = (distinct(from), distinct(to));
            upon_some(SlowLink { from, to, by, jitter, bandwidth, one_way }.into())
        }
        sim::Fault::LossyLink(link) => {
            let (from, to) = (distinct(link.from), distinct(link.to));
            upon_some(LossyLink { from, to, ..link }.into())
        }
        sim::Fault::DelayMetadata(late) => {
            let target = distinct(late.target);
            upon_some(DelayMetadata { target, ..late }.into())
        }
        // A node that several targets match is affected once.
        fault => {
            let mut seen = BTreeSet::new();
            let mut once = |node: &NodeId| -> Vec<NodeId> {
                seen.insert(*node).then_some(*node).into_iter().collect()
            };
            upon_some(fault.map(&mut once))
        }
    }
}

/// The fault, or why it would affect no node or no link.
fn upon_some(fault: sim::Fault<NodeId>) -> Result<sim::Fault<NodeId>, String> {
    let of = |key: &str| -> Vec<NodeId> {
        let targets = fault.targets();
        targets.iter().filter(|(path, _)| path[0] == key).map(|(_, node)| **node).collect()
    };
    let (target, from, to) = (of("target"), of("from"), of("to"));
    let is_upon_links = target.is_empty() && !from.is_empty() && !to.is_empty();
    if is_upon_links && from.iter().all(|a| to.iter().all(|b| a == b)) {
        return Err(format!("both ends are the same node, {}", from[0]));
    }
    let is_upon_some = is_upon_links || !target.is_empty();
    is_upon_some.then_some(fault).ok_or_else(|| "no node matches".to_owned())
}

fn distinct(targets: Targets<NodeId>) -> Targets<NodeId> {
    let mut nodes = targets.0;
    let mut seen = Vec::new();
    nodes.retain(|node| {
        !seen.contains(node) && {
            seen.push(*node);
            true
        }
    });
    Targets(nodes)
}

/// The fault, completed by the kind of its node.
fn completed(fault: sim::Fault<NodeId>, roster: &Roster) -> sim::Fault<NodeId> {
    match fault {
        sim::Fault::DelayMetadata(DelayMetadata { target, by, from: None }) => {
            let clusters: Vec<_> = target.0.iter().map(|node| node.cluster).collect();
            let sends = |node: &&NodeId| is_controller(**node) && clusters.contains(&node.cluster);
            let from = roster.servers.iter().filter(sends).copied().collect::<Vec<_>>();
            DelayMetadata { target, by, from: Some(from.into()) }.into()
        }
        // A client has no data on its disk, and its clock must not stop.
        sim::Fault::PowerLoss(PowerLoss { target, .. })
            if !target.0.iter().any(|n| is_server(*n)) =>
        {
            Crash { target, at_disk_operation: None, during_stop: false }.into()
        }
        fault => fault,
    }
}

/// The nodes that cannot work while a fault lasts.
pub(super) fn takes_down(kind: &FaultKind<NodeId>) -> Vec<NodeId> {
    match kind {
        FaultKind::World(fault) => match fault.harm() {
            Harm::Down | Harm::Power | Harm::Disk => fault.nodes(),
            Harm::Links | Harm::Slow => Vec::new(),
        },
        FaultKind::PreferredElection(_) => Vec::new(),
    }
}

/// Whether a disk, or bytes on a disk, are lost.
pub(super) fn takes_disk(kind: &FaultKind<NodeId>) -> bool {
    matches!(kind, FaultKind::World(fault) if fault.harm() == Harm::Disk)
}

/// Whether data on disks may be lost.
pub(super) fn takes_data(kind: &FaultKind<NodeId>) -> bool {
    let harm = match kind {
        FaultKind::World(fault) => fault.harm(),
        FaultKind::PreferredElection(_) => return false,
    };
    matches!(harm, Harm::Power | Harm::Disk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::ClusterNames;

    fn struck(fault: &str) -> Vec<String> {
        let fault: Fault = toml::from_str(&format!("at = '1s'\n{fault}")).expect("a fault");
        let servers = [1, 2, 3, 101].map(|id| NodeId::new(0, id)).to_vec();
        let clusters = ClusterNames::new(["main".to_owned()]);
        let roster = Roster { clusters, servers, ..Roster::default() };
        let strikes = strikes(&fault, 7, &Board::default(), &roster);
        strikes.all.iter().map(|strike| strike.in_words(&|node| node.to_string())).collect()
    }

    #[test]
    fn a_node_that_several_targets_mean_is_struck_once() {
        let crashes = struck("kind = 'crash'\ntarget = ['broker 2', 'all brokers', 'all servers']");
        assert_eq!(crashes, ["crash 2", "crash 1", "crash 3", "crash 101"]);
        let late = "kind = 'delay-metadata'\nby = '1s'\ntarget = ['broker 2', 'all brokers']";
        assert_eq!(struck(late).len(), 3);
        let slow = "kind = 'slow-link'\nby = '1s'\nfrom = ['broker 1', 'broker 2', 'all brokers']\n\
                    to = ['controller 101', 'all controllers']";
        assert_eq!(struck(slow), ["slow-link from 1 2 3 to 101, by 1 s"]);
    }
}
