//! The controller quorum: Vote, BeginQuorumEpoch, EndQuorumEpoch (KIP-595, KIP-996). Replication
//! itself uses Fetch on `__cluster_metadata-0`.

use super::api::{RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition};

/// Requests a vote, or with a pre-vote asks whether it would be granted (KIP-996).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VoteRequest {
    /// The candidate.
    pub replica: BrokerId,
    /// The epoch in which it is a candidate; for a pre-vote, its present epoch.
    pub replica_epoch: LeaderEpoch,
    /// The epoch of its last record.
    pub last_offset_epoch: LeaderEpoch,
    /// Its log end offset.
    pub last_offset: Offset,
    /// Whether this is a pre-vote, which changes no epoch and binds no voter.
    pub pre_vote: bool,
}

/// The response to a [`VoteRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VoteResponse {
    /// `FENCED_LEADER_EPOCH` if the voter knows a later epoch.
    pub error: ErrorCode,
    /// Who leads, as far as the voter knows.
    pub leader: Option<BrokerId>,
    /// The voter's epoch.
    pub leader_epoch: LeaderEpoch,
    /// Whether the vote is granted.
    pub vote_granted: bool,
}

/// A new leader announces itself to a voter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BeginQuorumEpochRequest {
    /// The leader.
    pub leader: BrokerId,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
}

/// The response to a [`BeginQuorumEpochRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BeginQuorumEpochResponse {
    /// `FENCED_LEADER_EPOCH` if the voter knows a later epoch.
    pub error: ErrorCode,
    /// Who leads, as far as the voter knows.
    pub leader: Option<BrokerId>,
    /// The voter's epoch.
    pub leader_epoch: LeaderEpoch,
}

/// A leader resigns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndQuorumEpochRequest {
    /// The leader.
    pub leader: BrokerId,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// The voters by length of log, the longest first; the first one holds an election without
    /// delay.
    pub preferred_candidates: Vec<BrokerId>,
}

/// The response to an [`EndQuorumEpochRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndQuorumEpochResponse {
    /// `FENCED_LEADER_EPOCH` if the voter knows a later epoch.
    pub error: ErrorCode,
    /// Who leads, as far as the voter knows.
    pub leader: Option<BrokerId>,
    /// The voter's epoch.
    pub leader_epoch: LeaderEpoch,
}

impl RequestBody for VoteRequest {
    type Response = VoteResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.push(TopicPartition::METADATA);
    }

    fn refused(&self, error: ErrorCode) -> VoteResponse {
        VoteResponse { error, leader: None, leader_epoch: -1, vote_granted: false }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for VoteResponse {
    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.push(TopicPartition::METADATA);
    }

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for BeginQuorumEpochRequest {
    type Response = BeginQuorumEpochResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.push(TopicPartition::METADATA);
    }

    fn refused(&self, error: ErrorCode) -> BeginQuorumEpochResponse {
        BeginQuorumEpochResponse { error, leader: None, leader_epoch: -1 }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for BeginQuorumEpochResponse {
    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.push(TopicPartition::METADATA);
    }

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for EndQuorumEpochRequest {
    type Response = EndQuorumEpochResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.push(TopicPartition::METADATA);
    }

    fn refused(&self, error: ErrorCode) -> EndQuorumEpochResponse {
        EndQuorumEpochResponse { error, leader: None, leader_epoch: -1 }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for EndQuorumEpochResponse {
    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.push(TopicPartition::METADATA);
    }

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}
