//! Names of topics, partitions and brokers, and the numbers that order things.

use machine::NodeId;
use std::fmt;
use std::sync::Arc;

/// A position in a partition: of a record, or of the end of the log (the next record's).
pub type Offset = i64;

/// The number of a leadership of one partition, given by the controller; also the epoch of the
/// Raft quorum.
pub type LeaderEpoch = i32;

/// The version of a partition's state at the controller, the token of its compare-and-set
/// (KIP-497).
pub type PartitionEpoch = i32;

/// The number of a broker's life: the offset of its registration record (KIP-631, KIP-903).
pub type BrokerEpoch = i64;

/// `node.id` of a broker or controller within its cluster.
pub type BrokerId = u16;

/// `transactional.id` of a producer: the name under which it continues after a restart, and under
/// which an older instance is fenced (KIP-98).
pub type TransactionalId = Arc<str>;

/// `group.id`: the name of a group of consumers.
pub type GroupId = Arc<str>;

/// The id of a member of a group, given by the coordinator.
pub type MemberId = Arc<str>;

/// `group.instance.id`: the name under which a static member goes on after a restart (KIP-345).
pub type GroupInstanceId = Arc<str>;

/// The node of broker or controller `id` in the cluster that `of` belongs to.
pub fn peer(of: NodeId, id: BrokerId) -> NodeId {
    NodeId { cluster: of.cluster, node: id }
}

/// A topic's id, chosen at random when it is created, so that a topic deleted and created again
/// is another topic (KIP-516).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub u128);

impl TopicId {
    /// The topic of the metadata log, the same in every cluster.
    pub const METADATA: Self = Self(1);
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A log directory of a broker, by the `directory.id` of its `meta.properties` (KIP-858); some
/// values say why a replica has no known directory (`DirectoryId`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId(pub u128);

impl DirectoryId {
    /// The replica was placed before directories had ids.
    pub const MIGRATING: Self = Self(0);
    /// The broker has not yet said where it put the replica.
    pub const UNASSIGNED: Self = Self(1);
    /// The replica was in a directory that has failed.
    pub const LOST: Self = Self(2);

    /// The only log directory of a broker that has one. Kafka draws these ids at random when it
    /// formats the storage.
    pub const fn of_broker(broker: BrokerId) -> Self {
        Self(1 << 64 | broker as u128)
    }

    /// Whether the id names no directory: the first hundred are reserved.
    pub const fn is_reserved(self) -> bool {
        self.0 >> 64 == 0 && (self.0 as u64).cast_signed() < 100
    }

    /// Whether a replica in this directory is online, on a broker with these online directories.
    /// A broker that has registered none is believed to halt when its last directory fails
    /// (KAFKA-16162).
    pub fn is_online(self, online: &[Self]) -> bool {
        match self {
            Self::MIGRATING | Self::UNASSIGNED => true,
            Self::LOST => false,
            _ => online.is_empty() || online.contains(&self),
        }
    }
}

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIGRATING => f.write_str("migrating"),
            Self::UNASSIGNED => f.write_str("unassigned"),
            Self::LOST => f.write_str("lost"),
            Self(id) => write!(f, "{id:032x}"),
        }
    }
}

/// One partition of a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicId,
    /// The partition's index within it, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// `__cluster_metadata-0`, the log of the controllers.
    pub const METADATA: Self = Self { topic: TopicId::METADATA, partition: 0 };

    /// Partition `partition` of `topic`.
    pub const fn new(topic: TopicId, partition: i32) -> Self {
        Self { topic, partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::METADATA => f.write_str("__cluster_metadata-0"),
            Self { topic, partition } => write!(f, "{topic}-{partition}"),
        }
    }
}
