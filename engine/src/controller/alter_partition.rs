//! Changes of the in-sync replicas that leaders propose
//! (`ReplicationControlManager.alterPartition`; KIP-497, KIP-841, KIP-903).

use super::cluster::{Cluster, Decision};
use super::partition_change::Target;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, TopicPartition};
use crate::metadata::{MetadataRecord, PartitionRegistration};
use crate::protocol::{
    AlterPartition, AlterPartitionRequest, AlterPartitionResponse, AlteredPartition, BrokerState,
};
use crate::rules::isr::{Candidate, Proposal};

impl Cluster<'_> {
    /// Decides about each proposal of one leader separately.
    ///
    /// # Errors
    ///
    /// `STALE_BROKER_EPOCH` if the broker epoch is not the registered one.
    pub(super) fn alter_partitions(
        &self,
        request: &AlterPartitionRequest,
        out: &mut Outbox,
    ) -> Result<Decision<AlterPartitionResponse>, ErrorCode> {
        self.living(request.broker, request.broker_epoch, out)?;
        let mut records = Vec::new();
        let partitions = request
            .partitions
            .iter()
            .map(|proposal| {
                self.alter_partition(request.broker, proposal, &mut records, out)
                    .unwrap_or_else(|error| refused(proposal.partition, error))
            })
            .collect();
        let response = AlterPartitionResponse { error: ErrorCode::None, partitions };
        Ok(Decision { records, response })
    }

    fn alter_partition(
        &self,
        from: BrokerId,
        proposal: &AlterPartition,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) -> Result<AlteredPartition, ErrorCode> {
        let partition = proposal.partition;
        if self.image.topic(partition.topic).is_none() {
            return Err(ErrorCode::UnknownTopicId);
        }
        let state = self.image.partition(partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        self.check_proposal(from, proposal, state, out)?;

        let target = Target {
            isr: proposal.new_isr.iter().map(|member| member.id).collect(),
            acceptable: self.acceptable(state),
            reason: self.usual_reason(partition),
            ..Target::of(partition, state)
        };
        let mut after = state.clone();
        if let Some(change) = self.change(target, out) {
            after.apply(&change);
            records.push(MetadataRecord::PartitionChange(change));
        }
        if after.leader != Some(from) {
            return Err(ErrorCode::NewLeaderElected);
        }
        Ok(AlteredPartition {
            partition,
            error: ErrorCode::None,
            leader: after.leader,
            leader_epoch: after.leader_epoch,
            isr: after.isr,
            partition_epoch: after.partition_epoch,
        })
    }

    /// The order of the checks matters: the leader acts on the first error.
    fn check_proposal(
        &self,
        from: BrokerId,
        proposal: &AlterPartition,
        state: &PartitionRegistration,
        out: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let epochs = Proposal {
            leader_epoch: proposal.leader_epoch,
            partition_epoch: proposal.partition_epoch,
            from_leader: state.leader == Some(from),
            present_leader_epoch: state.leader_epoch,
            present_partition_epoch: state.partition_epoch,
        };
        self.rules.check_isr_proposal(out, epochs)?;

        let ids: Vec<BrokerId> = proposal.new_isr.iter().map(|member| member.id).collect();
        let is_set = ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id));
        if !is_set || !ids.iter().all(|id| state.is_replica(*id)) || !ids.contains(&from) {
            return Err(ErrorCode::InvalidRequest);
        }
        if proposal.new_isr.iter().all(|member| self.is_eligible(member, out)) {
            Ok(())
        } else {
            Err(ErrorCode::IneligibleReplica)
        }
    }

    /// Whether a replica may join the ISR. The leader has checked the same, on metadata that may be
    /// older.
    fn is_eligible(&self, member: &BrokerState, out: &mut Outbox) -> bool {
        let Some(registration) = self.image.broker(member.id) else { return false };
        let candidate = Candidate {
            fenced: registration.fenced,
            shutting_down: registration.in_controlled_shutdown,
            fetched_epoch: if member.epoch == -1 { registration.epoch } else { member.epoch },
            registered_epoch: registration.epoch,
        };
        self.rules.is_eligible_for_isr(out, candidate)
    }
}

fn refused(partition: TopicPartition, error: ErrorCode) -> AlteredPartition {
    AlteredPartition {
        partition,
        error,
        leader: None,
        leader_epoch: 0,
        isr: Vec::new(),
        partition_epoch: 0,
    }
}
