//! Processes that ended themselves because they could not go on, and what explains it.

use super::observed::{Change, Fault, FaultKind, Moment};
use super::spoil::last_name;
use super::view::View;
use engine::ids::TopicPartition;
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

/// Why Kafka's process ends itself, or goes on without a log directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A disk is full.
    FullDisk,
    /// A disk failed, was replaced, or holds other bytes than were written where they were read.
    FailedDisk,
    /// No controller registered the broker within `initial.broker.registration.timeout.ms`, while
    /// faults were in force or controllers down.
    Unregistered,
    /// The quorum has forgotten committed metadata with the disks of its voters, and the node has it
    /// or follows from it.
    Forgotten,
}

/// The reason that a broker gives if no controller registers it.
const UNREGISTERED: &str = "no controller has registered the broker";
/// The reason that a broker gives if its last log directory is offline.
const ALL_FAILED: &str = "all log directories have failed";
/// The reasons that a member of the quorum gives if the metadata log is not as it was committed.
const FORGOTTEN: &[&str] = &[
    "the leader of the quorum requested truncation to offset",
    "two leaders of the quorum in epoch",
    "committed records of the metadata log are gone",
    "the metadata log cannot be replayed",
];
/// What the operating system says of a full disk (ENOSPC).
const NO_SPACE: &str = "no space left on device";
/// What reading bytes that are no batch, no record and no vote says.
const OF_BYTES: &[&str] = &[
    "malformed batch",
    "checksum is ",
    "compression codec ",
    "cannot be replayed",
    "cannot understand quorum-state",
];

/// Whether an error is about the bytes that were read, not about the call that reads them.
fn is_about_bytes(error: &str) -> bool {
    OF_BYTES.iter().any(|words| error.contains(words))
}

/// A log directory that is offline until its node is started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDir {
    /// When a call to its disk failed, and at which node.
    pub moment: Moment,
    /// Its path from the top of the disks; empty if it has no name.
    pub path: String,
    /// What failed.
    pub error: String,
    /// What explains it; `None`: nothing that was observed.
    pub cause: Option<Cause>,
}

impl FailedDir {
    /// Whether it is one of a node's.
    pub(super) fn is_of(&self, node: NodeId) -> bool {
        self.moment.node == node
    }
}

impl View {
    /// What explains that a process ended itself now. The reason that it gives is believed only as
    /// far as faults bear it out.
    pub(super) fn cause_of_halt(&self, moment: &Moment, why: &str) -> Option<Cause> {
        if let Some(cause) = self.cause_in_disk(moment.node, Some(TopicPartition::METADATA), why) {
            return Some(cause);
        }
        let mut failed = self.failed_dirs.get(&moment.node).into_iter().flatten();
        if why == ALL_FAILED && failed.any(|dir| dir.cause == Some(Cause::FailedDisk)) {
            return Some(Cause::FailedDisk);
        }
        let forgets = FORGOTTEN.iter().any(|words| why.contains(words));
        if forgets && self.lost_metadata(moment.node.cluster, moment.at).is_some() {
            return Some(Cause::Forgotten);
        }
        let hindered = !self.faults.is_empty() || self.controllers_down();
        (why == UNREGISTERED && hindered).then_some(Cause::Unregistered)
    }

    /// What a disk has to do with it. The broker that stops when its last directory is offline says no
    /// more than that.
    fn cause_in_disk(
        &self,
        node: NodeId,
        partition: Option<TopicPartition>,
        why: &str,
    ) -> Option<Cause> {
        let failed = self.failed_dirs.get(&node).into_iter().flatten();
        let mut errors = failed.map(|dir| dir.error.as_str()).chain([why]);
        let out_of_space = errors.any(|error| error.contains(NO_SPACE));
        let is_limited = self.setup.disk_capacity.is_some();
        if (is_limited && out_of_space) || self.suffers(node, &[FaultKind::FullDisk]) {
            return Some(Cause::FullDisk);
        }
        let is_bad = || partition.is_some_and(|it| is_about_bytes(why) && self.has_bad(node, it));
        let failed = self.suffers(node, &[FaultKind::FailingDisk, FaultKind::LostDisk]) || is_bad();
        failed.then_some(Cause::FailedDisk)
    }

    /// Whether a file in the directory of a node's replica has a sector that went bad. No start of a
    /// process mends one; a segment loses it where it is cut.
    fn has_bad(&self, node: NodeId, partition: TopicPartition) -> bool {
        let Some(log) = self.index_of(node.cluster, partition).map(|it| &self.partitions[it])
        else {
            return false;
        };
        let is_cut = log.find(node).is_none_or(|replica| log.replicas[replica].bad.is_empty());
        let is_its = |file: &String| {
            let dir = file.rsplit_once('/').map_or("", |(path, _)| last_name(path));
            dir == log.name && !(file.ends_with(".log") && is_cut)
        };
        self.bad_files.get(&node).is_some_and(|files| files.iter().any(is_its))
    }

    /// Whether a fault of these kinds affects a node, or did after its process started.
    pub(super) fn suffers(&self, node: NodeId, kinds: &[FaultKind]) -> bool {
        let since = self.started.get(&node);
        let is_over = |fault: &Fault, from: usize| {
            let undone = |(moment, other): &(Moment, Fault)| {
                !other.applied
                    && (other.kind, &other.what) == (fault.kind, &fault.what)
                    && since.is_none_or(|since| moment.at <= *since)
            };
            self.faults[from..].iter().any(undone)
        };
        self.faults.iter().enumerate().any(|(place, (_, fault))| {
            fault.applied
                && kinds.contains(&fault.kind)
                && fault.nodes.contains(&node)
                && !is_over(fault, place)
        })
    }

    /// A call to the disk failed in a log directory of a node, in the log of a partition if it says in
    /// which.
    pub(super) fn log_dir_failed(
        &mut self,
        moment: &Moment,
        path: &str,
        partition: Option<TopicPartition>,
        error: &str,
    ) {
        let cause = self.cause_in_disk(moment.node, partition, error);
        let (path, error) = (path.to_owned(), error.to_owned());
        let dir = FailedDir { moment: *moment, path, error, cause };
        self.failed_dirs.entry(moment.node).or_default().push(dir);
    }

    /// The log directory of a node that failed last, if one did since it was started.
    pub fn last_failed_dir(&self, node: NodeId) -> Option<&FailedDir> {
        self.failed_dirs.get(&node)?.last()
    }

    /// The log directories that are offline in processes that run.
    pub fn offline_dirs(&self) -> impl Iterator<Item = &FailedDir> {
        let running = self.failed_dirs.iter().filter(|(node, _)| self.running.contains_key(node));
        running.flat_map(|(_, dirs)| dirs)
    }

    /// Whether a log directory of a node is offline while its process runs.
    pub fn is_offline(&self, node: NodeId, path: &str) -> bool {
        self.offline_dirs().any(|dir| dir.is_of(node) && dir.path == path)
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

    /// The nodes that are down for good because their disks, or those of the quorum's voters, do not let
    /// them run, with their halts.
    pub fn down_by_disk(&self) -> impl Iterator<Item = &Halt> {
        let nodes = self.endings.keys().filter_map(|node| self.ended_by_halt(*node));
        let of_disks = [Cause::FullDisk, Cause::FailedDisk, Cause::Forgotten];
        nodes.filter(move |halt| halt.cause.is_some_and(|cause| of_disks.contains(&cause)))
    }
}
