//! Leading: taking over, appending, and the high watermark (`Partition.makeLeader`,
//! `appendRecordsToLeader`, `maybeIncrementLeaderHW`).

use super::isr::Isr;
use super::remote::RemoteReplica;
use super::{Changes, Context, Io, Leader, Partition, Role, StorageError, log_dir_failed};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::Offset;
use crate::log::{Admission, AppendInfo, Known, Led, LogError};
use crate::metadata::PartitionRegistration;
use crate::reach::Reach;
use crate::record::{
    Batch, Limits, NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP, validate_produce,
};
use crate::rules::Rulebook;
use crate::rules::high_watermark::Replica;
use crate::rules::isr::Published;
use crate::rules::leadership::NewEpoch;
use crate::rules::sequence::{ProducerEpochs, Sent, Sequence};
use bytes::Bytes;

/// A batch that a leader has appended, or has had in its log before.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) struct Appended {
    pub(in crate::broker) base_offset: Offset,
    pub(in crate::broker) last_offset: Offset,
    pub(in crate::broker) append_time: i64,
    /// It was there before.
    pub(in crate::broker) is_duplicate: bool,
    pub(in crate::broker) changes: Changes,
}

/// A batch that a leader has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct Refused {
    pub(in crate::broker) error: ErrorCode,
    /// Because of what the log knows of its producer.
    pub(in crate::broker) by_producer: bool,
    pub(in crate::broker) changes: Changes,
}

impl From<ErrorCode> for Refused {
    fn from(error: ErrorCode) -> Self {
        Self { error, by_producer: false, changes: Changes::default() }
    }
}

impl Partition {
    /// Becomes or stays leader, as the metadata says. Ignores metadata that is older than what is
    /// known.
    pub(in crate::broker) fn become_leader(
        &mut self,
        state: &PartitionRegistration,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Changes, StorageError> {
        if self.is_outdated(state) {
            io.out.observe(Fact::Reached(Reach::MetadataOutdated));
            return Ok(Changes::default());
        }
        let is_new_epoch = state.leader_epoch > self.leader_epoch;
        let was = std::mem::replace(&mut self.role, Role::None);
        let (is_new, mut leader) = match was {
            Role::Leader(leader) => (false, leader),
            was => {
                let was_following = matches!(was, Role::Follower { .. });
                if !context.rules.keeps_producers(io.out, was_following) {
                    self.log.forget_producers();
                }
                (true, Leader::new(self.log.end_offset(), state, context))
            }
        };
        let newer = state.partition_epoch > self.partition_epoch;
        self.replicas.clone_from(&state.replicas);
        leader.set_replicas(state, context);
        // The response to a proposal may come before the record that it is about, and the next
        // proposal be in flight when that record does come.
        let published = Published {
            known: self.partition_epoch,
            published: state.partition_epoch,
            new_leader_epoch: is_new_epoch || is_new,
        };
        let pending = leader.isr.pending.take();
        leader.isr = Isr::committed(&state.isr);
        if pending.is_some() && context.rules.keeps_pending_isr(io.out, published) {
            leader.isr.pending = pending;
        }
        self.partition_epoch = state.partition_epoch;
        if is_new_epoch || is_new {
            leader.epoch_start = self.log.end_offset();
            let led = (!is_new).then_some(self.leader_epoch);
            let new = NewEpoch { led, epoch: state.leader_epoch };
            let keeps = context.rules.keeps_follower_state(io.out, new);
            if !is_new && state.leader_epoch > self.leader_epoch + 1 {
                io.out.observe(Fact::Reached(Reach::LeaderMissedAnEpoch));
            }
            self.leader_epoch = state.leader_epoch;
            // Before any request is served, so that the end of an epoch without records is known.
            self.log
                .assign_epoch(state.leader_epoch, leader.epoch_start, io.disk)
                .map_err(log_dir_failed)?;
            for remote in &mut leader.remotes {
                let in_isr = state.isr.contains(&remote.id);
                remote.begin_epoch(io.now.mono, leader.epoch_start, keeps, in_isr);
            }
            self.observe_leadership(&leader, io);
        } else if newer {
            self.observe_isr(&leader.isr.committed, io);
        }
        self.role = Role::Leader(leader);
        // The ISR may be down to this replica alone.
        let high_watermark = self.maybe_advance_high_watermark(context, io);
        Ok(Changes { high_watermark, ..Changes::default() })
    }

    fn observe_leadership(&self, leader: &Leader, io: &mut Io<'_>) {
        io.out.observe(Fact::BecameLeader {
            partition: self.id,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            epoch_start: leader.epoch_start,
            high_watermark: self.high_watermark,
            isr: leader.isr.committed.clone(),
        });
        if self.high_watermark < leader.epoch_start {
            io.out.observe(Fact::Reached(Reach::HighWatermarkTrails));
        }
    }

    /// Appends a batch from a producer, if this replica leads and the batch is valid.
    ///
    /// The size of the ISR comes before everything else, duplicates included: a retry of a batch
    /// that stands in the log may be refused.
    pub(in crate::broker) fn append_as_leader(
        &mut self,
        batch: &Bytes,
        acks: i16,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Result<Appended, Refused>, StorageError> {
        let Role::Leader(leader) = &self.role else {
            return Ok(Err(ErrorCode::NotLeaderOrFollower.into()));
        };
        let size = self.isr_size(leader.isr.committed.len());
        if let Err(error) = context.rules.check_in_sync_replicas(io.out, acks, size) {
            return Ok(Err(error.into()));
        }
        if let Err(invalid) = validate_produce(batch, &Limits::from(&self.config), io.now.wall) {
            return Ok(Err(invalid.code().into()));
        }
        let (rules, out) = (&context.rules, &mut *io.out);
        let led = self.log.lead(
            batch.clone(),
            self.leader_epoch,
            io.now.wall,
            |known, batch| admit(known, batch, rules, out),
            io.disk,
        );
        match led {
            Ok(Led::Appended(info)) => Ok(Ok(self.appended(info, context, io))),
            Ok(Led::Duplicate { batch, rolled }) => {
                io.out.observe(Fact::Reached(Reach::DuplicateFound));
                let high_watermark = self.maybe_advance_high_watermark(context, io);
                Ok(Ok(Appended {
                    base_offset: batch.first_offset(),
                    last_offset: batch.last_offset,
                    append_time: batch.timestamp,
                    is_duplicate: true,
                    changes: Changes { high_watermark, rolled, ..Changes::default() },
                }))
            }
            Ok(Led::Refused { error, rolled }) => {
                io.out.observe(Fact::Reached(match error {
                    ErrorCode::InvalidProducerEpoch => Reach::ProducerEpochOver,
                    _ => Reach::SequenceOutOfOrder,
                }));
                let changes = Changes { rolled, ..Changes::default() };
                Ok(Err(Refused { error, by_producer: true, changes }))
            }
            Err(error) => self.refusal(error).map(|error| Err(error.into())),
        }
    }

    fn appended(&mut self, info: AppendInfo, context: &Context, io: &mut Io<'_>) -> Appended {
        io.out.observe(Fact::Appended {
            partition: self.id,
            as_leader: true,
            leader_epoch: self.leader_epoch,
            batch: info.batch,
        });
        let high_watermark = self.maybe_advance_high_watermark(context, io);
        let changes =
            Changes { appended: true, high_watermark, rolled: info.rolled, ..Changes::default() };
        Appended {
            base_offset: info.base_offset,
            last_offset: info.last_offset,
            append_time: info.append_time.unwrap_or(NO_TIMESTAMP),
            is_duplicate: false,
            changes,
        }
    }

    /// The error code for a batch that the log refused, unless the log has failed.
    fn refusal(&self, error: LogError) -> Result<ErrorCode, StorageError> {
        match error {
            LogError::RecordListTooLarge if !self.log.is_offline() => {
                Ok(ErrorCode::RecordListTooLarge)
            }
            LogError::Corrupt(_) if !self.log.is_offline() => Ok(ErrorCode::CorruptMessage),
            error => Err(log_dir_failed(error)),
        }
    }

    /// Moves the high watermark up to the smallest log end offset that counts. Returns whether it
    /// moved. Three things hold it back: a committed ISR below min ISR, the members of the maximal
    /// ISR, and replicas that are about to join. Without the last, a replica could miss the ISR
    /// again and again by what was appended during its last fetch.
    pub(in crate::broker) fn maybe_advance_high_watermark(
        &mut self,
        context: &Context,
        io: &mut Io<'_>,
    ) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let size = self.isr_size(leader.isr.committed.len());
        if !context.rules.may_advance_high_watermark(io.out, size) {
            return false;
        }
        let leader_end = self.log.end_offset();
        let mut to = leader_end;
        for remote in &leader.remotes {
            if remote.log_end < to && leader.is_held_back_by(remote, leader_end, context, io) {
                to = remote.log_end;
            }
        }
        to > self.high_watermark && self.move_high_watermark(to, io)
    }

    /// The outcome of a produce request that is parked until the high watermark reaches `required`;
    /// `None` before that (`Partition.checkEnoughReplicasReachOffset`).
    pub(in crate::broker) fn outcome_of_produce(
        &self,
        required: Offset,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Option<ErrorCode> {
        let Role::Leader(leader) = &self.role else { return Some(ErrorCode::NotLeaderOrFollower) };
        if self.high_watermark < required {
            return None;
        }
        let isr = leader.isr.effective_len(&self.replicas, &context.rules, io.out);
        Some(context.rules.outcome_when_replicated(io.out, self.isr_size(isr)))
    }
}

/// What the producers of the log say of a batch that one of them sends
/// (`UnifiedLog.analyzeAndValidateProducerState`).
fn admit(known: Known<'_>, batch: Batch<'_>, rules: &Rulebook, out: &mut Outbox) -> Admission {
    let (epoch, first, last) =
        (batch.producer_epoch(), batch.base_sequence(), batch.last_sequence());
    let Known { producer: known, verification } = known;
    if let Some(known) = known
        && let Some(duplicate) = rules.duplicate_of(out, Sent { epoch, first, last, known })
    {
        return Admission::Duplicate(duplicate);
    }
    let known_epoch = known.map_or(NO_PRODUCER_EPOCH, |known| known.epoch);
    let epochs = ProducerEpochs { batch: epoch, known: known_epoch };
    let last = known.map_or(NO_SEQUENCE, |known| known.last_sequence());
    let checked = rules
        .check_producer_epoch(out, epochs)
        .and_then(|()| rules.check_sequence(out, Sequence { epoch, first, known_epoch, last }));
    match checked {
        Ok(()) => Admission::Append {
            ends_verification: verification.is_some_and(|entry| entry.ends_with(batch)),
        },
        Err(error) => Admission::Refuse(error),
    }
}

impl Leader {
    fn new(epoch_start: Offset, state: &PartitionRegistration, context: &Context) -> Self {
        let mut leader = Self { epoch_start, isr: Isr::committed(&state.isr), remotes: Vec::new() };
        leader.set_replicas(state, context);
        leader
    }

    /// Keeps what is known of the replicas that stay.
    fn set_replicas(&mut self, state: &PartitionRegistration, context: &Context) {
        self.remotes.retain(|remote| state.replicas.contains(&remote.id));
        for id in state.replicas.iter().filter(|id| **id != context.id) {
            if !self.remotes.iter().any(|remote| remote.id == *id) {
                self.remotes.push(RemoteReplica::unknown(*id));
            }
        }
    }

    fn is_held_back_by(
        &self,
        remote: &RemoteReplica,
        leader_end: Offset,
        context: &Context,
        io: &mut Io<'_>,
    ) -> bool {
        let max_lag = context.config.replica_lag_time_max;
        let replica = Replica {
            in_effective_isr: self.isr.is_effective(remote.id, &context.rules, io.out),
            eligible: context.is_eligible_for_isr(remote.id, remote.broker_epoch, io.out),
            caught_up: remote.is_caught_up(leader_end, io.now.mono, max_lag),
        };
        context.rules.holds_back_high_watermark(io.out, replica)
    }
}
