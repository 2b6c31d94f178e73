//! The controller quorum (`KafkaRaftClient`, `LeaderState`; KIP-595, KIP-996).

use crate::ids::{LeaderEpoch, Offset};

/// A voter that is asked for its vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The candidate's last epoch and log end offset.
    pub candidate: (LeaderEpoch, Offset),
    /// The voter's last epoch and log end offset.
    pub own: (LeaderEpoch, Offset),
    /// The voter has voted in this epoch, and for another. Does not count in a pre-vote.
    pub voted_for_other: bool,
    /// The voter knows this epoch's leader. In a pre-vote: it also hears from it.
    pub has_leader: bool,
    /// It is a pre-vote.
    pub pre_vote: bool,
}

/// Whether a vote is granted: the candidate lacks nothing that the voter has, and the voter is
/// free to choose.
pub fn grants_vote(ballot: Ballot) -> bool {
    !ballot.has_leader
        && (ballot.pre_vote || !ballot.voted_for_other)
        && ballot.candidate >= ballot.own
}

/// Whether what a majority of the voters has, up to `majority_end`, is committed by a leader whose
/// epoch starts at `epoch_start`: only with a record of its own epoch, which stands *at* the
/// start, so the majority must be beyond it (KAFKA-12619, Raft section 5.4.2).
pub fn commits(majority_end: Offset, epoch_start: Offset) -> bool {
    majority_end > epoch_start
}
