//! What is fsynced, and when: never on an append by default, but when a segment is full, when the
//! owner asks for it, and on a clean shutdown (`UnifiedLog.flush`, `LocalLog.flush`).

use super::{Log, LogError, snapshot};
use machine::Disk;

impl Log {
    /// Fsyncs everything, the active segment included. The recovery point is the log end offset
    /// then. Costs nothing if nothing changed.
    ///
    /// # Errors
    ///
    /// [`LogError::Disk`], and the log is offline then; [`LogError::Offline`] if it was before.
    pub fn flush(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.flush_segments(self.segments.len(), self.log_end, disk)
    }

    /// Whether segments are full and not fsynced yet.
    pub fn needs_flush(&self) -> bool {
        self.recovery_point < self.active().base_offset
    }

    /// Fsyncs the segments that are full; the background work that a roll leaves behind
    /// (`flush-log`). The recovery point moves up to the active segment.
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

    /// Fsyncs everything and writes a snapshot of the producers, for a start that need not scan.
    /// The owner writes the mark of the clean shutdown when all its logs are closed.
    ///
    /// # Errors
    ///
    /// Those of [`Log::flush`]; the shutdown is then not a clean one.
    pub fn close_cleanly(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.check_online()?;
        self.active_mut().index_time();
        self.producers.end_offset = self.log_end;
        let taken = self.take_snapshot(disk);
        self.fence_on_error(taken)?;
        self.flush(disk)
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
            if let Some(offset) = self.last_snapshot {
                snapshot::sync(&self.dir, offset, disk)?;
            }
            // The name of a new segment is as much part of the log as its bytes.
            disk.sync_dir(&self.dir)?;
            self.unsynced_names = false;
        }
        self.epochs.write(&self.dir, disk)?;
        Ok(())
    }
}
