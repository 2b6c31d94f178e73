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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A process started.
    Started,
    /// It ended itself, in an orderly way.
    Stopped,
    /// It was killed or ended itself otherwise; its host kept what it had written.
    Crashed,
    /// Its host lost power, and with it so many bytes that had not been synced. A
    /// [`Change::Crashed`] comes first, if it was up.
    PowerLost {
        /// The bytes.
        bytes: u64,
    },
}

/// One observation, as a history holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// A process told something.
    Fact(Moment, Fact),
    /// Something became of a node.
    Node(Moment, Change),
    /// A fault was applied or undone; its description.
    Fault(Moment, String),
}
