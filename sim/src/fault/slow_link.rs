//! Links become slow: more latency, less bandwidth.

use super::{Inflict, leads};
use crate::net::LinkShape;
use crate::text;
use machine::{NodeId, Span};
use serde::{Deserialize, Serialize};

/// Links become slow. Delays of several such faults add up; the lowest bandwidth counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowLink {
    /// Their beginnings.
    #[serde(with = "text::nodes")]
    pub from: Vec<NodeId>,
    /// Their ends.
    #[serde(with = "text::nodes")]
    pub to: Vec<NodeId>,
    /// The links back as well.
    #[serde(default)]
    pub both_ways: bool,
    /// Every packet takes so much longer.
    #[serde(with = "text::span")]
    pub delay: Span,
    /// And up to so much longer, uniformly.
    #[serde(with = "text::span", default)]
    pub jitter: Span,
    /// 0 leaves the bandwidth as it is.
    #[serde(default)]
    pub bytes_per_second: u64,
}

impl Inflict for SlowLink {
    fn nodes(&self) -> Vec<NodeId> {
        [&self.from[..], &self.to[..]].concat()
    }

    fn shapes_links(&self) -> bool {
        true
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        if leads((from, to), &self.from, &self.to, self.both_ways) {
            shape.delay = shape.delay.saturating_add(self.delay);
            shape.jitter = shape.jitter.saturating_add(self.jitter);
            shape.bytes_per_second = match (shape.bytes_per_second, self.bytes_per_second) {
                (rate, 0) | (0, rate) => rate,
                (one, other) => one.min(other),
            };
        }
    }
}
