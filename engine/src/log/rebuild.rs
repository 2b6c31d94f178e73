//! The state of producers, rebuilt from the newest snapshot and the batches after it: at a start,
//! and after a truncation (`UnifiedLog.rebuildProducerState`,
//! `ProducerStateManager.truncateAndReload`).
//!
//! A snapshot has the last batch of a producer alone. So a batch before it that is sent once more
//! after a restart or a truncation may not be known as a duplicate any more.

use super::snapshot::{self, Expiry};
use super::{Log, LogError, Producers};
use crate::record::Batch;
use machine::{Disk, DiskError};

impl Log {
    /// Begins without any producer, as a process does.
    pub(super) fn reset_producers(&mut self) {
        self.producers = Producers::default();
        self.last_snapshot = 0;
        self.unsynced_snapshot = None;
    }

    /// Builds the state of producers at `until`, the end of the loaded segments or of what is to be
    /// kept of them, and writes snapshots where the last two segments start and at `until`. After a
    /// clean shutdown a log without a snapshot counts as one without producers, and is not read.
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
        // Where there was no producer before a truncation, there is none after it, unless a snapshot
        // brings one back: an open transaction does not expire. Kafka reads nothing after the snapshot
        // then, and takes a transaction for open that has ended.
        if until > self.producers.end_offset && !(none_before && self.producers.is_empty()) {
            self.replay_producers(until, &bases, disk)?;
        }
        self.producers.end_offset = until;
        self.take_snapshot(true, disk)?;
        Ok(())
    }

    /// Goes back to the newest snapshot between the log start and `until`, unless the state is that
    /// of `until` already.
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

    /// The log starts at `log_start` now. Producers outlive their batches
    /// (`onLogStartOffsetIncremented`).
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

    /// Accounts for the batches from where the state is up to `until`.
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
            // Of batches without a producer the header suffices.
            if Batch::header(&header)?.has_producer_id() {
                let bytes = self.segments[at].bytes(placed, disk)?;
                let batch = Batch::new(&bytes)?;
                // The transaction index has been cut by offset, and is right.
                self.producers.apply(batch)?;
                self.verifications.on_batch(batch);
            }
            let position = placed.position + placed.size;
            next = self.segments[at].batch_at(position, disk)?.map(|(placed, _)| placed);
        }
        Ok(())
    }

    /// Removes the snapshots that belong to no segment, but for the newest of them if it lies behind
    /// all segments: that one is of a clean shutdown (`ProducerStateManager.removeStraySnapshots`).
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
