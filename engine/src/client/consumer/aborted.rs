//! Finds the fetched batches that belong to aborted transactions (`CompletedFetch`; KIP-98).
//!
//! Beside the batches, a leader returns the aborted transactions that may overlap them: producer id
//! and first offset. The batches of that producer from the first offset up to its next abort marker
//! are aborted. The list may contain other transactions: those that begin after the batches are
//! never reached.

use crate::protocol::AbortedTransaction;
use crate::record::{Batch, EndTransactionMarker, RecordError};
use crate::rules::client::FetchedBatch;
use bytes::Bytes;
use std::collections::BTreeSet;

/// The aborted transactions of a fetch response, while the consumer goes through its batches.
#[derive(Clone, Debug)]
pub(super) struct Aborted {
    /// The transactions that begin after the batches so far, in descending order of first offset.
    later: Vec<AbortedTransaction>,
    /// The producers whose present transaction is aborted.
    producers: BTreeSet<i64>,
}

impl Aborted {
    /// The state before the first batch.
    pub(super) fn new(transactions: &[AbortedTransaction]) -> Self {
        let mut later = transactions.to_vec();
        later.sort_by_key(|it| std::cmp::Reverse(it.first_offset));
        Self { later, producers: BTreeSet::new() }
    }

    /// Moves to the next batch. Returns whether its records are skipped, which `passes_over`
    /// decides.
    ///
    /// # Errors
    ///
    /// If it is a control batch that cannot be read.
    pub(super) fn skips(
        &mut self,
        bytes: &Bytes,
        passes_over: &mut dyn FnMut(FetchedBatch) -> bool,
    ) -> Result<bool, RecordError> {
        let batch = Batch::new(bytes)?;
        let producer = batch.producer_id();
        if producer < 0 {
            return Ok(false);
        }
        let begins = |it: &AbortedTransaction| it.first_offset <= batch.last_offset();
        while self.later.last().is_some_and(begins) {
            self.producers.extend(self.later.pop().map(|it| it.producer_id));
        }
        if batch.is_control() {
            // The first record decides, as in the leader and in Kafka's consumer.
            if EndTransactionMarker::of(batch)?.is_some_and(|marker| !marker.committed) {
                self.producers.remove(&producer);
            }
            return Ok(false);
        }
        let is_transactional = batch.is_transactional();
        let is_listed = self.producers.contains(&producer);
        Ok(passes_over(FetchedBatch { is_transactional, is_listed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, stamp};
    use crate::rules;

    fn data(producer: i64, offset: i64) -> Bytes {
        let mut builder = BatchBuilder::new().producer(producer, 0, 0).transactional(true);
        builder.append(1, None, Some(b"value"), &[]);
        stamp(builder.build(), offset, 3)
    }

    fn marker(producer: i64, offset: i64, committed: bool) -> Bytes {
        let marker = EndTransactionMarker { committed, coordinator_epoch: 0 };
        stamp(marker.batch(producer, 0, 1), offset, 3)
    }

    fn skipped(batches: &[Bytes], aborted: &[(i64, i64)]) -> Vec<bool> {
        let listed = aborted.iter().map(|(producer_id, first_offset)| AbortedTransaction {
            producer_id: *producer_id,
            first_offset: *first_offset,
        });
        let mut aborted = Aborted::new(&listed.collect::<Vec<_>>());
        batches
            .iter()
            .map(|batch| aborted.skips(batch, &mut rules::client::passes_over).unwrap())
            .collect()
    }

    #[test]
    fn a_transaction_is_skipped_from_its_first_record_to_its_marker() {
        let batches = [
            data(1, 0),
            marker(1, 1, true),
            data(1, 2),
            data(2, 3),
            marker(1, 4, false),
            data(1, 5),
            marker(2, 6, true),
            marker(1, 7, true),
        ];
        let mut expected = [false; 8];
        expected[2] = true;
        assert_eq!(skipped(&batches, &[(1, 2)]), expected);
    }

    /// O8: the list may name transactions that ended before the batches, or begin after them.
    #[test]
    fn listed_transactions_outside_the_batches_hide_no_records() {
        let batches = [data(1, 10), marker(1, 11, true), data(2, 12), marker(2, 13, true)];
        assert_eq!(skipped(&batches, &[(2, 14), (1, 20)]), [false; 4]);
        let ended = [marker(1, 9, false), data(1, 10), marker(1, 11, true)];
        assert_eq!(skipped(&ended, &[(1, 4)]), [false; 3]);
    }

    #[test]
    fn batches_outside_transactions_are_not_skipped() {
        let mut builder = BatchBuilder::new().producer(1, 0, 0);
        builder.append(1, None, Some(b"value"), &[]);
        assert_eq!(skipped(&[stamp(builder.build(), 5, 3)], &[(1, 0)]), [false]);
    }
}
