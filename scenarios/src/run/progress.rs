//! The positions of readers, and their last progress: a reader that is slow at a deadline is not
//! stuck.

use engine::ids::{Offset, TopicPartition};
use machine::{NodeId, Span};
use sim::SimTime;
use std::collections::BTreeMap;

/// The positions of readers, each with the time at which it was first seen there.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(BTreeMap<(NodeId, TopicPartition), (Option<Offset>, SimTime)>);

impl Progress {
    /// Records the present position of a reader.
    pub(super) fn note(
        &mut self,
        now: SimTime,
        reader: NodeId,
        partition: TopicPartition,
        position: Option<Offset>,
    ) {
        let known = self.0.entry((reader, partition)).or_insert((position, now));
        if known.0 != position {
            *known = (position, now);
        }
    }

    /// The time for which a reader has not moved.
    pub(super) fn still_for(
        &self,
        now: SimTime,
        reader: NodeId,
        partition: TopicPartition,
    ) -> Span {
        self.0.get(&(reader, partition)).map_or(Span::MAX, |(_, since)| now.since(*since))
    }
}
