//! Processes that stopped by themselves because they could not continue, and the causes.

use super::observed::{Change, Fault, FaultKind, Moment};
use super::spoil::last_name;
use super::view::View;
use engine::ids::TopicPartition;
use machine::NodeId;

/// A process that ended itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// When, and at which node.
    pub moment: Moment,
    /// The reason that the process gave.
    pub why: String,
    /// The cause; `None`: nothing that was observed explains it.
    pub cause: Option<Cause>,
}

/// Why Kafka's process ends itself, or continues without a log directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A disk is full.
    FullDisk,
    /// A disk failed, was replaced, or returned other bytes than were written.
    FailedDisk,
    /// No controller registered the broker within `initial.broker.registration.timeout.ms`, while
    /// faults were in force or controllers down.
    Unregistered,
    /// The quorum has lost committed metadata with the disks of its voters.
    Forgotten,
}

/// A broker's reason if no controller registers it.
const UNREGISTERED: &str = "no controller has registered the broker";
/// A broker's reason if its last log directory is offline.
const ALL_FAILED: &str = "all log directories have failed";
/// The reasons of quorum members and brokers if the metadata log lacks committed records.
const FORGOTTEN: &[&str] = &[
    "the leader of the quorum requested truncation to offset",
    "two leaders of the quorum in epoch",
    "committed records of the metadata log are gone",
    "the metadata log cannot be replayed",
];
/// The operating system's error for a full disk (ENOSPC).
const NO_SPACE: &str = "no space left on device";
/// Parts of the errors for bytes that are no batch, no record or no vote.
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
    /// The error of the failed call.
    pub error: String,
    /// The cause; `None`: nothing that was observed explains it.
    pub cause: Option<Cause>,
}

impl FailedDir {
    /// Whether it is one of a node's.
    pub(super) fn is_of(&self, node: NodeId) -> bool {
        self.moment.node == node
    }
}

impl View {
    /// The cause for which a process ended itself now. The reason that the process gives counts
    /// only if faults confirm it.
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

    /// The cause that a disk of the node is, for an error or a halt. A broker that stops because
    /// its last directory is offline gives no other reason, so errors of its directories count as
    /// well.
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

    /// Whether a file in the directory of a node's replica has a corrupted sector. It stays until a
    /// truncation removes that part of the segment.
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

    /// Records that a call to the disk failed in a log directory of a node, with the partition
    /// whose log was concerned, if known.
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

    /// The halt of a node that is down, if its last process halted.
    pub fn ended_by_halt(&self, node: NodeId) -> Option<&Halt> {
        let halted = matches!(self.endings.get(&node), Some(Change::Halted { .. }));
        let last = self.halts.iter().rev().find(|halt| halt.moment.node == node);
        last.filter(|_| halted && !self.running.contains_key(&node))
    }

    /// The halts of nodes that are down because of their disks, or those of the quorum's voters.
    pub fn down_by_disk(&self) -> impl Iterator<Item = &Halt> {
        let nodes = self.endings.keys().filter_map(|node| self.ended_by_halt(*node));
        let of_disks = [Cause::FullDisk, Cause::FailedDisk, Cause::Forgotten];
        nodes.filter(move |halt| halt.cause.is_some_and(|cause| of_disks.contains(&cause)))
    }
}
