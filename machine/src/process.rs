//! A process and its inputs.

use crate::{ConnId, Digest, Disk, NodeId, Now, Outbox};
use std::fmt::Debug;

/// The types that the processes of one system share, so that a broker, a controller and a client
/// write to the same kind of [`Outbox`].
pub trait Vocabulary: Clone + Copy + Debug + 'static {
    /// The messages between nodes.
    type Message: Message;
    /// The timers of a process. Two equal timers of one process are the same timer.
    type Timer: Clone + Debug + Ord;
    /// The facts that a process reports to the observers of the run.
    type Fact: Clone + Debug;
    /// The locks of inputs: a partition, a coordinator shard.
    type Lock: Copy + Debug + Ord;
}

/// A message between nodes: a request or a response.
pub trait Message: Clone + Debug {
    /// The size on the wire in bytes, from which the transfer time follows.
    fn wire_size(&self) -> u64;

    /// The name in the protocol: `ProduceRequest`.
    fn name(&self) -> &'static str;

    /// Folds the content into the digest of the run. Two messages that differ in anything on which
    /// a receiver could act fold differently.
    fn fold(&self, digest: &mut Digest);
}

/// An input of a process.
#[derive(Clone, Debug)]
pub enum Input<V: Vocabulary> {
    /// A message arrived. The messages of one connection and direction arrive in the order sent.
    Message {
        /// The connection on which it arrived.
        conn: ConnId,
        /// The other end of the connection.
        from: NodeId,
        /// The message.
        message: V::Message,
    },
    /// A timer is due.
    Timer(V::Timer),
    /// A connection that this process opened is ready.
    Opened {
        /// The connection.
        conn: ConnId,
        /// The other end of the connection.
        peer: NodeId,
    },
    /// A connection has ended, and nothing more arrives on it. The end that closed it gets no such
    /// input.
    Closed {
        /// The connection.
        conn: ConnId,
        /// The other end of the connection.
        peer: NodeId,
        /// How it ended.
        reason: CloseReason,
    },
    /// SIGTERM: shut down cleanly, then [`Outbox::halt`] with [`Halt::Clean`].
    Stop,
}

/// How a connection ended, as reported by the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// No process listens there (ECONNREFUSED).
    Refused,
    /// The other end closed it (end of file).
    Closed,
    /// The peer no longer knows the connection (ECONNRESET).
    Reset,
}

/// Why a process ended itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It was asked to stop, and has shut down.
    Clean,
    /// It cannot continue; the reason.
    Failed(String),
}

/// A thread of a node. The inputs of one lane are handled one after another; lanes are
/// independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Opened and closed connections.
    Network,
    /// Requests of clients and other nodes.
    Request,
    /// Responses to the fetches of a follower.
    Replication,
    /// Heartbeats, metadata, elections.
    Control,
    /// Checkpoints, flushes, cleaning.
    Background,
}

impl Lane {
    /// All lanes, in the order of their declaration.
    pub const ALL: [Self; 5] =
        [Self::Network, Self::Request, Self::Replication, Self::Control, Self::Background];
}

/// The information that a process has at its start.
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// The node that it runs on.
    pub node: NodeId,
    /// The number of earlier lives of the node.
    pub incarnation: u16,
    /// Its clocks.
    pub now: Now,
    /// The seed of all its random choices; it differs in every life.
    pub entropy: u64,
}

/// A state machine without I/O.
pub trait Process: Clone + Debug + Sized {
    /// The types that it shares with the other processes of its system.
    type Vocabulary: Vocabulary;
    /// The configuration.
    type Config: Clone + Debug;

    /// Starts, or starts again, from the data on the disk: the only way back from a crash.
    ///
    /// # Errors
    ///
    /// If the process cannot start; the node then stays down until it is started again.
    fn boot(
        config: &Self::Config,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox<Self::Vocabulary>,
    ) -> Result<Self, Halt>;

    /// Handles one input. Runs to completion: the process gets no other input meanwhile.
    fn handle(
        &mut self,
        now: Now,
        input: Input<Self::Vocabulary>,
        disk: &mut dyn Disk,
        out: &mut Outbox<Self::Vocabulary>,
    );

    /// The thread that handles this input.
    fn lane(&self, input: &Input<Self::Vocabulary>) -> Lane;

    /// Adds to `locks` the locks that this input holds from the start of its handler until its disk
    /// calls have completed. An input whose lock is held waits for it, and so does its lane.
    fn locks(
        &self,
        input: &Input<Self::Vocabulary>,
        locks: &mut Vec<<Self::Vocabulary as Vocabulary>::Lock>,
    );

    /// Panics if the state of the process is inconsistent. Asserts only what holds under any
    /// rulebook; what a wrong rule can break is checked by a check.
    fn invariants(&self);
}
