//! Processes that ended themselves because they could not go on, and what explains it.

use super::observed::{Change, Fault, FaultKind, Moment};
use super::view::View;
use machine::NodeId;

/// A process that ended itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// When, and which.
    pub moment: Moment,
    /// The reason that it gave.
    pub why: String,
    /// What explains it; `None`: nothing that was observed.
    pub cause: Option<Cause>,
}

/// Why Kafka's process ends itself as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its last log directory is full.
    FullDisk,
    /// Its last log directory failed, was replaced, or holds other bytes than were written.
    FailedDisk,
    /// No controller registered the broker within `initial.broker.registration.timeout.ms`, while
    /// faults were in force or controllers down.
    Unregistered,
}

/// The reason that a broker gives if no controller registers it.
const UNREGISTERED: &str = "no controller has registered the broker";
/// What the operating system says of a full disk (ENOSPC).
const NO_SPACE: &str = "no space left on device";

impl View {
    /// What explains that a process ended itself now. The reason that it gives is believed only as
    /// far as faults bear it out.
    pub(super) fn cause_of_halt(&self, moment: &Moment, why: &str) -> Option<Cause> {
        let on_node = |kinds: &[FaultKind]| {
            let is = |fault: &Fault| {
                fault.applied && kinds.contains(&fault.kind) && fault.nodes.contains(&moment.node)
            };
            self.faults.iter().any(|(_, fault)| is(fault))
        };
        let out_of_space = why.contains(NO_SPACE) || self.out_of_space.contains(&moment.node);
        let is_limited = self.setup.disk_capacity.is_some();
        if (is_limited && out_of_space) || on_node(&[FaultKind::FullDisk]) {
            return Some(Cause::FullDisk);
        }
        if on_node(&[FaultKind::FailingDisk, FaultKind::LostDisk, FaultKind::CorruptDisk]) {
            return Some(Cause::FailedDisk);
        }
        let hindered = !self.faults.is_empty() || self.controllers_down();
        (why == UNREGISTERED && hindered).then_some(Cause::Unregistered)
    }

    /// A call to the disk failed in a log directory of a node. The broker that stops when its last
    /// directory is offline says no more than that.
    pub(super) fn log_dir_failed(&mut self, node: NodeId, error: &str) {
        if error.contains(NO_SPACE) {
            self.out_of_space.insert(node);
        }
    }

    fn controllers_down(&self) -> bool {
        self.setup.controllers.iter().any(|node| !self.running.contains_key(node))
    }

    /// The halt with which a node ended for good, if it ended with one.
    pub fn ended_by_halt(&self, node: NodeId) -> Option<&Halt> {
        let halted = matches!(self.endings.get(&node), Some(Change::Halted { .. }));
        let last = self.halts.iter().rev().find(|halt| halt.moment.node == node);
        last.filter(|_| halted && !self.running.contains_key(&node))
    }

    /// The nodes that are down for good because their disks do not let them run, with their halts.
    pub fn down_by_disk(&self) -> impl Iterator<Item = &Halt> {
        let nodes = self.endings.keys().filter_map(|node| self.ended_by_halt(*node));
        nodes.filter(|halt| matches!(halt.cause, Some(Cause::FullDisk | Cause::FailedDisk)))
    }
}
