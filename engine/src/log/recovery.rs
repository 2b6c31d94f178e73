//! Opening a log, after a shutdown, a crash or a power loss (`LogLoader`, `LogSegment.recover`).
//!
//! After a clean shutdown the files are trusted. Otherwise every segment that holds something above
//! the recovery point is scanned: checksums, order, epochs, indexes. The first incomplete batch
//! ends the log, and so does a hole between two segments; later segments are deleted. A tail that
//! never reached the disk leaves no trace: the log is just shorter, and leader epochs and the ELR
//! keep it from passing for the complete one.

use super::files::{self, INDEX, LOG, TIME_INDEX, TXN_INDEX};
use super::index::Index;
use super::producers::Ended;
use super::tail::{Placed, Tail};
use super::txn_index::TransactionIndex;
use super::verification::Verifications;
use super::{EpochCache, Log, LogConfig, LogError, Producers, Segment, snapshot};
use crate::record::{Batch, RecordError};
use bytes::Bytes;
use machine::{Disk, DiskError, Wall};

/// What opening a log found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the log was trusted, after a clean shutdown.
    pub clean: bool,
    /// Whether there was no log, and an empty one was created.
    pub created: bool,
    /// The bytes that were cut off, later segments included.
    pub truncated_bytes: u64,
    /// Where the log ends now, if bytes were cut off.
    pub truncated_from: Option<i64>,
    /// How many segments were scanned from end to end.
    pub segments_scanned: u32,
    /// How many segments after a broken one were deleted.
    pub segments_deleted: u32,
    /// Whether a segment did not begin where the previous one ends: after a power loss the end of a
    /// segment may be gone that was full and not fsynced yet. Kafka keeps such a log, as if
    /// compaction had left the hole.
    pub gap: bool,
}

impl Log {
    /// Opens the log in `dir`, or creates an empty one. `clean`: the last life of the broker ended
    /// with a clean shutdown; if not, the log is scanned from the segment that holds
    /// `recovery_point` on.
    ///
    /// # Errors
    ///
    /// [`LogError::Disk`]. Broken files are not errors; they are rebuilt or truncated.
    pub fn open(
        dir: &str,
        config: &LogConfig,
        disk: &mut dyn Disk,
        clean: bool,
        recovery_point: i64,
        now: Wall,
    ) -> Result<(Self, Recovery), LogError> {
        Self::open_from(dir, config, disk, clean, recovery_point, 0, now)
    }

    /// The same, for a log whose start may lie within a segment: `log_start` is its entry in
    /// `log-start-offset-checkpoint`.
    ///
    /// # Errors
    ///
    /// Those of [`Log::open`].
    pub fn open_from(
        dir: &str,
        config: &LogConfig,
        disk: &mut dyn Disk,
        clean: bool,
        recovery_point: i64,
        log_start: i64,
        now: Wall,
    ) -> Result<(Self, Recovery), LogError> {
        let mut recovery = Recovery { clean, ..Recovery::default() };
        let names = match disk.list(dir) {
            Err(DiskError::NotFound) => {
                disk.create_dir(dir)?;
                disk.sync_dir(files::parent(dir))?;
                Vec::new()
            }
            other => other?,
        };
        let mut log = Self {
            dir: dir.to_owned(),
            config: *config,
            segments: Vec::new(),
            log_start,
            log_end: log_start,
            recovery_point,
            epochs: EpochCache::load(dir, disk)?,
            producers: Producers::default(),
            tail: Tail::default(),
            verifications: Verifications::default(),
            start_batch: log_start,
            last_snapshot: 0,
            unsynced_snapshot: None,
            unsynced_names: false,
            clock: now,
            offline: false,
        };
        log.load_segments(&names, &mut recovery, disk)?;
        log.settle(log_start, &mut recovery, disk)?;
        log.reset_producers();
        log.remove_stray_snapshots(disk)?;
        log.rebuild_producers(log.log_end, clean, disk)?;
        log.find_start_batch(disk)?;
        log.invariants();
        Ok((log, recovery))
    }

    /// Opens every segment, scanning those that may be broken.
    fn load_segments(
        &mut self,
        names: &[String],
        recovery: &mut Recovery,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        let bases: Vec<i64> = names.iter().filter_map(|name| files::offset_in(name, LOG)).collect();
        remove_strays(&self.dir, names, &bases, disk)?;
        recovery.created = bases.is_empty();
        for (at, base_offset) in bases.iter().copied().enumerate() {
            // The segment that holds the recovery point, and those after it.
            let unflushed = bases.get(at + 1).is_none_or(|next| *next > self.recovery_point);
            let trusted = recovery.clean || !unflushed;
            // Below the recovery point everything is synced, and only compaction leaves holes.
            let may_have_lost = !trusted && at > 0 && base_offset > self.recovery_point;
            recovery.gap = may_have_lost && self.log_end < base_offset;
            if recovery.gap {
                self.drop_segments(&bases[at..], recovery, disk)?;
                break;
            }
            let whole = self.load_segment(base_offset, trusted, recovery, disk)?;
            if !whole {
                self.drop_segments(&bases[at + 1..], recovery, disk)?;
                break;
            }
        }
        Ok(())
    }

    /// Opens a segment. Returns whether nothing had to be cut off.
    fn load_segment(
        &mut self,
        base_offset: i64,
        trusted: bool,
        recovery: &mut Recovery,
        disk: &mut dyn Disk,
    ) -> Result<bool, LogError> {
        let path = |kind| files::at_offset(&self.dir, base_offset, kind);
        let log = disk.open(&path(LOG))?;
        let bytes = disk.len(log)?;
        let size = u32::try_from(bytes).map_err(|_| LogError::Disk(DiskError::Io))?;
        if trusted
            && let Some(offsets) = Index::load(disk, &path(INDEX))?
            && let Some(times) = Index::load(disk, &path(TIME_INDEX))?
            && let Some(aborted) = TransactionIndex::load(&self.dir, base_offset, disk)?
        {
            let mut segment = Segment::new(base_offset, log, size, offsets, times, self.clock);
            segment.aborted = aborted;
            segment.dirty = false;
            match segment.load_maximum(disk) {
                Ok(next_offset) => {
                    self.log_end = next_offset;
                    self.segments.push(segment);
                    return Ok(true);
                }
                Err(LogError::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let offsets = Index::create(disk, &path(INDEX))?;
        let times = Index::create(disk, &path(TIME_INDEX))?;
        let mut segment = Segment::new(base_offset, log, size, offsets, times, self.clock);
        segment.aborted = TransactionIndex::reset(&self.dir, base_offset, disk)?;
        self.unsynced_names = true;
        self.recover_segment(segment, recovery, disk)
    }

    /// Scans a segment, and truncates it at the first incomplete batch. Returns whether there was
    /// none.
    fn recover_segment(
        &mut self,
        mut segment: Segment,
        recovery: &mut Recovery,
        disk: &mut dyn Disk,
    ) -> Result<bool, LogError> {
        recovery.segments_scanned += 1;
        let found = segment.size;
        segment.size = 0;
        let mut next_offset = segment.base_offset;
        // The producers of earlier segments, so that none is lost if this segment is cut.
        self.reset_producers();
        self.rebuild_producers(segment.base_offset, false, disk)?;
        while segment.size < found {
            let position = segment.size;
            let Some(batch) = whole_batch(&segment, position, found, next_offset, disk)? else {
                break;
            };
            let view = Batch::new(&batch)?;
            let placed = Placed {
                base_offset: view.base_offset(),
                last_offset: view.last_offset(),
                position,
                size: view.size() as u32,
            };
            segment.note(placed, view.max_timestamp(), &self.config);
            // Epoch 0 counts as much as any other (KAFKA-10432).
            let latest = self.epochs.latest().map(|entry| entry.epoch);
            if view.leader_epoch() >= 0 && latest.is_none_or(|latest| view.leader_epoch() > latest)
            {
                self.epochs.assign(view.leader_epoch(), view.base_offset());
            }
            next_offset = view.next_offset();
            if let Some(aborted) = self.producers.apply(view)?.and_then(Ended::aborted) {
                segment.aborted.push(aborted, &self.dir, segment.base_offset, disk)?;
            }
        }
        let whole = segment.size == found;
        if !whole {
            disk.truncate(segment.log, u64::from(segment.size))?;
            recovery.truncated_bytes += u64::from(found - segment.size);
            recovery.truncated_from = Some(next_offset);
        }
        segment.index_time();
        segment.offsets.write(disk)?;
        segment.times.write(disk)?;
        self.log_end = next_offset;
        self.segments.push(segment);
        // The next segment need not read this one again.
        self.producers.end_offset = next_offset;
        self.take_snapshot(true, disk)?;
        Ok(whole)
    }

    /// Deletes the segments after a broken one, from the end backwards.
    fn drop_segments(
        &self,
        bases: &[i64],
        recovery: &mut Recovery,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        for base_offset in bases.iter().rev() {
            let file = disk.open(&files::at_offset(&self.dir, *base_offset, LOG))?;
            recovery.truncated_bytes += disk.len(file)?;
            recovery.segments_deleted += 1;
            Segment::remove(&self.dir, *base_offset, disk)?;
            snapshot::remove(&self.dir, *base_offset, disk)?;
        }
        disk.sync_dir(&self.dir)?;
        Ok(())
    }

    /// Brings start, end, recovery point and epochs in line with the segments.
    fn settle(
        &mut self,
        log_start: i64,
        recovery: &mut Recovery,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        let first = self.segments.first().map(|segment| segment.base_offset);
        if first.is_some() && self.log_end < log_start {
            // The start was moved beyond what survived: none of it may be read again.
            let bases: Vec<i64> = self.segment_bases().collect();
            self.drop_segments(&bases, recovery, disk)?;
            self.segments.clear();
        }
        if self.segments.is_empty() {
            self.segments.push(Segment::create(&self.dir, log_start, self.clock, disk)?);
            self.unsynced_names = true;
            self.log_end = log_start;
        }
        self.log_start = log_start.max(self.segments[0].base_offset);
        self.recovery_point = self.recovery_point.min(self.log_end);
        if recovery.truncated_bytes > 0 {
            recovery.truncated_from = Some(self.log_end);
        }
        self.epochs.truncate_from_end(self.log_end);
        self.epochs.truncate_from_start(self.log_start);
        self.epochs.write(&self.dir, disk)?;
        Ok(())
    }
}

/// The batch at `position`, if it is complete, its checksum is right, and its offsets grow.
fn whole_batch(
    segment: &Segment,
    position: u32,
    end: u32,
    next_offset: i64,
    disk: &mut dyn Disk,
) -> Result<Option<Bytes>, LogError> {
    let header = disk.read(segment.log, u64::from(position), crate::record::HEADER_SIZE as u64)?;
    let Ok(size) = Batch::size_at(&header) else { return Ok(None) };
    if size as u64 > u64::from(end - position) {
        return Ok(None);
    }
    let bytes = disk.read(segment.log, u64::from(position), size as u64)?;
    Ok(check(&bytes, segment.base_offset, next_offset).is_ok().then_some(bytes))
}

fn check(bytes: &[u8], segment_base: i64, next_offset: i64) -> Result<(), RecordError> {
    let batch = Batch::new(bytes)?;
    batch.check_crc()?;
    let ordered = batch.base_offset() >= next_offset
        && i32::try_from(batch.last_offset() - segment_base).is_ok();
    if ordered { Ok(()) } else { Err(RecordError::Malformed("offsets do not grow")) }
}

/// Removes unfinished files that a crash left, and indexes without a log.
fn remove_strays(
    dir: &str,
    names: &[String],
    bases: &[i64],
    disk: &mut dyn Disk,
) -> Result<(), LogError> {
    for name in names {
        let index =
            [INDEX, TIME_INDEX, TXN_INDEX].iter().find_map(|kind| files::offset_in(name, kind));
        let orphan = index.is_some_and(|base| bases.binary_search(&base).is_err());
        let unfinished =
            [".tmp", ".deleted", ".cleaned", ".swap"].iter().any(|end| name.ends_with(end));
        if orphan || unfinished {
            disk.remove(&format!("{dir}/{name}"))?;
        }
    }
    Ok(())
}
