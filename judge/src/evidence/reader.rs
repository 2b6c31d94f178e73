//! What consumers read.

use engine::ids::Offset;
use machine::NodeId;
use std::sync::Arc;

/// A part of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The batch.
    pub batch: u32,
    /// The first offset.
    pub from: Offset,
    /// The offset after the last.
    pub to: Offset,
}

/// One life of a consumer and one partition that it reads.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The consumer's node.
    pub node: NodeId,
    /// Which life of the node this is.
    pub incarnation: u16,
    /// Its group, if it belongs to one: the members read a partition in turn.
    pub group: Option<Arc<str>>,
    /// The index of the partition.
    pub partition: usize,
    /// Its position: the offset that it reads next.
    pub position: Option<Offset>,
    /// It has not read since its position was moved.
    pub is_moved: bool,
    /// The application asked for this position, and no broker has shown that there is one.
    pub is_asked: bool,
    /// The end that it was shown last, by an answer or by records.
    pub shown: Offset,
    /// Its questions for the end that have no answer yet.
    pub asked: Vec<Question>,
    /// What all readers of the partition had been shown when it asked for the end that it was shown
    /// last; `None` if it did not ask.
    pub known: Option<Offset>,
    /// The end that it was shown last in response to a question.
    pub shown_last: Offset,
    /// When it asked for the end that it was shown last; `None` if it did not ask.
    pub asked_at: Option<u64>,
    /// `isolation.level` is `read_committed`.
    pub read_committed: bool,
    /// What it was given, in order.
    pub seen: Vec<Piece>,
    /// It has read everything back, up to this end.
    pub read_back: Option<Offset>,
}

/// A question for the end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub number: u64,
    /// When it was asked, in nanoseconds.
    pub at: u64,
    /// What the reader had been shown when it asked.
    pub shown: Offset,
    /// What any reader of the partition had.
    pub known: Offset,
}
