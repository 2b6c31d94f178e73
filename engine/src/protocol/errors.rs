//! The error codes anywhere in a response.

use super::Response;
use crate::error::ErrorCode;

impl Response {
    /// Calls `see` with every error in the response, except [`ErrorCode::None`].
    pub fn errors(&self, mut see: impl FnMut(ErrorCode)) {
        let mut check = |code: ErrorCode| {
            if !code.is_none() {
                see(code);
            }
        };
        match self {
            Self::Produce(it) => it.partitions.iter().for_each(|p| check(p.error)),
            Self::Fetch(it) => {
                check(it.error);
                it.partitions.iter().for_each(|p| check(p.error));
            }
            Self::ListOffsets(it) => it.partitions.iter().for_each(|p| check(p.error)),
            Self::OffsetForLeaderEpoch(it) => it.partitions.iter().for_each(|p| check(p.error)),
            Self::Metadata(it) => {
                for topic in &it.topics {
                    check(topic.error);
                    topic.partitions.iter().for_each(|p| check(p.error));
                }
            }
            Self::CreateTopics(it) => it.topics.iter().for_each(|topic| check(topic.error)),
            Self::ElectLeaders(it) => {
                check(it.error);
                it.partitions.iter().for_each(|(_, error)| check(*error));
            }
            Self::AlterPartition(it) => {
                check(it.error);
                it.partitions.iter().for_each(|p| check(p.error));
            }
            Self::AssignReplicasToDirs(it) => {
                check(it.error);
                let all = it.directories.iter().flat_map(|(_, partitions)| partitions);
                all.for_each(|(_, error)| check(*error));
            }
            Self::InitProducerId(it) => check(it.error),
            Self::OffsetCommit(it) => it.partitions.iter().for_each(|(_, error)| check(*error)),
            Self::OffsetFetch(it) => {
                check(it.error);
                it.offsets.iter().for_each(|it| check(it.error));
            }
            Self::OffsetDelete(it) => {
                check(it.error);
                it.partitions.iter().for_each(|(_, error)| check(*error));
            }
            Self::TxnOffsetCommit(it) => it.partitions.iter().for_each(|(_, error)| check(*error)),
            Self::JoinGroup(it) => check(it.error),
            Self::SyncGroup(it) => check(it.error),
            Self::Heartbeat(it) => check(it.error),
            Self::LeaveGroup(it) => {
                check(it.error);
                it.members.iter().for_each(|(_, error)| check(*error));
            }
            Self::DescribeGroups(it) => check(it.error),
            Self::ListGroups(it) => check(it.error),
            Self::DeleteGroups(it) => check(it.error),
            Self::ConsumerGroupHeartbeat(it) => check(it.error),
            Self::ConsumerGroupDescribe(it) => check(it.error),
            Self::AddOffsetsToTxn(it) => check(it.error),
            Self::FindCoordinator(it) => check(it.error),
            Self::ApiVersions(it) => check(it.error),
            Self::AddPartitionsToTxn(it) => {
                check(it.error);
                let all = it.transactions.iter().flat_map(|it| &it.partitions);
                all.for_each(|(_, error)| check(*error));
            }
            Self::EndTxn(it) => check(it.error),
            Self::WriteTxnMarkers(it) => {
                let all = it.markers.iter().flat_map(|it| &it.partitions);
                all.for_each(|(_, error)| check(*error));
            }
            Self::DescribeProducers(it) => it.partitions.iter().for_each(|p| check(p.error)),
            Self::DescribeTransactions(it) => it.transactions.iter().for_each(|t| check(t.error)),
            Self::ListTransactions(it) => check(it.error),
            Self::AllocateProducerIds(it) => check(it.error),
            Self::BrokerRegistration(it) => check(it.error),
            Self::BrokerHeartbeat(it) => check(it.error),
            Self::Vote(it) => check(it.error),
            Self::BeginQuorumEpoch(it) => check(it.error),
            Self::EndQuorumEpoch(it) => check(it.error),
        }
    }
}
