//! What consumers read.

use super::view::View;
use engine::ids::Offset;
use machine::NodeId;
use std::sync::Arc;

/// A part of a batch that a consumer received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The number of the batch in its partition.
    pub batch: u32,
    /// The first offset.
    pub from: Offset,
    /// The offset after the last.
    pub to: Offset,
}

/// One partition that a consumer reads, in one life of the consumer.
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
    /// It has been given nothing since its position was moved.
    pub is_moved: bool,
    /// The application has set this position beyond every end that the reader was shown.
    pub is_asked: bool,
    /// The largest end that it was shown, by a response or by records.
    pub shown: Offset,
    /// Its requests for the end that have no response yet.
    pub asked: Vec<Question>,
    /// The largest end that any reader of the partition had been shown when this one requested the
    /// end that it was shown last; `None` if it did not ask.
    pub known: Option<Offset>,
    /// The end in the last response to its requests.
    pub shown_last: Offset,
    /// When it requested that end, in nanoseconds; `None` if it did not ask.
    pub asked_at: Option<u64>,
    /// `isolation.level` is `read_committed`.
    pub read_committed: bool,
    /// The records that it received, in order.
    pub seen: Vec<Piece>,
    /// The end up to which it has read everything back.
    pub read_back: Option<Offset>,
}

/// A request for the end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub number: u64,
    /// When it was asked, in nanoseconds.
    pub at: u64,
    /// The largest end that the reader had been shown when it asked.
    pub shown: Offset,
    /// The largest end that any comparable reader had been shown when it asked
    /// ([`View::shown_to_all`]).
    pub known: Offset,
}

impl View {
    /// The latest end that a reader was shown, or another one of its partition. What readers of
    /// `read_uncommitted` are shown says nothing to one of `read_committed`: that ends at the first
    /// open transaction.
    pub fn shown_to_all(&self, reader: usize) -> Offset {
        let own = &self.readers[reader];
        let others = self.partitions[own.partition].readers.iter().map(|it| &self.readers[*it]);
        let comparable = others.filter(|it| it.read_committed || !own.read_committed);
        comparable.map(|it| it.shown).max().unwrap_or_default().max(own.shown)
    }
}
