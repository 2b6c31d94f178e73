//! Observations of a run: the facts that processes report, and the changes of nodes and faults.

use crate::fault::{ActiveId, Fault};
use crate::{EventId, PowerLossReport, SimTime};
use machine::{Halt, NodeId, Vocabulary};

/// An observation.
#[derive(Clone, Debug)]
pub struct Observation<V: Vocabulary> {
    /// Its event in the trace.
    pub event: EventId,
    /// The event that caused it; for a fact, the input that was being handled.
    pub cause: EventId,
    /// The true time.
    pub time: SimTime,
    /// The subject of the observation.
    pub what: Seen<V>,
}

/// The subject of an observation.
#[derive(Clone, Debug)]
pub enum Seen<V: Vocabulary> {
    /// A process reported a fact.
    Fact {
        /// The node.
        node: NodeId,
        /// The number of the node's life, from zero.
        incarnation: u16,
        /// The fact.
        fact: V::Fact,
    },
    /// A node changed.
    Node {
        /// The node.
        node: NodeId,
        /// The number of the node's life: for a start the new life, for an end the ended life.
        incarnation: u16,
        /// The change.
        change: NodeChange,
    },
    /// A fault was applied or undone.
    Fault {
        /// Its id among the active faults.
        id: ActiveId,
        /// The fault.
        fault: Fault<NodeId>,
        /// Whether the fault was applied or undone.
        change: FaultChange,
    },
}

/// The changes of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeChange {
    /// A process started.
    Started,
    /// Its process could not start.
    BootFailed(Halt),
    /// Its process ended itself.
    Halted(Halt),
    /// Its process was killed.
    Crashed {
        /// The number of disk operations that never happened.
        undone: u64,
    },
    /// Its host lost power. If its process was there, [`NodeChange::Crashed`] precedes.
    PowerLost(PowerLossReport),
    /// One of its disks was lost with everything on it.
    DiskLost {
        /// The number of bytes on the disk.
        bytes: u64,
        /// The log directory that the disk holds, if the fault named one.
        directory: Option<String>,
        /// The directories in which the disk had files, by their full paths.
        emptied: Vec<String>,
    },
    /// A sector of one of its disks was corrupted, and returns other bytes from now on.
    SectorCorrupted {
        /// The path of the file.
        file: String,
        /// The byte of the file at which the sector begins.
        at: u64,
    },
    /// Its process was paused.
    Paused,
    /// Its process was resumed.
    Resumed,
}

/// Whether a fault was applied or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultChange {
    /// It was applied.
    Applied,
    /// It was undone.
    Undone,
}
