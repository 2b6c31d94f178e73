//! Membership of the ISR (`Partition`, `PartitionState`).

use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, LeaderEpoch, Offset, PartitionEpoch};
use machine::{Mono, Span};

/// A follower outside the ISR that has just fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// Its log end offset, by the fetch.
    pub follower_end: Offset,
    /// The leader's high watermark.
    pub high_watermark: Offset,
    /// The start offset of the leader's epoch.
    pub epoch_start: Offset,
}

/// Whether a follower has enough records to join the ISR.
///
/// The high watermark alone does not suffice: that of a new leader may be below records that an
/// earlier leader acknowledged. The new leader's log up to the start of its epoch contains all of
/// these records (KAFKA-7128).
pub fn may_join(join: Join) -> bool {
    join.follower_end >= join.high_watermark && join.follower_end >= join.epoch_start
}

/// A follower's broker, as the leader's metadata and the follower's last fetch show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whether it is fenced or not registered.
    pub fenced: bool,
    /// Whether it is shutting down.
    pub shutting_down: bool,
    /// The broker epoch of the life that fetched; -1 if it was not registered yet.
    pub fetched_epoch: BrokerEpoch,
    /// The broker epoch in the metadata; -1 if the broker is not registered.
    pub registered_epoch: BrokerEpoch,
}

/// Whether a follower may be proposed for the ISR: a fenced broker, or one that is shutting down,
/// cannot lead (KIP-841), and one that has restarted since its fetch may have lost records
/// (KIP-903). A fetch without a broker epoch, from a life that was not registered yet, passes
/// (`Partition.isReplicaIsrEligible`).
pub fn is_eligible(candidate: Candidate) -> bool {
    !candidate.fenced
        && !candidate.shutting_down
        && (candidate.fetched_epoch == -1 || candidate.fetched_epoch == candidate.registered_epoch)
}

/// The lag of a member of the ISR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Its log end offset.
    pub follower_end: Offset,
    /// The leader's log end offset.
    pub leader_end: Offset,
    /// The last time at which the member had all records of the leader.
    pub last_caught_up: Mono,
    /// The present time.
    pub now: Mono,
    /// `replica.lag.time.max.ms`.
    pub max_lag: Span,
}

/// Whether a member has to leave the ISR: it has lacked records for longer than
/// `replica.lag.time.max.ms`. The number of records that it lacks does not count (KIP-16, KIP-537).
pub fn is_out_of_sync(lag: Lag) -> bool {
    lag.follower_end != lag.leader_end && lag.now.since(lag.last_caught_up) > lag.max_lag
}

/// Whether a replica is in the ISR that the controller has committed, and in the one that the
/// leader has proposed and about which the controller has not decided yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Whether it is in the committed ISR.
    pub committed: bool,
    /// Whether it is in the proposed ISR; `None` if no proposal is in flight.
    pub proposed: Option<bool>,
}

/// Whether a replica counts as in sync while a proposal is in flight: it does if it is in either
/// set, the *maximal* ISR. A joining replica counts at once, a leaving one until the controller has
/// agreed, because the controller may elect from either set (KIP-497).
pub fn is_in_effective_isr(membership: Membership) -> bool {
    membership.committed || membership.proposed == Some(true)
}

/// Metadata of a partition that its leader receives while its own proposal is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The version of the partition that the leader knows, by an AlterPartition response or by
    /// metadata.
    pub known: PartitionEpoch,
    /// The version in the metadata, no older than the known one.
    pub published: PartitionEpoch,
    /// Whether the metadata begins a leader epoch.
    pub new_leader_epoch: bool,
}

/// Whether the proposal stays in flight: it does if the leader already knows the metadata from an
/// AlterPartition response. The controller has not decided about the proposal, and may still adopt
/// it.
///
/// Kafka 4.1 drops the proposal in any case (`Partition.updateAssignmentAndIsr`, called for an
/// equal partition epoch as well). A replica that it adds then holds the high watermark back only
/// while it is caught up, although the controller may count it as in sync.
pub fn keeps_pending_isr(published: Published) -> bool {
    published.published == published.known && !published.new_leader_epoch
}

/// The size of the ISR, and its required size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The number of members of the ISR, the leader included.
    pub isr: usize,
    /// `min.insync.replicas`, at most the replication factor.
    pub effective_min_isr: usize,
}

/// A leader's proposal of another ISR, and what the controller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The leader epoch in which the proposal was made.
    pub leader_epoch: LeaderEpoch,
    /// The version of the partition from which it was made.
    pub partition_epoch: PartitionEpoch,
    /// Whether it comes from the leader.
    pub from_leader: bool,
    /// The leader epoch that the controller knows.
    pub present_leader_epoch: LeaderEpoch,
    /// The version that the controller knows.
    pub present_partition_epoch: PartitionEpoch,
}

/// Whether the controller may consider a proposal. A proposal that is ahead of the controller shows
/// that this controller is outdated and must not decide (`NOT_CONTROLLER`, KAFKA-14154). A proposal
/// based on an older state must not overwrite a newer one (KIP-497).
pub fn check_proposal(proposal: Proposal) -> Result<(), ErrorCode> {
    if proposal.leader_epoch > proposal.present_leader_epoch
        || proposal.partition_epoch > proposal.present_partition_epoch
    {
        Err(ErrorCode::NotController)
    } else if proposal.leader_epoch < proposal.present_leader_epoch {
        Err(ErrorCode::FencedLeaderEpoch)
    } else if !proposal.from_leader {
        Err(ErrorCode::InvalidRequest)
    } else if proposal.partition_epoch < proposal.present_partition_epoch {
        Err(ErrorCode::InvalidUpdateVersion)
    } else {
        Ok(())
    }
}
