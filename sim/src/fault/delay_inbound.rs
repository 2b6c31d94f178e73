//! What one node gets from some others is late: metadata that lags behind, while everything else
//! is on time. Long delays outlive time-outs, and so deliver what its sender has given up.

use super::Inflict;
use crate::net::LinkShape;
use crate::text;
use machine::{NodeId, Span};
use serde::{Deserialize, Serialize};

/// What some nodes send to one node from now on is late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayInbound {
    /// The receiver.
    #[serde(with = "text::node")]
    pub node: NodeId,
    /// The senders.
    #[serde(with = "text::nodes")]
    pub from: Vec<NodeId>,
    /// How late.
    #[serde(with = "text::span")]
    pub delay: Span,
}

impl Inflict for DelayInbound {
    fn nodes(&self) -> Vec<NodeId> {
        [&[self.node], &self.from[..]].concat()
    }

    fn shapes_links(&self) -> bool {
        true
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        if to == self.node && self.from.contains(&from) {
            shape.delay = shape.delay.saturating_add(self.delay);
        }
    }
}
