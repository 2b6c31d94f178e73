//! Verifications under way: the coordinator is asked whether a transaction contains this partition
//! (`VerificationStateEntry`, `VerificationGuard`; KIP-890).
//!
//! A leader appends the first batch of a transaction only after the coordinator has confirmed that
//! the partition is in the transaction. The transaction may have ended by then, with its marker in
//! the log. So an entry with a guard is kept from the request to the coordinator onwards.
//! Transactional batches and markers of that producer remove it ([`Verification::ends_with`]), and
//! a batch is appended only under the guard that it got with its request.

use crate::record::Batch;
use machine::Wall;
use std::collections::BTreeMap;

/// The verification of a producer's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// When the first batch needed it.
    pub created: Wall,
    /// The guard, which names this entry and no later one.
    pub guard: u64,
    /// The smallest first sequence of the batches that needed the verification in this epoch. If a
    /// batch above it were appended first, the batch with this sequence could never be.
    pub lowest_sequence: i32,
    /// The producer's epoch.
    pub epoch: i16,
    /// The producer begins a new epoch with each transaction (transactions version 2).
    pub bumps_epoch: bool,
}

impl Verification {
    /// Whether a transactional batch or marker, once it is in the log, ends the verification. Under
    /// version 2 a marker of the same epoch does not: it ends the transaction before, because
    /// markers carry the epoch of the next transaction.
    pub fn ends_with(&self, batch: Batch<'_>) -> bool {
        let of_previous =
            self.bumps_epoch && batch.is_control() && batch.producer_epoch() == self.epoch;
        batch.is_transactional() && !of_previous
    }
}

/// A batch that needs a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// The id of its producer.
    pub producer_id: i64,
    /// The producer epoch.
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

    /// Begins a verification under `guard`, or joins the one under way. Returns the guard of the
    /// verification (`maybeUpdateLowestSequenceAndEpoch`).
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

    /// Ends the verification of a producer, because of a batch or marker in the log.
    pub(super) fn end(&mut self, producer_id: i64) {
        self.0.remove(&producer_id);
    }

    /// A batch or marker was replicated or replayed.
    pub(super) fn on_batch(&mut self, batch: Batch<'_>) {
        if self.0.get(&batch.producer_id()).is_some_and(|entry| entry.ends_with(batch)) {
            self.end(batch.producer_id());
        }
    }

    /// Removes the verifications that began `after_ms` milliseconds ago or earlier.
    pub(super) fn expire(&mut self, now: Wall, after_ms: i64) {
        self.0.retain(|_, entry| now.0.saturating_sub(entry.created.0) < after_ms);
    }
}
