//! A process and what goes into it.

use crate::{ConnId, Digest, Disk, NodeId, Now, Outbox};
use std::fmt::Debug;

/// The types that the processes of one system share, so that a broker, a controller and a client
/// write to the same kind of [`Outbox`].
pub trait Vocabulary: Clone + Copy + Debug + 'static {
    /// What nodes send to one another.
    type Message: Message;
    /// What a process can wake up for. Two timers of one process are the same timer if equal.
    type Timer: Clone + Debug + Ord;
    /// What a process tells the observers of the run.
    type Fact: Clone + Debug;
    /// What an input can lock: a partition, a coordinator shard.
    type Lock: Copy + Debug + Ord;
}

/// What nodes send to one another: a request or a response.
pub trait Message: Clone + Debug {
    /// Its size on the wire in bytes, for bandwidth.
    fn wire_size(&self) -> u64;

    /// What it is, in the words of the protocol: `ProduceRequest`.
    fn name(&self) -> &'static str;

    /// Folds its content into the digest of the run. Two messages that differ in anything a
    /// receiver could act on fold differently.
    fn fold(&self, digest: &mut Digest);
}

/// What happens to a process.
#[derive(Clone, Debug)]
pub enum Input<V: Vocabulary> {
    /// A message arrived. Those of one connection and direction arrive in the order sent.
    Message {
        /// The connection that it came on.
        conn: ConnId,
        /// The other end of it.
        from: NodeId,
        /// The message.
        message: V::Message,
    },
    /// A timer is due.
    Timer(V::Timer),
    /// A connection that this process asked for is open.
    Opened {
        /// The connection.
        conn: ConnId,
        /// The other end of it.
        peer: NodeId,
    },
    /// A connection has ended, and nothing more comes on it. Not told to the end that closed it.
    Closed {
        /// The connection.
        conn: ConnId,
        /// The other end of it.
        peer: NodeId,
        /// How it ended.
        reason: CloseReason,
    },
    /// SIGTERM: shut down in an orderly way and [`Outbox::halt`] with [`Halt::Clean`].
    Stop,
}

/// How a connection ended, as the socket tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// Nobody listens there (ECONNREFUSED).
    Refused,
    /// The other end closed it (end of file).
    Closed,
    /// The other end does not know it any more (ECONNRESET).
    Reset,
}

/// Why a process ended itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It was told to stop, and has.
    Clean,
    /// It cannot go on, and says why.
    Failed(String),
}

/// A thread of a node. The inputs of one lane are handled one after another; lanes are
/// independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Connections coming and going.
    Network,
    /// Requests of clients and other nodes.
    Request,
    /// Answers to the fetches of a follower.
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

/// What a process knows when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// The node that it runs on.
    pub node: NodeId,
    /// How many lives the node has had before this one.
    pub incarnation: u16,
    /// Its clocks.
    pub now: Now,
    /// The seed of all its random choices, another one in every life.
    pub entropy: u64,
}

/// A state machine without I/O.
pub trait Process: Clone + Debug + Sized {
    /// The types that it shares with the other processes of its system.
    type Vocabulary: Vocabulary;
    /// What it is configured with.
    type Config: Clone + Debug;

    /// Starts, or starts again, from what is on the disk: the only way back from a crash.
    ///
    /// # Errors
    ///
    /// If it cannot start; the node then stays down until somebody starts it again.
    fn boot(
        config: &Self::Config,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox<Self::Vocabulary>,
    ) -> Result<Self, Halt>;

    /// Handles one input. Runs to completion: nothing else happens to the process meanwhile.
    fn handle(
        &mut self,
        now: Now,
        input: Input<Self::Vocabulary>,
        disk: &mut dyn Disk,
        out: &mut Outbox<Self::Vocabulary>,
    );

    /// The thread that handles this input.
    fn lane(&self, input: &Input<Self::Vocabulary>) -> Lane;

    /// Adds to `locks` what this input locks from the start of its handler until its disk calls
    /// have completed. An input on a lock that is held waits for it, and its lane with it.
    fn locks(
        &self,
        input: &Input<Self::Vocabulary>,
        locks: &mut Vec<<Self::Vocabulary as Vocabulary>::Lock>,
    );

    /// Panics if the process contradicts itself. Asserts only what holds whatever rules the
    /// process was given; what a wrong rule can break is the business of a check.
    fn invariants(&self);
}
