//! A segment: a file of batches and its indexes (`LogSegment`).

use super::config::LogConfig;
use super::error::LogError;
use super::files::{self, INDEX, LOG, TIME_INDEX, TXN_INDEX};
use super::index::{Index, OffsetEntry, TimeEntry};
use super::tail::Placed;
use super::txn_index::TransactionIndex;
use crate::record::{Batch, HEADER_SIZE, NO_TIMESTAMP};
use bytes::Bytes;
use machine::{Disk, DiskError, FileId, Wall};

/// One file of the log, from its base offset to that of the next.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) base_offset: i64,
    pub(super) log: FileId,
    pub(super) size: u32,
    pub(super) offsets: Index<OffsetEntry>,
    pub(super) times: Index<TimeEntry>,
    /// The transactions that its markers aborted.
    pub(super) aborted: TransactionIndex,
    /// Bytes since the last index entry, that batch included.
    pub(super) since_entry: u32,
    /// The largest timestamp, and the last offset of the batch that has it.
    pub(super) max_timestamp: i64,
    pub(super) max_timestamp_offset: i64,
    /// The largest timestamp of the first append, from which its age counts; `None` until
    /// [`Segment::load_first`] has read it.
    pub(super) first_timestamp: Option<i64>,
    /// When it was made, which counts for batches without timestamps.
    pub(super) created: Wall,
    /// Whether the log file has bytes that were never fsynced.
    pub(super) dirty: bool,
}

impl Segment {
    pub(super) fn create(
        dir: &str,
        base_offset: i64,
        now: Wall,
        disk: &mut dyn Disk,
    ) -> Result<Self, DiskError> {
        let log = files::create_anew(disk, &files::at_offset(dir, base_offset, LOG))?;
        let offsets = Index::create(disk, &files::at_offset(dir, base_offset, INDEX))?;
        let times = Index::create(disk, &files::at_offset(dir, base_offset, TIME_INDEX))?;
        Ok(Self::new(base_offset, log, 0, offsets, times, now))
    }

    pub(super) fn new(
        base_offset: i64,
        log: FileId,
        size: u32,
        offsets: Index<OffsetEntry>,
        times: Index<TimeEntry>,
        now: Wall,
    ) -> Self {
        Self {
            base_offset,
            log,
            size,
            offsets,
            times,
            aborted: TransactionIndex::default(),
            since_entry: 0,
            max_timestamp: NO_TIMESTAMP,
            max_timestamp_offset: base_offset,
            first_timestamp: None,
            created: now,
            dirty: true,
        }
    }

    pub(super) fn remove(
        dir: &str,
        base_offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<(), DiskError> {
        for kind in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
            files::remove_if_there(disk, &files::at_offset(dir, base_offset, kind))?;
        }
        Ok(())
    }

    /// Whether a batch has to go to a new segment (`LogSegment.shouldRoll`).
    pub(super) fn is_full_for(&self, batch: Batch<'_>, config: &LogConfig, now: Wall) -> bool {
        let room = i64::from(config.segment_bytes) - i64::from(self.size);
        let limit = config.segment_index_bytes as usize;
        (batch.size() as i64) > room
            || (self.size > 0
                && self.age(batch, now) > config.segment_ms - config.segment_jitter_ms)
            || self.offsets.entries().len() >= limit / 8
            || self.times.entries().len() + 1 >= limit / 12
            || i32::try_from(batch.last_offset() - self.base_offset).is_err()
    }

    /// In the time of the records; by the clock of the broker only if they have none.
    fn age(&self, batch: Batch<'_>, now: Wall) -> i64 {
        match self.first_timestamp {
            Some(first) if first >= 0 => batch.max_timestamp().saturating_sub(first),
            _ => now.0.saturating_sub(self.created.0),
        }
    }

    /// Accounts for a batch that is in the file from `position` on, and indexes it if the last
    /// entry is far enough behind (checked for every batch, KAFKA-806).
    pub(super) fn note(&mut self, placed: Placed, max_timestamp: i64, config: &LogConfig) {
        if placed.position == 0 {
            self.first_timestamp = Some(max_timestamp);
        }
        if max_timestamp > self.max_timestamp {
            self.max_timestamp = max_timestamp;
            self.max_timestamp_offset = placed.last_offset;
        }
        if self.since_entry > config.index_interval_bytes {
            let relative_offset = self.relative(placed.last_offset);
            let position = placed.position as i32;
            self.offsets.push(OffsetEntry { relative_offset, position });
            self.index_time();
            self.since_entry = 0;
        }
        self.since_entry = self.since_entry.saturating_add(placed.size);
        self.size = placed.position + placed.size;
        self.dirty = true;
    }

    /// Adds the largest timestamp to the time index if it has grown (`TimeIndex.maybeAppend`).
    pub(super) fn index_time(&mut self) {
        let last = self.times.entries().last();
        let newer = last.is_none_or(|last| {
            self.max_timestamp > last.timestamp
                && self.relative(self.max_timestamp_offset) > last.relative_offset
        });
        if newer && self.max_timestamp > NO_TIMESTAMP {
            let relative_offset = self.relative(self.max_timestamp_offset);
            self.times.push(TimeEntry { timestamp: self.max_timestamp, relative_offset });
        }
    }

    fn relative(&self, offset: i64) -> i32 {
        i32::try_from(offset - self.base_offset).expect("a segment rolls before i32 overflows")
    }

    /// Where to begin to look for `offset`: the position of the greatest indexed batch that ends
    /// at or before it, or the start.
    pub(super) fn floor(&self, offset: i64) -> u32 {
        let relative = offset - self.base_offset;
        let entries = self.offsets.entries();
        let above = entries.partition_point(|entry| i64::from(entry.relative_offset) <= relative);
        above.checked_sub(1).map_or(0, |at| entries[at].position as u32)
    }

    /// The batch at `position`, seen through its header; `None` at the end of the segment.
    pub(super) fn batch_at(
        &self,
        position: u32,
        disk: &mut dyn Disk,
    ) -> Result<Option<(Placed, Bytes)>, LogError> {
        if position >= self.size {
            return Ok(None);
        }
        let header = disk.read(self.log, u64::from(position), HEADER_SIZE as u64)?;
        let batch = Batch::header(&header)?;
        let placed = Placed {
            base_offset: batch.base_offset(),
            last_offset: batch.last_offset(),
            position,
            size: batch.size() as u32,
        };
        Ok(Some((placed, header)))
    }

    /// The first batch whose last offset is `offset` or more, found by index and scan.
    pub(super) fn find(
        &self,
        offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<Option<Placed>, LogError> {
        let mut position = self.floor(offset);
        while let Some((placed, _)) = self.batch_at(position, disk)? {
            if placed.last_offset >= offset {
                return Ok(Some(placed));
            }
            position = placed.position + placed.size;
        }
        Ok(None)
    }

    /// All bytes of a batch.
    pub(super) fn bytes(&self, placed: Placed, disk: &mut dyn Disk) -> Result<Bytes, LogError> {
        let bytes = disk.read(self.log, u64::from(placed.position), u64::from(placed.size))?;
        Batch::new(&bytes)?;
        Ok(bytes)
    }

    /// Cuts off every batch that ends at `offset` or later (`LogSegment.truncateTo`).
    pub(super) fn truncate_to(
        &mut self,
        offset: i64,
        now: Wall,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        let cut = self.find(offset, disk)?.map_or(self.size, |placed| placed.position);
        let relative = offset - self.base_offset;
        let before = |at: i32| i64::from(at) < relative;
        let keep = self.offsets.entries().partition_point(|entry| before(entry.relative_offset));
        self.offsets.truncate(keep, disk)?;
        let keep = self.times.entries().partition_point(|entry| before(entry.relative_offset));
        self.times.truncate(keep, disk)?;
        self.aborted.truncate_to(offset, disk)?;
        disk.truncate(self.log, u64::from(cut))?;
        self.size = cut;
        self.dirty = true;
        if cut == 0 {
            self.created = now;
            self.first_timestamp = None;
        }
        self.load_maximum(disk)?;
        Ok(())
    }

    /// Finds the largest timestamp, and how far behind the index is, from the last entries of the
    /// indexes on (`LogSegment.maxTimestampAndOffsetSoFar`). Returns the offset after the last.
    pub(super) fn load_maximum(&mut self, disk: &mut dyn Disk) -> Result<i64, LogError> {
        let last_time = self.times.entries().last().copied();
        self.max_timestamp = last_time.map_or(NO_TIMESTAMP, |entry| entry.timestamp);
        self.max_timestamp_offset =
            self.base_offset + last_time.map_or(0, |entry| i64::from(entry.relative_offset));
        let last_entry = self.offsets.entries().last().map_or(0, |entry| entry.position as u32);
        self.since_entry = self.size.saturating_sub(last_entry);
        // Later timestamps lie behind the last time entry.
        let mut position = last_entry.min(self.floor(self.max_timestamp_offset));
        let mut next_offset = self.base_offset;
        while let Some((placed, header)) = self.batch_at(position, disk)? {
            let max_timestamp = Batch::header(&header)?.max_timestamp();
            if max_timestamp > self.max_timestamp {
                self.max_timestamp = max_timestamp;
                self.max_timestamp_offset = placed.last_offset;
            }
            next_offset = placed.last_offset + 1;
            position = placed.position + placed.size;
        }
        Ok(next_offset)
    }

    /// Finds the timestamp from which the age of a segment counts, if it is not known yet: before the
    /// first append after a start, not at the start (`LogSegment.loadFirstBatchTimestamp`).
    pub(super) fn load_first(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        if self.first_timestamp.is_none()
            && self.size > 0
            && let Some((_, header)) = self.batch_at(0, disk)?
        {
            self.first_timestamp = Some(Batch::header(&header)?.max_timestamp());
        }
        Ok(())
    }

    /// Where to begin to look for a record of time `timestamp` or later: at the last batch that
    /// the time index knows to have none before it, or the start.
    pub(super) fn floor_by_time(&self, timestamp: i64) -> u32 {
        let entries = self.times.entries();
        // Records up to an entry of exactly this time may well have it.
        let above = entries.partition_point(|entry| entry.timestamp < timestamp);
        above
            .checked_sub(1)
            .map_or(0, |at| self.floor(self.base_offset + i64::from(entries[at].relative_offset)))
    }

    /// Where a reader is that has read `bytes` from `position` on, as Kafka estimates it: the offset of
    /// the first indexed batch at or behind the end of these bytes; `None` if there is none
    /// (`LogSegment.fetchUpperBoundOffset`).
    pub(super) fn bound_behind(&self, position: u32, bytes: u64) -> Option<i64> {
        let end = u64::from(position) + bytes;
        let entries = self.offsets.entries();
        let at = entries.partition_point(|entry| (entry.position as u64) < end);
        entries.get(at).map(|entry| self.base_offset + i64::from(entry.relative_offset))
    }

    /// Fsyncs the log and its indexes, as far as they changed.
    pub(super) fn flush(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        if self.dirty {
            disk.sync(self.log)?;
            self.dirty = false;
        }
        self.offsets.flush(disk)?;
        self.times.flush(disk)?;
        self.aborted.flush(disk)
    }
}
