//! Identifiers of nodes, clusters and connections.

use std::fmt;

/// One Kafka cluster in the world. A scenario has a list of clusters, so that mirroring between
/// clusters needs no other model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u8);

/// A node: a broker, a controller or a client, each on a host of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// The cluster that the node belongs to.
    pub cluster: ClusterId,
    /// Its `node.id`, unique within the cluster over brokers, controllers and clients.
    pub node: u16,
}

impl NodeId {
    /// The node `node` of the cluster `cluster`.
    pub const fn new(cluster: u8, node: u16) -> Self {
        Self { cluster: ClusterId(cluster), node }
    }
}

/// The first cluster is left unnamed, since most worlds have only one: `3`, but `1/3`.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cluster.0 {
            0 => write!(f, "{}", self.node),
            cluster => write!(f, "{cluster}/{}", self.node),
        }
    }
}

/// A connection; both of its ends use this id. Never reused within a world: the opener, its
/// incarnation and a counter are packed into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl ConnId {
    /// Connection number `count`, from zero, that `opener` made in its life number `incarnation`.
    pub const fn new(opener: NodeId, incarnation: u16, count: u32) -> Self {
        // 4 bits of cluster, 12 of node, 16 of incarnation, 32 of count.
        let node = ((opener.cluster.0 as u64) << 12) | (opener.node as u64 & 0xfff);
        Self((node << 48) | ((incarnation as u64) << 32) | count as u64)
    }

    /// The node that opened it.
    pub const fn opener(self) -> NodeId {
        NodeId { cluster: ClusterId((self.0 >> 60) as u8), node: (self.0 >> 48) as u16 & 0xfff }
    }

    /// The number of the connection in its opener's life, from zero.
    pub const fn count(self) -> u32 {
        self.0 as u32
    }
}
