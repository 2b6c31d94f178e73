//! Links become slow: more latency, less bandwidth.

use super::table::fault;
use super::{Harm, Inflict, Targets, leads};
use crate::net::LinkShape;
use machine::{NodeId, Span};

fault! {
    /// Messages take longer. Delays of several such faults add up; the lowest bandwidth counts.
    SlowLink = "slow-link" {
        /// The nodes at one end.
        from: Targets<W>,
        /// The nodes at the other end.
        to: Targets<W>,
        /// Only messages from `from` to `to` are slow; both directions unless given.
        one_way: bool,
        /// How much longer every message takes. One of `by`, `jitter` and `bandwidth` is needed.
        by: Option<Span>,
        /// The largest additional delay; that of each message is uniformly distributed from 0 to
        /// this value.
        jitter: Option<Span>,
        /// The number of bytes that get through per second.
        bandwidth: Option<u64>,
    }
}

impl Inflict for SlowLink<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Links
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        if leads((from, to), &self.from, &self.to, self.one_way) {
            shape.delay = shape.delay.saturating_add(self.by.unwrap_or(Span::ZERO));
            shape.jitter = shape.jitter.saturating_add(self.jitter.unwrap_or(Span::ZERO));
            shape.bytes_per_second = match (shape.bytes_per_second, self.bandwidth.unwrap_or(0)) {
                (rate, 0) | (0, rate) => rate,
                (one, other) => one.min(other),
            };
        }
    }
}
