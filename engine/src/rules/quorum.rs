//! The controller quorum (`KafkaRaftClient`, `LeaderState`; KIP-595, KIP-996).

use crate::ids::{LeaderEpoch, Offset};

/// The end of a log of the quorum. The later of two ends has the higher last epoch, or the higher
/// end offset in the same epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogEnd {
    /// The epoch of its last record.
    pub last_epoch: LeaderEpoch,
    /// Its end offset.
    pub end_offset: Offset,
}

/// A vote request, with the relevant state of the voter that received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The end of the candidate's log.
    pub candidate: LogEnd,
    /// The end of the voter's own log.
    pub own: LogEnd,
    /// Whether the voter has voted in this epoch for another candidate. Ignored in a pre-vote.
    pub voted_for_other: bool,
    /// Whether the voter knows the leader of this epoch; in a pre-vote, whether it has also fetched
    /// from the leader.
    pub has_leader: bool,
    /// Whether the request is a pre-vote.
    pub pre_vote: bool,
}

/// Whether a voter grants its vote: the candidate's log is at least as long as the voter's, and the
/// voter knows no leader and has not voted for another candidate.
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
    /// The start offset of the leader's epoch.
    pub epoch_start: Offset,
}

/// Whether records that a majority has are committed: only together with a record of the leader's
/// own epoch. The first of these is *at* the start of the epoch, so the majority has to be beyond
/// it (KAFKA-12619, Raft section 5.4.2).
pub fn commits(majority: Majority) -> bool {
    majority.end > majority.epoch_start
}
