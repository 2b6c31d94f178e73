//! Elections that nobody's going caused: asked for by an admin (KIP-460), moving leadership back
//! to preferred replicas, and the last resort for partitions without leader
//! (`ReplicationControlManager.electLeaders`, `maybeBalancePartitionLeaders`).

use super::cluster::{Cluster, Decision};
use super::partition_change::Target;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::metadata::{MetadataRecord, PartitionChange};
use crate::protocol::{ElectLeadersRequest, ElectLeadersResponse, ElectionType};
use crate::rules::election::Reason;

/// How many elections one pass holds, so that others come between
/// (`MAX_ELECTIONS_PER_IMBALANCE`).
pub(super) const MAX_ELECTIONS: usize = 1000;

impl Cluster<'_> {
    /// Holds the elections that an admin asked for.
    pub(super) fn elect_leaders(
        &self,
        request: &ElectLeadersRequest,
        out: &mut Outbox,
    ) -> Decision<ElectLeadersResponse> {
        let mut records = Vec::new();
        let mut partitions = Vec::new();
        let mut elect = |partition, tell_if_not_needed| {
            let error = match self.elect_one(partition, request.election_type, out) {
                Ok(change) => {
                    records.push(MetadataRecord::PartitionChange(change));
                    ErrorCode::None
                }
                Err(error) => error,
            };
            if tell_if_not_needed || error != ErrorCode::ElectionNotNeeded {
                partitions.push((partition, error));
            }
        };
        match &request.partitions {
            Some(wanted) => wanted.iter().for_each(|partition| elect(*partition, true)),
            None => self.image.partitions().for_each(|(partition, _)| elect(partition, false)),
        }
        let response = ElectLeadersResponse { error: ErrorCode::None, partitions };
        Decision { records, response }
    }

    fn elect_one(
        &self,
        partition: TopicPartition,
        election_type: ElectionType,
        out: &mut Outbox,
    ) -> Result<PartitionChange, ErrorCode> {
        let state = self.image.partition(partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let (not_needed, reason, impossible) = match election_type {
            ElectionType::Preferred => (
                state.has_preferred_leader(),
                Reason::Preferred,
                ErrorCode::PreferredLeaderNotAvailable,
            ),
            ElectionType::Unclean => {
                (state.leader.is_some(), Reason::Unclean, ErrorCode::EligibleLeadersNotAvailable)
            }
        };
        if not_needed {
            return Err(ErrorCode::ElectionNotNeeded);
        }
        let target = Target {
            partition,
            state,
            isr: state.isr.clone(),
            ended_uncleanly: &[],
            acceptable: self.acceptable(state),
            reason,
        };
        self.change(target, out).ok_or(impossible)
    }

    /// Moves leadership to preferred replicas where they are in sync. Tells whether there was
    /// more to do than one pass does.
    pub(super) fn balance(&self, out: &mut Outbox) -> Decision<bool> {
        self.elect_some(ElectionType::Preferred, out, |cluster, partition| {
            let state = cluster.image.partition(partition);
            state.is_some_and(|state| {
                !state.has_preferred_leader()
                    && state.replicas.first().is_some_and(|preferred| {
                        state.isr.contains(preferred) && cluster.image.is_active(*preferred)
                    })
            })
        })
    }

    /// Elects any live replica where nobody leads and the topic allows it. Tells whether there
    /// was more to do than one pass does.
    pub(super) fn elect_uncleanly(&self, out: &mut Outbox) -> Decision<bool> {
        self.elect_some(ElectionType::Unclean, out, |cluster, partition| {
            cluster.usual_reason(partition) == Reason::Unclean
                && cluster.image.partition(partition).is_some_and(|state| {
                    state.leader.is_none() && !cluster.acceptable(state).is_empty()
                })
        })
    }

    fn elect_some(
        &self,
        election_type: ElectionType,
        out: &mut Outbox,
        wanted: impl Fn(&Self, TopicPartition) -> bool,
    ) -> Decision<bool> {
        let mut candidates =
            self.image.partitions().map(|(partition, _)| partition).filter(|p| wanted(self, *p));
        let chosen: Vec<_> = candidates.by_ref().take(MAX_ELECTIONS).collect();
        let more = candidates.next().is_some();
        let changes = chosen.into_iter().filter_map(|p| self.elect_one(p, election_type, out).ok());
        let records = changes.map(MetadataRecord::PartitionChange).collect();
        Decision { records, response: more }
    }
}
