//! Leading: taking over, and the high watermark (`Partition.makeLeader`,
//! `maybeIncrementLeaderHW`).

use super::isr::Isr;
use super::remote::RemoteReplica;
use super::{Changes, Context, Io, Leader, Partition, Role, StorageError, log_dir_failed};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::Offset;
use crate::metadata::PartitionRegistration;
use crate::reach::Reach;
use crate::rules::high_watermark::Replica;
use crate::rules::isr::Published;
use crate::rules::leadership::NewEpoch;

impl Partition {
    /// Becomes or stays leader according to the metadata. Ignores metadata that is older than the
    /// state here.
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
        // The response to a proposal may arrive before the metadata record of the same change, and
        // the next proposal may be in flight when the record arrives.
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
            // The epoch is recorded before any request is served, so that even an epoch without
            // records has a known end.
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
        // The ISR may have shrunk to this replica alone.
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

    /// Advances the high watermark to the smallest log end offset that counts. Returns whether it
    /// moved. It does not advance while the committed ISR is below `min.insync.replicas`; otherwise
    /// the members of the maximal ISR count, and replicas that are about to join. Without the
    /// latter, a replica could fail to join again and again because of the records appended during
    /// its last fetch.
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

impl Leader {
    fn new(epoch_start: Offset, state: &PartitionRegistration, context: &Context) -> Self {
        let mut leader = Self { epoch_start, isr: Isr::committed(&state.isr), remotes: Vec::new() };
        leader.set_replicas(state, context);
        leader
    }

    /// Takes over a new set of replicas, and keeps the state of those that stay.
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
