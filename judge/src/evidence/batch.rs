//! The distinct record batches of a partition, and who holds them.
//!
//! A batch is known by base offset, leader epoch and checksum, and is decoded once, however many
//! replicas and readers show it. Sets of replicas are bit masks over [`super::Replica`] indices.

use bytes::Bytes;
use engine::ids::{LeaderEpoch, Offset};
use engine::record;

/// No batch, or a record that carries no number.
pub const NONE: u32 = u32::MAX;
/// A record without a number: of a control batch, or one that no producer of a workload wrote.
pub const NO_RECORD: u64 = u64::MAX;

/// A batch that some replica or reader has shown.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The offset of its first record.
    pub base: Offset,
    /// The offset after its last.
    pub next: Offset,
    /// The epoch of the leader that appended it.
    pub epoch: LeaderEpoch,
    crc: u32,
    size: u32,
    /// The batch before it in the log that showed it first, or [`NONE`].
    pub parent: u32,
    first_number: u32,
    /// It holds no records of applications.
    pub is_control: bool,
    /// When it was first seen.
    pub at: u64,
    /// The replicas that hold it now.
    pub holders: u64,
    /// The replicas that have held it since it last came to the line of leaders. What they cut
    /// while it was off the line they were right to cut.
    pub had: u64,
    /// The replicas that have ever held it.
    pub ever_had: u64,
    /// The replicas that lost it with their power, and have not got it back.
    pub power_lost: u64,
    /// A leader's high watermark has passed it while the whole committed ISR, and at least
    /// `min.insync.replicas`, held it; in the metadata log, a majority of the voters.
    pub committed: bool,
    /// The end of what consumers were given of it; its base if nothing.
    pub delivered_to: Offset,
    /// How it left the line of leaders: an index of [`super::Partition::losses`], or [`NONE`].
    pub loss: u32,
}

/// The batches of a partition.
#[derive(Clone, Debug, Default)]
pub struct Batches {
    all: Vec<Batch>,
    /// Indices of `all` in order of base offset.
    by_base: Vec<u32>,
    /// The numbers of the records of all batches.
    numbers: Vec<u64>,
    /// The bytes, where they are kept.
    bytes: Vec<Bytes>,
    keeps_bytes: bool,
    /// The most offsets that one batch spans.
    longest: Offset,
}

/// A batch that claims more offsets than this is not one that a producer made.
const MOST_OFFSETS: Offset = 1 << 24;

impl Batches {
    /// Batches whose bytes are kept.
    pub fn with_bytes() -> Self {
        Self { keeps_bytes: true, ..Self::default() }
    }

    /// One batch.
    pub fn get(&self, batch: u32) -> &Batch {
        &self.all[batch as usize]
    }

    /// One batch, to be changed.
    pub fn get_mut(&mut self, batch: u32) -> &mut Batch {
        &mut self.all[batch as usize]
    }

    /// How many there are.
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
        self.numbers(batch, offset, offset + 1).first().copied().unwrap_or(NO_RECORD)
    }

    /// The batch that holds `offset` in the log that ends with `batch`; `None` if what comes
    /// before some batch between is not known.
    pub fn ancestor(&self, batch: u32, offset: Offset) -> Option<u32> {
        let mut at = batch;
        while self.get(at).base > offset {
            at = Some(self.get(at).parent).filter(|parent| *parent != NONE)?;
        }
        (self.get(at).next > offset).then_some(at)
    }

    /// The batch that `bytes` are, and whether it is new. `None` if they are no batch.
    pub fn intern(&mut self, bytes: &Bytes, parent: u32, at: u64) -> Option<(u32, bool)> {
        let view = record::Batch::new(bytes).ok()?;
        let key = (view.base_offset(), view.leader_epoch(), view.crc(), view.size() as u32);
        let place = match self.find(key) {
            Ok(batch) => return Some((batch, false)),
            Err(place) => place,
        };
        let span = view.next_offset() - key.0;
        if span > MOST_OFFSETS {
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
            parent,
            first_number,
            is_control: view.is_control(),
            at,
            holders: 0,
            had: 0,
            ever_had: 0,
            power_lost: 0,
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

    /// Whether bytes are this batch, by base offset, leader epoch, checksum and size. Whether the
    /// checksum is right is another question.
    pub fn is(&self, batch: u32, bytes: &Bytes) -> bool {
        let it = self.get(batch);
        let known = (it.base, it.epoch, it.crc, it.size);
        record::Batch::new(bytes).is_ok_and(|view| {
            known == (view.base_offset(), view.leader_epoch(), view.crc(), view.size() as u32)
        })
    }

    /// The batch of that base offset, epoch, checksum and size, or where in `by_base` it belongs.
    fn find(
        &self,
        (base, epoch, crc, size): (Offset, LeaderEpoch, u32, u32),
    ) -> Result<u32, usize> {
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
            // What cannot be decoded has no numbers; the check of the disks tells why.
            let _ = record::for_each(bytes, |record| {
                let place = first + (record.offset - base) as usize;
                if place >= numbers.len() {
                    numbers.resize(place, NO_RECORD);
                    numbers.push(number_of(record.value));
                }
            });
        }
        self.numbers.resize(first + offsets, NO_RECORD);
    }
}

/// The number of a record: the first eight bytes of its value.
pub fn number_of(value: Option<&[u8]>) -> u64 {
    let number = value.and_then(|value| value.first_chunk::<8>());
    number.map_or(NO_RECORD, |bytes| u64::from_be_bytes(*bytes))
}
