//! In a healed cluster no transaction stays open: its producer ends it, or its coordinator does
//! when `transaction.timeout.ms` is over. Until then `read_committed` readers get no further in its
//! partitions.

use super::{Check, Findings};
use crate::evidence::{End, Moment, Partition, View};
use machine::Span;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended;

impl Ended {
    pub(super) const NAME: &'static str = "transactions-end";
}

/// The longest time from a decision to its last marker in a healed cluster.
const SLACK: Span = Span::secs(10);

impl Check for Ended {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (index, partition) in view.partitions.iter().enumerate() {
            if partition.topic.is_none() || partition.state().is_some_and(|it| it.leader.is_none())
            {
                continue;
            }
            for (producer_id, batches) in partition.transactions.open() {
                let Some(batch) = batches.first().filter(|it| is_over(view, end, partition, **it))
                else {
                    continue;
                };
                let it = partition.batches.get(*batch);
                let node = view.node_of(partition);
                let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
                let what = "a transaction is still open";
                out.add(Self::NAME, what, &at, index, view.ground_of(index, producer_id))
                    .offset(it.base)
                    .record(partition.batches.number_at(*batch, it.base))
                    .detail(format!("of producer {producer_id}, since {}", view.time(it.at)));
            }
        }
    }
}

/// Whether a transaction should have ended by now, even by a slow clock. Its time counts from its
/// first batch, or from the last change of the partition's leader or ISR if that came later.
fn is_over(view: &View, end: &End, partition: &Partition, batch: u32) -> bool {
    let waited = view.setup.transaction_timeout.0.saturating_add(SLACK.0);
    let drift = waited / 1_000_000 * u64::from(view.setup.drift_ppm);
    let led = partition.states.last().map_or(0, |state| state.at);
    let since = partition.batches.get(batch).at.max(led);
    end.at.saturating_sub(since) > waited.saturating_add(drift)
}
