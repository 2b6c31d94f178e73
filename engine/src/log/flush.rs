//! Which files are fsynced, and when: by default not on an append, but when a segment is full, when
//! the owner flushes the log, and on a clean shutdown (`UnifiedLog.flush`, `LocalLog.flush`).

use super::{Log, LogError, snapshot};
use machine::Disk;

impl Log {
    /// Fsyncs all segments, the active one included, and moves the recovery point to the log end
    /// offset. Without changes there is no call of the disk.
    ///
    /// # Errors
    ///
    /// [`LogError::Disk`], after which the log is offline; [`LogError::Offline`] if it already was.
    pub fn flush(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.flush_segments(self.segments.len(), self.log_end, disk)
    }

    /// Whether segments are full and not fsynced yet.
    pub fn needs_flush(&self) -> bool {
        self.recovery_point < self.active().base_offset
    }

    /// Fsyncs the full segments, in the background after a roll (`flush-log`). The recovery point
    /// moves to the base offset of the active segment.
    ///
    /// # Errors
    ///
    /// Those of [`Log::flush`].
    pub fn flush_pending(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        if !self.needs_flush() {
            return self.check_online();
        }
        self.flush_segments(self.segments.len() - 1, self.active().base_offset, disk)
    }

    /// Whether the epoch file still has epochs that a truncation has removed, until
    /// [`Log::flush_epochs`].
    pub fn has_stale_epochs(&self) -> bool {
        self.epochs.is_stale()
    }

    /// Writes and fsyncs the epoch file if it is stale, in the background after a truncation
    /// (`leader-epoch-cache-flush`).
    ///
    /// # Errors
    ///
    /// Those of [`Log::flush`].
    pub fn flush_epochs(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.check_online()?;
        let written = self.epochs.write(&self.dir, disk);
        self.fence_on_error(written)
    }

    /// Fsyncs everything and writes a snapshot of the producers, so that the next start need not
    /// scan the log. The owner writes the clean-shutdown file when all its logs are closed.
    ///
    /// # Errors
    ///
    /// Those of [`Log::flush`]; the shutdown is then not a clean one.
    pub fn close_cleanly(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.check_online()?;
        self.active_mut().index_time();
        self.producers.end_offset = self.log_end;
        let taken = self.take_snapshot(true, disk);
        self.fence_on_error(taken)?;
        self.flush(disk)?;
        self.flush_epochs(disk)
    }

    /// Fsyncs the first `count` segments, up to `offset`.
    fn flush_segments(
        &mut self,
        count: usize,
        offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        self.check_online()?;
        let synced = self.sync_segments(count, disk);
        self.fence_on_error(synced)?;
        self.recovery_point = self.recovery_point.max(offset);
        Ok(())
    }

    fn sync_segments(&mut self, count: usize, disk: &mut dyn Disk) -> Result<(), LogError> {
        let first = self.segment_of(self.recovery_point).min(count);
        for segment in &mut self.segments[first..count] {
            segment.flush(disk)?;
        }
        if self.unsynced_names {
            if let Some(offset) = self.unsynced_snapshot.take() {
                snapshot::sync(&self.dir, offset, disk)?;
            }
            // The name of a new segment has to be durable as well as its bytes.
            disk.sync_dir(&self.dir)?;
            self.unsynced_names = false;
        }
        Ok(())
    }
}
