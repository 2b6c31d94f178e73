//! The log: batches in segments, their indexes, leader epochs and producer state (`UnifiedLog`,
//! `LocalLog`, `LogSegment`).
//!
//! One type serves partitions and the metadata log of Raft. It knows neither high watermark nor
//! role: its owner passes the bound of every read, and decides what to append and where to
//! truncate. Offsets may have holes anywhere, and no count is derived from them.
//!
//! | file | idea |
//! |---|---|
//! | `append.rs` | the pipeline of an append, rolling |
//! | `read.rs` | lookup by offset and by timestamp |
//! | `truncate.rs` | truncating the end, removing everything, moving the start |
//! | `flush.rs` | which files are fsynced, and when |
//! | `recovery.rs` | opening a log after a shutdown, a crash or a power loss |
//! | `segment.rs`, `index.rs`, `tail.rs` | a segment, its indexes, the end of the active one |
//! | [`epoch`] | where leader epochs start and end |
//! | [`producers`], `snapshot.rs`, `rebuild.rs` | the state of idempotent and transactional producers |
//! | `stable.rs`, `txn_index.rs` | open transactions, aborted transactions |
//! | `verification.rs` | transactions whose coordinator is asked about this partition |
//! | [`checkpoint`], [`clean_shutdown`], [`partition_metadata`], [`files`] | small files |

mod append;
pub mod checkpoint;
pub mod clean_shutdown;
mod config;
pub mod epoch;
mod error;
pub mod files;
mod flush;
mod index;
pub mod meta_properties;
pub mod partition_metadata;
pub mod producers;
mod read;
mod rebuild;
mod recovery;
mod segment;
mod snapshot;
mod stable;
mod tail;
mod truncate;
mod txn_index;
mod verification;

#[cfg(test)]
pub(crate) mod testdisk;
#[cfg(test)]
mod tests;

pub use append::{Admission, AppendInfo, Known, Led};
pub use config::LogConfig;
pub use epoch::{EpochCache, EpochEntry, UNDEFINED_EPOCH, UNDEFINED_OFFSET};
pub use error::LogError;
pub use producers::{BatchMeta, Ended, Producer, Producers};
pub use read::{Read, TimestampOffset};
pub use recovery::Recovery;
pub use stable::Undecided;
pub use txn_index::AbortedTxn;
pub use verification::{Unverified, Verification};

use crate::protocol::EpochEndOffset;
use machine::{Disk, Wall};
use segment::Segment;
use tail::Tail;
use verification::Verifications;

/// A log in a directory of its own.
#[derive(Clone, Debug)]
pub struct Log {
    dir: String,
    config: LogConfig,
    /// In order of base offsets, never empty. The last one is active.
    segments: Vec<Segment>,
    log_start: i64,
    log_end: i64,
    recovery_point: i64,
    epochs: EpochCache,
    producers: Producers,
    verifications: Verifications,
    tail: Tail,
    /// The first offset of the batch that holds the log start.
    start_batch: i64,
    /// Where the newest snapshot of producer state is, or where the log started when there was none.
    last_snapshot: i64,
    /// The snapshot that was written with the roll of a segment and is not fsynced yet.
    unsynced_snapshot: Option<i64>,
    /// Whether there are new files whose names a power loss would take.
    unsynced_names: bool,
    /// The broker's wall clock at the last input.
    clock: Wall,
    /// No more appends: a write failed (KAFKA-10778).
    offline: bool,
}

impl Log {
    /// Its directory.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// Its configuration.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes the configuration, as of the next append.
    pub fn reconfigure(&mut self, config: &LogConfig) {
        self.config = *config;
    }

    /// The first offset that can be read.
    pub fn log_start(&self) -> i64 {
        self.log_start
    }

    /// The log end offset (LEO): the offset that the next record gets.
    pub fn end_offset(&self) -> i64 {
        self.log_end
    }

    /// The offset below which everything is fsynced.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point
    }

    /// Its size in bytes, indexes not counted.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.size)).sum()
    }

    /// How many segments it has.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// The first offset of each segment.
    pub fn segment_bases(&self) -> impl Iterator<Item = i64> {
        self.segments.iter().map(|segment| segment.base_offset)
    }

    /// Whether a write has failed: the log takes no more until it is opened again.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// The state of the producers of its batches.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Removes the producers that have been silent for too long, as `is_expired` says of the time in
    /// milliseconds, and the verifications that are as old. Returns how many producers.
    pub fn expire_producers(&mut self, now: Wall, is_expired: impl FnMut(i64) -> bool) -> usize {
        self.clock = now;
        self.verifications.expire(now, self.config.producer_id_expiration_ms);
        self.producers.expire(now, is_expired)
    }

    /// Removes all producers. Only a replaced rule does that: by Kafka's rule a new leader keeps
    /// the state that it built as a follower.
    pub fn forget_producers(&mut self) {
        self.producers.forget();
    }

    /// The guard of the verification of this batch: one of a transaction that is not open here. `guard`
    /// names the verification if a new one begins, and no other in this broker's life
    /// (`maybeStartTransactionVerification`).
    pub fn begin_verification(&mut self, batch: Unverified, guard: u64, now: Wall) -> u64 {
        self.verifications.begin(batch, guard, now)
    }

    /// Where leader epochs start.
    pub fn epochs(&self) -> &EpochCache {
        &self.epochs
    }

    /// The latest leader epoch, with or without records.
    pub fn latest_epoch(&self) -> Option<i32> {
        self.epochs.latest().map(|entry| entry.epoch)
    }

    /// The greatest leader epoch below `epoch`.
    pub fn previous_epoch(&self, epoch: i32) -> Option<i32> {
        self.epochs.previous(epoch).map(|entry| entry.epoch)
    }

    /// The epoch of the leader that wrote `offset`.
    pub fn epoch_of(&self, offset: i64) -> Option<i32> {
        self.epochs.epoch_of(offset)
    }

    /// Where `epoch` ends in this log ([`EpochCache::end_offset_for`]).
    pub fn end_offset_for(&self, epoch: i32) -> Option<EpochEndOffset> {
        self.epochs.end_offset_for(epoch, self.log_end)
    }

    /// Assigns `epoch` to `start_offset`, fsynced before this returns: what a new leader does first
    /// (`Partition.makeLeader`).
    ///
    /// # Errors
    ///
    /// [`LogError::Disk`], and the log is offline then; [`LogError::Offline`] if it was before.
    pub fn assign_epoch(
        &mut self,
        epoch: i32,
        start_offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<(), LogError> {
        self.check_online()?;
        if self.epochs.assign(epoch, start_offset) {
            let written = self.epochs.write(&self.dir, disk);
            self.fence_on_error(written)?;
        }
        Ok(())
    }

    /// Panics if the log contradicts itself. Cheap enough to be called after every input.
    pub fn invariants(&self) {
        assert!(!self.segments.is_empty(), "there is an active segment");
        assert!(self.log_start <= self.log_end, "the log starts before it ends");
        assert!(self.recovery_point <= self.log_end, "what is flushed exists");
        assert!(self.segments[0].base_offset <= self.log_start, "the start is in a segment");
        assert!(self.active().base_offset <= self.log_end, "the end is in the active segment");
        for pair in self.segments.windows(2) {
            assert!(pair[0].base_offset < pair[1].base_offset, "segments are in order");
        }
        assert!(
            self.epochs.latest().is_none_or(|latest| latest.start_offset <= self.log_end),
            "epochs start within the log"
        );
        assert!(self.producers.end_offset <= self.log_end, "no producer is ahead of the log");
        assert!(self.start_batch <= self.log_start, "the start is in a batch or between two");
        self.producers.invariants();
        self.epochs.invariants();
    }

    fn active(&self) -> &Segment {
        self.segments.last().expect("there is an active segment")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("there is an active segment")
    }

    /// The segment that an offset is or would be in.
    fn segment_of(&self, offset: i64) -> usize {
        let above = self.segments.partition_point(|segment| segment.base_offset <= offset);
        above.saturating_sub(1)
    }

    fn check_online(&self) -> Result<(), LogError> {
        if self.offline { Err(LogError::Offline) } else { Ok(()) }
    }

    /// After a failed write the content of the disk is unknown; a later append could reuse offsets
    /// that were read, or leave a hole in the bytes.
    fn fence_on_error<T, E: Into<LogError>>(
        &mut self,
        result: Result<T, E>,
    ) -> Result<T, LogError> {
        result.map_err(|error| {
            self.offline = true;
            error.into()
        })
    }
}
