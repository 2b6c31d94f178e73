//! What a member of the quorum is at present.

use crate::ids::{BrokerId, Offset};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// A role, with all that only this role knows (`QuorumState`).
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// It knows no leader of its epoch.
    Unattached,
    /// It asks whether it would be elected (KIP-996).
    Prospective {
        /// Who would and who would not vote for it.
        votes: Votes,
        /// Whom it followed, and goes back to if it would not be elected.
        followed: Option<BrokerId>,
    },
    /// It stands for election.
    Candidate {
        /// Who did and who did not vote for it.
        votes: Votes,
    },
    /// It follows.
    Follower {
        /// Whom.
        leader: BrokerId,
        /// The leader has answered a fetch.
        heard: bool,
    },
    /// It leads.
    Leader(Leader),
    /// It led, and no majority fetched any more.
    Resigned {
        /// The other voters, in the order in which they should stand for election.
        candidates: Vec<BrokerId>,
        /// Those that know.
        told: BTreeSet<BrokerId>,
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

    /// Who leads, seen by the member `own`.
    pub(super) fn leader_id(&self, own: BrokerId) -> Option<BrokerId> {
        match self {
            Self::Follower { leader, .. } => Some(*leader),
            // It would not believe in another leader of the same epoch.
            Self::Prospective { followed, .. } => *followed,
            Self::Leader(_) => Some(own),
            _ => None,
        }
    }

    pub(super) fn is_elected_or_standing(&self) -> bool {
        !matches!(self, Self::Unattached | Self::Follower { .. })
    }
}

/// The votes of an election, or of a question about one.
#[derive(Clone, Debug, Default)]
pub(super) struct Votes {
    pub(super) granted: BTreeSet<BrokerId>,
    pub(super) refused: BTreeSet<BrokerId>,
}

impl Votes {
    pub(super) fn of(own: BrokerId) -> Self {
        Self { granted: BTreeSet::from([own]), refused: BTreeSet::new() }
    }

    /// Whether a voter has answered.
    pub(super) fn has(&self, voter: BrokerId) -> bool {
        self.granted.contains(&voter) || self.refused.contains(&voter)
    }

    pub(super) fn count(&mut self, voter: BrokerId, granted: bool) {
        let votes = if granted { &mut self.granted } else { &mut self.refused };
        votes.insert(voter);
    }
}

/// What a leader knows.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    /// The offset of the first record of its epoch.
    pub(super) epoch_start: Offset,
    /// Where each other voter's log ends, by its last fetch in this epoch.
    pub(super) ends: BTreeMap<BrokerId, Offset>,
    /// The voters that have fetched since it was last sure of a majority.
    pub(super) fetched: BTreeSet<BrokerId>,
    /// Values of records that have offsets but are not written yet.
    pub(super) pending: Vec<Bytes>,
}
