//! A partition. What is sent across it is lost and sent again by the sender's kernel; no end of a
//! connection is told.

use super::Inflict;
use crate::net::LinkShape;
use crate::text;
use machine::NodeId;
use serde::{Deserialize, Serialize};

/// Nodes in different groups cannot reach each other. Nodes in no group are not concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The groups.
    #[serde(with = "text::node_groups")]
    pub groups: Vec<Vec<NodeId>>,
    /// Only what a group sends to a later one is lost, not what it receives from there.
    #[serde(default)]
    pub one_way: bool,
}

impl Partition {
    fn group(&self, node: NodeId) -> Option<usize> {
        self.groups.iter().position(|group| group.contains(&node))
    }
}

impl Inflict for Partition {
    fn nodes(&self) -> Vec<NodeId> {
        self.groups.concat()
    }

    fn shapes_links(&self) -> bool {
        true
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        if let (Some(from), Some(to)) = (self.group(from), self.group(to)) {
            shape.cut |= from < to || (from > to && !self.one_way);
        }
    }
}
