//! Faults as files write them: when, how long, what, and which nodes by role. The run record says
//! which nodes a fault affected in a run, if any.

mod entry;
mod family;
mod swarm;
#[cfg(test)]
mod tests;

pub use family::Family;
pub use swarm::Swarm;

use super::condition::Condition;
use super::target::Target;
use super::unit::Time;
use machine::NodeId;

/// One fault of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A name for reports.
    pub name: Option<String>,
    /// The moment when it fires; with `when`, the moment from which the condition is watched.
    pub at: Option<Time>,
    /// It fires as soon as this condition holds.
    pub when: Option<Condition>,
    /// How long it lasts; until everything is healed unless given.
    pub lasts: Option<Time>,
    /// What happens, and to which nodes.
    pub kind: FaultKind<Target>,
}

/// A fault and its parameters; `W` is a node, or a target in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind<W> {
    /// Something happens to hosts, disks, links or clocks.
    World(sim::Fault<W>),
    /// The admin client holds a preferred election.
    PreferredElection(PreferredElection),
}

/// Leadership moves back to the preferred replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferredElection {
    /// The topics; all if empty.
    pub topics: Vec<String>,
}

impl<W: Clone + 'static> FaultKind<W> {
    /// The kind of the fault.
    pub const fn family(&self) -> Family {
        match self {
            Self::World(fault) => Family::World(fault.kind()),
            Self::PreferredElection(_) => Family::PreferredElection,
        }
    }

    /// Each target that it names, with the path to it within the entry.
    pub fn targets(&self) -> Vec<(Vec<String>, &W)> {
        match self {
            Self::World(fault) => fault.targets(),
            Self::PreferredElection(_) => Vec::new(),
        }
    }

    /// The fault with each target replaced by those that `of` returns for it.
    pub fn map<V: Clone + 'static>(&self, of: &mut dyn FnMut(&W) -> Vec<V>) -> FaultKind<V> {
        match self {
            Self::World(fault) => FaultKind::World(fault.map(of)),
            Self::PreferredElection(election) => FaultKind::PreferredElection(election.clone()),
        }
    }

    /// In one line: `crash leader(orders-0)`.
    pub fn in_words(&self, name: sim::Naming<'_, W>) -> String {
        match self {
            Self::World(fault) => fault.in_words(name),
            Self::PreferredElection(PreferredElection { topics }) if topics.is_empty() => {
                self.family().name().to_owned()
            }
            Self::PreferredElection(PreferredElection { topics }) => {
                format!("{} {}", self.family().name(), topics.join(" "))
            }
        }
    }
}

impl FaultKind<NodeId> {
    /// The nodes that it names.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.targets().into_iter().map(|(_, node)| *node).collect()
    }
}

impl<W, F: Into<sim::Fault<W>>> From<F> for FaultKind<W> {
    fn from(fault: F) -> Self {
        Self::World(fault.into())
    }
}

impl<W> From<PreferredElection> for FaultKind<W> {
    fn from(election: PreferredElection) -> Self {
        Self::PreferredElection(election)
    }
}
