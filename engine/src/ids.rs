//! Names of topics, partitions and brokers, and the numbers that order things.

use machine::NodeId;
use std::fmt;

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
