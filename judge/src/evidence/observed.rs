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
    /// Which of its lives.
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
    Crashed,
    /// It could not go on, or not start, and ended itself; its host kept what it had written.
    Halted {
        /// The reason that it gave.
        why: String,
    },
    /// Its host lost power, and with it so many bytes that had not been synced. A
    /// [`Change::Crashed`] comes first, if it was up.
    PowerLost {
        /// The bytes.
        bytes: u64,
    },
}

/// What a fault does, as far as promises depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The disk has no room for more.
    FullDisk,
    /// Writes, syncs or reads of the disk fail.
    FailingDisk,
    /// The disk was replaced by an empty one.
    LostDisk,
    /// Bytes on the disk have changed.
    CorruptDisk,
    /// A wall clock jumped.
    ClockJump,
    /// Processes are asked to stop in order, and started again.
    Stop,
    /// The links among the nodes that it names are cut, slow or lossy.
    Link,
    /// It takes nothing away that is promised: processes, power (whose end of a node is a [`Change`]
    /// of its own), and disks that are slow or stand still.
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
