//! The outputs of a handler.

use crate::{ConnId, Halt, Mono, NodeId, Vocabulary};

/// One request of a handler to its host. All outputs of a handler are performed together, in order,
/// when its disk calls have completed; if the node crashes before that, none is performed.
#[derive(Clone, Debug)]
pub enum Output<V: Vocabulary> {
    /// Open a connection. [`crate::Input::Opened`] or [`crate::Input::Closed`] follows, or neither:
    /// behind a partition nothing responds, and the opener has to give up.
    Connect {
        /// The id of the new connection.
        conn: ConnId,
        /// The other end.
        peer: NodeId,
    },
    /// Send a message. It waits until the connection is open; on a connection that has ended it is
    /// dropped.
    Send {
        /// The connection to send on.
        conn: ConnId,
        /// The message.
        message: V::Message,
    },
    /// Close a connection. Earlier messages are still sent; nothing more is received.
    Close {
        /// The connection to close.
        conn: ConnId,
    },
    /// Wake up with [`crate::Input::Timer`]. A timer that equals one already set replaces it. A
    /// timer that is due now is a continuation: a later input of its own, after the waiting inputs.
    SetTimer {
        /// The timer.
        timer: V::Timer,
        /// The time at which it is due, on this node's monotonic clock.
        at: Mono,
    },
    /// Forget a timer; no effect if it is not set.
    CancelTimer {
        /// The timer to forget.
        timer: V::Timer,
    },
    /// Report a fact to the observers of the run.
    Observe(V::Fact),
    /// End the process. Later outputs are ignored.
    Halt(Halt),
}

/// Collects the outputs of one handler call.
#[derive(Clone, Debug)]
pub struct Outbox<V: Vocabulary> {
    node: NodeId,
    incarnation: u16,
    connections: u32,
    outputs: Vec<Output<V>>,
    marks: Marks,
}

/// The branches of a program that were taken, by number below 512.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks([u64; 8]);

impl Marks {
    /// Records that a branch was taken.
    #[inline]
    pub fn set(&mut self, branch: u16) {
        self.0[usize::from(branch >> 6)] |= 1 << (branch & 63);
    }

    /// Adds the branches that were taken in `other`.
    #[inline]
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    /// Whether a branch was taken.
    pub fn has(&self, branch: u16) -> bool {
        self.0[usize::from(branch >> 6)] >> (branch & 63) & 1 == 1
    }
}

impl<V: Vocabulary> Outbox<V> {
    /// An empty outbox for the life number `incarnation` of `node`.
    pub fn new(node: NodeId, incarnation: u16) -> Self {
        let marks = Marks::default();
        Self { node, incarnation, connections: 0, outputs: Vec::new(), marks }
    }

    /// The node that writes to this outbox.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Opens a connection to `peer` and returns its id.
    pub fn connect(&mut self, peer: NodeId) -> ConnId {
        let conn = ConnId::new(self.node, self.incarnation, self.connections);
        self.connections += 1;
        self.outputs.push(Output::Connect { conn, peer });
        conn
    }

    /// Sends `message` on `conn`.
    pub fn send(&mut self, conn: ConnId, message: V::Message) {
        self.outputs.push(Output::Send { conn, message });
    }

    /// Closes `conn`.
    pub fn close(&mut self, conn: ConnId) {
        self.outputs.push(Output::Close { conn });
    }

    /// Sets `timer` for `at`, in place of an equal one.
    pub fn set_timer(&mut self, timer: V::Timer, at: Mono) {
        self.outputs.push(Output::SetTimer { timer, at });
    }

    /// Forgets `timer`.
    pub fn cancel_timer(&mut self, timer: V::Timer) {
        self.outputs.push(Output::CancelTimer { timer });
    }

    /// Reports a fact to the observers of the run.
    pub fn observe(&mut self, fact: V::Fact) {
        self.outputs.push(Output::Observe(fact));
    }

    /// Ends the process.
    pub fn halt(&mut self, halt: Halt) {
        self.outputs.push(Output::Halt(halt));
    }

    /// Takes the collected outputs, in order, and leaves the buffer empty for reuse.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Output<V>> {
        self.outputs.drain(..)
    }

    /// Drops the outputs for which `keep` is false.
    pub fn retain(&mut self, keep: impl FnMut(&Output<V>) -> bool) {
        self.outputs.retain(keep);
    }

    /// Exchanges the collected outputs, in order, for a buffer, which has to be empty.
    pub fn swap(&mut self, buffer: &mut Vec<Output<V>>) {
        assert!(buffer.is_empty(), "outputs would get lost");
        std::mem::swap(&mut self.outputs, buffer);
    }

    /// Records that a branch of the program was taken. This is cheap, is not an event, and does not
    /// change the run.
    #[inline]
    pub fn mark(&mut self, branch: u16) {
        self.marks.set(branch);
    }

    /// [`Outbox::mark`] for several branches.
    #[inline]
    pub fn mark_all(&mut self, marks: Marks) {
        self.marks.merge(marks);
    }

    /// The branches that were taken, since the last call.
    #[inline]
    pub fn take_marks(&mut self) -> Marks {
        std::mem::take(&mut self.marks)
    }

    /// The outputs collected so far, in order.
    pub fn outputs(&self) -> &[Output<V>] {
        &self.outputs
    }

    /// Whether no output has been collected.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }
}
