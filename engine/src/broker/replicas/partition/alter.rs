//! Growing and shrinking the ISR (KIP-497, KIP-841, KIP-903; `Partition.maybeExpandIsr`,
//! `maybeShrinkIsr`, `handleAlterPartitionUpdate`, `handleAlterPartitionError`).
//!
//! A leader proposes an ISR, and the controller decides. At most one proposal is in flight, and
//! until its outcome is known the members of both ISRs count. Only a response that rules out a
//! change withdraws a proposal; a time-out does not, since the controller may have adopted the
//! proposal.

use super::isr::{Isr, PendingIsr};
use super::{Changes, Context, Io, Partition, Role};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::BrokerId;
use crate::protocol::{AlterPartition, AlteredPartition, BrokerState};
use crate::reach::Reach;
use crate::rules::isr::{Join, Lag};
use machine::Mono;

/// The outcome of a response to a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum Resolution {
    /// The proposal is adopted or withdrawn, or newer metadata will settle it.
    Done(Changes),
    /// It has to be sent again.
    Retry,
}

impl Partition {
    /// Proposes the ISR with `follower` in it, which has just fetched, if it may join.
    pub(super) fn maybe_expand_isr(
        &mut self,
        follower: BrokerId,
        context: &Context,
        io: &mut Io<'_>,
    ) -> bool {
        let high_watermark = self.high_watermark;
        let Role::Leader(leader) = &self.role else { return false };
        if leader.isr.pending.is_some() || leader.isr.committed.contains(&follower) {
            return false;
        }
        let Some(remote) = leader.remotes.iter().find(|remote| remote.id == follower) else {
            return false;
        };
        let join =
            Join { follower_end: remote.log_end, high_watermark, epoch_start: leader.epoch_start };
        if !context.rules.may_join_isr(io.out, join) {
            return false;
        }
        if !context.is_eligible_for_isr(follower, remote.broker_epoch, io.out) {
            io.out.observe(Fact::Reached(Reach::IsrIneligible));
            return false;
        }
        let mut isr = leader.isr.committed.clone();
        isr.push(follower);
        self.propose(&isr, context, io);
        true
    }

    /// Proposes the ISR without the followers that have lagged for too long.
    pub(in crate::broker) fn maybe_shrink_isr(
        &mut self,
        context: &Context,
        io: &mut Io<'_>,
    ) -> bool {
        let leader_end = self.log.end_offset();
        let Role::Leader(leader) = &self.role else { return false };
        if leader.isr.pending.is_some() || leader.isr.committed.len() < 2 {
            return false;
        }
        let is_out = |id: BrokerId, io: &mut Io<'_>| {
            let Some(remote) = leader.remotes.iter().find(|remote| remote.id == id) else {
                return id != context.id;
            };
            let lag = Lag {
                follower_end: remote.log_end,
                leader_end,
                last_caught_up: remote.last_caught_up.unwrap_or(Mono(0)),
                now: io.now.mono,
                max_lag: context.config.replica_lag_time_max,
            };
            context.rules.is_out_of_sync(io.out, lag)
        };
        let committed = leader.isr.committed.iter().copied();
        let isr: Vec<BrokerId> = committed.filter(|id| !is_out(*id, io)).collect();
        if isr.len() == leader.isr.committed.len() {
            return false;
        }
        self.propose(&isr, context, io);
        true
    }

    fn propose(&mut self, isr: &[BrokerId], context: &Context, io: &mut Io<'_>) {
        let (leader_epoch, partition_epoch) = (self.leader_epoch, self.partition_epoch);
        let Role::Leader(leader) = &mut self.role else { return };
        let life_of = |id: BrokerId| {
            let remote = leader.remotes.iter().find(|remote| remote.id == id);
            remote.and_then(|remote| remote.broker_epoch).unwrap_or(-1)
        };
        let proposed = isr
            .iter()
            .map(|id| BrokerState {
                id: *id,
                epoch: if *id == context.id { context.broker_epoch } else { life_of(*id) },
            })
            .collect();
        io.out.observe(Fact::IsrProposed {
            partition: self.id,
            leader_epoch,
            partition_epoch,
            from: leader.isr.committed.clone(),
            to: isr.to_vec(),
        });
        leader.isr.pending = Some(PendingIsr { proposed, partition_epoch, leader_epoch });
    }

    /// The proposal to send, if one is pending.
    pub(in crate::broker) fn proposal(&self) -> Option<AlterPartition> {
        let pending = self.leader()?.isr.pending.as_ref()?;
        Some(AlterPartition {
            partition: self.id,
            leader_epoch: pending.leader_epoch,
            partition_epoch: pending.partition_epoch,
            new_isr: pending.proposed.clone(),
        })
    }

    /// The controller responded to the proposal `sent`. The response to an earlier one is ignored.
    pub(in crate::broker) fn on_altered(
        &mut self,
        sent: &AlterPartition,
        answer: &AlteredPartition,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Resolution {
        if self.proposal().as_ref() != Some(sent) {
            return Resolution::Done(Changes::default());
        }
        if !answer.error.is_none() {
            return self.on_refused(answer.error, context, io);
        }
        let known = self.partition_epoch;
        if answer.leader_epoch == self.leader_epoch && answer.partition_epoch >= known {
            self.partition_epoch = answer.partition_epoch;
            self.adopt(&answer.isr, io);
        }
        self.reevaluated(context, io)
    }

    fn on_refused(&mut self, error: ErrorCode, context: &Context, io: &mut Io<'_>) -> Resolution {
        let leader_epoch = self.leader_epoch;
        io.out.observe(Fact::IsrRefused { partition: self.id, leader_epoch, error });
        match error {
            // Nothing was changed, and the same may be proposed again when a broker is ready.
            ErrorCode::IneligibleReplica => {
                if let Some(leader) = self.leader_mut() {
                    leader.isr.pending = None;
                }
                self.reevaluated(context, io)
            }
            // Newer metadata will settle the proposal. Until then the proposal and its maximal ISR
            // stay.
            ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::InvalidUpdateVersion
            | ErrorCode::InvalidRequest
            | ErrorCode::NewLeaderElected => Resolution::Done(Changes::default()),
            _ => Resolution::Retry,
        }
    }

    fn adopt(&mut self, isr: &[BrokerId], io: &mut Io<'_>) {
        let Some(leader) = self.leader_mut() else { return };
        leader.isr = Isr::committed(isr);
        self.observe_isr(isr, io);
    }

    /// With a smaller ISR the high watermark may advance, and perhaps no later event would advance
    /// it (KAFKA-13091).
    fn reevaluated(&mut self, context: &Context, io: &mut Io<'_>) -> Resolution {
        let high_watermark = self.maybe_advance_high_watermark(context, io);
        Resolution::Done(Changes { high_watermark, ..Changes::default() })
    }

    pub(super) fn observe_isr(&self, isr: &[BrokerId], io: &mut Io<'_>) {
        io.out.observe(Fact::IsrAdopted {
            partition: self.id,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            isr: isr.to_vec(),
        });
    }
}
