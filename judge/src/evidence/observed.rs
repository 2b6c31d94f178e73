//! What is observed of a run, and when.

use engine::fact::Fact;
use machine::NodeId;

/// When and where something was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// True time, in nanoseconds since the beginning of the world.
    pub at: u64,
    /// The node.
    pub node: NodeId,
    /// Which life of the node this is.
    pub incarnation: u16,
    /// The event in the trace.
    pub event: u64,
}

/// What became of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A process started.
    Started,
    /// It ended itself, in an orderly way.
    Stopped,
    /// It was killed; its host kept what it had written.
    Crashed {
        /// While a handler was in progress, which reports what it does when it is done.
        cut_short: bool,
    },
    /// It could not go on, or not start, and ended itself; its host kept what it had written.
    Halted {
        /// The reason that it gave.
        why: String,
    },
    /// Its host lost power, and with it bytes that had not been synced. A
    /// [`Change::Crashed`] comes first, if it was up.
    PowerLost {
        /// The bytes.
        bytes: u64,
    },
    /// A disk of its host was lost with all that was on it; its process goes on until it notices.
    DiskLost {
        /// The bytes that were on it.
        bytes: u64,
        /// The directories in which it had files, by their paths.
        emptied: Vec<String>,
    },
    /// A sector of a file went bad and reads as other bytes; its process goes on.
    SectorCorrupted {
        /// The path of the file.
        file: String,
        /// Where in the file the sector begins, in bytes.
        at: u64,
    },
}

/// What a fault does, as far as promises depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The disk has no room for more.
    FullDisk,
    /// Writes, syncs or reads of the disk fail.
    FailingDisk,
    /// The disk is lost, and replaced by an empty one when the fault ends. What it takes is a
    /// [`Change`] of its own.
    LostDisk,
    /// Bytes on the disk change; which ones is a [`Change`] of its own.
    CorruptDisk,
    /// A wall clock jumped.
    ClockJump,
    /// Processes are asked to stop in order, and started again.
    Stop,
    /// The links among the nodes that it names are cut, slow or lossy.
    Link,
    /// It takes nothing away that is promised: processes, power (whose end of a node is a [`Change`]
    /// of its own), and disks that are slow or hang.
    Other,
}

/// A fault that was applied or undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it does.
    pub kind: FaultKind,
    /// The nodes that it names.
    pub nodes: Vec<NodeId>,
    /// Its description, as `crash 1`.
    pub what: String,
    /// It was applied, not undone.
    pub applied: bool,
}

/// One observation, as a history holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// A process reported a fact.
    Fact(Moment, Fact),
    /// Something became of a node.
    Node(Moment, Change),
    /// A fault was applied or undone.
    Fault(Moment, Fault),
}
