//! The identity of an idempotent producer and the sequences of its batches (`TransactionManager`,
//! `TxnPartitionMap`, `TxnPartitionEntry`; KIP-98, KIP-360).
//!
//! | rule | where |
//! |---|---|
//! | an id comes from any broker; until it is there nothing is sent and nothing expires | `sender.rs` |
//! | a batch gets id, epoch and sequence when it is sent for the first time, and keeps them | [`Sequences::assign`] |
//! | batches that are sent again go in the order of their sequences, one at a time | [`Sequences::holds`] |
//! | a batch that was sent again and then expired leaves a gap or none: new ones wait until that is known | [`Sequences::resolve`] |
//! | after a gap the producer goes on in a new epoch, in which its batches in flight on that partition begin at 0 | [`Sequences::bump`] |
//! | other partitions change to the new epoch when they have nothing in flight | [`Sequences::assign`] |
//! | after the last epoch comes a new id | [`Sequences::bump`] |

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

/// What names a batch at the leader: who sent it, and the sequence of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sequence {
    pub(super) producer: Identity,
    pub(super) first: i32,
}

/// The sequences of a partition.
#[derive(Clone, Debug)]
struct Partition {
    /// The identity that the sequences below are of.
    producer: Identity,
    /// The sequence of the first record of the next new batch.
    next: i32,
    /// The largest sequence of a batch that was confirmed; -1: none.
    last_acked: i32,
    /// The batches that have a sequence and no outcome, on their way or waiting to be sent again.
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

    /// Whether a batch with this sequence follows the last one that was confirmed.
    fn is_next(&self, sequence: i32) -> bool {
        sequence.wrapping_sub(self.last_acked) == 1
    }
}

/// A batch that was not taken, as the sequences see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) sequence: Sequence,
    /// Its sequence was changed while it was on its way.
    pub(super) is_reset: bool,
    pub(super) error: ErrorCode,
    /// The log start offset in the response; -1: not known.
    pub(super) log_start: i64,
}

/// The identity and the sequences of a producer. Partitions are named by the place of their queue.
#[derive(Clone, Debug)]
pub(super) struct Sequences {
    pub(super) producer: Identity,
    partitions: BTreeMap<usize, Partition>,
    /// The partitions with a batch that expired after it had been sent again, and the sequence after
    /// it.
    unresolved: BTreeMap<usize, i32>,
    /// The partitions whose batches in flight begin at 0 in the next epoch.
    to_rewrite: BTreeSet<usize>,
    needs_bump: bool,
    /// The producer has a transactional id, whose coordinator alone gives other epochs: a gap ends the
    /// transaction, and the next one begins at 0.
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

    /// Whether the first batch of a queue has to wait although it is due. `first` is its sequence, if
    /// it has one (`shouldStopDrainBatchesForPartition`). `sends_unresolved` says whether new batches
    /// go on while it is not known whether one before them was written.
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
            // One by one, in order.
            Some(first) => {
                let expected = partition.in_flight.first();
                expected.is_some_and(|expected| expected.first != first.first)
            }
            // The first batch of an epoch must not arrive before the last ones of another.
            None if !partition.in_flight.is_empty() && partition.producer != self.producer => true,
            None => self.unresolved.contains_key(&queue) && !sends_unresolved(),
        }
    }

    /// A batch was confirmed: now, or after its time was up.
    pub(super) fn on_confirmed(&mut self, queue: usize, sequence: Sequence, records: usize) {
        let last = advance_sequence(sequence.first, records as i32 - 1);
        if let Some(partition) = self.partitions.get_mut(&queue) {
            partition.last_acked = partition.last_acked.max(last);
        }
        self.untrack(queue, sequence);
    }

    /// A batch has its outcome, or was replaced by its parts.
    pub(super) fn untrack(&mut self, queue: usize, sequence: Sequence) {
        if let Some(partition) = self.partitions.get_mut(&queue) {
            partition.in_flight.remove(&sequence);
        }
    }

    /// A batch of `records` records is missing for good: the sequences behind it move down in a
    /// transactional producer, which does not begin another epoch by itself. Returns what the batches
    /// in flight behind it are called now (`adjustSequencesDueToFailedBatch`).
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

    /// All partitions begin at 0: the coordinator has given another epoch (`resetSequenceNumbers`).
    pub(super) fn reset(&mut self) {
        self.partitions.clear();
        self.unresolved.clear();
    }

    /// Follows a part of a batch that was too large.
    pub(super) fn track(&mut self, queue: usize, sequence: Sequence) {
        self.partition(queue).in_flight.insert(sequence);
    }

    /// Whether a batch is sent again (`TransactionManager.canRetry`). May ask for a new epoch; of a
    /// transactional producer it fails instead. That the leader's log may have lost its start meanwhile
    /// (`UNKNOWN_PRODUCER_ID` with a log start offset), of which older brokers alone speak, is not
    /// looked at then.
    pub(super) fn can_retry(&mut self, queue: usize, refused: Refused) -> bool {
        match refused.error {
            ErrorCode::UnknownProducerId => {
                // With the log start the leader's state has not been lost by chance.
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
                // Behind one that is sent again it is refused as well, and waits for that one. The
                // first one of all is refused only if the leader misses one before it.
                let waits = unresolved.is_none() && (refused.is_reset || !is_next);
                // Those in front may be written, and keep their sequences (KAFKA-14034).
                let in_front = unresolved.is_some() && self.has_in_front(queue, refused.sequence);
                if !waits && !in_front && unresolved.is_none_or(|after| after == first) {
                    self.request_bump(queue);
                }
                waits || !self.is_transactional
            }
            error => error.is_retriable(),
        }
    }

    /// A batch is given up. `is_definite`: it was refused while it might have been sent again, so
    /// that its sequence is missing for good (`handleFailedBatch`).
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

    /// A batch that had been sent again has expired: whether it was written is not known
    /// (`markSequenceUnresolved`).
    pub(super) fn on_expired(&mut self, queue: usize, sequence: Sequence, records: usize) {
        let after = advance_sequence(sequence.first, records as i32 - 1).wrapping_add(1);
        let known = self.unresolved.entry(queue).or_insert(after);
        *known = after.max(*known);
    }

    /// Looks at the partitions whose last batches expired and that have nothing in flight any more: if
    /// a later one was confirmed, there is no gap; else a new epoch is needed
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

    /// The batches in flight of a partition, with their numbers of records and in order, begin at 0 in
    /// the present epoch. Returns their sequences (`startSequencesAtBeginning`).
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

    /// Forgets the sequences of a partition, as no client should.
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
