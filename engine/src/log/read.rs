//! Reading: by offset, and by timestamp (`LocalLog.read`, `LogSegment.translateOffset`,
//! `LogSegment.findOffsetByTimestamp`).

use super::segment::Segment;
use super::tail::Placed;
use super::{Log, LogError};
use crate::record::{self, Batch};
use bytes::Bytes;
use machine::Disk;

/// The result of a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Whole batches, one per element, sharing the bytes that were appended. The first may begin
    /// below the requested offset, and the reader skips the records below it.
    pub batches: Vec<Bytes>,
    /// Their size in bytes.
    pub size: u64,
    /// Whether another batch is below the bound, but exceeds the allowed number of bytes.
    pub is_cut: bool,
    /// The offset of the next read: after the last batch, or the requested offset if there is no
    /// batch.
    pub next_offset: i64,
    /// The place of the first batch, if there is one at or after the requested offset.
    pub(super) start: Option<Start>,
}

/// The place at which a read starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The segment, by its place in the log.
    pub(super) segment: usize,
    /// The position in bytes of the first batch.
    pub(super) position: u32,
}

/// A record found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its timestamp.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
}

/// The limits of a read.
#[derive(Clone, Copy)]
struct Limit {
    from: i64,
    max_bytes: u64,
    upper_bound: i64,
    min_one: bool,
}

impl Read {
    /// Whether `placed` may be read as well; records whether it is only too large.
    fn admits(&mut self, placed: Placed, limit: Limit) -> bool {
        let one_at_least = limit.min_one && self.batches.is_empty();
        let fits = one_at_least || self.size + u64::from(placed.size) <= limit.max_bytes;
        let is_below = placed.last_offset < limit.upper_bound;
        self.is_cut = is_below && !fits;
        is_below && fits
    }

    fn push(&mut self, placed: Placed, bytes: Bytes) {
        self.batches.push(bytes);
        self.size += u64::from(placed.size);
        self.next_offset = placed.last_offset + 1;
    }
}

impl Log {
    /// Reads complete batches from the one that contains `from`, or the next one if `from` is in a
    /// gap, as long as they end below `upper_bound` and have at most `max_bytes` bytes together;
    /// with `min_one_batch` the first batch is read whatever its size. Only one segment is read, so
    /// that there may be further batches: see [`Read::next_offset`].
    ///
    /// The bound is the reader's: high watermark, last stable offset, or log end offset.
    ///
    /// # Errors
    ///
    /// [`LogError::OutOfRange`] if `from` is not in log start..=log end; [`LogError::Disk`] and
    /// [`LogError::Corrupt`] if the segment cannot be read.
    pub fn read(
        &self,
        from: i64,
        max_bytes: u64,
        upper_bound: i64,
        min_one_batch: bool,
        disk: &mut dyn Disk,
    ) -> Result<Read, LogError> {
        self.check_range(from)?;
        let mut read = Read { next_offset: from, ..Read::default() };
        if from >= upper_bound.min(self.log_end) {
            return Ok(read);
        }
        let limit = Limit { from, max_bytes, upper_bound, min_one: min_one_batch };
        if !self.read_tail(limit, &mut read, disk)? {
            self.read_segments(limit, &mut read, disk)?;
        }
        Ok(read)
    }

    fn check_range(&self, offset: i64) -> Result<(), LogError> {
        if (self.log_start..=self.log_end).contains(&offset) {
            return Ok(());
        }
        Err(LogError::OutOfRange { offset, log_start: self.log_start, log_end: self.log_end })
    }

    /// Reads from the part of the active segment that is in memory; returns whether that part
    /// contains `from`.
    fn read_tail(
        &self,
        limit: Limit,
        read: &mut Read,
        disk: &mut dyn Disk,
    ) -> Result<bool, LogError> {
        let Some(batches) = self.tail.starting_at(limit.from) else {
            return Ok(false);
        };
        let segment = self.segments.len() - 1;
        for placed in batches {
            read.start.get_or_insert(Start { segment, position: placed.position });
            if !read.admits(placed, limit) {
                break;
            }
            read.push(placed, self.active().bytes(placed, disk)?);
        }
        Ok(true)
    }

    /// Reads from the first segment with a batch at or after `from`.
    fn read_segments(
        &self,
        limit: Limit,
        read: &mut Read,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        for (at, segment) in self.segments.iter().enumerate().skip(self.segment_of(limit.from)) {
            let mut next = segment.find(limit.from, disk)?;
            if next.is_none() {
                continue;
            }
            read.start = next.map(|placed| Start { segment: at, position: placed.position });
            while let Some(placed) = next {
                if !read.admits(placed, limit) {
                    return Self::read_damaged(placed, segment, limit, read, disk);
                }
                read.push(placed, segment.bytes(placed, disk)?);
                let position = placed.position + placed.size;
                next = segment.batch_at(position, disk)?.map(|(placed, _)| placed);
            }
            break;
        }
        Ok(())
    }

    /// Reads a batch whose corrupt header shows an offset above the bound: Kafka knows by its
    /// position that the batch is below, and the reader finds the wrong checksum.
    fn read_damaged(
        placed: Placed,
        segment: &Segment,
        limit: Limit,
        read: &mut Read,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        if placed.last_offset < limit.upper_bound || !read.batches.is_empty() {
            return Ok(());
        }
        let bytes = segment.bytes(placed, disk)?;
        if Batch::new(&bytes).and_then(|batch| batch.check_crc()).is_err() {
            read.batches.push(bytes);
            read.size = u64::from(placed.size);
        }
        Ok(())
    }

    /// Whether `offset` is below `bound`, and in an earlier segment than the records that end at
    /// `bound` (`LogOffsetMetadata.onOlderSegment`). An offset at which a segment ends and the next
    /// begins belongs to the earlier one as a bound, and to the later one as a position.
    pub fn is_on_older_segment(&self, offset: i64, bound: i64) -> bool {
        if offset >= bound {
            return false;
        }
        let last = if bound == self.log_end { bound } else { bound - 1 };
        self.segment_of(offset) < self.segment_of(last)
    }

    /// The largest timestamp of a record; `None` if no record has one.
    pub fn max_timestamp(&self) -> Option<i64> {
        let all = self.segments.iter().map(|segment| segment.max_timestamp);
        all.max().filter(|timestamp| *timestamp >= 0)
    }

    /// The first record below `bound` whose timestamp is `timestamp` or later. "First" goes by
    /// offset: timestamps need not grow.
    ///
    /// # Errors
    ///
    /// [`LogError::Disk`] and [`LogError::Corrupt`] if the log cannot be read.
    pub fn offset_for_timestamp(
        &self,
        timestamp: i64,
        bound: i64,
        disk: &mut dyn Disk,
    ) -> Result<Option<TimestampOffset>, LogError> {
        let first = self.segment_of(self.log_start);
        for segment in &self.segments[first..] {
            if segment.max_timestamp < timestamp {
                continue;
            }
            let mut position = segment.floor_by_time(timestamp);
            while let Some((placed, header)) = segment.batch_at(position, disk)? {
                let max_timestamp = record::Batch::header(&header)?.max_timestamp();
                if max_timestamp >= timestamp && placed.last_offset >= self.log_start {
                    let bytes = segment.bytes(placed, disk)?;
                    if let Some(found) = first_at(&bytes, timestamp, self.log_start)? {
                        return Ok(Some(found).filter(|found| found.offset < bound));
                    }
                }
                position = placed.position + placed.size;
            }
        }
        Ok(None)
    }
}

/// The first record of a batch that is late enough in time and in offset.
fn first_at(batch: &Bytes, timestamp: i64, from: i64) -> Result<Option<TimestampOffset>, LogError> {
    let mut found = None;
    record::for_each(batch, |record| {
        if found.is_none() && record.timestamp >= timestamp && record.offset >= from {
            found = Some(TimestampOffset { timestamp: record.timestamp, offset: record.offset });
        }
    })?;
    Ok(found)
}
