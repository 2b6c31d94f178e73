//! A partition. Packets across it are lost and resent by the sender's kernel; neither end of a
//! connection notices at once.

use super::table::fault;
use super::{Groups, Harm, Inflict};
use crate::net::LinkShape;
use machine::NodeId;

fault! {
    /// Nothing gets from one group of nodes to another.
    Partition = "partition" {
        /// The groups, each a list of targets. A node is in the first group that names it; nodes in
        /// no group reach everyone.
        groups: Groups<W>,
    }
}

impl Partition<NodeId> {
    fn group(&self, node: NodeId) -> Option<usize> {
        self.groups.0.iter().position(|group| group.contains(&node))
    }
}

impl Inflict for Partition<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Links
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        if let (Some(from), Some(to)) = (self.group(from), self.group(to)) {
            shape.cut |= from != to;
        }
    }
}
