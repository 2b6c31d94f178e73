//! Truncation of the end, where the log of a follower diverges from that of its leader; of the
//! whole log, if the two have no offsets in common; and of the start, by a higher log start offset
//! (`UnifiedLog.truncateTo`, `truncateFullyAndStartAt`, `maybeIncrementLogStartOffset`).
//!
//! Segments are removed from the last to the first, so that a crash in between leaves a log without
//! a gap.
//!
//! A truncation is fsynced. Kafka does not fsync it itself (`FileRecords.truncateTo`), but writes
//! and fsyncs the checkpoint of recovery points right after it (`LogManager.truncateTo`), and a
//! journaling file system such as ext4 or XFS commits the earlier truncation with that fsync.
//! [`Disk`] promises no order across files, so the fsync of the segment stands for the journal's.

use super::{Log, LogError, Segment, snapshot};
use machine::Disk;

impl Log {
    /// Truncates the log, so that its end offset is `offset`. A batch that contains `offset` is
    /// removed as a whole, so that the last batch may end earlier. If the log ends before `offset`,
    /// no record is removed, but epochs that start at its end are (KAFKA-10706).
    ///
    /// Returns whether the log end offset changed. If so, the recovery point may have moved back,
    /// and the owner writes its checkpoint before it appends, as `LogManager.truncateTo` does. The
    /// epoch file may be stale afterwards ([`Log::has_stale_epochs`]).
    ///
    /// # Errors
    ///
    /// [`LogError::Disk`], after which the log is offline; [`LogError::Offline`] if it already was.
    pub fn truncate_to(&mut self, offset: i64, disk: &mut dyn Disk) -> Result<bool, LogError> {
        self.check_online()?;
        assert!(offset >= 0, "offsets are not negative");
        if offset >= self.log_end {
            self.epochs.truncate_from_end(self.log_end);
            return Ok(false);
        }
        if offset < self.segments[0].base_offset {
            self.truncate_fully_and_start_at(offset, disk)?;
            return Ok(true);
        }
        let cut = self.cut_segments(offset, disk);
        self.fence_on_error(cut)?;
        self.log_end = offset;
        if offset < self.log_start {
            self.log_start = offset;
            self.start_batch = offset;
        }
        self.recovery_point = self.recovery_point.min(offset);
        self.tail.clear();
        self.epochs.truncate_from_end(offset);
        let rebuilt = self.rebuild_producers(offset, false, disk);
        self.fence_on_error(rebuilt)?;
        Ok(true)
    }

    /// Removes everything, including epochs and producers, and starts an empty log at `offset`.
    ///
    /// # Errors
    ///
    /// Those of [`Log::truncate_to`].
    pub fn truncate_fully_and_start_at(
        &mut self,
        offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        self.check_online()?;
        assert!(offset >= 0, "offsets are not negative");
        let replaced = self.replace_segments(offset, disk);
        let segment = self.fence_on_error(replaced)?;
        self.segments.clear();
        self.segments.push(segment);
        self.log_start = offset;
        self.start_batch = offset;
        self.log_end = offset;
        self.recovery_point = self.recovery_point.min(offset);
        self.tail.clear();
        self.unsynced_names = true;
        self.producers.clear(offset);
        self.last_snapshot = offset;
        self.unsynced_snapshot = None;
        self.epochs.clear();
        let written = self.epochs.write(&self.dir, disk);
        self.fence_on_error(written)
    }

    /// Moves the log start offset up, at most to the log end, and removes the segments that lie
    /// entirely below it. Returns whether it moved. The epoch file may be stale afterwards.
    ///
    /// # Errors
    ///
    /// Those of [`Log::truncate_to`].
    pub fn advance_log_start(
        &mut self,
        offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<bool, LogError> {
        self.check_online()?;
        let offset = offset.min(self.log_end);
        if offset <= self.log_start {
            return Ok(false);
        }
        self.log_start = offset;
        self.epochs.truncate_from_start(offset);
        let below = self.segment_of(offset);
        let dropped: Vec<i64> = self.segment_bases().take(below).collect();
        self.segments.drain(..below);
        for base_offset in dropped {
            let removed = Segment::remove(&self.dir, base_offset, disk)
                .and_then(|()| snapshot::remove(&self.dir, base_offset, disk));
            self.fence_on_error(removed)?;
        }
        let start = self.start_producers_at(offset, disk);
        self.fence_on_error(start)?;
        let found = self.find_start_batch(disk);
        self.fence_on_error(found)?;
        Ok(true)
    }

    fn cut_segments(&mut self, offset: i64, disk: &mut dyn Disk) -> Result<(), LogError> {
        let keep = self.segment_of(offset) + 1;
        if keep < self.segments.len() {
            for segment in self.segments[keep..].iter().rev() {
                Segment::remove(&self.dir, segment.base_offset, disk)?;
                snapshot::remove(&self.dir, segment.base_offset, disk)?;
            }
            disk.sync_dir(&self.dir)?;
            self.segments.truncate(keep);
        }
        let now = self.clock;
        let active = self.active_mut();
        active.truncate_to(offset, now, disk)?;
        disk.sync(active.log)?;
        active.dirty = false;
        Ok(())
    }

    fn replace_segments(&mut self, offset: i64, disk: &mut dyn Disk) -> Result<Segment, LogError> {
        for segment in self.segments.iter().rev() {
            Segment::remove(&self.dir, segment.base_offset, disk)?;
        }
        snapshot::remove_all(&self.dir, disk)?;
        disk.sync_dir(&self.dir)?;
        Ok(Segment::create(&self.dir, offset, self.clock, disk)?)
    }
}
