//! The decisions of clients after errors and new metadata (`Sender`, `SubscriptionState`).

use crate::error::ErrorCode;
use crate::ids::LeaderEpoch;

/// Whether a batch may have been written although its produce request returned this error. Only a
/// batch refused before the append is known not to be written. A producer that gives up a batch
/// whose outcome is unknown sends the batch again under another identity, or reports records as
/// failed that consumers later read (KAFKA-13574).
pub fn leaves_produce_unknown(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::NotLeaderOrFollower
            | ErrorCode::RequestTimedOut
            | ErrorCode::NetworkException
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::KafkaStorageError
            | ErrorCode::UnknownServerError
    )
}

/// A batch that a consumer with `isolation.level=read_committed` has fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchedBatch {
    /// The batch is part of a transaction; a batch of a producer that is only idempotent is not.
    pub is_transactional: bool,
    /// The leader has listed the transaction of the batch as aborted.
    pub is_listed: bool,
}

/// Whether the consumer skips the batch. The leader returns aborted records among the others; only
/// its list of aborted transactions keeps them from the application (KIP-98).
pub fn passes_over(batch: FetchedBatch) -> bool {
    batch.is_transactional && batch.is_listed
}

/// Whether a producer may end its transaction at the coordinator: not while batches of it have no
/// outcome. A batch that arrives after the markers belongs to no transaction, or to the next one.
pub fn may_end_transaction(has_open: bool) -> bool {
    !has_open
}

/// A batch of a transaction that has failed for good, where transactions share an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedBatch {
    /// The application has called `commitTransaction` or `abortTransaction`.
    pub is_completing: bool,
}

/// Whether the producer continues in another epoch after the transaction (KIP-360): it does,
/// whenever the batch failed. A batch that has expired may still be on its way, and would join the
/// next transaction if that had the same epoch. Kafka 4.1 does not ask for another epoch once the
/// transaction is being ended (`TransactionManager.maybeTransitionToErrorState`, FL-5).
pub fn bumps_after_failure(failed: FailedBatch) -> bool {
    let FailedBatch { is_completing: _ } = failed;
    true
}

/// A new leader epoch of a partition in which the consumer has a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLeader {
    /// The leader epoch of the last record before the position; `None`: not known.
    pub position_epoch: Option<LeaderEpoch>,
    /// The leader epoch in which the position was last valid.
    pub validated_epoch: Option<LeaderEpoch>,
    /// The present leader epoch.
    pub leader_epoch: LeaderEpoch,
}

/// Whether a consumer has to ask the new leader where its log ends in the epoch of the position
/// before it reads on. If the log ends below the position, it was truncated, and the consumer has
/// read records that are gone (KIP-320, KAFKA-7747).
pub fn has_to_validate(new: NewLeader) -> bool {
    new.position_epoch.is_some() && new.validated_epoch != Some(new.leader_epoch)
}
