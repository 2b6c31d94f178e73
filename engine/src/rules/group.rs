//! Groups of consumers: which commits count, and which offsets are shown (KIP-62, KIP-345, KIP-447).

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
