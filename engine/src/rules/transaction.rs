//! Transaction coordinators: which producer owns a transactional id, how a transaction ends, and
//! what a coordinator takes over from its predecessor (`TransactionCoordinator`,
//! `TransactionMetadata`, `TransactionStateManager`, `TransactionMarkerRequestCompletionHandler`;
//! KIP-98, KIP-360, KIP-890).

use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset};
use crate::protocol::TransactionState;
use crate::record::NO_PRODUCER_EPOCH;

/// A producer's request for its epoch, and the coordinator's state of the transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The epoch in use; -1: none has been given so far.
    pub epoch: i16,
    /// The epoch that the producer had before; -1: the present one is its first.
    pub last_epoch: i16,
    /// The epoch that the producer names; `None`: it is a new instance.
    pub named: Option<i16>,
}

/// The epoch that a producer gets, and the earlier epoch by which a repeated request is recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// The epoch in use from now on.
    pub epoch: i16,
    /// The epoch that the producer had before; -1: the present one is its first.
    pub last_epoch: i16,
}

/// The epoch for a producer of a transactional id. A new instance gets the next epoch, which fences
/// the earlier instance. An instance that names the epoch in use gets the next one too (KIP-360).
/// An instance that names the epoch before has not received its last response, and gets the same
/// response again. Any other epoch is fenced.
pub fn epoch_of_instance(instance: Instance) -> Result<Epochs, ErrorCode> {
    let Instance { epoch, last_epoch, named } = instance;
    match named {
        None => Ok(Epochs { epoch: epoch + 1, last_epoch: NO_PRODUCER_EPOCH }),
        Some(named) if epoch == NO_PRODUCER_EPOCH || named == epoch => {
            Ok(Epochs { epoch: epoch + 1, last_epoch: epoch })
        }
        Some(named) if named == last_epoch => Ok(Epochs { epoch, last_epoch }),
        Some(_) => Err(ErrorCode::ProducerFenced),
    }
}

/// The producer in a request for a transactional id, beside the one that the coordinator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The producer id in use.
    pub known_id: i64,
    /// The epoch in use.
    pub known_epoch: i16,
    /// The producer id in the request.
    pub id: i64,
    /// The epoch in the request.
    pub epoch: i16,
}

/// Whether a producer may act for a transactional id: only the instance with the id and epoch in
/// use.
pub fn check_claim(claim: Claim) -> Result<(), ErrorCode> {
    if claim.id != claim.known_id {
        Err(ErrorCode::InvalidProducerIdMapping)
    } else if claim.epoch != claim.known_epoch {
        Err(ErrorCode::ProducerFenced)
    } else {
        Ok(())
    }
}

/// The state of a transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its state.
    pub state: TransactionState,
    /// A record with the next state is being written, or markers are.
    pub pending: bool,
}

/// Whether a partition may be added to the transaction, or another instance may take over: not
/// while a record is being written, and not from a decision until all markers are written. No
/// marker would end a partition that is added then.
pub fn check_stage(stage: Stage) -> Result<(), ErrorCode> {
    if stage.pending || stage.state.is_prepared() {
        Err(ErrorCode::ConcurrentTransactions)
    } else {
        Ok(())
    }
}

/// The epoch in a request to end a transaction, beside the one in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The epoch in use.
    Current,
    /// The epoch before the one in use. The request may be a repeated one, whose first copy bumped
    /// the epoch.
    Bumped,
    /// The last epoch of the previous producer id. The request may be a repeated one, whose first
    /// copy changed the producer id.
    Overflowed,
    /// Any other.
    Other,
}

/// A request to end a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The state of the transactional id.
    pub state: TransactionState,
    /// Whether to commit; otherwise to abort.
    pub commit: bool,
    /// The epoch of the request.
    pub claimed: Claimed,
    /// Every transaction has an epoch of its own (`transaction.version` 2).
    pub own_epoch: bool,
}

/// The outcome of a request to end a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The decision is made now, and written.
    Prepare,
    /// The transaction has ended that way before, and all markers are written.
    Already,
}

/// How a transaction ends. While all transactions of a producer share one epoch, a delayed request
/// looks like a request for the present transaction, and ends it if it is open (KAFKA-17754). With
/// an epoch for each transaction, only a request with the epoch in use ends the open one, and a
/// repeated request is recognized by the epoch before (KIP-890).
pub fn end_transaction(ending: Ending) -> Result<Ended, ErrorCode> {
    use TransactionState as State;
    let Ending { state, commit, claimed, own_epoch } = ending;
    let is_retry = matches!(claimed, Claimed::Bumped | Claimed::Overflowed);
    let is_valid = match state {
        _ if !own_epoch => claimed == Claimed::Current,
        State::PrepareCommit | State::PrepareAbort => claimed == Claimed::Bumped,
        State::CompleteCommit | State::CompleteAbort => claimed != Claimed::Other,
        _ => claimed == Claimed::Current,
    };
    if !is_valid {
        return Err(ErrorCode::ProducerFenced);
    }
    let agrees = match state {
        State::PrepareCommit | State::CompleteCommit => commit,
        State::PrepareAbort | State::CompleteAbort => !commit,
        _ => false,
    };
    // A producer may abort although no transaction has begun, which gives it its next epoch.
    let begins = own_epoch && !is_retry;
    match state {
        State::Ongoing => Ok(Ended::Prepare),
        State::PrepareCommit | State::PrepareAbort if agrees => {
            Err(ErrorCode::ConcurrentTransactions)
        }
        State::Empty | State::CompleteCommit | State::CompleteAbort if begins && !commit => {
            Ok(Ended::Prepare)
        }
        State::CompleteCommit | State::CompleteAbort if agrees && !begins => Ok(Ended::Already),
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

/// Whether the next transaction has another producer epoch than the one that ends: from
/// `transaction.version` 2 on (KIP-890). Late batches of the ended transaction are then refused.
pub fn bumps_epoch_at_end(transaction_version: u16) -> bool {
    transaction_version >= 2
}

/// An abort by the coordinator, where transactions share an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The epoch in use.
    pub epoch: i16,
    /// The record of an earlier abort failed. Its epoch is in use here, and may or may not be in
    /// the log.
    pub failed_before: bool,
}

/// The epoch under which a coordinator aborts a transaction of its own accord: the next one, so
/// that the producer is fenced. After a failed attempt it is that epoch again.
pub fn epoch_of_fence(fence: Fence) -> i16 {
    if fence.failed_before { fence.epoch } else { fence.epoch.saturating_add(1) }
}

/// An open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// When its first partition was added, in milliseconds.
    pub start_ms: i64,
    /// `transaction.timeout.ms` of its producer.
    pub timeout_ms: i32,
    /// The present time, in milliseconds.
    pub now_ms: i64,
}

/// Whether a transaction has been open for too long. Otherwise a producer that is gone would hold
/// back the last stable offset forever.
pub fn is_timed_out(open: Open) -> bool {
    open.start_ms.saturating_add(i64::from(open.timeout_ms)) < open.now_ms
}

/// A transactional id, and how long it has not been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Its state.
    pub state: TransactionState,
    /// The time since its last record, in milliseconds.
    pub unused_ms: i64,
    /// `transactional.id.expiration.ms`.
    pub expiration_ms: i64,
}

/// Whether a transactional id is forgotten. An id with an open transaction, or with markers to be
/// written, never is.
pub fn is_id_expired(unused: Unused) -> bool {
    (unused.state == TransactionState::Empty || unused.state.is_complete())
        && unused.unused_ms >= unused.expiration_ms
}

/// A record of a coordinator that was committed or has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The coordinator epoch in which it was written.
    pub epoch: LeaderEpoch,
    /// The present coordinator epoch.
    pub present: LeaderEpoch,
}

/// Whether the outcome of a record applies to the present state: only if the record was written in
/// the present coordinator epoch. Since a later epoch began, the state was loaded from the log
/// again (KAFKA-9777).
pub fn is_of_this_coordinator(written: Written) -> bool {
    written.epoch == written.present
}

/// A record that was not written, or not in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// The state that the record would have established.
    pub to: TransactionState,
    /// The coordinator's error.
    pub error: ErrorCode,
}

/// Whether a transactional id stays pending after a record was not written: only for the last
/// record of a transaction, which is written again until it succeeds. Otherwise the next request
/// may proceed. In Kafka 4.1.1 an id also stays pending, for good, after a record that cannot be
/// encoded at the level of `transaction.version` (oddity O1).
pub fn stays_pending(unwritten: Unwritten) -> bool {
    unwritten.to.is_complete() && unwritten.error == ErrorCode::CoordinatorNotAvailable
}

/// Whether a coordinator may read the log of a partition that its broker leads: once the ports of the
/// broker are `open`. Before that the metadata may be of the broker's earlier life. If the broker has lost
/// the end of the log in a power loss, what it appends would have the leader epoch of the lost records,
/// and no truncation would find it. Kafka 4.1 reads the log at once (FL-6).
pub fn may_load(open: bool) -> bool {
    open
}

/// Up to where a new coordinator may read its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnds {
    /// The high watermark, as far as the new leader knows it.
    pub high_watermark: Offset,
    /// The log end offset.
    pub log_end: Offset,
}

/// How far a new coordinator reads its log: to the end. A new leader's high watermark trails:
/// decisions above it may have been confirmed to their producers, and will be committed.
pub fn load_to(ends: LogEnds) -> Offset {
    ends.log_end
}

/// Whether a coordinator that gives a partition up in `epoch` forgets its transactional ids: it
/// does, as another coordinator changes them from then on. One that kept them would prefer them,
/// when it comes to coordinate the partition again, to what the other has written (KAFKA-9307,
/// KAFKA-10614).
pub fn forgets_ids(epoch: LeaderEpoch) -> bool {
    let _ = epoch;
    true
}

/// Whether a new coordinator continues with a transaction that it finds in this state: yes if the
/// transaction is decided, because markers may be missing and no other coordinator will write them
/// (KAFKA-5131).
pub fn finishes_when_loaded(state: TransactionState) -> bool {
    state.is_prepared()
}

/// The reaction of a coordinator to a leader's response to a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// The marker is written, or not needed.
    Done,
    /// It has to be sent again, perhaps to another leader.
    Again,
    /// This coordinator writes no more markers of the transaction: another has taken over.
    Superseded,
}

/// The reaction of a coordinator to a leader's response to a marker. The marker is sent again
/// without limit after any error except the two that say that another coordinator has taken over.
pub fn after_marker(error: ErrorCode) -> Marked {
    match error {
        ErrorCode::None => Marked::Done,
        ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced => {
            Marked::Superseded
        }
        _ => Marked::Again,
    }
}

/// Whether a record names the next producer id, when the epochs of the one in use are exhausted:
/// yes, because the producer has already received the next id. Kafka 4.1 does not write it, so a
/// coordinator that takes over in between refuses the producer (KAFKA-20310).
pub fn records_next_producer_id(rotates: bool) -> bool {
    rotates
}
