//! Processes come to rest: what they do is bounded by the records there are and by the timers of
//! the configuration, and a follower whose fetch is refused waits before it fetches again.
//!
//! Catches a corrupted `read_position` that sends a reader back to where it is, any other rule under
//! which processes answer each other without end and without a wait, and a follower that does not stop
//! fetching under a leader epoch that is over.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, View};
use engine::fact::Fact;
use engine::ids::{BrokerId, TopicPartition};
use machine::{NodeId, Span};
use std::collections::BTreeMap;

/// How often a leader may refuse the fetches of one follower within [`WHILE`], besides once in each
/// back-off (`replica.fetch.backoff.ms`): metadata that comes lets a follower try again at once, which
/// no property bounds. The number is chosen between the two: leaders change a few times in a second
/// where many faults meet, each with one or two refusals; and a follower that does not wait is refused
/// thousands of times, as a round trip takes 0.2 ms on the links that there are unless a scenario says
/// otherwise. Over links that are slower than 5 ms a follower without a wait stays below it, and is not
/// noticed. Without a back-off a follower does not wait by configuration: then refused fetches are not
/// looked at, and reading the scenario warns.
const AT_ONCE: u64 = 200;
const WHILE: Span = Span::secs(1);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Livelock {
    /// Since when each leader has refused each follower, and how often.
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
        // Reported once in each while.
        if times.1 == AT_ONCE + WHILE.0 / back_off.0 {
            let what = "a follower repeats without a wait what is refused";
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
            let found = "processes keep each other busy without end";
            out.add_without_partition(Self::NAME, found, (end.at, 0), Ground::Never)
                .detail(what.clone());
        }
    }
}
