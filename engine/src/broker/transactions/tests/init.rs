//! InitProducerId, AddPartitionsToTxn, and aborts by the coordinator.

use super::super::decide::{Init, Initialized};
use super::super::state::{Entry, TransactionMetadata, may_follow};
use super::{NOW, PRODUCER, at_level, entry};
use crate::error::ErrorCode;
use crate::protocol::TransactionState as State;
use std::sync::Arc;

/// A new producer id.
const NEW_ID: Result<i64, ErrorCode> = Ok(99);

fn init(entry: &Entry, named: Option<(i64, i16)>) -> Result<Initialized, ErrorCode> {
    at_level(2, |decider| decider.init(entry, Init { named, timeout_ms: 5_000 }, NEW_ID))
}

/// The producer id, epoch and last epoch that are written.
fn given(entry: &Entry, named: Option<(i64, i16)>) -> Result<(i64, i16, i16), ErrorCode> {
    match init(entry, named)? {
        Initialized::Write(next) => {
            assert_eq!(next.state, State::Empty);
            assert!(next.partitions.is_empty() && next.start_ms == -1);
            assert_eq!((next.timeout_ms, next.last_update_ms), (5_000, NOW));
            assert_eq!(next.previous_producer_id, entry.metadata.producer_id);
            Ok((next.producer_id, next.producer_epoch, next.last_producer_epoch))
        }
        Initialized::AbortFirst => panic!("nothing is open"),
    }
}

#[test]
fn a_new_transactional_id_begins_in_epoch_0_for_any_requested_epoch() {
    let new = Entry::new(TransactionMetadata::new(7, 60_000, 0));
    assert_eq!(given(&new, None), Ok((7, 0, -1)));
    assert_eq!(given(&new, Some((1234, 5))), Ok((7, 0, -1)));
}

#[test]
fn a_new_instance_and_one_that_names_the_epoch_in_use_get_the_next_epoch() {
    for state in [State::Empty, State::CompleteCommit, State::CompleteAbort] {
        let known = entry(state);
        assert_eq!(given(&known, None), Ok((7, 4, -1)), "{state}");
        assert_eq!(given(&known, Some(PRODUCER)), Ok((7, 4, 3)), "{state}");
    }
}

#[test]
fn an_instance_that_names_the_epoch_before_gets_the_same_response_and_any_other_is_fenced() {
    let mut known = entry(State::Empty);
    known.metadata.last_producer_epoch = 2;
    assert_eq!(given(&known, Some((7, 2))), Ok((7, 3, 2)), "its response was lost");
    for named in [(7, 1), (7, 4), (8, 3)] {
        assert_eq!(init(&known, Some(named)), Err(ErrorCode::ProducerFenced), "{named:?}");
    }
}

#[test]
fn when_the_epochs_are_exhausted_another_producer_id_follows() {
    for epoch in [i16::MAX - 1, i16::MAX] {
        let mut known = entry(State::CompleteCommit);
        known.metadata.producer_epoch = epoch;
        assert_eq!(given(&known, None), Ok((99, 0, -1)));
        assert_eq!(given(&known, Some((7, epoch))), Ok((99, 0, epoch)));
        // Kafka's coordinator fails with an exception.
        let stale = Some((7, epoch - 1));
        assert_eq!(init(&known, stale), Err(ErrorCode::UnknownServerError));
    }
}

#[test]
fn a_repeated_request_across_a_change_of_producer_id_gets_the_same_response() {
    let mut known = entry(State::Empty);
    known.metadata.producer_epoch = 0;
    known.metadata.previous_producer_id = 6;
    known.metadata.last_producer_epoch = i16::MAX - 1;
    assert_eq!(given(&known, Some((6, i16::MAX - 1))), Ok((7, 0, i16::MAX - 1)));
    assert_eq!(init(&known, Some((6, i16::MAX - 2))), Err(ErrorCode::ProducerFenced));
}

#[test]
fn a_producer_retries_while_a_record_is_pending_or_a_transaction_is_decided() {
    let mut pending = entry(State::Empty);
    pending.pending = Some(State::Ongoing);
    // The pending record is checked before the producer.
    for named in [None, Some((8, 3))] {
        assert_eq!(init(&pending, named), Err(ErrorCode::ConcurrentTransactions));
    }
    for state in [State::PrepareCommit, State::PrepareAbort] {
        assert_eq!(init(&entry(state), None), Err(ErrorCode::ConcurrentTransactions));
        assert_eq!(init(&entry(state), Some((8, 3))), Err(ErrorCode::ProducerFenced));
    }
}

#[test]
fn an_open_transaction_is_aborted_first_even_for_a_stale_epoch_but_not_for_another_id() {
    let open = entry(State::Ongoing);
    for named in [None, Some(PRODUCER), Some((7, 0))] {
        assert_eq!(init(&open, named), Ok(Initialized::AbortFirst), "{named:?}");
    }
    assert_eq!(init(&open, Some((8, 3))), Err(ErrorCode::ProducerFenced));
}

#[test]
fn an_abort_by_the_coordinator_takes_the_next_epoch_and_keeps_the_last_one_at_level_2() {
    let open = entry(State::Ongoing);
    for level in [0, 1, 2] {
        let next = at_level(level, |decider| decider.abort(&open)).unwrap();
        assert_eq!((next.state, next.producer_epoch), (State::PrepareAbort, 4));
        let last_epoch = if level == 2 { 3 } else { -1 };
        assert_eq!(next.last_producer_epoch, last_epoch, "level {level}");
        assert_eq!(next.client_version, if level == 2 { 2 } else { 0 });
        assert_eq!((next.start_ms, next.last_update_ms), (1_000, NOW));
        assert_eq!(next.partitions, open.metadata.partitions);
    }
}

#[test]
fn after_an_abort_that_was_not_written_the_next_attempt_keeps_its_epoch_below_level_2() {
    let mut open = entry(State::Ongoing);
    open.fence_failed = true;
    let epoch = |level| at_level(level, |decider| decider.abort(&open)).unwrap().producer_epoch;
    assert_eq!((epoch(1), epoch(2)), (3, 4));
    let mut last = entry(State::Ongoing);
    last.metadata.producer_epoch = i16::MAX - 1;
    assert_eq!(at_level(2, |decider| decider.abort(&last)).unwrap().producer_epoch, i16::MAX);
    last.metadata.producer_epoch = i16::MAX;
    let refused = at_level(2, |decider| decider.abort(&last));
    assert_eq!(refused, Err(ErrorCode::UnknownServerError));
}

fn names(indexes: &[i32]) -> Vec<(Arc<str>, i32)> {
    indexes.iter().map(|index| (Arc::from("orders"), *index)).collect()
}

fn add(
    entry: &Entry,
    producer: (i64, i16),
    indexes: &[i32],
) -> Result<Option<TransactionMetadata>, ErrorCode> {
    at_level(2, |decider| decider.add(entry, producer, &names(indexes), 2))
}

#[test]
fn the_first_partition_opens_a_transaction_and_further_ones_keep_its_start() {
    for state in [State::Empty, State::CompleteCommit, State::CompleteAbort] {
        let next = add(&entry(state), PRODUCER, &[4]).unwrap().expect("it is written");
        assert_eq!((next.state, next.start_ms, next.client_version), (State::Ongoing, NOW, 2));
        assert!(next.contains("orders", 4) && !next.contains("orders", 0));
        assert_eq!((next.producer_id, next.producer_epoch), PRODUCER);
    }
    let next = add(&entry(State::Ongoing), PRODUCER, &[4]).unwrap().expect("it is written");
    assert_eq!((next.start_ms, next.last_update_ms), (1_000, NOW));
    assert!(next.contains("orders", 4) && next.contains("orders", 0));
    assert_eq!(
        add(&entry(State::Ongoing), PRODUCER, &[0]),
        Ok(None),
        "the partition is there already"
    );
    // A transaction can be opened without any partition.
    let next = add(&entry(State::Empty), PRODUCER, &[]).unwrap().expect("it is written");
    assert!(next.state == State::Ongoing && next.partitions.is_empty());
}

#[test]
fn partitions_are_added_by_the_producer_in_use_and_not_after_a_decision() {
    let open = entry(State::Ongoing);
    assert_eq!(add(&open, (8, 3), &[1]), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(add(&open, (7, 2), &[1]), Err(ErrorCode::ProducerFenced));
    assert_eq!(add(&open, (7, 4), &[1]), Err(ErrorCode::ProducerFenced));
    let mut pending = entry(State::Ongoing);
    pending.pending = Some(State::Ongoing);
    assert_eq!(add(&pending, (8, 3), &[1]), Err(ErrorCode::ConcurrentTransactions), "first");
    for state in [State::PrepareCommit, State::PrepareAbort] {
        let decided = entry(state);
        assert_eq!(add(&decided, PRODUCER, &[1]), Err(ErrorCode::ConcurrentTransactions));
        assert_eq!(add(&decided, (7, 2), &[1]), Err(ErrorCode::ProducerFenced));
    }
}

#[test]
fn verification_checks_the_producer_and_the_state_but_not_pending_records() {
    let verify = |entry: &Entry, producer| at_level(2, |decider| decider.verify(entry, producer));
    let mut open = entry(State::Ongoing);
    open.pending = Some(State::PrepareCommit);
    assert_eq!(verify(&open, PRODUCER), Ok(()));
    assert_eq!(verify(&entry(State::Empty), PRODUCER), Ok(()));
    assert_eq!(verify(&open, (8, 3)), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(verify(&open, (7, 2)), Err(ErrorCode::ProducerFenced));
    let decided = verify(&entry(State::PrepareAbort), PRODUCER);
    assert_eq!(decided, Err(ErrorCode::ConcurrentTransactions));
}

#[test]
fn each_state_has_kafkas_valid_previous_states() {
    let before =
        |to| State::ALL.into_iter().filter(|from| may_follow(*from, to)).collect::<Vec<_>>();
    let over = vec![State::Empty, State::CompleteCommit, State::CompleteAbort];
    assert_eq!(before(State::Empty), over);
    assert_eq!(before(State::Dead), over);
    let open = [State::Empty, State::Ongoing, State::CompleteCommit, State::CompleteAbort];
    assert_eq!(before(State::Ongoing), open);
    assert_eq!(before(State::PrepareCommit), [State::Ongoing]);
    assert_eq!(before(State::PrepareAbort), open);
    assert_eq!(before(State::PrepareEpochFence), [State::Ongoing]);
    assert_eq!(before(State::CompleteCommit), [State::PrepareCommit]);
    assert_eq!(before(State::CompleteAbort), [State::PrepareAbort]);
}

#[test]
fn a_record_whose_state_cannot_follow_is_refused() {
    let mut known = entry(State::Empty);
    let wrong = known.metadata.to(State::PrepareCommit);
    assert_eq!(known.begin(&wrong), Err(ErrorCode::UnknownServerError));
    assert_eq!(known.pending, None);
    let next = known.metadata.to(State::Ongoing);
    assert_eq!(known.begin(&next), Ok(()));
    assert_eq!(known.begin(&next), Err(ErrorCode::UnknownServerError), "one at a time");
    known.complete(next.clone());
    assert_eq!((known.metadata, known.pending), (next, None));
}
