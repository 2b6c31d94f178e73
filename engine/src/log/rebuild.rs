//! The state of producers, rebuilt from the newest snapshot and the batches after it: at a start,
//! and after a truncation (`UnifiedLog.rebuildProducerState`,
//! `ProducerStateManager.truncateAndReload`).
//!
//! A snapshot contains only the last batch of each producer. So an earlier batch that is sent again
//! after a restart or a truncation may not be recognised as a duplicate.

use super::snapshot::{self, Expiry};
use super::{Log, LogError, Producers};
use crate::record::Batch;
use machine::{Disk, DiskError};

impl Log {
    /// Forgets all producers, as at the start of a process.
    pub(super) fn reset_producers(&mut self) {
        self.producers = Producers::default();
        self.last_snapshot = 0;
        self.unsynced_snapshot = None;
    }

    /// Builds the state of producers at `until`, the end of the loaded segments or the offset of a
    /// truncation, and writes snapshots at `until` and at the base offsets of the last two
    /// segments. After a clean shutdown, a log without a snapshot has no producers and is not read.
    pub(super) fn rebuild_producers(
        &mut self,
        until: i64,
        after_clean_shutdown: bool,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        let last_two = self.segments.iter().rev().take(2).rev();
        let bases: Vec<i64> = last_two.map(|segment| segment.base_offset).collect();
        if after_clean_shutdown && snapshot::offsets(&self.dir, disk)?.is_empty() {
            for offset in bases.into_iter().chain([until]) {
                self.producers.end_offset = offset;
                self.take_snapshot(true, disk)?;
            }
            return Ok(());
        }
        let none_before = self.producers.is_empty() && self.producers.end_offset >= until;
        self.reload_producers(until, disk)?;
        // Without producers before a truncation there are none after it, unless a snapshot contains
        // one, since a producer with an open transaction does not expire. Kafka then does not read
        // the batches after the snapshot, and so treats a transaction that has ended as open.
        if until > self.producers.end_offset && !(none_before && self.producers.is_empty()) {
            self.replay_producers(until, &bases, disk)?;
        }
        self.producers.end_offset = until;
        self.take_snapshot(true, disk)?;
        Ok(())
    }

    /// Loads the newest snapshot between the log start and `until`, unless the state is already
    /// that at `until`.
    fn reload_producers(&mut self, until: i64, disk: &mut dyn Disk) -> Result<(), LogError> {
        if self.producers.end_offset == until {
            self.remove_snapshots_outside(self.log_start, until, disk)?;
            self.start_producers_at(self.log_start, disk)?;
            return Ok(());
        }
        let expiry = Expiry { now: self.clock, after_ms: self.config.producer_id_expiration_ms };
        self.producers = snapshot::load_newest(&self.dir, self.log_start, until, expiry, disk)?;
        self.last_snapshot = self.producers.end_offset;
        Ok(())
    }

    fn remove_snapshots_outside(
        &self,
        log_start: i64,
        until: i64,
        disk: &mut dyn Disk,
    ) -> Result<(), DiskError> {
        for offset in snapshot::offsets(&self.dir, disk)? {
            if offset <= log_start || offset > until {
                snapshot::remove(&self.dir, offset, disk)?;
            }
        }
        Ok(())
    }

    /// Updates the state of producers for a new log start. Producers remain known after their
    /// batches have been deleted (`onLogStartOffsetIncremented`).
    pub(super) fn start_producers_at(
        &mut self,
        log_start: i64,
        disk: &mut dyn Disk,
    ) -> Result<(), DiskError> {
        self.producers.on_replicated(log_start);
        self.producers.end_offset = self.producers.end_offset.max(log_start);
        let newest = snapshot::offsets(&self.dir, disk)?.last().copied();
        self.last_snapshot = newest.unwrap_or(log_start);
        Ok(())
    }

    /// Applies the batches from the end of the state up to `until`.
    fn replay_producers(
        &mut self,
        until: i64,
        snapshots_at: &[i64],
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        for at in self.segment_of(self.producers.end_offset)..self.segments.len() {
            let base_offset = self.segments[at].base_offset;
            if base_offset >= until {
                break;
            }
            let from = base_offset.max(self.producers.end_offset).max(self.log_start);
            self.producers.end_offset = from;
            if snapshots_at.contains(&base_offset) {
                self.take_snapshot(true, disk)?;
            }
            self.replay_segment(at, from, until, disk)?;
        }
        Ok(())
    }

    fn replay_segment(
        &mut self,
        at: usize,
        from: i64,
        until: i64,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        let mut next = self.segments[at].find(from, disk)?;
        while let Some(placed) = next.filter(|placed| placed.last_offset < until) {
            let (_, header) = self.segments[at]
                .batch_at(placed.position, disk)?
                .expect("a batch that was found is there");
            // Batches without a producer id do not change the state.
            if Batch::header(&header)?.has_producer_id() {
                let bytes = self.segments[at].bytes(placed, disk)?;
                let batch = Batch::new(&bytes)?;
                // The transaction index has been truncated by offset, and needs no entry.
                self.producers.apply(batch)?;
                self.verifications.on_batch(batch);
            }
            let position = placed.position + placed.size;
            next = self.segments[at].batch_at(position, disk)?.map(|(placed, _)| placed);
        }
        Ok(())
    }

    /// Removes the snapshots that belong to no segment, except the newest one if it lies after all
    /// segments: a clean shutdown has written it (`ProducerStateManager.removeStraySnapshots`).
    pub(super) fn remove_stray_snapshots(&self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        let is_base = |offset: &i64| self.segment_bases().any(|base| base == *offset);
        let all = snapshot::offsets(&self.dir, disk)?;
        let mut strays: Vec<i64> = all.into_iter().filter(|offset| !is_base(offset)).collect();
        let newest_base = self.segment_bases().last();
        if strays.last().is_some_and(|stray| newest_base.is_none_or(|base| *stray > base)) {
            strays.pop();
        }
        for stray in strays {
            snapshot::remove(&self.dir, stray, disk)?;
        }
        Ok(())
    }
}
