//! What a member of a group does on its own side: which positions it commits, what it hands out, and
//! after it has been removed (`ConsumerCoordinator`, `AbstractCoordinator`).

use crate::error::ErrorCode;
use crate::ids::Offset;

/// How far a consumer has come in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The next offset to be returned by a poll.
    pub polled: Offset,
    /// The offset after the last record that has been fetched.
    pub fetched: Offset,
}

/// The offset that a consumer commits by itself: of what a poll has returned. Records that wait in its
/// buffer are unknown to the application, and lost if it crashes (KAFKA-18641).
pub fn position_to_commit(progress: Progress) -> Offset {
    progress.polled
}

/// A poll while the group rebalances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOut {
    /// The positions are being committed because all partitions are about to be revoked.
    pub is_revoking: bool,
}

/// Whether a poll may return records: not after the positions for the next owner have been taken, who
/// would get the records again (KAFKA-14196).
pub fn hands_out(hand_out: HandOut) -> bool {
    !hand_out.is_revoking
}

/// A member is about to join again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejoin {
    /// It still is a member of its last generation.
    pub is_member: bool,
    /// Its assignors are cooperative (KIP-429).
    pub is_cooperative: bool,
}

/// Whether a member gives up all its partitions before it joins again. After a join another member may
/// own any of them, unless the leader is bound to let every owner give up a partition first (KIP-429).
pub fn gives_up_before_join(rejoin: Rejoin) -> bool {
    !rejoin.is_member || !rejoin.is_cooperative
}

/// A response that denies a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The request named the membership that the member has now.
    pub is_present: bool,
    /// The member has asked to join again since, or the request was not a commit.
    pub is_superseded: bool,
}

/// Whether the member believes the response: not if it is about an earlier membership. Kafka believes a
/// commit of an earlier generation unless the member is joining again (KAFKA-9823).
pub fn ends_membership(denied: Denied) -> bool {
    denied.is_present || !denied.is_superseded
}

/// Whether a member that joins again after an error does so with its id. An id that the coordinator still
/// knows and no member uses delays a rebalance as long as that may take (KAFKA-13214).
pub fn keeps_member_id(error: ErrorCode) -> bool {
    error == ErrorCode::IllegalGeneration
}

/// The member whose offsets a producer commits, as its consumer knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committer {
    /// Its generation or member epoch; -1: none.
    pub generation: i32,
    /// It has an id.
    pub has_id: bool,
}

/// Whether a producer names the member and its generation when it commits offsets in a transaction. A
/// commit without them is accepted from a member that has lost its partitions (KIP-447).
pub fn names_member(committer: Committer) -> bool {
    committer.generation >= 0 || committer.has_id
}
