//! The requests and effects of the state machine in the course of transactions.

use super::*;
use crate::ids::TopicId;
use TransactionCall::{Abort, Commit, Init};

mod offsets;

const FIRST: Identity = Identity { id: 7, epoch: 0 };
const SECOND: Identity = Identity { id: 7, epoch: 1 };
const V1: u16 = 1;
const V2: u16 = 2;

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new(TopicId(9), index)
}

fn added(partitions: &[i32], error: ErrorCode) -> Outcome {
    Outcome::Added(
        ErrorCode::None,
        partitions.iter().map(|index| (partition(*index), error)).collect(),
    )
}

/// The state machine of a producer.
struct Stage(Transactions);

impl Stage {
    /// A producer whose `initTransactions` has returned.
    fn ready(level: u16) -> Self {
        let mut stage = Self(Transactions::new("transfers".into()));
        stage.0.on_features(10, level);
        stage.0.on_coordinator_ready();
        stage.0.call(Init).unwrap();
        stage.done(Outcome::Initialized(ErrorCode::None, FIRST));
        assert_eq!(stage.0.take_effects(), [Effect::Identity(FIRST), Effect::Returned(Init)]);
        stage
    }

    /// A producer with an open transaction and a record in partition 0; in the first protocol the
    /// partition has been added.
    fn open(level: u16) -> Self {
        let mut stage = Self::ready(level);
        stage.0.begin().unwrap();
        stage.0.add(partition(0));
        if level == V1 {
            stage.done(added(&[0], ErrorCode::None));
        }
        stage
    }

    /// Takes the next request, which has to be this one.
    fn sends(&mut self, expected: Request) -> Queued {
        let next = self.0.next(false).expect("a request");
        assert_eq!(next.request, expected);
        next
    }

    /// Takes the next request and gives it an outcome.
    fn done(&mut self, outcome: Outcome) {
        let next = self.0.next(false).expect("a request");
        self.0.on_done(next, outcome);
    }

    fn end(identity: Identity, committed: bool, is_v2: bool) -> Request {
        Request::EndTxn { identity, committed, is_v2 }
    }
}

fn fatal(error: ErrorCode) -> TransactionFailure {
    TransactionFailure { error, is_fatal: true }
}

fn abortable(error: ErrorCode) -> TransactionFailure {
    TransactionFailure { error, is_fatal: false }
}

#[test]
fn in_the_second_protocol_a_commit_gives_the_next_epoch() {
    let mut stage = Stage::open(V2);
    assert!(stage.0.may_send_to(partition(0)) && !stage.0.may_send_to(partition(1)));
    assert_eq!(stage.0.next(false), None, "data leaders add partitions");
    stage.0.call(Commit).unwrap();
    assert_eq!(stage.0.next(true), None, "not before every batch has its outcome");
    let end = stage.sends(Stage::end(FIRST, true, true));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, Some(SECOND)));
    let effects = stage.0.take_effects();
    let expected = [Effect::Identity(SECOND), Effect::ResetSequences, Effect::Returned(Commit)];
    assert_eq!(effects, expected);
    assert_eq!(stage.0.state(), TransactionState::Ready);
}

#[test]
fn in_the_first_protocol_partitions_are_added_before_batches_leave() {
    let mut stage = Stage::ready(V1);
    stage.0.begin().unwrap();
    stage.0.add(partition(0));
    stage.0.add(partition(0));
    assert!(!stage.0.may_send_to(partition(0)));
    let partitions = vec![partition(0)];
    let add = stage.sends(Request::AddPartitions { identity: FIRST, partitions });
    stage.0.on_done(add, added(&[0], ErrorCode::None));
    assert!(stage.0.may_send_to(partition(0)));
    stage.0.add(partition(0));
    assert_eq!(stage.0.next(false), None, "the partition is in the transaction already");
    stage.0.call(Commit).unwrap();
    let end = stage.sends(Stage::end(FIRST, true, false));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, None));
    assert_eq!(stage.0.take_effects(), [Effect::Returned(Commit)], "the epoch stays");
    assert!(!stage.0.may_send_to(partition(0)), "the next transaction has to add it again");
}

#[test]
fn a_transaction_without_records_ends_without_a_request() {
    for level in [V1, V2] {
        let mut stage = Stage::ready(level);
        stage.0.begin().unwrap();
        stage.0.call(Abort).unwrap();
        assert_eq!(stage.0.next(false), None);
        assert_eq!(stage.0.take_effects(), [Effect::Returned(Abort)]);
        assert_eq!(stage.0.state(), TransactionState::Ready);
    }
}

#[test]
fn the_coordinator_is_found_first_and_again_when_it_has_moved() {
    let mut stage = Stage::open(V2);
    stage.0.call(Commit).unwrap();
    let end = stage.0.next(false).unwrap();
    stage.0.on_done(end, Outcome::Ended(ErrorCode::NotCoordinator, None));
    assert_eq!(stage.0.coordinator(Target::Transaction), None);
    let find = stage.sends(Request::FindCoordinator);
    stage.0.on_done(find, Outcome::Found(ErrorCode::CoordinatorNotAvailable, None));
    let find = stage.sends(Request::FindCoordinator);
    assert!(find.is_retry);
    stage.0.on_done(find, Outcome::Found(ErrorCode::None, Some(3)));
    assert_eq!(stage.0.coordinator(Target::Transaction), Some(3));
    let end = stage.sends(Stage::end(FIRST, true, true));
    assert!(end.is_retry && end.call == Some(Commit));
    stage.0.on_done(end, Outcome::Disconnected);
    assert_eq!(stage.0.coordinator(Target::Transaction), None);
    stage.sends(Request::FindCoordinator);
}

#[test]
fn the_back_off_is_short_only_for_the_first_partition() {
    let mut stage = Stage::ready(V1);
    stage.0.begin().unwrap();
    stage.0.add(partition(0));
    stage.done(added(&[0], ErrorCode::ConcurrentTransactions));
    let again = stage.0.next(false).unwrap();
    assert!(again.is_retry && again.is_soon);
    stage.0.on_done(again, added(&[0], ErrorCode::None));
    stage.0.add(partition(1));
    stage.done(added(&[1], ErrorCode::ConcurrentTransactions));
    assert!(!stage.0.next(false).unwrap().is_soon, "it is not the first partition");
}

#[test]
fn the_failure_names_the_error_of_the_partition_that_could_not_be_added() {
    let mut stage = Stage::ready(V1);
    stage.0.begin().unwrap();
    stage.0.add(partition(0));
    stage.0.add(partition(1));
    let errors = [ErrorCode::OperationNotAttempted, ErrorCode::TopicAuthorizationFailed];
    let results = (0..).map(partition).zip(errors).collect();
    stage.done(Outcome::Added(ErrorCode::None, results));
    let failure = abortable(ErrorCode::TopicAuthorizationFailed);
    assert_eq!(stage.0.failure(), Some(failure));
    assert_eq!(stage.0.may_send(), Err(TransactionError::Failed(failure)));
    assert_eq!(stage.0.call(Commit), Err(TransactionError::Failed(failure)));
    stage.0.call(Abort).unwrap();
    assert_eq!(stage.0.next(false), None, "no partition was added");
    assert_eq!(stage.0.take_effects(), [Effect::Returned(Abort)]);
}

#[test]
fn an_abort_after_a_failed_batch_takes_another_epoch_in_the_first_protocol() {
    let mut stage = Stage::open(V1);
    stage.0.on_batch_failed(ErrorCode::OutOfOrderSequenceNumber, true);
    assert_eq!(stage.0.failure(), Some(abortable(ErrorCode::OutOfOrderSequenceNumber)));
    stage.0.call(Abort).unwrap();
    let end = stage.sends(Stage::end(FIRST, false, false));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, None));
    assert_eq!(stage.0.state(), TransactionState::Initializing);
    assert_eq!(stage.0.take_effects(), [], "the call returns with the epoch");
    let bump = stage.sends(Request::InitProducerId { named: Some(FIRST) });
    stage.0.on_done(bump, Outcome::Initialized(ErrorCode::None, SECOND));
    let expected = [Effect::Identity(SECOND), Effect::ResetSequences, Effect::Returned(Abort)];
    assert_eq!(stage.0.take_effects(), expected);
    assert_eq!(stage.0.state(), TransactionState::Ready);
}

#[test]
fn an_abort_after_a_failed_batch_is_enough_in_the_second_protocol() {
    let mut stage = Stage::open(V2);
    stage.0.on_batch_failed(ErrorCode::NotEnoughReplicas, true);
    assert_eq!(stage.0.failure(), Some(abortable(ErrorCode::TransactionAbortable)));
    stage.0.call(Abort).unwrap();
    let end = stage.sends(Stage::end(FIRST, false, true));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, Some(SECOND)));
    assert_eq!(stage.0.next(false), None);
    assert_eq!(stage.0.take_effects().last(), Some(&Effect::Returned(Abort)));
}

#[test]
fn a_batch_that_fails_during_a_commit_makes_it_throw_and_an_abort_follows() {
    let mut stage = Stage::open(V2);
    stage.0.call(Commit).unwrap();
    stage.0.on_batch_failed(ErrorCode::InvalidProducerEpoch, true);
    assert_eq!(stage.0.next(false), None, "EndTxn is not sent any more");
    let failure = abortable(ErrorCode::InvalidProducerEpoch);
    assert_eq!(stage.0.take_effects(), [Effect::Threw(Commit, failure)]);
    stage.0.call(Abort).unwrap();
    stage.sends(Stage::end(FIRST, false, true));
}

#[test]
fn batches_that_fail_during_an_abort_change_nothing() {
    let mut stage = Stage::open(V2);
    stage.0.call(Abort).unwrap();
    stage.0.on_batch_failed(ErrorCode::InvalidProducerEpoch, true);
    stage.0.on_unresolved();
    assert_eq!(stage.0.state(), TransactionState::Aborting);
    stage.sends(Stage::end(FIRST, false, true));
}

/// FL-5: a batch that expires while the transaction is being ended may arrive after its marker.
#[test]
fn a_batch_that_fails_while_a_transaction_ends_leads_to_another_epoch_in_the_first_protocol() {
    let mut stage = Stage::open(V1);
    stage.0.call(Commit).unwrap();
    stage.0.on_batch_failed(ErrorCode::RequestTimedOut, true);
    assert_eq!(stage.0.next(false), None, "it is not sent any more");
    stage.0.take_effects();
    stage.0.call(Abort).unwrap();
    let end = stage.sends(Stage::end(FIRST, false, false));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, None));
    let bump = stage.sends(Request::InitProducerId { named: Some(FIRST) });
    stage.0.on_done(bump, Outcome::Initialized(ErrorCode::None, SECOND));
    assert_eq!(stage.0.take_effects().last(), Some(&Effect::Returned(Abort)));

    let mut stage = Stage::open(V1);
    stage.0.call(Abort).unwrap();
    stage.0.on_batch_failed(ErrorCode::RequestTimedOut, true);
    stage.0.on_batch_failed(ErrorCode::RequestTimedOut, true);
    let end = stage.sends(Stage::end(FIRST, false, false));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, None));
    assert_eq!(stage.0.take_effects(), [], "the call returns with the epoch");
    let bump = stage.sends(Request::InitProducerId { named: Some(FIRST) });
    stage.0.on_done(bump, Outcome::Initialized(ErrorCode::None, SECOND));
    assert_eq!(stage.0.take_effects().last(), Some(&Effect::Returned(Abort)));
    assert_eq!(stage.0.state(), TransactionState::Ready);
}

/// The same by Kafka 4.1's rule.
#[test]
fn without_another_epoch_the_next_transaction_has_the_one_of_the_batch() {
    let mut stage = Stage::open(V1);
    stage.0.call(Commit).unwrap();
    stage.0.on_batch_failed(ErrorCode::RequestTimedOut, false);
    assert_eq!(stage.0.next(false), None);
    stage.0.take_effects();
    stage.0.call(Abort).unwrap();
    let end = stage.sends(Stage::end(FIRST, false, false));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, None));
    assert_eq!(stage.0.take_effects(), [Effect::Returned(Abort)]);
    assert_eq!(stage.0.state(), TransactionState::Ready);
}

#[test]
fn a_fenced_producer_refuses_all_calls() {
    for level in [V1, V2] {
        let mut stage = Stage::open(level);
        stage.0.call(Commit).unwrap();
        stage.done(Outcome::Ended(ErrorCode::InvalidProducerEpoch, None));
        let failure = fatal(ErrorCode::ProducerFenced);
        assert_eq!(stage.0.take_effects(), [Effect::Threw(Commit, failure)]);
        assert_eq!(stage.0.call(Abort), Err(TransactionError::Failed(failure)));
        assert_eq!(stage.0.begin(), Err(TransactionError::Failed(failure)));
        assert!(!stage.0.may_send_to(partition(0)));
    }
}

#[test]
fn an_abort_that_would_have_to_be_aborted_is_fatal() {
    let mut stage = Stage::open(V2);
    stage.0.call(Abort).unwrap();
    stage.done(Outcome::Ended(ErrorCode::TransactionAbortable, None));
    let failure = fatal(ErrorCode::TransactionAbortable);
    assert_eq!(stage.0.take_effects(), [Effect::Threw(Abort, failure)]);
    let mut stage = Stage::open(V2);
    stage.0.call(Commit).unwrap();
    stage.done(Outcome::Ended(ErrorCode::TransactionAbortable, None));
    let failure = abortable(ErrorCode::TransactionAbortable);
    assert_eq!(stage.0.take_effects(), [Effect::Threw(Commit, failure)]);
}

#[test]
fn a_gap_is_fatal_if_the_coordinator_was_never_reached() {
    let mut stage = Stage::open(V1);
    stage.0.on_unresolved();
    assert_eq!(stage.0.state(), TransactionState::AbortableError);
    let mut stage = Stage::open(V1);
    stage.0.can_bump = false;
    stage.0.on_unresolved();
    assert_eq!(stage.0.state(), TransactionState::FatalError);
}

#[test]
fn a_call_that_timed_out_has_to_be_repeated_before_any_other() {
    let mut stage = Stage::open(V2);
    stage.0.call(Commit).unwrap();
    let end = stage.0.next(false).unwrap();
    assert_eq!(stage.0.time_out_call(), Some(Commit));
    assert_eq!(stage.0.call(Abort), Err(TransactionError::Pending(Commit)));
    assert_eq!(stage.0.begin(), Err(TransactionError::Pending(Commit)));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, Some(SECOND)));
    stage.0.take_effects();
    assert_eq!(stage.0.begin(), Err(TransactionError::Pending(Commit)), "its result waits");
    stage.0.call(Commit).unwrap();
    assert_eq!(stage.0.take_effects(), [Effect::Returned(Commit)]);
    stage.0.begin().unwrap();
}

#[test]
fn the_protocol_changes_between_transactions_and_an_upgrade_needs_another_epoch() {
    let mut stage = Stage::open(V1);
    stage.0.on_features(20, V2);
    assert!(!stage.0.is_v2());
    stage.0.call(Commit).unwrap();
    let end = stage.sends(Stage::end(FIRST, true, false));
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, None));
    let bump = stage.sends(Request::InitProducerId { named: Some(FIRST) });
    stage.0.on_done(bump, Outcome::Initialized(ErrorCode::None, SECOND));
    assert!(stage.0.is_v2() && stage.0.begin().is_ok());
    stage.0.add(partition(0));
    stage.0.on_features(30, V1);
    stage.0.on_features(25, V2);
    stage.0.call(Commit).unwrap();
    let end = stage.sends(Stage::end(SECOND, true, true));
    let third = Identity { epoch: 2, ..SECOND };
    stage.0.on_done(end, Outcome::Ended(ErrorCode::None, Some(third)));
    assert_eq!(stage.0.next(false), None, "a downgrade needs no other epoch");
    assert!(!stage.0.is_v2() && stage.0.begin().is_ok());
}

#[test]
fn after_an_authorization_error_init_transactions_can_be_repeated() {
    let mut stage = Stage(Transactions::new("transfers".into()));
    stage.0.call(Init).unwrap();
    let error = ErrorCode::TransactionalIdAuthorizationFailed;
    stage.done(Outcome::Initialized(error, Identity::NONE));
    assert_eq!(stage.0.take_effects(), [Effect::Threw(Init, abortable(error))]);
    assert_eq!(stage.0.become_unauthorized(), Some(error));
    stage.0.call(Init).unwrap();
    stage.done(Outcome::Initialized(ErrorCode::None, FIRST));
    assert_eq!(stage.0.take_effects().last(), Some(&Effect::Returned(Init)));
}
