//! The trace of a run: typed events, and the rolling digest over them.
//!
//! Every event has an id and the id of its cause, whether or not events are collected; so the
//! digest and all ids are the same with and without a trace. The content of messages is part of the
//! digest: it is folded when a message is sent.

use crate::fault::Fault;
use crate::{PowerLossReport, SimTime, text};
use machine::{CloseReason, ConnId, Digest, NodeId};
use serde::Serialize;

/// Raised whenever the binary form of an event changes, so that an old digest is not mistaken for
/// that of a differing run.
const VERSION: u64 = 1;

/// The number of an event in its run, from one. Zero stands for a cause outside of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EventId(pub u64);

impl EventId {
    /// The cause of a change that is made from outside of the world.
    pub const NONE: Self = Self(0);
}

/// One event.
#[derive(Clone, Debug, Serialize)]
pub struct TraceEvent {
    /// Its number.
    pub id: EventId,
    /// True time, in nanoseconds since the beginning of the world.
    #[serde(rename = "time_ns", serialize_with = "nanos")]
    pub time: SimTime,
    /// The node, if it happened at a node.
    #[serde(serialize_with = "optional_node", skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The event that caused it.
    pub cause: EventId,
    /// What happened.
    #[serde(flatten)]
    pub kind: TraceKind,
}

/// The kinds of events.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TraceKind {
    /// A message was handled.
    Received {
        /// The connection.
        #[serde(with = "text::conn")]
        conn: ConnId,
        /// The sender.
        #[serde(with = "text::node")]
        from: NodeId,
        /// [`machine::Message::name`].
        message: &'static str,
    },
    /// A timer was handled.
    Woke,
    /// The opening of a connection was handled.
    Opened {
        /// The connection.
        #[serde(with = "text::conn")]
        conn: ConnId,
        /// The other end.
        #[serde(with = "text::node")]
        peer: NodeId,
    },
    /// The end of a connection was handled.
    Closed {
        /// The connection.
        #[serde(with = "text::conn")]
        conn: ConnId,
        /// The other end.
        #[serde(with = "text::node")]
        peer: NodeId,
        /// `refused`, `closed` or `reset`.
        #[serde(serialize_with = "close_reason")]
        reason: CloseReason,
    },
    /// A request to stop was handled.
    Stopping,
    /// The disk operations of a handler have completed; the handler is the cause.
    DiskDone {
        /// The number of operations.
        operations: u32,
    },
    /// A process began to connect.
    Connecting {
        /// The connection.
        #[serde(with = "text::conn")]
        conn: ConnId,
        /// The other end.
        #[serde(with = "text::node")]
        peer: NodeId,
    },
    /// A message was sent.
    Sent {
        /// The connection.
        #[serde(with = "text::conn")]
        conn: ConnId,
        /// The receiver.
        #[serde(with = "text::node")]
        to: NodeId,
        /// [`machine::Message::name`].
        message: &'static str,
        /// [`machine::Message::wire_size`].
        bytes: u64,
    },
    /// A message, or a packet of the handshake, was lost because the link was cut or the receiver
    /// was without power.
    Cut {
        /// The connection.
        #[serde(with = "text::conn")]
        conn: ConnId,
    },
    /// A host responded with a reset.
    Unexpected {
        /// The connection that it does not know.
        #[serde(with = "text::conn")]
        conn: ConnId,
    },
    /// A process closed a connection.
    Closing {
        /// The connection.
        #[serde(with = "text::conn")]
        conn: ConnId,
    },
    /// A process reported a fact.
    Fact {
        /// The index of the fact in the run, from zero.
        index: u64,
    },
    /// A process started.
    Started {
        /// The number of the node's life, from zero.
        incarnation: u16,
    },
    /// A process could not start.
    BootFailed {
        /// The error that it reported.
        reason: String,
    },
    /// A process ended itself.
    Halted {
        /// The reason of the process; `None` if it was asked to stop.
        reason: Option<String>,
    },
    /// A process was killed.
    Crashed {
        /// The number of disk operations that never happened.
        undone: u64,
    },
    /// A host lost power.
    PowerLost(PowerLossReport),
    /// A disk was lost.
    DiskLost {
        /// The number of bytes on the disk.
        bytes: u64,
    },
    /// A sector of a file was corrupted.
    SectorCorrupted {
        /// The file.
        file: String,
        /// The byte of the file at which the sector begins.
        at: u64,
    },
    /// A process was paused.
    Paused,
    /// A process was resumed.
    Resumed,
    /// A fault was applied.
    Applied(Box<Fault<NodeId>>),
    /// A fault was undone.
    Undone(Box<Fault<NodeId>>),
}

impl TraceKind {
    /// The binary form of an event: a code and two words.
    #[inline(always)]
    fn words(&self) -> (u64, u64, u64) {
        match self {
            Self::Received { conn, from, .. } => (1, conn.0, node_word(*from)),
            Self::Woke => (2, 0, 0),
            Self::Opened { conn, peer } => (3, conn.0, node_word(*peer)),
            Self::Closed { conn, reason, .. } => (4, conn.0, *reason as u64),
            Self::Stopping => (5, 0, 0),
            Self::DiskDone { operations } => (6, u64::from(*operations), 0),
            Self::Connecting { conn, peer } => (7, conn.0, node_word(*peer)),
            Self::Sent { conn, bytes, .. } => (8, conn.0, *bytes),
            Self::Cut { conn } => (9, conn.0, 0),
            Self::Unexpected { conn } => (10, conn.0, 0),
            Self::Closing { conn } => (11, conn.0, 0),
            Self::Fact { index } => (12, *index, 0),
            Self::Started { incarnation } => (13, u64::from(*incarnation), 0),
            Self::BootFailed { reason } => (14, text_word(reason), 0),
            Self::Halted { reason } => (15, reason.as_deref().map_or(0, text_word), 0),
            Self::Crashed { undone } => (16, *undone, 0),
            Self::PowerLost(report) => {
                (17, report.bytes, (report.names << 32) ^ (report.torn << 16) ^ report.truncations)
            }
            Self::Paused => (18, 0, 0),
            Self::Resumed => (19, 0, 0),
            Self::Applied(fault) => (20, fault.code(), 0),
            Self::Undone(fault) => (21, fault.code(), 0),
            Self::DiskLost { bytes } => (22, *bytes, 0),
            Self::SectorCorrupted { file, at } => (23, text_word(file), *at),
        }
    }
}

#[inline]
fn node_word(node: NodeId) -> u64 {
    (u64::from(node.cluster.0) << 16) | u64::from(node.node)
}

fn text_word(text: &str) -> u64 {
    let mut digest = Digest::default();
    digest.fold_bytes(text.as_bytes());
    digest.value() as u64 | 1
}

/// Numbers events, folds them into the digest, and collects them if asked to.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    digest: Digest,
    last: u64,
    collect: bool,
    collected: Vec<TraceEvent>,
}

impl Recorder {
    pub(crate) fn new(collect: bool) -> Self {
        let mut digest = Digest::default();
        digest.fold(VERSION);
        Self { digest, last: 0, collect, collected: Vec::new() }
    }

    // Inlined, so that the words of an event are known at compile time where it is recorded.
    #[inline(always)]
    pub(crate) fn record(
        &mut self,
        time: SimTime,
        node: Option<NodeId>,
        cause: EventId,
        kind: TraceKind,
    ) -> EventId {
        self.last += 1;
        let (code, a, b) = kind.words();
        let place = node.map_or(u64::MAX >> 8, node_word);
        self.digest.fold(time.0);
        self.digest.fold((code << 56) | place);
        self.digest.fold(a);
        self.digest.fold(b);
        let id = EventId(self.last);
        if self.collect {
            self.keep(TraceEvent { id, time, node, cause, kind });
        }
        id
    }

    #[cold]
    fn keep(&mut self, event: TraceEvent) {
        self.collected.push(event);
    }

    /// The digest, for values that the words of an event do not contain.
    #[inline]
    pub(crate) fn digest_mut(&mut self) -> &mut Digest {
        &mut self.digest
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// The number of events so far.
    pub(crate) fn events(&self) -> u64 {
        self.last
    }

    pub(crate) fn set_collect(&mut self, collect: bool) {
        self.collect = collect;
    }

    pub(crate) fn take(&mut self) -> Vec<TraceEvent> {
        std::mem::take(&mut self.collected)
    }
}

fn nanos<S: serde::Serializer>(time: &SimTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(time.0)
}

fn optional_node<S: serde::Serializer>(node: &Option<NodeId>, to: S) -> Result<S::Ok, S::Error> {
    match node {
        Some(node) => text::node::serialize(node, to),
        None => to.serialize_none(),
    }
}

fn close_reason<S: serde::Serializer>(reason: &CloseReason, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match reason {
        CloseReason::Refused => "refused",
        CloseReason::Closed => "closed",
        CloseReason::Reset => "reset",
    })
}
