//! All timers of processes.

use crate::ids::{BrokerId, DirectoryId, LeaderEpoch, TopicPartition};
use machine::ConnId;

/// A timer of a broker, a controller or a client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A request in flight, or a connection attempt, may be overdue; see [`crate::net`].
    Requests(Channel),
    /// Of a member of the metadata quorum, voter or observer.
    Quorum(QuorumTimer),
    /// Of the active controller.
    Controller(ControllerTimer),
    /// Of a broker.
    Broker(BrokerTimer),
    /// Of a client.
    Client(ClientTimer),
    /// Of an application; only the application knows the meaning of the number.
    Application(u32),
}

/// A set of connections of one process, each set with its own requests in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Between members of the metadata quorum.
    Quorum,
    /// From a broker to the active controller: registration and heartbeats. The controller
    /// handles the requests of a connection one after another, so each purpose has its own.
    Heartbeat,
    /// From a broker to the active controller: changes of the in-sync replicas.
    AlterPartition,
    /// From a broker to the active controller: what clients requested.
    Forward,
    /// From a broker to the active controller: the log directories of replicas.
    Directories,
    /// From a transaction coordinator to the leaders that write markers.
    Markers,
    /// From a follower to the leaders it fetches from.
    Replica,
    /// From a leader to the coordinators of transactions.
    Verification,
    /// From a producer.
    Producer,
    /// From a consumer.
    Consumer,
    /// From an admin client.
    Admin,
    /// From a member of a group to its coordinator.
    Group,
}

/// See [`crate::timer::Timer::Quorum`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuorumTimer {
    /// No election has been decided, or the leader has not been heard of, for too long.
    Election,
    /// A leader has not heard of a majority for too long.
    Resign,
    /// Another member may be asked again, or what was to be sent to it is overdue.
    Poll,
    /// A leader makes itself known to the other voters, again.
    BeginEpoch,
    /// Appended records may leave (`quorum.append.linger.ms`).
    Linger,
    /// Fetches that wait for records may be overdue.
    Waiting,
}

/// See [`crate::timer::Timer::Controller`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControllerTimer {
    /// A broker's session may have ended.
    Sessions,
    /// It is time for `leader.imbalance.check.interval.seconds`.
    Balance,
    /// It is time to look for partitions to elect uncleanly.
    Unclean,
    /// Nothing was written for `metadata.max.idle.interval.ms`.
    Idle,
}

/// See [`crate::timer::Timer::Broker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BrokerTimer {
    /// It is time to register, or for a heartbeat.
    Heartbeat,
    /// No controller has registered the broker for too long.
    RegistrationTimeout,
    /// A controlled shutdown takes too long.
    Shutdown,
    /// Committed metadata waits to be applied.
    Metadata,
    /// A call to the disk has failed in a log directory, by its place in `log.dirs`: it goes
    /// offline.
    LogDirFailed(u8),
    /// The controller may not know of the failure of this log directory for too long.
    LogDirUnreported(DirectoryId),
    /// It is time to report to the controller where replicas are.
    Assignments,
    /// A request to the controller may be sent, again, or is given up.
    ToController(Channel),
    /// Parked requests may be overdue.
    Waiting,
    /// A response has left its connection, and another request has queued there.
    NextRequest(ConnId),
    /// The coordinator is asked again about the transaction of a produce request, by its number.
    Verify(u64),
    /// The coordinator has responded about the transaction of a produce request, by its number.
    Verified(u64),
    /// Of the replicas.
    Replica(ReplicaTimer),
    /// Something has come on a connection of the broker to itself.
    Loopback(ConnId),
    /// Of the transaction coordinators.
    Transaction(TransactionTimer),
    /// Of the group coordinators.
    Group(GroupTimer),
}

/// See [`BrokerTimer::Group`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupTimer {
    /// This broker leads a partition of `__consumer_offsets`: its log has to be read.
    Load(i32),
    /// The log of a partition has been read, as leader of this epoch.
    Loaded(i32, LeaderEpoch),
    /// Something of the groups of this partition is due: records to append, a request that has waited
    /// for too long, a session, a rebalance.
    Due(i32),
}

/// See [`BrokerTimer::Transaction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionTimer {
    /// This broker leads a partition of `__transaction_state`: its log has to be read.
    Load(i32),
    /// The log of a partition has been read, as leader of this epoch.
    Loaded(i32, LeaderEpoch),
    /// All markers of some transactions of this partition are written.
    Complete(i32),
    /// Records of `__transaction_state` may be on their way for too long.
    Writes,
    /// Markers may be sent, again.
    Markers,
    /// It is time to look for transactions that are open for too long.
    TimedOut,
    /// It is time to look for transactional ids that are not used any more.
    ExpiredIds,
}

/// See [`BrokerTimer::Replica`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplicaTimer {
    /// It is time to look for lagging followers.
    IsrShrink,
    /// It is time to propose changed in-sync replicas again, after an error.
    AlterPartition,
    /// It is time to fetch from this leader again.
    Fetch(BrokerId),
    /// A partition's full segments have to be fsynced (`flush-log`).
    FlushRolled(TopicPartition),
    /// A partition's leader epoch file has to be written after a truncation
    /// (`leader-epoch-cache-flush`).
    FlushEpochs(TopicPartition),
    /// It is time to write the high watermarks.
    HighWatermarkCheckpoint,
    /// It is time to write the recovery points.
    RecoveryPointCheckpoint,
    /// It is time to fsync logs that are old enough for `flush.ms`.
    Flush,
    /// It is time to forget silent producers.
    ForgetProducers,
}

/// See [`crate::timer::Timer::Client`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientTimer {
    /// A producer may send, expire or refresh something.
    Producer,
    /// A consumer may fetch, validate or refresh something.
    Consumer,
    /// An admin client may send again.
    Admin,
    /// A member of a group has a heartbeat, a commit or a rebalance to attend to.
    Group,
}
