//! What can be observed of a run: the facts that processes report, and what became of nodes.

use crate::fault::{ActiveId, Fault};
use crate::{EventId, PowerLossReport, SimTime};
use machine::{Halt, NodeId, Vocabulary};

/// Something that was observed.
#[derive(Clone, Debug)]
pub struct Observation<V: Vocabulary> {
    /// Its event in the trace.
    pub event: EventId,
    /// The event that caused it; for a fact the input that was being handled.
    pub cause: EventId,
    /// When, in true time.
    pub time: SimTime,
    /// What was seen.
    pub what: Seen<V>,
}

/// What was seen.
#[derive(Clone, Debug)]
pub enum Seen<V: Vocabulary> {
    /// A process reported a fact.
    Fact {
        /// The node.
        node: NodeId,
        /// Which life of the node this is.
        incarnation: u16,
        /// The fact.
        fact: V::Fact,
    },
    /// Something became of a node.
    Node {
        /// The node.
        node: NodeId,
        /// Which of its lives; for a start the new one, for an end the one that ended.
        incarnation: u16,
        /// What became of it.
        change: NodeChange,
    },
    /// A fault was applied or undone.
    Fault {
        /// Its id among the active faults.
        id: ActiveId,
        /// The fault.
        fault: Fault<NodeId>,
        /// What was done.
        change: FaultChange,
    },
}

/// What can become of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeChange {
    /// A process started.
    Started,
    /// It could not start.
    BootFailed(Halt),
    /// It ended itself.
    Halted(Halt),
    /// It was killed.
    Crashed {
        /// How many disk operations never happened.
        undone: u64,
    },
    /// Its host lost power. It is [`NodeChange::Crashed`] before, if it was up.
    PowerLost(PowerLossReport),
    /// A disk of it was lost with all that was on it.
    DiskLost {
        /// How many bytes were on it.
        bytes: u64,
        /// The log directory, if it holds one of several.
        directory: Option<String>,
        /// The directories in which it had files, by their paths from the top.
        emptied: Vec<String>,
    },
    /// A sector of one of its disks went bad, and reads as other bytes from now on.
    SectorCorrupted {
        /// The path of the file.
        file: String,
        /// Where in the file the sector begins, in bytes.
        at: u64,
    },
    /// It was paused.
    Paused,
    /// It goes on.
    Resumed,
}

/// What was done with a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultChange {
    /// It was applied.
    Applied,
    /// It was undone.
    Undone,
}
