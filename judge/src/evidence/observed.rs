//! Observations of a run, and their times.

use engine::fact::Fact;
use machine::NodeId;

/// When and where something was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// True time, in nanoseconds since the beginning of the world.
    pub at: u64,
    /// The node.
    pub node: NodeId,
    /// The number of the node's life.
    pub incarnation: u16,
    /// The event in the trace.
    pub event: u64,
}

/// A change of the state of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A process started.
    Started,
    /// It was shut down cleanly.
    Stopped,
    /// It was killed; its host kept its writes.
    Crashed {
        /// Whether a handler was in progress, whose effects are reported only when it is done.
        cut_short: bool,
    },
    /// It stopped by an error, at its start or later; its host kept its writes.
    Halted {
        /// The reason that it gave.
        why: String,
    },
    /// Its host lost power and all unsynced bytes. A [`Change::Crashed`] comes first, if the
    /// process was up.
    PowerLost {
        /// The number of lost bytes.
        bytes: u64,
    },
    /// A disk of its host was lost with all its content; the process runs on until it notices.
    DiskLost {
        /// The bytes that were on it.
        bytes: u64,
        /// The directories in which it had files, by their paths.
        emptied: Vec<String>,
    },
    /// A sector of a file was corrupted and reads as other bytes; the process runs on.
    SectorCorrupted {
        /// The path of the file.
        file: String,
        /// Where in the file the sector begins, in bytes.
        at: u64,
    },
}

/// The kind of a fault, as far as promises depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The disk is full.
    FullDisk,
    /// Writes, syncs or reads of the disk fail.
    FailingDisk,
    /// The disk is lost, and replaced by an empty one when the fault ends. The loss is a [`Change`]
    /// of its own.
    LostDisk,
    /// Bytes on the disk change; which ones is a [`Change`] of its own.
    CorruptDisk,
    /// A wall clock jumped.
    ClockJump,
    /// Processes are shut down, cleanly unless they time out, and started again.
    Stop,
    /// The links among the nodes that it names are cut, slow or lossy.
    Link,
    /// A fault on which no promise depends: of processes, of power (whose loss is a [`Change`] of
    /// its own), and of disks that are slow or hang.
    Other,
}

/// A fault that was applied or undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it does.
    pub kind: FaultKind,
    /// The nodes that it names.
    pub nodes: Vec<NodeId>,
    /// Its description, such as `crash 1`.
    pub what: String,
    /// Whether it was applied, not undone.
    pub applied: bool,
}

/// One observation of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// A process reported a fact.
    Fact(Moment, Fact),
    /// The state of a node changed.
    Node(Moment, Change),
    /// A fault was applied or undone.
    Fault(Moment, Fault),
}
