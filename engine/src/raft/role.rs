//! The roles of a quorum member (`QuorumState` and the `EpochState` classes).

use crate::ids::{BrokerId, Offset};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// A role, with the state that only this role has.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// It knows no leader of its epoch.
    Unattached,
    /// It sends pre-votes to find out whether it could win an election (KIP-996).
    Prospective {
        /// The pre-votes received.
        votes: Votes,
        /// The leader that it followed, to which it returns if it could not win.
        followed: Option<BrokerId>,
    },
    /// It is a candidate.
    Candidate {
        /// The votes received.
        votes: Votes,
    },
    /// It follows a leader.
    Follower {
        /// The leader that it fetches from.
        leader: BrokerId,
        /// Whether the leader has responded to a fetch.
        has_fetched: bool,
        /// Whether the fetch time-out of an observer has ended: it keeps its leader and looks for a
        /// newer one among the voters. (A voter sends pre-votes instead.)
        fetch_expired: bool,
    },
    /// It leads the quorum.
    Leader(Leader),
    /// It led this epoch, and then resigned or restarted.
    Resigned {
        /// The other voters in the order in which they should stand for election; empty after
        /// a restart, when nothing is known of their logs.
        preferred_successors: Vec<BrokerId>,
        /// The voters that have acknowledged the end of the epoch.
        acknowledged: BTreeSet<BrokerId>,
    },
}

impl Role {
    pub(super) fn leader(&self) -> Option<&Leader> {
        match self {
            Self::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    pub(super) fn leader_mut(&mut self) -> Option<&mut Leader> {
        match self {
            Self::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    /// The leader of the epoch as known to the member `own`. A leader that resigned still names
    /// itself, so that it accepts no other leader of the same epoch.
    pub(super) fn leader_id(&self, own: BrokerId) -> Option<BrokerId> {
        match self {
            Self::Follower { leader, .. } => Some(*leader),
            Self::Prospective { followed, .. } => *followed,
            Self::Leader(_) | Self::Resigned { .. } => Some(own),
            Self::Unattached | Self::Candidate { .. } => None,
        }
    }

    /// Whether only a voter can have this role.
    pub(super) fn is_for_voters(&self) -> bool {
        !matches!(self, Self::Unattached | Self::Follower { .. })
    }
}

/// The votes or pre-votes of one election (`EpochElection`).
#[derive(Clone, Debug, Default)]
pub(super) struct Votes {
    pub(super) granted: BTreeSet<BrokerId>,
    pub(super) rejected: BTreeSet<BrokerId>,
}

impl Votes {
    /// An election in which a member has voted for itself.
    pub(super) fn of(own: BrokerId) -> Self {
        Self { granted: BTreeSet::from([own]), rejected: BTreeSet::new() }
    }

    /// Whether the vote of a voter has been recorded.
    pub(super) fn has(&self, voter: BrokerId) -> bool {
        self.granted.contains(&voter) || self.rejected.contains(&voter)
    }

    pub(super) fn record(&mut self, voter: BrokerId, granted: bool) {
        let votes = if granted { &mut self.granted } else { &mut self.rejected };
        votes.insert(voter);
    }

    /// Whether a majority of `voters` voters has granted its vote.
    pub(super) fn is_granted(&self, voters: usize) -> bool {
        self.granted.len() > voters / 2
    }

    /// Whether enough voters have rejected that a majority of `voters` voters cannot be reached.
    pub(super) fn is_rejected(&self, voters: usize) -> bool {
        voters - self.rejected.len() <= voters / 2
    }
}

/// The state of a leader (`LeaderState`).
#[derive(Clone, Debug)]
pub(super) struct Leader {
    /// The offset of the first record of its epoch.
    pub(super) epoch_start: Offset,
    /// The log end offset of each other voter, by its last fetch in this epoch.
    pub(super) ends: BTreeMap<BrokerId, Offset>,
    /// The voters that have fetched since the check-quorum timer was last restarted.
    pub(super) fetched: BTreeSet<BrokerId>,
    /// Values of records that have offsets and are not written yet.
    pub(super) pending: Vec<Bytes>,
}
