//! The consequences of a response's error for the transaction (`TxnRequestHandler.handleResponse`,
//! `TransactionManager.maybeTransitionToErrorState`; KIP-360, KIP-890, KIP-1050).
//!
//! After a fatal error the producer cannot be used. After an abortable error the application has to
//! abort the transaction, and can then continue. Errors of authorization and of groups that no
//! broker here returns are left out.

use crate::error::ErrorCode;
use ErrorCode::{
    ConcurrentTransactions, CoordinatorNotAvailable, FencedInstanceId, IllegalGeneration,
    InvalidProducerEpoch, InvalidProducerIdMapping, InvalidTxnState, NotCoordinator,
    OperationNotAttempted, ProducerFenced, RequestTimedOut, TransactionAbortable,
    TransactionalIdAuthorizationFailed, UnknownMemberId, UnknownProducerId, UnsupportedVersion,
};

/// The consequence of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// There is no error.
    Fine,
    /// The request is sent again, after the coordinator has been found.
    FindCoordinator,
    /// The request is sent again.
    Retry,
    /// The request is sent again, because the previous transaction is about to end; after a shorter
    /// wait if no partition has been added so far.
    RetrySoon,
    /// This partition could not be added; the errors of other partitions may have stronger
    /// consequences.
    Partition,
    /// The transaction has to be aborted, because of this error.
    Abortable(ErrorCode),
    /// Abortable if the producer can get another epoch, otherwise fatal.
    AbortableIfPossible(ErrorCode),
    /// The producer has failed, with this error.
    Fatal(ErrorCode),
}

/// The class of an error of FindCoordinator.
pub(super) fn of_find_coordinator(error: ErrorCode) -> Class {
    match error {
        ErrorCode::None => Class::Fine,
        TransactionAbortable => Class::Abortable(error),
        _ if error.is_retriable() => Class::Retry,
        _ => Class::Fatal(error),
    }
}

/// The class of an error of InitProducerId.
pub(super) fn of_init_producer_id(error: ErrorCode) -> Class {
    match error {
        ErrorCode::None => Class::Fine,
        CoordinatorNotAvailable | NotCoordinator => Class::FindCoordinator,
        TransactionalIdAuthorizationFailed | TransactionAbortable => Class::Abortable(error),
        InvalidProducerEpoch | ProducerFenced => Class::Fatal(ProducerFenced),
        _ if error.is_retriable() => Class::Retry,
        _ => Class::Fatal(error),
    }
}

/// The class of an error of AddPartitionsToTxn, or of one partition in its response.
pub(super) fn of_add_partitions(error: ErrorCode) -> Class {
    match error {
        ErrorCode::None => Class::Fine,
        CoordinatorNotAvailable | NotCoordinator => Class::FindCoordinator,
        ConcurrentTransactions => Class::RetrySoon,
        InvalidProducerEpoch | ProducerFenced => Class::Fatal(ProducerFenced),
        TransactionalIdAuthorizationFailed | InvalidTxnState | InvalidProducerIdMapping => {
            Class::Fatal(error)
        }
        UnknownProducerId => Class::AbortableIfPossible(error),
        TransactionAbortable => Class::Abortable(error),
        OperationNotAttempted => Class::Partition,
        _ if error.is_retriable() => Class::Retry,
        _ => Class::Partition,
    }
}

/// The class of an error of AddOffsetsToTxn.
pub(super) fn of_add_offsets(error: ErrorCode) -> Class {
    match error {
        ErrorCode::None => Class::Fine,
        CoordinatorNotAvailable | NotCoordinator => Class::FindCoordinator,
        InvalidProducerEpoch | ProducerFenced => Class::Fatal(ProducerFenced),
        UnknownProducerId => Class::AbortableIfPossible(error),
        TransactionAbortable => Class::Abortable(error),
        _ if error.is_retriable() => Class::Retry,
        _ => Class::Fatal(error),
    }
}

/// The class of an error of one partition in a response to TxnOffsetCommit. A member that the group does
/// not know any more, or knows in a later generation, has to abort (KIP-447).
pub(super) fn of_commit_offsets(error: ErrorCode) -> Class {
    match error {
        ErrorCode::None => Class::Fine,
        CoordinatorNotAvailable | NotCoordinator | RequestTimedOut => Class::FindCoordinator,
        InvalidProducerEpoch | ProducerFenced => Class::Fatal(ProducerFenced),
        FencedInstanceId | TransactionAbortable | UnknownMemberId | IllegalGeneration => {
            Class::Abortable(error)
        }
        _ if error.is_retriable() => Class::Retry,
        _ => Class::Fatal(error),
    }
}

/// The class of an error of EndTxn. `TRANSACTION_ABORTABLE` in response to an abort is fatal, as
/// there is nothing more to abort.
pub(super) fn of_end_txn(error: ErrorCode, committed: bool) -> Class {
    match error {
        ErrorCode::None => Class::Fine,
        CoordinatorNotAvailable | NotCoordinator => Class::FindCoordinator,
        InvalidProducerEpoch | ProducerFenced => Class::Fatal(ProducerFenced),
        UnknownProducerId => Class::AbortableIfPossible(error),
        TransactionAbortable if committed => Class::Abortable(error),
        _ if error.is_retriable() => Class::Retry,
        _ => Class::Fatal(error),
    }
}

/// The class of the final error of a batch, or of a `send` that waited. Retriable errors and
/// `INVALID_TXN_STATE` become `TRANSACTION_ABORTABLE`.
pub(super) fn of_batch(error: ErrorCode) -> Class {
    match error {
        TransactionalIdAuthorizationFailed
        | ProducerFenced
        | UnsupportedVersion
        | InvalidProducerIdMapping => Class::Fatal(error),
        InvalidTxnState => Class::Abortable(TransactionAbortable),
        _ if error.is_retriable() => Class::Abortable(TransactionAbortable),
        _ => Class::Abortable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorCode::{
        CoordinatorLoadInProgress, InvalidRequest, InvalidTransactionTimeout, MessageTooLarge,
        NetworkException, NotEnoughReplicas, OutOfOrderSequenceNumber, TopicAuthorizationFailed,
        UnknownServerError, UnknownTopicOrPartition,
    };

    fn each(class: fn(ErrorCode) -> Class, errors: &[ErrorCode], expected: fn(ErrorCode) -> Class) {
        for error in errors {
            assert_eq!(class(*error), expected(*error), "{error}");
        }
    }

    #[test]
    fn init_producer_id() {
        each(of_init_producer_id, &[CoordinatorNotAvailable, NotCoordinator], |_| {
            Class::FindCoordinator
        });
        let retried = [CoordinatorLoadInProgress, ConcurrentTransactions, RequestTimedOut];
        each(of_init_producer_id, &retried, |_| Class::Retry);
        each(of_init_producer_id, &[InvalidProducerEpoch, ProducerFenced], |_| {
            Class::Fatal(ProducerFenced)
        });
        let abortable = [TransactionalIdAuthorizationFailed, TransactionAbortable];
        each(of_init_producer_id, &abortable, Class::Abortable);
        let fatal = [InvalidTransactionTimeout, InvalidRequest, UnknownServerError];
        each(of_init_producer_id, &fatal, Class::Fatal);
    }

    #[test]
    fn add_partitions() {
        let of = of_add_partitions;
        each(of, &[CoordinatorNotAvailable, NotCoordinator], |_| Class::FindCoordinator);
        each(of, &[CoordinatorLoadInProgress, UnknownTopicOrPartition], |_| Class::Retry);
        each(of, &[ConcurrentTransactions], |_| Class::RetrySoon);
        each(of, &[InvalidProducerEpoch, ProducerFenced], |_| Class::Fatal(ProducerFenced));
        let fatal = [InvalidTxnState, InvalidProducerIdMapping, TransactionalIdAuthorizationFailed];
        each(of, &fatal, Class::Fatal);
        let of_partitions = [TopicAuthorizationFailed, OperationNotAttempted, UnknownServerError];
        each(of, &of_partitions, |_| Class::Partition);
        each(of, &[UnknownProducerId], Class::AbortableIfPossible);
        each(of, &[TransactionAbortable], Class::Abortable);
    }

    #[test]
    fn offsets_of_groups() {
        let added = of_add_offsets;
        each(added, &[CoordinatorNotAvailable, NotCoordinator], |_| Class::FindCoordinator);
        each(added, &[CoordinatorLoadInProgress, ConcurrentTransactions], |_| Class::Retry);
        each(added, &[InvalidTxnState, InvalidProducerIdMapping], Class::Fatal);
        each(added, &[UnknownProducerId], Class::AbortableIfPossible);
        let committed = of_commit_offsets;
        let moved = [CoordinatorNotAvailable, NotCoordinator, RequestTimedOut];
        each(committed, &moved, |_| Class::FindCoordinator);
        let retried = [CoordinatorLoadInProgress, UnknownTopicOrPartition, ConcurrentTransactions];
        each(committed, &retried, |_| Class::Retry);
        let members = [FencedInstanceId, UnknownMemberId, IllegalGeneration, TransactionAbortable];
        each(committed, &members, Class::Abortable);
        each(committed, &[InvalidTxnState, UnknownServerError], Class::Fatal);
        for of in [added, committed] {
            each(of, &[InvalidProducerEpoch, ProducerFenced], |_| Class::Fatal(ProducerFenced));
        }
    }

    #[test]
    fn end_txn() {
        for of in [|error| of_end_txn(error, true), |error| of_end_txn(error, false)] {
            each(of, &[CoordinatorNotAvailable, NotCoordinator], |_| Class::FindCoordinator);
            each(of, &[CoordinatorLoadInProgress, ConcurrentTransactions], |_| Class::Retry);
            each(of, &[InvalidProducerEpoch, ProducerFenced], |_| Class::Fatal(ProducerFenced));
            let fatal = [InvalidTxnState, InvalidProducerIdMapping, UnknownServerError];
            each(of, &fatal, Class::Fatal);
            each(of, &[UnknownProducerId], Class::AbortableIfPossible);
        }
        assert_eq!(of_end_txn(TransactionAbortable, true), Class::Abortable(TransactionAbortable));
        assert_eq!(of_end_txn(TransactionAbortable, false), Class::Fatal(TransactionAbortable));
    }

    #[test]
    fn find_coordinator() {
        let of = of_find_coordinator;
        each(of, &[CoordinatorNotAvailable, CoordinatorLoadInProgress], |_| Class::Retry);
        each(of, &[TransactionAbortable], Class::Abortable);
        each(of, &[TransactionalIdAuthorizationFailed, InvalidRequest], Class::Fatal);
    }

    #[test]
    fn batches() {
        let fatal = [
            TransactionalIdAuthorizationFailed,
            ProducerFenced,
            UnsupportedVersion,
            InvalidProducerIdMapping,
        ];
        each(of_batch, &fatal, Class::Fatal);
        let kept = [InvalidProducerEpoch, OutOfOrderSequenceNumber, MessageTooLarge];
        each(of_batch, &kept, Class::Abortable);
        let turned = [InvalidTxnState, NotEnoughReplicas, NetworkException, RequestTimedOut];
        each(of_batch, &turned, |_| Class::Abortable(TransactionAbortable));
    }
}
