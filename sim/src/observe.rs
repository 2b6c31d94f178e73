//! What observers of a run get to see: the facts that processes tell, and what became of nodes.

use crate::fault::{ActiveId, EntryId, Fault};
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
    /// A process told something.
    Fact {
        /// The node.
        node: NodeId,
        /// Which of its lives.
        incarnation: u16,
        /// What it told.
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
        /// Which.
        id: ActiveId,
        /// The entry of the plan that it comes from, if any.
        entry: Option<EntryId>,
        /// The fault.
        fault: Fault,
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
    /// It was killed; so many disk operations never happened.
    Crashed {
        /// How many disk operations never happened.
        undone: u64,
    },
    /// Its host lost power. It is [`NodeChange::Crashed`] before, if it was up.
    PowerLost(PowerLossReport),
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
