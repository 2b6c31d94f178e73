//! Elections that no change of a broker causes: requested by an admin (KIP-460), preferred
//! elections that balance leaders, and unclean elections of partitions without a leader
//! (`ReplicationControlManager.electLeaders`, `maybeBalancePartitionLeaders`).

use super::cluster::{Cluster, Decision};
use super::partition_change::Target;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::metadata::{MetadataRecord, PartitionChange};
use crate::protocol::{ElectLeadersRequest, ElectLeadersResponse, ElectionType};
use crate::rules::election::Reason;

/// The largest number of elections in one pass, so that requests are handled between passes
/// (`MAX_ELECTIONS_PER_IMBALANCE`).
pub(super) const MAX_ELECTIONS: usize = 1000;

impl Cluster<'_> {
    /// Holds the elections that an admin requested.
    pub(super) fn elect_leaders(
        &self,
        request: &ElectLeadersRequest,
        out: &mut Outbox,
    ) -> Decision<ElectLeadersResponse> {
        let mut records = Vec::new();
        let mut partitions = Vec::new();
        let mut elect = |partition, report_not_needed| {
            let error = match self.elect_one(partition, request.election_type, out) {
                Ok(change) => {
                    records.push(MetadataRecord::PartitionChange(change));
                    ErrorCode::None
                }
                Err(error) => error,
            };
            if report_not_needed || error != ErrorCode::ElectionNotNeeded {
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
        let target =
            Target { acceptable: self.acceptable(state), reason, ..Target::of(partition, state) };
        self.change(target, out).ok_or(impossible)
    }

    /// Moves leadership to preferred replicas where they can lead (`maybeBalancePartitionLeaders`).
    /// Returns whether another pass may be needed.
    pub(super) fn balance(&self, out: &mut Outbox) -> Decision<bool> {
        self.elect_some(self.index.imbalanced(), ElectionType::Preferred, out)
    }

    /// Elects any live replica of partitions without a leader whose topic allows it
    /// (`maybeElectUncleanLeaders`). Returns whether another pass may be needed.
    pub(super) fn elect_uncleanly(&self, out: &mut Outbox) -> Decision<bool> {
        let leaderless = self.index.leaderless();
        let allowed = leaderless.filter(|p| self.usual_reason(*p) == Reason::Unclean);
        self.elect_some(allowed, ElectionType::Unclean, out)
    }

    fn elect_some(
        &self,
        candidates: impl Iterator<Item = TopicPartition>,
        election_type: ElectionType,
        out: &mut Outbox,
    ) -> Decision<bool> {
        let changes = candidates.filter_map(|p| self.elect_one(p, election_type, out).ok());
        let changes = changes.map(MetadataRecord::PartitionChange);
        let records: Vec<_> = changes.take(MAX_ELECTIONS).collect();
        let has_more = records.len() == MAX_ELECTIONS;
        Decision { records, response: has_more }
    }
}
