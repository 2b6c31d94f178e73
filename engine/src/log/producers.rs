//! The state of the idempotent and transactional producers of a log (`ProducerStateManager`,
//! `ProducerStateEntry`, `ProducerAppendInfo`; KIP-98, KIP-360).
//!
//! The state is a function of the batches, in order: leaders build it as they append, followers as
//! they replicate, a start from the newest snapshot and the batches after it. It outlives the
//! batches that retention and compaction remove, and ends when the producer has been silent for
//! `producer.id.expiration.ms`.

use super::txn_index::AbortedTxn;
use crate::record::{Batch, EndTransactionMarker, NO_SEQUENCE, RecordError, advance_sequence};
use machine::Wall;
use std::collections::BTreeMap;

/// The number of a producer's last batches that are kept: as many as it may have in flight.
pub const REMEMBERED_BATCHES: usize = 5;
/// The coordinator epoch of a producer that has never ended a transaction.
pub const NO_COORDINATOR_EPOCH: i32 = -1;

/// A batch that a producer appended (`BatchMetadata`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchMeta {
    /// The sequence of its last record.
    pub last_sequence: i32,
    /// The offset of its last record.
    pub last_offset: i64,
    /// Its last offset less its first; the same holds for sequences.
    pub offset_delta: i32,
    /// Its largest timestamp.
    pub timestamp: i64,
}

impl BatchMeta {
    /// The sequence of its first record.
    pub const fn first_sequence(self) -> i32 {
        // Sequences wrap round, so the way back from `last` is the way on to 2^31 - delta.
        if self.last_sequence >= self.offset_delta {
            self.last_sequence - self.offset_delta
        } else {
            i32::MAX - (self.offset_delta - self.last_sequence) + 1
        }
    }

    /// The offset of its first record.
    pub const fn first_offset(self) -> i64 {
        self.last_offset - self.offset_delta as i64
    }
}

/// The state of a producer (`ProducerStateEntry`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Its latest epoch.
    pub epoch: i16,
    /// The timestamp of its last batch.
    pub last_timestamp: i64,
    /// The epoch of the coordinator that last ended one of its transactions.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction, if it has one.
    pub current_txn_first_offset: Option<i64>,
    batches: [BatchMeta; REMEMBERED_BATCHES],
    count: u8,
}

impl Producer {
    fn new(epoch: i16) -> Self {
        Self {
            epoch,
            last_timestamp: -1,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            current_txn_first_offset: None,
            batches: [BatchMeta::default(); REMEMBERED_BATCHES],
            count: 0,
        }
    }

    /// Its last batches in this epoch, oldest first. A restart leaves only the last, and what was
    /// replayed after it.
    pub fn batches(&self) -> &[BatchMeta] {
        &self.batches[..usize::from(self.count)]
    }

    /// The sequence of its last record, or [`NO_SEQUENCE`].
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// Whether a transaction of this epoch is open (`hasOngoingTransaction`).
    pub fn is_in_transaction(&self, epoch: i16) -> bool {
        self.epoch == epoch && self.current_txn_first_offset.is_some()
    }

    /// The sequence that its next record in this epoch has to have.
    pub fn next_sequence(&self) -> i32 {
        self.batches().last().map_or(0, |batch| advance_sequence(batch.last_sequence, 1))
    }

    /// How long it has been silent, in milliseconds, by the timestamp of its last batch or marker:
    /// old timestamps make a producer old (`ProducerStateManager.isProducerExpired`). `None` while a
    /// transaction is open: it does not expire then.
    pub fn silent_for(&self, now: Wall) -> Option<i64> {
        let silent = now.0.saturating_sub(self.last_timestamp);
        self.current_txn_first_offset.is_none().then_some(silent)
    }

    /// Begins a new epoch, without batches.
    fn enter(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.count = 0;
        }
    }

    fn push(&mut self, batch: BatchMeta) {
        if usize::from(self.count) == REMEMBERED_BATCHES {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        self.batches[usize::from(self.count)] = batch;
        self.count += 1;
    }
}

/// A transaction that a marker has ended in this log (`CompletedTxn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The transaction, as the index has it if it was aborted.
    pub transaction: AbortedTxn,
    /// Whether it was committed.
    pub committed: bool,
}

impl Ended {
    /// The entry for the transaction index, which only aborted transactions have.
    pub(super) fn aborted(self) -> Option<AbortedTxn> {
        (!self.committed).then_some(self.transaction)
    }
}

/// The producers of a log, as of an offset. Two values are equal if they have the same state of the
/// same producers, in whatever order these were added.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    producers: BTreeMap<i64, Known>,
    /// The number of producers that were ever added.
    arrivals: u64,
    /// The largest number of producers at one time, which determines the size of Kafka's hash
    /// table.
    most: usize,
    /// The open transactions: the producer of each, by first offset (`ongoingTxns`).
    open: BTreeMap<i64, i64>,
    /// The transactions whose marker lies at or above the high watermark: the offset of each
    /// marker, by first offset of the transaction (`unreplicatedTxns`).
    unreplicated: BTreeMap<i64, i64>,
    /// The offset after the last batch in the state (`mapEndOffset`).
    pub(super) end_offset: i64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    producer: Producer,
    /// Its number in the order of addition.
    arrival: u64,
}

impl PartialEq for Producers {
    fn eq(&self, other: &Self) -> bool {
        self.end_offset == other.end_offset && self.iter().eq(other.iter())
    }
}

impl Eq for Producers {}

impl Producers {
    /// The producer with this id.
    pub fn get(&self, producer_id: i64) -> Option<&Producer> {
        self.producers.get(&producer_id).map(|known| &known.producer)
    }

    /// All producers, by id.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.producers.iter().map(|(id, known)| (*id, &known.producer))
    }

    /// The number of producers.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// All producers in the order in which Kafka writes them to a snapshot: that of a Java
    /// `HashMap` with ids as keys, by bucket and, within a bucket, in order of addition. (Java
    /// makes a tree of a bucket of eight or more, which may move one of them to the front. Ids that
    /// follow one another do not fill a bucket so.)
    pub(super) fn in_snapshot_order(&self) -> Vec<(i64, &Producer)> {
        let mut buckets: usize = 16;
        while 4 * self.most > 3 * buckets {
            buckets *= 2;
        }
        let bucket = |id: i64| {
            let hash = (id ^ ((id as u64) >> 32) as i64) as u32;
            (hash ^ (hash >> 16)) as usize & (buckets - 1)
        };
        let mut all: Vec<_> = self.producers.iter().collect();
        all.sort_by_key(|(id, known)| (bucket(**id), known.arrival));
        all.into_iter().map(|(id, known)| (*id, &known.producer)).collect()
    }

    /// Whether there is no producer.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.unreplicated.is_empty()
    }

    /// The first offset of the oldest open transaction; records from there onwards are not stable.
    pub fn first_open_transaction(&self) -> Option<i64> {
        self.open.first_key_value().map(|(first, _)| *first)
    }

    /// The first offset of the oldest transaction whose marker lies at or above the high watermark.
    pub fn first_unreplicated_transaction(&self) -> Option<i64> {
        self.unreplicated.first_key_value().map(|(first, _)| *first)
    }

    /// Takes the high watermark, or a log start above it: markers below `offset` are replicated
    /// (`removeUnreplicatedTransactions`).
    pub(super) fn on_replicated(&mut self, offset: i64) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, marker| *marker >= offset);
        }
    }

    /// Removes the producers that have been silent for too long, as `is_expired` says of the
    /// milliseconds. Returns how many (`removeExpiredProducers`).
    pub(super) fn expire(&mut self, now: Wall, mut is_expired: impl FnMut(i64) -> bool) -> usize {
        let before = self.producers.len();
        self.producers
            .retain(|_, known| !known.producer.silent_for(now).is_some_and(&mut is_expired));
        before - self.producers.len()
    }

    /// The producer with this id, which is added if there is none.
    fn producer_mut(&mut self, producer_id: i64, epoch: i16) -> &mut Producer {
        if !self.producers.contains_key(&producer_id) {
            self.insert(producer_id, Producer::new(epoch));
        }
        let known = self.producers.get_mut(&producer_id).expect("it has just been inserted");
        &mut known.producer
    }

    fn insert(&mut self, producer_id: i64, producer: Producer) {
        self.producers.insert(producer_id, Known { producer, arrival: self.arrivals });
        self.arrivals += 1;
        self.most = self.most.max(self.producers.len());
    }

    /// Adds a batch in the log to the state, whatever its epoch and sequence: whether a leader may
    /// append a batch is decided before. Returns the transaction that it ends, if it is a marker
    /// and the producer has one open.
    ///
    /// # Errors
    ///
    /// If it is a control batch whose record cannot be read; nothing has changed then.
    #[inline]
    pub fn apply(&mut self, batch: Batch<'_>) -> Result<Option<Ended>, RecordError> {
        let mut ended = None;
        if batch.has_producer_id() {
            if batch.is_control() {
                ended = self.apply_marker(batch)?;
            } else {
                self.apply_data(batch);
            }
        }
        self.end_offset = batch.next_offset();
        Ok(ended)
    }

    fn apply_data(&mut self, batch: Batch<'_>) {
        let epoch = batch.producer_epoch();
        let producer = self.producer_mut(batch.producer_id(), epoch);
        producer.enter(epoch);
        producer.last_timestamp = batch.max_timestamp();
        producer.push(BatchMeta {
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta(),
            timestamp: batch.max_timestamp(),
        });
        if batch.is_transactional() && producer.current_txn_first_offset.is_none() {
            producer.current_txn_first_offset = Some(batch.base_offset());
            self.open.insert(batch.base_offset(), batch.producer_id());
        }
    }

    fn apply_marker(&mut self, batch: Batch<'_>) -> Result<Option<Ended>, RecordError> {
        let Some(marker) = EndTransactionMarker::of(batch)? else { return Ok(None) };
        let (epoch, producer_id) = (batch.producer_epoch(), batch.producer_id());
        let producer = self.producer_mut(producer_id, epoch);
        producer.enter(epoch);
        producer.last_timestamp = batch.max_timestamp();
        producer.coordinator_epoch = marker.coordinator_epoch;
        let Some(first_offset) = producer.current_txn_first_offset.take() else { return Ok(None) };
        let last_offset = batch.base_offset();
        self.open.remove(&first_offset);
        self.unreplicated.insert(first_offset, last_offset);
        let last_stable_offset = self.first_open_transaction().unwrap_or(last_offset + 1);
        let transaction = AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset };
        Ok(Some(Ended { transaction, committed: marker.committed }))
    }

    /// Removes all producers, for an empty log that starts at `offset`.
    pub(super) fn clear(&mut self, offset: i64) {
        self.forget();
        self.end_offset = offset;
    }

    /// Panics if producers and open transactions contradict each other.
    pub(super) fn invariants(&self) {
        let mut open = 0;
        for (id, producer) in self.iter() {
            if let Some(first) = producer.current_txn_first_offset {
                assert_eq!(self.open.get(&first), Some(&id), "an open transaction is listed");
                open += 1;
            }
        }
        assert_eq!(open, self.open.len(), "each open transaction has a producer");
    }

    /// Removes all producers, and keeps the offset of the state.
    pub(super) fn forget(&mut self) {
        self.producers.clear();
        self.open.clear();
        self.unreplicated.clear();
    }

    pub(super) fn restore(&mut self, producer_id: i64, entry: SnapshotEntry) {
        let mut producer = Producer::new(entry.epoch);
        producer.last_timestamp = entry.timestamp;
        producer.coordinator_epoch = entry.coordinator_epoch;
        producer.current_txn_first_offset = entry.current_txn_first_offset;
        self.open.extend(entry.current_txn_first_offset.map(|first| (first, producer_id)));
        if entry.last_offset >= 0 {
            producer.push(BatchMeta {
                last_sequence: entry.last_sequence,
                last_offset: entry.last_offset,
                offset_delta: entry.offset_delta,
                timestamp: entry.timestamp,
            });
        }
        self.insert(producer_id, producer);
    }
}

/// The state of a producer in a snapshot, which has only its last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SnapshotEntry {
    pub(super) epoch: i16,
    pub(super) last_sequence: i32,
    pub(super) last_offset: i64,
    pub(super) offset_delta: i32,
    pub(super) timestamp: i64,
    pub(super) coordinator_epoch: i32,
    pub(super) current_txn_first_offset: Option<i64>,
}

impl From<&Producer> for SnapshotEntry {
    fn from(producer: &Producer) -> Self {
        let last = producer.batches().last();
        Self {
            epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_offset: last.map_or(-1, |batch| batch.last_offset),
            offset_delta: last.map_or(0, |batch| batch.offset_delta),
            timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            current_txn_first_offset: producer.current_txn_first_offset,
        }
    }
}
