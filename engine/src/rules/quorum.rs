//! The controller quorum (`KafkaRaftClient`, `LeaderState`; KIP-595, KIP-996).

use crate::ids::{LeaderEpoch, Offset};

/// Where a log of the quorum ends. The later of two has the higher last epoch, or the higher end
/// offset in the same epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogEnd {
    /// The epoch of its last record.
    pub last_epoch: LeaderEpoch,
    /// Its end offset.
    pub end_offset: Offset,
}

/// A vote request, as the voter that received it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// Where the candidate's log ends.
    pub candidate: LogEnd,
    /// Where the voter's own log ends.
    pub own: LogEnd,
    /// The voter has voted in this epoch, for another candidate. Does not count in a pre-vote.
    pub voted_for_other: bool,
    /// The voter knows the leader of this epoch. In a pre-vote: it also hears from it.
    pub has_leader: bool,
    /// The request is a pre-vote.
    pub pre_vote: bool,
}

/// Whether a voter grants its vote: the candidate lacks nothing that the voter has, and the voter
/// is free to choose.
pub fn grants_vote(ballot: Ballot) -> bool {
    !ballot.has_leader
        && (ballot.pre_vote || !ballot.voted_for_other)
        && ballot.candidate >= ballot.own
}

/// How far a majority of the voters has replicated the log of the quorum's leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Majority {
    /// The end offset that a majority has reached.
    pub end: Offset,
    /// Where the leader's epoch starts.
    pub epoch_start: Offset,
}

/// Whether what a majority has is committed: only with a record of the leader's own epoch. The
/// first of these stands *at* the start of the epoch, so the majority has to be beyond it
/// (KAFKA-12619, Raft section 5.4.2).
pub fn commits(majority: Majority) -> bool {
    majority.end > majority.epoch_start
}
