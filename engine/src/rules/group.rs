//! Groups of consumers: which commits count, and which offsets are shown (KIP-62, KIP-345, KIP-447),
//! and how members of the consumer protocol are fenced (KIP-848).

use crate::error::ErrorCode;
use crate::ids::Offset;
use crate::protocol::GroupState;
use crate::rules::transaction::LogEnds;

/// A member of a group, as a request names it, beside what the group knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The group has a member of this id.
    pub is_member: bool,
    /// The member that has the group instance id of the request; `None`: the request has none.
    pub instance: Option<Instance>,
}

/// The owner of a group instance id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instance {
    /// No member has it.
    Unknown,
    /// The member of the request has it.
    Same,
    /// Another member has it: the one of the request has been replaced.
    Another,
}

/// Whether a request comes from a member of the group, and not from an instance that another has
/// replaced (KIP-345).
pub fn check_member(named: Named) -> Result<(), ErrorCode> {
    match named.instance {
        Some(Instance::Unknown) => Err(ErrorCode::UnknownMemberId),
        Some(Instance::Another) => Err(ErrorCode::FencedInstanceId),
        _ if !named.is_member => Err(ErrorCode::UnknownMemberId),
        _ => Ok(()),
    }
}

/// A commit of offsets beside the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The state of the group.
    pub state: GroupState,
    /// The generation of the request; negative: none.
    pub generation: i32,
    /// The generation of the group.
    pub present: i32,
    /// The member that the request names; `None`: it names neither a member nor an instance.
    pub named: Option<Named>,
    /// It is part of a transaction.
    pub is_transactional: bool,
}

/// Whether a group accepts a commit of offsets: from a member of the present generation, or from outside
/// of the protocol while the group has no members (KIP-62, KIP-447). While a group completes a rebalance,
/// a member may not know what it owns.
pub fn check_commit(commit: Commit) -> Result<(), ErrorCode> {
    let Commit { state, generation, present, named, is_transactional } = commit;
    if state == GroupState::Dead {
        return Err(ErrorCode::CoordinatorNotAvailable);
    }
    if generation < 0 && state == GroupState::Empty {
        return Ok(());
    }
    match named {
        Some(named) => {
            check_member(named)?;
            if generation != present {
                return Err(ErrorCode::IllegalGeneration);
            }
        }
        None if generation >= 0 => return Err(ErrorCode::UnknownMemberId),
        None if !is_transactional && state != GroupState::Empty => {
            return Err(ErrorCode::UnknownMemberId);
        }
        None => {}
    }
    if !is_transactional && state == GroupState::CompletingRebalance {
        return Err(ErrorCode::RebalanceInProgress);
    }
    Ok(())
}

/// An offset of a transaction that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The transaction is committed, not aborted.
    pub committed: bool,
    /// Where the offset was written.
    pub pending: Offset,
    /// Where the committed offset of the same partition was written; `None`: there is none.
    pub present: Option<Offset>,
}

/// Whether an offset of a transaction becomes the committed one, when its marker comes: not if another
/// has been committed since it was written (KIP-447).
pub fn takes_over_offset(finished: Finished) -> bool {
    let Finished { committed, pending, present } = finished;
    committed && present.is_none_or(|present| pending > present)
}

/// A committed offset that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The request wants no offset that a transaction may replace.
    pub require_stable: bool,
    /// An open transaction has an offset of the partition.
    pub has_pending: bool,
}

/// Whether a committed offset is shown: the next owner of a partition waits for the transactions of the
/// one before (KIP-447).
pub fn shows_offset(fetched: Fetched) -> bool {
    !(fetched.require_stable && fetched.has_pending)
}

/// How far a group coordinator reads the log when it begins: to its end. What is not committed there
/// may be committed later.
pub fn load_to(ends: LogEnds) -> Offset {
    ends.log_end
}

/// A heartbeat of a member of the consumer protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The epoch of the request.
    pub received: i32,
    /// The epoch of the member.
    pub present: i32,
    /// The epoch that it had before.
    pub previous: i32,
    /// The request says what the member owns, and all of that is assigned to it.
    pub owns_only_assigned: bool,
}

/// Whether a heartbeat is of the present epoch of a member. That of the epoch before is accepted as long as
/// the member owns nothing that it is not to own: the response with the present epoch may have been lost
/// (KIP-848).
pub fn check_member_epoch(beat: Beat) -> Result<(), ErrorCode> {
    let Beat { received, present, previous, owns_only_assigned } = beat;
    let is_previous = received < present && received == previous && owns_only_assigned;
    if received == present || is_previous { Ok(()) } else { Err(ErrorCode::FencedMemberEpoch) }
}

/// A commit of offsets beside a group of the consumer protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberCommit {
    /// The group has members.
    pub has_members: bool,
    /// The epoch of the request; negative: none.
    pub epoch: i32,
    /// The epoch of the member that the request names; `None`: there is no such member.
    pub present: Option<i32>,
    /// The member speaks the classic protocol.
    pub is_classic: bool,
    /// The request names a member, an instance or an epoch.
    pub is_named: bool,
    /// It is part of a transaction.
    pub is_transactional: bool,
    /// The version of the request knows epochs of members.
    pub knows_epochs: bool,
}

/// Whether a group of the consumer protocol accepts a commit of offsets: from a member with its present
/// epoch, from outside of the protocol while the group has no members, or with a transaction that names
/// no member (KIP-848). A member that has lost its place names itself, but no epoch: it is not outside of the
/// protocol. Kafka 4.1 takes it for that (FL-8).
pub fn check_member_commit(commit: MemberCommit) -> Result<(), ErrorCode> {
    if commit.epoch < 0 && !commit.has_members && !commit.is_named {
        return Ok(());
    }
    if commit.is_transactional && !commit.is_named {
        return Ok(());
    }
    let present = commit.present.ok_or(ErrorCode::UnknownMemberId)?;
    if !commit.is_transactional && !commit.is_classic && !commit.knows_epochs {
        return Err(ErrorCode::UnsupportedVersion);
    }
    if commit.epoch == present {
        return Ok(());
    }
    match commit.is_classic || commit.is_transactional {
        true => Err(ErrorCode::IllegalGeneration),
        false => Err(ErrorCode::StaleMemberEpoch),
    }
}

/// A partition of a member whose assignment changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The member still owns it, or has still to give it up.
    pub is_kept: bool,
    /// It had to give it up.
    pub had_to_go: bool,
}

/// Whether a partition goes on to count as owned when the assignment of its owner changes. A member may
/// get back what it had to give up (KAFKA-16147).
pub fn keeps_owner(kept: Kept) -> bool {
    kept.is_kept
}

/// A partition of the target assignment of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// A member owns it, or has still to give it up.
    pub is_owned: bool,
    /// That member is the one whose target it is in.
    pub is_own: bool,
}

/// Whether a member gets a partition of its target assignment: not before every other member has given it
/// up (KIP-848).
pub fn may_assign_partition(release: Release) -> bool {
    !release.is_owned || release.is_own
}
