//! Transactions whose coordinator is asked about this partition (`VerificationStateEntry`,
//! `VerificationGuard`; KIP-890).
//!
//! A leader appends the first batch of a transaction only after the coordinator has said that the
//! partition is in it. Its answer may be old by then: the transaction may have ended, and its marker may
//! stand in the log. So there is an entry with a guard from the question on, which any transactional
//! batch and any marker of that producer removes, and the append needs the guard that its question got.

use crate::record::Batch;
use machine::Wall;
use std::collections::BTreeMap;

/// What is known of a producer whose transaction is being verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// When it was first asked about.
    pub created: Wall,
    /// The guard, which names this entry and no later one.
    pub guard: u64,
    /// The smallest first sequence of the batches that needed it in this epoch. A batch above it would
    /// leave a gap that the earlier one could not fill any more.
    pub lowest_sequence: i32,
    /// The producer's epoch.
    pub epoch: i16,
    /// The producer begins a new epoch with each transaction (transactions version 2).
    pub bumps_epoch: bool,
}

impl Verification {
    /// Whether a transactional batch or marker, once it is in the log, ends the verification. A marker of
    /// the same epoch does not under version 2: it ends the transaction before, since it carries the epoch
    /// in which the next one runs.
    pub fn ends_with(&self, batch: Batch<'_>) -> bool {
        let of_previous =
            self.bumps_epoch && batch.is_control() && batch.producer_epoch() == self.epoch;
        batch.is_transactional() && !of_previous
    }
}

/// A batch that needs a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// The producer.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The sequence of its first record.
    pub first_sequence: i32,
    /// The producer begins a new epoch with each transaction.
    pub bumps_epoch: bool,
}

/// The verifications of a log, by producer. They are in memory only.
#[derive(Clone, Debug, Default)]
pub(super) struct Verifications(BTreeMap<i64, Verification>);

impl Verifications {
    pub(super) fn get(&self, producer_id: i64) -> Option<&Verification> {
        self.0.get(&producer_id)
    }

    /// Begins a verification under the guard `guard`, or joins the one under way. Returns its guard
    /// (`maybeUpdateLowestSequenceAndEpoch`).
    pub(super) fn begin(&mut self, batch: Unverified, guard: u64, now: Wall) -> u64 {
        let Unverified { epoch, first_sequence, bumps_epoch, .. } = batch;
        let new = Verification {
            created: now,
            guard,
            lowest_sequence: first_sequence,
            epoch,
            bumps_epoch,
        };
        let entry = self.0.entry(batch.producer_id).or_insert(new);
        if epoch > entry.epoch {
            entry.epoch = epoch;
            entry.lowest_sequence = first_sequence;
        } else if epoch == entry.epoch {
            entry.lowest_sequence = entry.lowest_sequence.min(first_sequence);
        }
        entry.guard
    }

    /// A batch is in the log that ends the verification of its producer.
    pub(super) fn end(&mut self, producer_id: i64) {
        self.0.remove(&producer_id);
    }

    /// A batch was replicated or replayed.
    pub(super) fn on_batch(&mut self, batch: Batch<'_>) {
        if self.0.get(&batch.producer_id()).is_some_and(|entry| entry.ends_with(batch)) {
            self.end(batch.producer_id());
        }
    }

    /// Removes those that are `after_ms` old, in milliseconds.
    pub(super) fn expire(&mut self, now: Wall, after_ms: i64) {
        self.0.retain(|_, entry| now.0.saturating_sub(entry.created.0) < after_ms);
    }
}
