//! Processes come to rest: their work is bounded by the number of records and by the configured
//! timers, and a follower whose fetch is refused waits before it fetches again.
//!
//! Catches a corrupted `read_position` that sends a reader back to the same position, any other
//! rule under which processes exchange messages without end and without a wait, and a follower that
//! continues fetching under an old leader epoch.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, View};
use engine::fact::Fact;
use engine::ids::{BrokerId, TopicPartition};
use machine::{NodeId, Span};
use std::collections::BTreeMap;

/// How often a leader may refuse the fetches of one follower within [`WHILE`], besides once in each
/// back-off (`replica.fetch.backoff.ms`): after new metadata a follower fetches again at once, and
/// no property bounds how often. Where many faults meet, leaders change a few times per second,
/// with one or two refusals each. A follower that does not wait is refused thousands of times per
/// second, since a round trip over default links takes 0.2 ms; over links slower than 5 ms it stays
/// below this bound and is not noticed. With a back-off of 0 followers do not wait, by
/// configuration: then refusals are not counted, and reading the scenario prints a warning.
const AT_ONCE: u64 = 200;
const WHILE: Span = Span::secs(1);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Livelock {
    /// The start of the present [`WHILE`] and the refusals since, by leader, partition and
    /// follower.
    refused: BTreeMap<(NodeId, TopicPartition, BrokerId), (u64, u64)>,
}

impl Livelock {
    pub(super) const NAME: &'static str = "no-livelock";
}

impl Check for Livelock {
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        let Fact::FetchRefused { partition, replica: Some(follower), error } = fact else { return };
        let back_off = view.setup.fetch_back_off;
        if back_off == Span::ZERO {
            return;
        }
        let times = self.refused.entry((at.node, *partition, *follower)).or_insert((at.at, 0));
        if at.at.saturating_sub(times.0) > WHILE.0 {
            *times = (at.at, 0);
        }
        times.1 += 1;
        // Reported at most once in each `WHILE`.
        if times.1 == AT_ONCE + WHILE.0 / back_off.0 {
            let what = "a follower repeats a refused fetch without waiting";
            let Some(index) = view.index_of(at.node.cluster, *partition) else { return };
            out.add(Self::NAME, what, at, index, Ground::Never).detail(format!(
                "{} refused {} fetches of {follower} within {WHILE}, the last with {}",
                at.node,
                times.1,
                error.name()
            ));
        }
    }

    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        if let Some(what) = &view.livelock {
            let found = "processes exchange messages without end";
            out.add_without_partition(Self::NAME, found, (end.at, 0), Ground::Never)
                .detail(what.clone());
        }
    }
}
