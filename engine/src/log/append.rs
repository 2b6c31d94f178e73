//! Appending: as a leader, which assigns offsets and epoch, or as a follower, which keeps them
//! (`UnifiedLog.append`, `LocalLog.roll`).
//!
//! The steps are in Kafka's order, which has visible effects: an epoch is assigned before the size
//! is checked, and a batch may roll the log and then be found to be a duplicate.

use super::producers::{BatchMeta, Ended, Producer};
use super::tail::Placed;
use super::txn_index::AbortedTxn;
use super::verification::Verification;
use super::{Log, LogError, Segment, snapshot};
use crate::error::ErrorCode;
use crate::record::{self, Batch, EndTransactionMarker, RecordError, TimestampType};
use bytes::Bytes;
use machine::{Disk, Wall};

/// The result of an append (`LogAppendInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    /// The offset of the first record.
    pub base_offset: i64,
    /// The offset of the last record.
    pub last_offset: i64,
    /// The largest timestamp.
    pub max_timestamp: i64,
    /// The time that was given to all records, where `message.timestamp.type` says so.
    pub append_time: Option<i64>,
    /// The leader epoch in the batch.
    pub leader_epoch: i32,
    /// Whether a new segment was begun for it; the old one then waits for
    /// [`Log::flush_pending`].
    pub rolled: bool,
    /// The first offset of the log, which a follower's first append may move.
    pub log_start: i64,
    /// The bytes as stored in the log.
    pub batch: Bytes,
}

/// The state of the producer of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its state, if it has any.
    pub producer: Option<&'a Producer>,
    /// The verification of its transaction, if one is under way.
    pub verification: Option<&'a Verification>,
}

/// Whether a batch of a producer is appended, by the state of that producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is appended.
    Append {
        /// With it the verification of the producer's transaction ends, if one is under way.
        ends_verification: bool,
    },
    /// The log has the batch already: its place.
    Duplicate(BatchMeta),
    /// It is refused.
    Refuse(ErrorCode),
}

/// The outcome of a leader's append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Led {
    /// It was appended.
    Appended(AppendInfo),
    /// It was not: it is a duplicate of this one.
    Duplicate {
        /// The batch in the log.
        batch: BatchMeta,
        /// Whether a new segment was begun for it nevertheless.
        rolled: bool,
    },
    /// It was refused.
    Refused {
        /// Why.
        error: ErrorCode,
        /// Whether a new segment was begun for it nevertheless.
        rolled: bool,
    },
}

impl Log {
    /// Appends a batch as the leader of `leader_epoch`: it gets the next offset and that epoch.
    /// Whether a client may append it has been checked ([`record::validate_produce`]); nothing is
    /// asked about its producer.
    ///
    /// # Errors
    ///
    /// [`LogError::RecordListTooLarge`] and [`LogError::Corrupt`] refuse the batch;
    /// [`LogError::Disk`] leaves the log offline, and [`LogError::Offline`] says it was.
    pub fn append_as_leader(
        &mut self,
        batch: Bytes,
        leader_epoch: i32,
        now: Wall,
        disk: &mut dyn Disk,
    ) -> Result<AppendInfo, LogError> {
        match self.lead(batch, leader_epoch, now, admit_any, disk)? {
            Led::Appended(info) => Ok(info),
            Led::Duplicate { .. } | Led::Refused { .. } => unreachable!("every batch is admitted"),
        }
    }

    /// The same for a batch of a client or a marker: `admit` decides by what the log knows of its
    /// producer. It comes after the steps that Kafka takes before it, so that a duplicate may
    /// assign an epoch and begin a segment.
    ///
    /// # Errors
    ///
    /// Those of [`Log::append_as_leader`].
    pub fn lead(
        &mut self,
        batch: Bytes,
        leader_epoch: i32,
        now: Wall,
        admit: impl FnOnce(Known<'_>, Batch<'_>) -> Admission,
        disk: &mut dyn Disk,
    ) -> Result<Led, LogError> {
        self.check_online()?;
        self.clock = now;
        Batch::new(&batch)?;
        let (batch, append_time) = self.assign(batch, leader_epoch, now);
        self.append(batch, append_time, admit, disk)
    }

    /// Appends a batch that was fetched from the leader. It keeps its offsets, its epoch and its
    /// bytes, and has to start at or after the log end offset; there may be a hole between them.
    ///
    /// One exception: a log without records that was cut to start inside a batch starts with that
    /// batch (KAFKA-6975).
    ///
    /// # Errors
    ///
    /// [`LogError::OutOfOrder`] and [`LogError::Corrupt`] refuse the batch; otherwise those of
    /// [`Log::append_as_leader`].
    pub fn append_as_follower(
        &mut self,
        batch: Bytes,
        disk: &mut dyn Disk,
    ) -> Result<AppendInfo, LogError> {
        self.check_online()?;
        let view = Batch::new(&batch)?;
        view.check_crc()?;
        let base_offset = view.base_offset();
        if base_offset < self.log_end {
            let spans = self.log_start == self.log_end && view.last_offset() >= self.log_end;
            if !spans {
                return Err(LogError::OutOfOrder { base_offset, log_end: self.log_end });
            }
            self.truncate_fully_and_start_at(base_offset, disk)?;
        }
        match self.append(batch, None, admit_any, disk)? {
            Led::Appended(info) => Ok(info),
            Led::Duplicate { .. } | Led::Refused { .. } => unreachable!("every batch is admitted"),
        }
    }

    /// Step: offset, leader epoch, append time.
    fn assign(&self, batch: Bytes, leader_epoch: i32, now: Wall) -> (Bytes, Option<i64>) {
        let batch = record::stamp(batch, self.log_end, leader_epoch);
        match self.config.message_timestamp_type {
            TimestampType::CreateTime => (batch, None),
            TimestampType::LogAppendTime => (record::stamp_append_time(batch, now), Some(now.0)),
        }
    }

    fn append(
        &mut self,
        batch: Bytes,
        append_time: Option<i64>,
        admit: impl FnOnce(Known<'_>, Batch<'_>) -> Admission,
        disk: &mut dyn Disk,
    ) -> Result<Led, LogError> {
        let view = Batch::new(&batch)?;
        self.enter_epoch(view, disk)?;
        if view.size() > self.config.segment_bytes as usize {
            return Err(LogError::RecordListTooLarge);
        }
        let rolled = self.maybe_roll(view, disk)?;
        if view.has_producer_id() {
            let producer_id = view.producer_id();
            let known = Known {
                producer: self.producers.get(producer_id),
                verification: self.verifications.get(producer_id),
            };
            match admit(known, view) {
                Admission::Append { ends_verification } => {
                    self.check_producer_step(view)?;
                    if ends_verification {
                        self.verifications.end(producer_id);
                    }
                }
                Admission::Duplicate(batch) => return Ok(Led::Duplicate { batch, rolled }),
                Admission::Refuse(error) => return Ok(Led::Refused { error, rolled }),
            }
        }
        let info = AppendInfo {
            base_offset: view.base_offset(),
            last_offset: view.last_offset(),
            max_timestamp: view.max_timestamp(),
            append_time,
            leader_epoch: view.leader_epoch(),
            rolled,
            log_start: self.log_start,
            batch,
        };
        self.write(&info, disk)?;
        Ok(Led::Appended(info))
    }

    /// Step: an epoch that is new to the log is assigned, fsynced.
    fn enter_epoch(&mut self, batch: Batch<'_>, disk: &mut dyn Disk) -> Result<(), LogError> {
        let epoch = batch.leader_epoch();
        match self.epochs.latest() {
            Some(latest) if latest.epoch == epoch => Ok(()),
            _ if epoch < 0 => Ok(()),
            _ => self.assign_epoch(epoch, batch.base_offset(), disk),
        }
    }

    /// Step: begins a new segment if the batch does not fit into the active one. Returns whether it
    /// did. Where the first batch of the active segment cannot be read, its age is not known, and
    /// nothing is appended (`LogSegment.shouldRoll`).
    fn maybe_roll(&mut self, batch: Batch<'_>, disk: &mut dyn Disk) -> Result<bool, LogError> {
        self.active_mut().load_first(disk)?;
        let full = self.active().is_full_for(batch, &self.config, self.clock);
        if !full {
            return Ok(false);
        }
        let rolled = self.roll(batch.base_offset(), disk);
        self.fence_on_error(rolled)
    }

    /// Begins a new segment at `offset`, with a snapshot of the producers there. The old segment
    /// is fsynced later, by [`Log::flush_pending`]. Returns false if the old one is empty.
    fn roll(&mut self, offset: i64, disk: &mut dyn Disk) -> Result<bool, LogError> {
        let base_offset = offset.max(self.log_end);
        let now = self.clock;
        let active = self.active_mut();
        if active.size == 0 && active.base_offset == base_offset {
            // Full without a batch: its indexes are smaller than one entry. Nothing to gain.
            return Ok(false);
        }
        active.index_time();
        active.offsets.write(disk)?;
        active.times.write(disk)?;
        self.segments.push(Segment::create(&self.dir, base_offset, now, disk)?);
        self.unsynced_names = true;
        self.tail.clear();
        self.producers.end_offset = base_offset;
        // The fsync follows with that of the old segment.
        if self.take_snapshot(false, disk)? {
            self.unsynced_snapshot = Some(base_offset);
        }
        Ok(true)
    }

    /// Writes a snapshot of the producers where they are, unless there is one there or behind it.
    /// Returns whether it did (`ProducerStateManager.takeSnapshot`).
    pub(super) fn take_snapshot(
        &mut self,
        synced: bool,
        disk: &mut dyn Disk,
    ) -> Result<bool, LogError> {
        let offset = self.producers.end_offset;
        if offset <= self.last_snapshot {
            return Ok(false);
        }
        snapshot::write(&self.dir, &self.producers, synced, disk)?;
        self.last_snapshot = offset;
        self.unsynced_names = true;
        Ok(true)
    }

    /// Step: checks what could otherwise fail when the producer state is updated after the write.
    fn check_producer_step(&self, batch: Batch<'_>) -> Result<(), LogError> {
        if batch.is_control() {
            EndTransactionMarker::of(batch)?;
        }
        Ok(())
    }

    /// Step: writes the bytes, then updates what follows from them.
    fn write(&mut self, info: &AppendInfo, disk: &mut dyn Disk) -> Result<(), LogError> {
        let active = self.active();
        let (file, size) = (active.log, active.size);
        let written = disk.append(file, info.batch.clone());
        let position = self.fence_on_error(written)?;
        if position != u64::from(size) {
            // Another writer changed the file, or a failed append left something in it.
            self.offline = true;
            return Err(LogError::Corrupt(RecordError::Malformed("the segment is not as known")));
        }
        let placed = Placed {
            base_offset: info.base_offset,
            last_offset: info.last_offset,
            position: size,
            size: info.batch.len() as u32,
        };
        let config = self.config;
        self.active_mut().note(placed, info.max_timestamp, &config);
        self.tail.push(placed);
        self.log_end = info.last_offset + 1;
        let ended = self.producers.apply(Batch::new(&info.batch)?)?;
        if let Some(aborted) = ended.and_then(Ended::aborted) {
            let indexed = self.index_aborted(aborted, disk);
            self.fence_on_error(indexed)?;
        }
        if self.log_end - self.recovery_point >= self.config.flush_messages {
            self.flush(disk)?;
        }
        Ok(())
    }

    /// Step: a marker has aborted a transaction.
    fn index_aborted(&mut self, aborted: AbortedTxn, disk: &mut dyn Disk) -> Result<(), LogError> {
        let active = self.segments.last_mut().expect("there is an active segment");
        self.unsynced_names |= active.aborted.push(aborted, &self.dir, active.base_offset, disk)?;
        Ok(())
    }
}

/// Replicated batches are always appended, and so are records of a coordinator.
fn admit_any(known: Known<'_>, batch: Batch<'_>) -> Admission {
    let ends_verification = known.verification.is_some_and(|entry| entry.ends_with(batch));
    Admission::Append { ends_verification }
}
