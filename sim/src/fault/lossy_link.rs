//! Links lose, duplicate and reorder packets. TCP hides all three from the processes: what is left
//! of them is delay, and messages of other connections that overtake.

use super::{Inflict, leads};
use crate::net::LinkShape;
use crate::text;
use machine::NodeId;
use serde::{Deserialize, Serialize};

/// Links lose, duplicate and reorder packets, on top of what they do anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossyLink {
    /// Their beginnings.
    #[serde(with = "text::nodes")]
    pub from: Vec<NodeId>,
    /// Their ends.
    #[serde(with = "text::nodes")]
    pub to: Vec<NodeId>,
    /// The links back as well.
    #[serde(default)]
    pub both_ways: bool,
    /// How many of a million packets are lost.
    #[serde(default)]
    pub loss_ppm: u32,
    /// How many of a million packets arrive twice.
    #[serde(default)]
    pub duplicate_ppm: u32,
    /// How many of a million packets are held up while others overtake.
    #[serde(default)]
    pub reorder_ppm: u32,
}

impl Inflict for LossyLink {
    fn nodes(&self) -> Vec<NodeId> {
        [&self.from[..], &self.to[..]].concat()
    }

    fn shapes_links(&self) -> bool {
        true
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        if leads((from, to), &self.from, &self.to, self.both_ways) {
            shape.loss_ppm = shape.loss_ppm.saturating_add(self.loss_ppm);
            shape.duplicate_ppm = shape.duplicate_ppm.saturating_add(self.duplicate_ppm);
            shape.reorder_ppm = shape.reorder_ppm.saturating_add(self.reorder_ppm);
        }
    }
}
