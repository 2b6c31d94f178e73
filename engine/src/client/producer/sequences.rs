//! The identity of an idempotent producer and the sequences of its batches (`TransactionManager`,
//! `TxnPartitionMap`, `TxnPartitionEntry`; KIP-98, KIP-360).
//!
//! | rule | where |
//! |---|---|
//! | any broker returns an id; until then no batch is sent, and none expires | `sender.rs` |
//! | a batch gets id, epoch and sequence when it is sent for the first time, and keeps them | [`Sequences::assign`] |
//! | batches are sent again in the order of their sequences, one at a time | [`Sequences::holds`] |
//! | a batch that was sent again and then expired may leave a gap; new batches wait until that is certain or excluded | [`Sequences::resolve`] |
//! | after a gap the producer begins a new epoch, in which the batches in flight of that partition begin at sequence 0 | [`Sequences::bump`] |
//! | other partitions change to the new epoch when they have no batches in flight | [`Sequences::assign`] |
//! | after the last epoch the producer requests a new id | [`Sequences::bump`] |

use crate::error::ErrorCode;
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, advance_sequence};
use std::collections::{BTreeMap, BTreeSet};

/// A producer id and its epoch (`ProducerIdAndEpoch`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

impl Identity {
    pub(super) const NONE: Self = Self { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH };

    pub(super) const fn is_valid(self) -> bool {
        self.id > NO_PRODUCER_ID
    }
}

/// The identity of a batch at the leader: that of its producer, and the sequence of its first
/// record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sequence {
    pub(super) producer: Identity,
    pub(super) first: i32,
}

/// The sequences of a partition.
#[derive(Clone, Debug)]
struct Partition {
    /// The identity to which the sequences below belong.
    producer: Identity,
    /// The sequence of the first record of the next new batch.
    next: i32,
    /// The largest sequence of a confirmed record; -1 if there is none.
    last_acked: i32,
    /// The batches that have a sequence and no outcome: in flight, or waiting to be sent again.
    in_flight: BTreeSet<Sequence>,
}

impl Partition {
    fn new() -> Self {
        Self {
            producer: Identity::NONE,
            next: 0,
            last_acked: NO_SEQUENCE,
            in_flight: BTreeSet::new(),
        }
    }

    /// Whether a batch with this sequence follows the last confirmed one.
    fn is_next(&self, sequence: i32) -> bool {
        sequence.wrapping_sub(self.last_acked) == 1
    }
}

/// A batch that a leader has refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) sequence: Sequence,
    /// Whether its sequence was changed while it was in flight.
    pub(super) is_reset: bool,
    pub(super) error: ErrorCode,
    /// The log start offset in the response; -1 if it is unknown.
    pub(super) log_start: i64,
}

/// The identity and the sequences of a producer. Partitions are identified by the index of their
/// queue.
#[derive(Clone, Debug)]
pub(super) struct Sequences {
    pub(super) producer: Identity,
    partitions: BTreeMap<usize, Partition>,
    /// The partitions with a batch that expired after it had been sent again, each with the
    /// sequence after that batch.
    unresolved: BTreeMap<usize, i32>,
    /// The partitions whose batches in flight begin at 0 in the next epoch.
    to_rewrite: BTreeSet<usize>,
    needs_bump: bool,
    /// Whether the producer has a transactional id. Then only the coordinator increases its epoch:
    /// a gap ends the transaction, and the next one begins at 0.
    is_transactional: bool,
}

impl Sequences {
    pub(super) fn transactional() -> Self {
        Self { is_transactional: true, ..Self::new() }
    }

    pub(super) fn new() -> Self {
        Self {
            is_transactional: false,
            producer: Identity::NONE,
            partitions: BTreeMap::new(),
            unresolved: BTreeMap::new(),
            to_rewrite: BTreeSet::new(),
            needs_bump: false,
        }
    }

    fn partition(&mut self, queue: usize) -> &mut Partition {
        self.partitions.entry(queue).or_insert_with(Partition::new)
    }

    /// Gives a new batch of `records` records its sequence.
    pub(super) fn assign(&mut self, queue: usize, records: usize) -> Sequence {
        let producer = self.producer;
        let partition = self.partition(queue);
        if partition.producer != producer && partition.in_flight.is_empty() {
            partition.producer = producer;
            partition.next = 0;
            partition.last_acked = NO_SEQUENCE;
        }
        let sequence = Sequence { producer, first: partition.next };
        let records = i32::try_from(records).expect("a batch has fewer records than 2^31");
        partition.next = advance_sequence(partition.next, records);
        partition.in_flight.insert(sequence);
        sequence
    }

    /// Whether the first batch of a queue has to wait although it is due. `first` is its sequence,
    /// if it has one (`shouldStopDrainBatchesForPartition`). `sends_unresolved` says whether new
    /// batches are sent while it is open whether an earlier one was written.
    pub(super) fn holds(
        &self,
        queue: usize,
        first: Option<Sequence>,
        sends_unresolved: impl FnOnce() -> bool,
    ) -> bool {
        if !self.producer.is_valid() {
            return true;
        }
        let Some(partition) = self.partitions.get(&queue) else { return false };
        match first {
            // They are sent one at a time, in order.
            Some(first) => {
                let expected = partition.in_flight.first();
                expected.is_some_and(|expected| expected.first != first.first)
            }
            // The first batch of an epoch must not arrive before batches of an earlier epoch.
            None if !partition.in_flight.is_empty() && partition.producer != self.producer => true,
            None => self.unresolved.contains_key(&queue) && !sends_unresolved(),
        }
    }

    /// Handles the confirmation of a batch, which may have expired before.
    pub(super) fn on_confirmed(&mut self, queue: usize, sequence: Sequence, records: usize) {
        let last = advance_sequence(sequence.first, records as i32 - 1);
        if let Some(partition) = self.partitions.get_mut(&queue) {
            partition.last_acked = partition.last_acked.max(last);
        }
        self.untrack(queue, sequence);
    }

    /// Removes a batch that has its outcome, or was replaced by its parts.
    pub(super) fn untrack(&mut self, queue: usize, sequence: Sequence) {
        if let Some(partition) = self.partitions.get_mut(&queue) {
            partition.in_flight.remove(&sequence);
        }
    }

    /// Closes the gap of a batch of `records` records that has finally failed: later sequences
    /// decrease in a transactional producer, which does not begin another epoch by itself. Returns
    /// the new sequences of the later batches in flight (`adjustSequencesDueToFailedBatch`).
    pub(super) fn close_gap(
        &mut self,
        queue: usize,
        missing: Sequence,
        records: usize,
    ) -> Vec<(Sequence, Sequence)> {
        let Some(partition) = self.partitions.get_mut(&queue) else { return Vec::new() };
        if !self.is_transactional || partition.producer != missing.producer {
            return Vec::new();
        }
        let records = i32::try_from(records).expect("a batch has fewer records than 2^31");
        partition.next = partition.next.saturating_sub(records).max(0);
        let moved = |sequence: &Sequence| sequence.first > missing.first;
        let behind: Vec<Sequence> = partition.in_flight.iter().copied().filter(moved).collect();
        let pairs = behind.into_iter().map(|before| {
            (before, Sequence { first: before.first.saturating_sub(records), ..before })
        });
        let pairs: Vec<_> = pairs.collect();
        for (before, after) in &pairs {
            partition.in_flight.remove(before);
            partition.in_flight.insert(*after);
        }
        pairs
    }

    /// Restarts the sequences of all partitions at 0, in a new epoch from the coordinator
    /// (`resetSequenceNumbers`).
    pub(super) fn reset(&mut self) {
        self.partitions.clear();
        self.unresolved.clear();
    }

    /// Adds a part of a batch that was split.
    pub(super) fn track(&mut self, queue: usize, sequence: Sequence) {
        self.partition(queue).in_flight.insert(sequence);
    }

    /// Whether a batch is sent again (`TransactionManager.canRetry`). This may request a new epoch;
    /// the batch of a transactional producer fails instead. In that case, a log start offset with
    /// `UNKNOWN_PRODUCER_ID`, which only older brokers return, is ignored.
    pub(super) fn can_retry(&mut self, queue: usize, refused: Refused) -> bool {
        match refused.error {
            ErrorCode::UnknownProducerId => {
                // With a log start offset, the leader's state was deleted with the records.
                if refused.log_start != -1 && !refused.is_reset {
                    self.request_bump(queue);
                    return !self.is_transactional;
                }
                true
            }
            ErrorCode::OutOfOrderSequenceNumber => {
                let first = refused.sequence.first;
                let unresolved = self.unresolved.get(&queue).copied();
                let is_next = self.partition(queue).is_next(first);
                // A batch after one that is sent again is refused as well, and waits for that one. The
                // first batch in flight is refused only if the leader lacks an earlier one.
                let waits = unresolved.is_none() && (refused.is_reset || !is_next);
                // Earlier batches may be written, and keep their sequences (KAFKA-14034).
                let in_front = unresolved.is_some() && self.has_in_front(queue, refused.sequence);
                if !waits && !in_front && unresolved.is_none_or(|after| after == first) {
                    self.request_bump(queue);
                }
                waits || !self.is_transactional
            }
            error => error.is_retriable(),
        }
    }

    /// Handles the final failure of a batch. `is_definite` means that it was refused although it
    /// could have been sent again, so that its sequence remains missing (`handleFailedBatch`).
    pub(super) fn on_failed(
        &mut self,
        queue: usize,
        sequence: Sequence,
        error: ErrorCode,
        is_definite: bool,
    ) {
        self.untrack(queue, sequence);
        let is_gap =
            matches!(error, ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId);
        if is_gap || is_definite {
            self.request_bump(queue);
        }
    }

    /// Handles the expiry of a batch that had been sent again, and so may be written
    /// (`markSequenceUnresolved`).
    pub(super) fn on_expired(&mut self, queue: usize, sequence: Sequence, records: usize) {
        let after = advance_sequence(sequence.first, records as i32 - 1).wrapping_add(1);
        let known = self.unresolved.entry(queue).or_insert(after);
        *known = after.max(*known);
    }

    /// Decides whether expired batches have left gaps, for partitions without batches in flight: if
    /// a later batch was confirmed, there is no gap; otherwise a new epoch is needed
    /// (`maybeResolveSequences`). Returns whether there is a gap.
    pub(super) fn resolve(&mut self) -> bool {
        let mut has_gap = false;
        let settled: Vec<usize> =
            self.unresolved.keys().copied().filter(|queue| !self.has_in_flight(*queue)).collect();
        for queue in settled {
            self.unresolved.remove(&queue);
            let partition = self.partition(queue);
            if !partition.is_next(partition.next) {
                has_gap = true;
                self.request_bump(queue);
            }
        }
        has_gap
    }

    /// Whether a batch of the partition with a smaller sequence has no outcome.
    pub(super) fn has_in_front(&self, queue: usize, sequence: Sequence) -> bool {
        let partition = self.partitions.get(&queue);
        partition.is_some_and(|it| it.in_flight.first().is_some_and(|first| *first < sequence))
    }

    fn has_in_flight(&self, queue: usize) -> bool {
        self.partitions.get(&queue).is_some_and(|partition| !partition.in_flight.is_empty())
    }

    fn request_bump(&mut self, queue: usize) {
        if self.is_transactional {
            return;
        }
        self.needs_bump = true;
        self.to_rewrite.insert(queue);
    }

    /// Begins a new epoch if one is needed; after the last one, the producer has no id. Returns the
    /// partitions whose batches in flight have to be renumbered ([`Sequences::renumber`]).
    pub(super) fn bump(&mut self) -> BTreeSet<usize> {
        if !std::mem::take(&mut self.needs_bump) {
            return BTreeSet::new();
        }
        self.producer = match self.producer.epoch {
            i16::MAX => Identity::NONE,
            epoch => Identity { epoch: epoch + 1, ..self.producer },
        };
        for queue in &self.to_rewrite {
            self.unresolved.remove(queue);
        }
        std::mem::take(&mut self.to_rewrite)
    }

    /// Gives the batches in flight of a partition, whose numbers of records are `records`,
    /// sequences from 0 in the present epoch, and returns them (`startSequencesAtBeginning`).
    pub(super) fn renumber(&mut self, queue: usize, records: &[usize]) -> Vec<Sequence> {
        let producer = self.producer;
        let partition = self.partition(queue);
        partition.producer = producer;
        partition.next = 0;
        partition.last_acked = NO_SEQUENCE;
        partition.in_flight.clear();
        records.iter().map(|records| self.place(queue, *records)).collect()
    }

    fn place(&mut self, queue: usize, records: usize) -> Sequence {
        let producer = self.producer;
        let partition = self.partition(queue);
        let sequence = Sequence { producer, first: partition.next };
        partition.next += i32::try_from(records).expect("a batch has fewer records than 2^31");
        partition.in_flight.insert(sequence);
        sequence
    }

    /// Forgets the sequences of a partition, which a correct client never does.
    pub(super) fn forget(&mut self, queue: usize) {
        if let Some(partition) = self.partitions.get_mut(&queue)
            && partition.in_flight.is_empty()
        {
            partition.next = 0;
            partition.last_acked = NO_SEQUENCE;
        }
    }

    /// How many batches of a partition have a sequence and no outcome.
    #[cfg(test)]
    pub(super) fn in_flight(&self, queue: usize) -> usize {
        self.partitions.get(&queue).map_or(0, |partition| partition.in_flight.len())
    }
}
