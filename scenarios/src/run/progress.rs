//! How far readers have come, and when they last went on: who is slow at a deadline is not stuck.

use engine::ids::{Offset, TopicPartition};
use machine::{NodeId, Span};
use sim::SimTime;
use std::collections::BTreeMap;

/// The positions of readers, each with the time at which it was first seen there.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(BTreeMap<(NodeId, TopicPartition), (Option<Offset>, SimTime)>);

impl Progress {
    /// A reader has this position now.
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

    /// How long a reader has been where it is.
    pub(super) fn still_for(
        &self,
        now: SimTime,
        reader: NodeId,
        partition: TopicPartition,
    ) -> Span {
        self.0.get(&(reader, partition)).map_or(Span::MAX, |(_, since)| now.since(*since))
    }
}
