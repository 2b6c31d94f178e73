//! Following: the start, appends, and truncation of batches that the leader lacks
//! (`Partition.makeFollower`, `ReplicaFetcherThread`, `AbstractFetcherThread`; KIP-101, KIP-279,
//! KIP-595).

use super::{Changes, Context, Io, Partition, Role, StorageError, log_dir_failed};
use crate::error::ErrorCode;
use crate::fact::{Fact, Truncation};
use crate::ids::{LeaderEpoch, Offset};
use crate::log::LogError;
use crate::metadata::PartitionRegistration;
use crate::protocol::{EpochEndOffset, FetchedPartition};
use crate::reach::Reach;
use crate::record::Batch;
use crate::rules::fencing::FetchedBatch;
use crate::rules::high_watermark::Follower;
use crate::rules::truncation::{Divergence, Start};

/// Why a fetched batch was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct AppendError(pub(in crate::broker) ErrorCode);

impl Partition {
    /// Becomes a follower of the leader in `state`, if there is one. Returns whether the leader
    /// epoch is new, so that fetching has to restart; `None` if `state` is older than the partition
    /// epoch known here.
    pub(in crate::broker) fn become_follower(
        &mut self,
        state: &PartitionRegistration,
        io: &mut Io<'_>,
    ) -> Option<bool> {
        if self.is_outdated(state) {
            io.out.observe(Fact::Reached(Reach::MetadataOutdated));
            return None;
        }
        let is_new_epoch = state.leader_epoch > self.leader_epoch;
        self.replicas.clone_from(&state.replicas);
        self.leader_epoch = state.leader_epoch;
        self.partition_epoch = state.partition_epoch;
        self.role = Role::Follower { leader: state.leader };
        if is_new_epoch {
            io.out.observe(Fact::BecameFollower {
                partition: self.id,
                leader_epoch: self.leader_epoch,
                leader: state.leader,
                log_end: self.log.end_offset(),
                high_watermark: self.high_watermark,
            });
        }
        Some(is_new_epoch)
    }

    /// Starts following a leader: truncates the log to the offset that rule `start_of_following`
    /// returns, if that is below the log end. Fetching then starts at the log end.
    pub(in crate::broker) fn start_following(
        &mut self,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Changes, StorageError> {
        let start = Start {
            log_end: self.log.end_offset(),
            high_watermark: self.high_watermark,
            knows_epochs: !self.log.epochs().is_empty(),
        };
        let from = context.rules.start_of_following(io.out, start);
        if from < self.log.end_offset() {
            return self.cut(from.max(0), Truncation::Following, io);
        }
        Ok(Changes::default())
    }

    /// Appends batches that were fetched under the leader epoch `fetched_epoch`, and adopts the
    /// leader's high watermark and log start. Stops at the first batch with a later epoch: it was
    /// written after that leader epoch had ended (KAFKA-18723).
    pub(in crate::broker) fn append_fetched(
        &mut self,
        fetched: &FetchedPartition,
        fetched_epoch: LeaderEpoch,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Result<Changes, AppendError>, StorageError> {
        let mut changes = Changes::default();
        for batch in &fetched.records.0 {
            let Ok(view) = Batch::new(batch) else {
                return Ok(Err(AppendError(ErrorCode::CorruptMessage)));
            };
            let epochs = FetchedBatch { batch: view.leader_epoch(), fetch: fetched_epoch };
            if !context.rules.may_append_fetched(io.out, epochs) {
                io.out.observe(Fact::Reached(Reach::FetchedBatchNewer));
                break;
            }
            match self.log.append_as_follower(batch.clone(), io.disk) {
                Ok(info) => {
                    changes.appended = true;
                    changes.rolled |= info.rolled;
                    io.out.observe(Fact::Appended {
                        partition: self.id,
                        as_leader: false,
                        leader_epoch: self.leader_epoch,
                        batch: info.batch,
                    });
                }
                Err(error) => return self.not_appended(error).map(Err),
            }
        }
        changes.high_watermark = self.follow_high_watermark(fetched.high_watermark, context, io);
        self.follow_log_start(fetched.log_start_offset, io)?;
        changes.stale_epochs = self.log.has_stale_epochs();
        Ok(Ok(changes))
    }

    /// Why the log refused a batch, unless the log has failed.
    fn not_appended(&self, error: LogError) -> Result<AppendError, StorageError> {
        match error {
            LogError::OutOfOrder { .. } if !self.log.is_offline() => {
                Ok(AppendError(ErrorCode::OffsetOutOfRange))
            }
            LogError::RecordListTooLarge if !self.log.is_offline() => {
                Ok(AppendError(ErrorCode::RecordListTooLarge))
            }
            LogError::Corrupt(_) if !self.log.is_offline() => {
                Ok(AppendError(ErrorCode::CorruptMessage))
            }
            error => Err(log_dir_failed(error)),
        }
    }

    fn follow_high_watermark(
        &mut self,
        leader_high_watermark: Offset,
        context: &Context,
        io: &mut Io<'_>,
    ) -> bool {
        let follower = Follower { leader_high_watermark, log_end: self.log.end_offset() };
        let to = context.rules.follower_high_watermark(io.out, follower);
        if to < self.high_watermark {
            io.out.observe(Fact::Reached(Reach::HighWatermarkBack));
        }
        self.move_high_watermark(to, io)
    }

    /// Advances the log start to the leader's, unless that is above this replica's high watermark
    /// (KAFKA-7104).
    fn follow_log_start(
        &mut self,
        leader_start: Offset,
        io: &mut Io<'_>,
    ) -> Result<(), StorageError> {
        if leader_start > self.log.log_start() && leader_start <= self.high_watermark {
            self.log.advance_log_start(leader_start, io.disk).map_err(log_dir_failed)?;
        }
        Ok(())
    }

    /// Truncates as the diverging epoch in the leader's response requires. The next fetch compares
    /// the logs again.
    pub(in crate::broker) fn truncate_diverged(
        &mut self,
        leader: EpochEndOffset,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Changes, StorageError> {
        let divergence = Divergence {
            leader,
            own: self.log.end_offset_for(leader.epoch),
            log_end: self.log.end_offset(),
            high_watermark: self.high_watermark,
        };
        let to = context.rules.truncate_to(io.out, divergence);
        if to < self.high_watermark {
            io.out.observe(Fact::Reached(Reach::TruncationBelowHighWatermark));
        }
        if divergence.own.is_some_and(|own| own.epoch != leader.epoch) {
            io.out.observe(Fact::Reached(Reach::DivergenceAgain));
        }
        let why = Truncation::Diverged { leader_end: leader };
        self.cut(to.clamp(0, self.log.end_offset()), why, io)
    }

    /// Truncates to `leader_end`, the leader's log end offset, which is below this log's end.
    pub(in crate::broker) fn truncate_beyond_leader(
        &mut self,
        leader_end: Offset,
        io: &mut Io<'_>,
    ) -> Result<Changes, StorageError> {
        self.cut(leader_end.max(0), Truncation::BeyondLeader, io)
    }

    /// Deletes the whole log and starts it at `leader_start`, the leader's log start offset, which
    /// is above this log's end (`truncateFullyAndStartAt`).
    pub(in crate::broker) fn start_anew(
        &mut self,
        leader_start: Offset,
        io: &mut Io<'_>,
    ) -> Result<Changes, StorageError> {
        self.cut(leader_start, Truncation::BehindLeader, io)
    }
}
