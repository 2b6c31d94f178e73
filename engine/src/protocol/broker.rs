//! Requests of brokers to the controller: registration, heartbeats, changes of the in-sync
//! replicas, log directories of replicas.

use super::api::{PARTITION, RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{
    BrokerEpoch, BrokerId, DirectoryId, LeaderEpoch, Offset, PartitionEpoch, TopicPartition,
};

/// Begins a broker's life (KIP-631).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerRegistrationRequest {
    /// The broker.
    pub broker: BrokerId,
    /// Identifies this life of the broker; a repeated request of the same life keeps its broker
    /// epoch.
    pub incarnation: u128,
    /// Its rack.
    pub rack: Option<String>,
    /// Its online log directories (KIP-858).
    pub log_dirs: Vec<DirectoryId>,
    /// The broker epoch in the clean-shutdown file, if there was one (KIP-966). If it differs from
    /// the epoch of the last registration, the last life ended uncleanly.
    pub previous_broker_epoch: Option<BrokerEpoch>,
}

/// The response to a [`BrokerRegistrationRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerRegistrationResponse {
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// The broker epoch of this life; -1 on error.
    pub broker_epoch: BrokerEpoch,
}

/// Keeps a broker's session alive (KIP-631).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerHeartbeatRequest {
    /// The broker.
    pub broker: BrokerId,
    /// Its life.
    pub broker_epoch: BrokerEpoch,
    /// The last metadata offset that it has applied; -1 if none.
    pub current_metadata_offset: Offset,
    /// Whether the broker wants to stay fenced, because it is still starting.
    pub want_fence: bool,
    /// Whether the broker wants to shut down, so that its leaderships have to move away.
    pub want_shut_down: bool,
    /// The log directories that have failed in this life (KIP-858).
    pub offline_log_dirs: Vec<DirectoryId>,
}

/// The response to a [`BrokerHeartbeatRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerHeartbeatResponse {
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// Whether the broker has applied its own registration.
    pub is_caught_up: bool,
    /// Whether the broker is fenced.
    pub is_fenced: bool,
    /// Whether the broker may shut down now.
    pub should_shut_down: bool,
}

/// A broker reports in which log directories its replicas are (KIP-858).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AssignReplicasToDirsRequest {
    /// The broker.
    pub broker: BrokerId,
    /// Its life.
    pub broker_epoch: BrokerEpoch,
    /// The directories, each with the partitions whose replicas it contains.
    pub directories: Vec<(DirectoryId, Vec<TopicPartition>)>,
}

/// The response to an [`AssignReplicasToDirsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AssignReplicasToDirsResponse {
    /// An error of the whole request.
    pub error: ErrorCode,
    /// The directories of the request, with the outcome of each partition.
    pub directories: Vec<(DirectoryId, Vec<(TopicPartition, ErrorCode)>)>,
}

/// A leader proposes in-sync replicas (KIP-497).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlterPartitionRequest {
    /// The leader.
    pub broker: BrokerId,
    /// Its life.
    pub broker_epoch: BrokerEpoch,
    /// The proposals.
    pub partitions: Vec<AlterPartition>,
}

/// One proposal of an [`AlterPartitionRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlterPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// The epoch of the proposing leader.
    pub leader_epoch: LeaderEpoch,
    /// The version of the partition's state to which the proposal applies.
    pub partition_epoch: PartitionEpoch,
    /// The proposed in-sync replicas.
    pub new_isr: Vec<BrokerState>,
}

/// A replica, and the life of its broker for which the proposal holds (KIP-903).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerState {
    /// The replica.
    pub id: BrokerId,
    /// The broker epoch in its fetches, and for the leader its own; -1 if unknown.
    pub epoch: BrokerEpoch,
}

/// The response to an [`AlterPartitionRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlterPartitionResponse {
    /// An error of the whole request.
    pub error: ErrorCode,
    /// One for each proposal.
    pub partitions: Vec<AlteredPartition>,
}

/// One partition of an [`AlterPartitionResponse`]: on success, its new state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlteredPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// The leader; `None` if there is none.
    pub leader: Option<BrokerId>,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// The version of this state.
    pub partition_epoch: PartitionEpoch,
}

impl RequestBody for BrokerRegistrationRequest {
    type Response = BrokerRegistrationResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> BrokerRegistrationResponse {
        BrokerRegistrationResponse { error, broker_epoch: -1 }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for BrokerRegistrationResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for BrokerHeartbeatRequest {
    type Response = BrokerHeartbeatResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> BrokerHeartbeatResponse {
        BrokerHeartbeatResponse {
            error,
            is_caught_up: false,
            is_fenced: true,
            should_shut_down: false,
        }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for BrokerHeartbeatResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for AlterPartitionRequest {
    type Response = AlterPartitionResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> AlterPartitionResponse {
        AlterPartitionResponse { error, partitions: Vec::new() }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for AlterPartitionResponse {
    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(self.partitions.iter().map(|p| p.partition));
    }

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error || self.partitions.iter().any(|p| p.error == error)
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for AssignReplicasToDirsRequest {
    type Response = AssignReplicasToDirsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> AssignReplicasToDirsResponse {
        AssignReplicasToDirsResponse { error, directories: Vec::new() }
    }

    fn size(&self) -> u64 {
        self.directories.iter().map(|(_, partitions)| partitions.len() as u64 * PARTITION).sum()
    }
}

impl ResponseBody for AssignReplicasToDirsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        let partitions = || self.directories.iter().flat_map(|(_, partitions)| partitions);
        self.error == error || partitions().any(|(_, other)| *other == error)
    }

    fn size(&self) -> u64 {
        self.directories.iter().map(|(_, partitions)| partitions.len() as u64 * PARTITION).sum()
    }
}
