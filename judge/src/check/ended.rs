//! In a healed cluster no transaction stays open: its producer ends it, or its coordinator does
//! when `transaction.timeout.ms` is over. Until then `read_committed` readers get no further in its
//! partitions.

use super::{Check, Findings};
use crate::evidence::{End, Moment, View};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended;

impl Ended {
    pub(super) const NAME: &'static str = "transactions-end";
}

impl Check for Ended {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (index, partition) in view.partitions.iter().enumerate() {
            if partition.topic.is_none() || partition.state().is_some_and(|it| it.leader.is_none())
            {
                continue;
            }
            for (producer_id, batches) in partition.transactions.open() {
                let is_over = |batch: &&u32| view.is_time_over(partition, **batch, end.at);
                let Some(batch) = batches.first().filter(is_over) else { continue };
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
