//! The distinct record batches of a partition, and which replicas hold them.
//!
//! A batch is identified by base offset, leader epoch, checksum and size, and is decoded once,
//! however many replicas and readers show it. Where compaction may rewrite batches, a rewritten one
//! is recognized by its producer's sequence, or else by the numbers of the remaining records.

use super::replica_set::ReplicaSet;
use bytes::Bytes;
use engine::ids::{LeaderEpoch, Offset};
use engine::record::{self, EndTransactionMarker};
use std::collections::BTreeMap;

/// No batch, no loss, or no transaction.
pub const NONE: u32 = u32::MAX;
/// A record without a number: one of a control batch, or one that no producer of a workload wrote.
pub const NO_RECORD: u64 = u64::MAX;
/// There is no record at an offset, because compaction has removed it.
pub const HOLE: u64 = u64::MAX - 1;

/// A batch that some replica has reported or some reader received.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The offset of its first record.
    pub base: Offset,
    /// The offset after its last record.
    pub next: Offset,
    /// The epoch of the leader that appended it.
    pub epoch: LeaderEpoch,
    crc: u32,
    size: u32,
    /// Its sequences, if an idempotent producer wrote it.
    sequence: Option<Sequence>,
    /// The batch before it in the log that showed it first, or [`NONE`].
    pub parent: u32,
    first_number: u32,
    /// The batch is a control batch, without records of applications.
    pub is_control: bool,
    /// The batch belongs to a transaction.
    pub is_transactional: bool,
    /// The marker in the batch, if it ends a transaction.
    pub marker: Option<EndTransactionMarker>,
    /// The marker that ended its transaction in the line of leaders, or [`NONE`].
    pub ended_by: u32,
    /// The largest timestamp of its records, in milliseconds.
    pub max_timestamp: i64,
    /// When it was first seen, in nanoseconds.
    pub at: u64,
    /// The replicas that hold it now.
    pub holders: ReplicaSet,
    /// The replicas that have held it since it last entered the line of leaders. Replicas that
    /// truncated it while it was not in the line were right to do so.
    pub had: ReplicaSet,
    /// The replicas that have ever held it.
    pub ever_had: ReplicaSet,
    /// The replicas that lost it in a power loss or with their disks, and do not have it again.
    pub power_lost: ReplicaSet,
    /// A leader's high watermark has passed it while the whole committed ISR, and at least
    /// `min.insync.replicas`, held it; in the metadata log, a majority of the voters.
    pub committed: bool,
    /// The offset after the last record that a consumer received of it; its base if none.
    pub delivered_to: Offset,
    /// How it left the line of leaders: an index of [`super::Partition::losses`], or [`NONE`].
    pub loss: u32,
}

impl Batch {
    /// The size in bytes.
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// The producer id, if an idempotent or transactional producer or a coordinator wrote it.
    pub fn producer_id(&self) -> Option<i64> {
        self.sequence.map(|sequence| sequence.producer_id)
    }

    /// Its sequences, if an idempotent producer wrote it.
    pub const fn sequence(&self) -> Option<Sequence> {
        self.sequence
    }
}

/// The identity that an idempotent producer gives to a batch. Copies of the batch have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The producer id.
    pub producer_id: i64,
    /// The producer epoch.
    pub epoch: i16,
    /// The sequence of the first record; -1 of a marker.
    pub first: i32,
    /// The sequence of the last record.
    pub last: i32,
}

/// The batches of a partition.
#[derive(Clone, Debug, Default)]
pub struct Batches {
    all: Vec<Batch>,
    /// Indices of `all` in order of base offset.
    by_base: Vec<u32>,
    /// The numbers of the records of all batches.
    numbers: Vec<u64>,
    /// The bytes of all batches, if `keeps_bytes`.
    bytes: Vec<Bytes>,
    keeps_bytes: bool,
    /// The largest number of offsets that one batch spans.
    longest: Offset,
    /// The rewritten forms of batches that compaction has left, with the number of the original.
    rewritten: BTreeMap<Key, u32>,
    may_be_rewritten: bool,
}

/// Base offset, leader epoch, checksum and size.
type Key = (Offset, LeaderEpoch, u32, u32);

/// A batch that claims more offsets than this is not one that a producer made.
const MOST_OFFSETS: Offset = 1 << 20;
/// No log reaches this offset.
const MOST_OFFSET: Offset = 1 << 56;

impl Batches {
    /// No batches yet; their bytes will be kept.
    pub fn with_bytes() -> Self {
        Self { keeps_bytes: true, ..Self::default() }
    }

    /// Keeps the bytes of all batches. Has no effect after the first batch.
    pub fn keep_bytes(&mut self) {
        self.keeps_bytes |= self.all.is_empty();
    }

    /// Sets whether compaction may rewrite batches.
    pub fn may_be_rewritten(&mut self, may: bool) {
        self.may_be_rewritten = may;
    }

    /// One batch.
    pub fn get(&self, batch: u32) -> &Batch {
        &self.all[batch as usize]
    }

    /// One batch, to be changed.
    pub fn get_mut(&mut self, batch: u32) -> &mut Batch {
        &mut self.all[batch as usize]
    }

    /// The number of batches.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The bytes of a batch, where they are kept.
    pub fn bytes(&self, batch: u32) -> Option<&Bytes> {
        self.bytes.get(batch as usize)
    }

    /// The numbers of the records from `from` to `to` that lie in the batch.
    pub fn numbers(&self, batch: u32, from: Offset, to: Offset) -> &[u64] {
        let it = self.get(batch);
        let (from, to) = (from.max(it.base), to.min(it.next));
        if from >= to {
            return &[];
        }
        let first = it.first_number as usize;
        &self.numbers[first + (from - it.base) as usize..first + (to - it.base) as usize]
    }

    /// The number of the record at `offset` of the batch.
    pub fn number_at(&self, batch: u32, offset: Offset) -> u64 {
        self.numbers(batch, offset, offset.saturating_add(1)).first().copied().unwrap_or(NO_RECORD)
    }

    /// The batch that holds `offset` in the log that ends with `batch`; `None` if the predecessor
    /// of some batch in between is not known.
    pub fn ancestor(&self, batch: u32, offset: Offset) -> Option<u32> {
        let mut at = batch;
        while self.get(at).base > offset {
            at = Some(self.get(at).parent).filter(|parent| *parent != NONE)?;
        }
        (self.get(at).next > offset).then_some(at)
    }

    /// The number of the batch in `bytes`, which is added if it is new, and whether it is new.
    /// `None` if the bytes are not a batch that a log can have.
    pub fn intern(&mut self, bytes: &Bytes, parent: u32, at: u64) -> Option<(u32, bool)> {
        let (key, view) = key(bytes)?;
        let place = match self.find(key) {
            Ok(batch) => return Some((batch, false)),
            Err(place) => place,
        };
        if let Some(batch) = self.original(bytes, key, place) {
            self.rewritten.insert(key, batch);
            return Some((batch, false));
        }
        let span = view.next_offset() - key.0;
        if !(1..=MOST_OFFSETS).contains(&span) {
            return None;
        }
        self.longest = self.longest.max(span);
        let first_number = self.numbers.len() as u32;
        self.decode(bytes, view);
        let index = self.all.len() as u32;
        self.all.push(Batch {
            base: key.0,
            next: view.next_offset(),
            epoch: key.1,
            crc: key.2,
            size: key.3,
            sequence: sequence(view),
            parent,
            first_number,
            is_control: view.is_control(),
            is_transactional: view.is_transactional(),
            marker: marker(bytes, view),
            ended_by: NONE,
            max_timestamp: view.max_timestamp(),
            at,
            holders: ReplicaSet::EMPTY,
            had: ReplicaSet::EMPTY,
            ever_had: ReplicaSet::EMPTY,
            power_lost: ReplicaSet::EMPTY,
            committed: false,
            delivered_to: key.0,
            loss: NONE,
        });
        self.by_base.insert(place, index);
        if self.keeps_bytes {
            self.bytes.push(bytes.clone());
        }
        Some((index, true))
    }

    /// Whether bytes are this batch or a rewritten form of it, by base offset, leader epoch,
    /// checksum and size. The checksum is not verified.
    pub fn is(&self, batch: u32, bytes: &Bytes) -> bool {
        let Some((key, _)) = key(bytes) else { return false };
        let it = self.get(batch);
        key == (it.base, it.epoch, it.crc, it.size) || self.known(bytes) == Some(batch)
    }

    /// The batch that bytes are, or are a rewritten form of.
    fn known(&self, bytes: &Bytes) -> Option<u32> {
        let (key, _) = key(bytes)?;
        self.find(key).map_or_else(|place| self.original(bytes, key, place), Some)
    }

    /// Whether two replicas hold the same batch: the same bytes, or rewritten forms of one batch.
    pub fn are_one(&self, a: &Bytes, b: &Bytes) -> bool {
        let same = || self.known(a).is_some_and(|batch| self.known(b) == Some(batch));
        a == b || (self.may_be_rewritten && same())
    }

    /// The batch of which these bytes are a rewritten form, if batches may be rewritten. `place` is
    /// the position of its base offset in `by_base`.
    fn original(&self, bytes: &Bytes, key: Key, place: usize) -> Option<u32> {
        if !self.may_be_rewritten {
            return None;
        }
        let view = record::Batch::new(bytes).ok()?;
        let mut same_base = self.by_base[place..].iter().copied();
        same_base.find(|batch| {
            let it = self.get(*batch);
            let fits = (it.base, it.next, it.epoch) == (key.0, view.next_offset(), key.1);
            let own = sequence(view);
            fits && own == it.sequence && (own.is_some() || self.is_left_of(*batch, bytes))
        })
    }

    /// Whether the records in these bytes are a subset of a batch's records.
    fn is_left_of(&self, batch: u32, bytes: &Bytes) -> bool {
        let mut are_its = true;
        let read = record::for_each(bytes, |record| {
            let number =
                self.numbers(batch, record.offset, record.offset.saturating_add(1)).first();
            are_its &= number == Some(&number_of(record.value));
        });
        read.is_ok() && are_its
    }

    /// The batch with this base offset, epoch, checksum and size, or its position in `by_base` if
    /// it is new.
    fn find(&self, (base, epoch, crc, size): Key) -> Result<u32, usize> {
        if let Some(batch) = self.rewritten.get(&(base, epoch, crc, size)) {
            return Ok(*batch);
        }
        let from = self.by_base.partition_point(|batch| self.get(*batch).base < base);
        let same_base = self.by_base[from..].iter();
        for batch in same_base.take_while(|batch| self.get(**batch).base == base) {
            let it = self.get(*batch);
            if (it.epoch, it.crc, it.size) == (epoch, crc, size) {
                return Ok(*batch);
            }
        }
        Err(from)
    }

    /// The batches that cover `offset`, in no particular order.
    pub fn covering(&self, offset: Offset) -> impl Iterator<Item = u32> + '_ {
        let to = self.by_base.partition_point(|batch| self.get(*batch).base <= offset);
        let near = self.by_base[..to].iter().rev().copied();
        near.take_while(move |batch| self.get(*batch).base + self.longest > offset)
            .filter(move |batch| self.get(*batch).next > offset)
    }

    /// Adds the numbers of the records of a batch, one for each offset.
    fn decode(&mut self, bytes: &Bytes, view: record::Batch<'_>) {
        let first = self.numbers.len();
        let offsets = (view.next_offset() - view.base_offset()) as usize;
        if !view.is_control() && !self.keeps_bytes {
            let numbers = &mut self.numbers;
            let base = view.base_offset();
            let read = record::for_each(bytes, |record| {
                let Ok(place) = usize::try_from(record.offset - base) else { return };
                let place = first + place;
                if place >= numbers.len() && place < first + offsets {
                    numbers.resize(place, HOLE);
                    numbers.push(number_of(record.value));
                }
            });
            // The check of the disks reports what cannot be decoded.
            let rest = if read.is_ok() { HOLE } else { NO_RECORD };
            self.numbers.resize(first + offsets, rest);
            return;
        }
        self.numbers.resize(first + offsets, NO_RECORD);
    }
}

/// The identity of a batch in bytes, if a log can have its offsets.
fn key(bytes: &Bytes) -> Option<(Key, record::Batch<'_>)> {
    let view = record::Batch::new(bytes).ok()?;
    let key = (view.base_offset(), view.leader_epoch(), view.crc(), view.size() as u32);
    has_sane_offsets(view).then_some((key, view))
}

/// Whether a log can have the offsets of a batch. The offsets in corrupt bytes may overflow.
pub(super) fn has_sane_offsets(view: record::Batch<'_>) -> bool {
    (0..MOST_OFFSET).contains(&view.base_offset()) && view.last_offset_delta() >= 0
}

/// The marker in a batch, if it ends a transaction.
fn marker(bytes: &Bytes, view: record::Batch<'_>) -> Option<EndTransactionMarker> {
    let mut marker = None;
    if view.is_control() && view.is_transactional() {
        // The check of the disks reports a marker that cannot be read.
        let _ = record::for_each(bytes, |record| {
            marker = EndTransactionMarker::read(&record).ok().flatten();
        });
    }
    marker
}

/// The sequences of a batch, if an idempotent producer wrote it.
pub(crate) fn sequence(view: record::Batch<'_>) -> Option<Sequence> {
    view.has_producer_id().then(|| Sequence {
        producer_id: view.producer_id(),
        epoch: view.producer_epoch(),
        first: view.base_sequence(),
        last: view.last_sequence(),
    })
}

/// The number of a record: the first eight bytes of its value.
pub fn number_of(value: Option<&[u8]>) -> u64 {
    let number = value.and_then(|value| value.first_chunk::<8>());
    number.map_or(NO_RECORD, |bytes| u64::from_be_bytes(*bytes))
}
