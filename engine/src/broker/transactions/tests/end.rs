//! EndTxn, state by state, and the record after all markers are written.

use super::super::decide::{End, Ends};
use super::super::state::{Entry, TransactionMetadata};
use super::{NOW, PRODUCER, at_level, entry};
use crate::error::ErrorCode;
use crate::protocol::TransactionState as State;

const STATES: [State; 6] = [
    State::Empty,
    State::Ongoing,
    State::PrepareCommit,
    State::PrepareAbort,
    State::CompleteCommit,
    State::CompleteAbort,
];

/// The expected outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A decision is written, with this state.
    Written(State),
    /// Success: the transaction has ended that way before.
    Done,
    Refused(ErrorCode),
}
use Outcome::{Done, Refused, Written};

const STATE: Outcome = Refused(ErrorCode::InvalidTxnState);
const RETRY: Outcome = Refused(ErrorCode::ConcurrentTransactions);
const FENCED: Outcome = Refused(ErrorCode::ProducerFenced);
const COMMIT: Outcome = Written(State::PrepareCommit);
const ABORT: Outcome = Written(State::PrepareAbort);

fn end(entry: &Entry, producer: (i64, i16), commit: bool, version: u16) -> Result<Ends, ErrorCode> {
    let end = End {
        producer_id: producer.0,
        producer_epoch: producer.1,
        commit,
        client_version: version,
    };
    at_level(2, |decider| decider.end(entry, end, Ok(99)))
}

fn outcome(entry: &Entry, producer: (i64, i16), commit: bool, version: u16) -> Outcome {
    match end(entry, producer, commit, version) {
        Ok(Ends::Write(next)) => Written(next.state),
        Ok(Ends::Already { .. }) => Done,
        Err(error) => Refused(error),
    }
}

#[test]
fn where_transactions_share_an_epoch_the_state_alone_decides() {
    // For each state: commit, abort.
    let table = [
        (STATE, STATE),
        (COMMIT, ABORT),
        (RETRY, STATE),
        (STATE, RETRY),
        (Done, STATE),
        (STATE, Done),
    ];
    for (state, (commit, abort)) in STATES.into_iter().zip(table) {
        let entry = entry(state);
        assert_eq!(outcome(&entry, PRODUCER, true, 0), commit, "commit, {state}");
        assert_eq!(outcome(&entry, PRODUCER, false, 0), abort, "abort, {state}");
        for epoch in [2, 4] {
            assert_eq!(outcome(&entry, (7, epoch), true, 0), FENCED, "epoch {epoch}, {state}");
        }
    }
}

#[test]
fn where_each_transaction_has_an_epoch_a_repeated_request_is_recognized_by_its_epoch() {
    // For each state: commit and abort with the epoch in use, then with the previous one.
    let table = [
        (STATE, ABORT, FENCED, FENCED),
        (COMMIT, ABORT, FENCED, FENCED),
        (FENCED, FENCED, RETRY, STATE),
        (FENCED, FENCED, STATE, RETRY),
        (STATE, ABORT, Done, STATE),
        (STATE, ABORT, STATE, Done),
    ];
    for (state, (commit, abort, commit_again, abort_again)) in STATES.into_iter().zip(table) {
        let entry = entry(state);
        assert_eq!(outcome(&entry, PRODUCER, true, 2), commit, "commit, {state}");
        assert_eq!(outcome(&entry, PRODUCER, false, 2), abort, "abort, {state}");
        assert_eq!(outcome(&entry, (7, 2), true, 2), commit_again, "commit again, {state}");
        assert_eq!(outcome(&entry, (7, 2), false, 2), abort_again, "abort again, {state}");
        for epoch in [1, 4] {
            assert_eq!(outcome(&entry, (7, epoch), true, 2), FENCED, "epoch {epoch}, {state}");
        }
    }
}

#[test]
fn the_order_of_the_checks_is_kafkas() {
    let mut pending = entry(State::PrepareCommit);
    pending.pending = Some(State::CompleteCommit);
    let mapping = Refused(ErrorCode::InvalidProducerIdMapping);
    // With a shared epoch: the producer id, the epoch, the pending record, the state.
    assert_eq!(outcome(&pending, (8, 3), false, 0), mapping);
    assert_eq!(outcome(&pending, (7, 2), false, 0), FENCED);
    assert_eq!(outcome(&pending, PRODUCER, false, 0), RETRY);
    // With an epoch for each transaction, the pending record comes first.
    for producer in [(8, 3), (7, 1), PRODUCER] {
        assert_eq!(outcome(&pending, producer, false, 2), RETRY);
    }
    pending.pending = None;
    assert_eq!(outcome(&pending, (8, 2), true, 2), mapping);
}

#[test]
fn a_decision_bumps_the_epoch_only_under_version_2() {
    let decided = |version| match end(&entry(State::Ongoing), PRODUCER, true, version) {
        Ok(Ends::Write(next)) => next,
        other => panic!("{other:?}"),
    };
    let (first, second) = (decided(0), decided(2));
    assert_eq!((first.producer_epoch, first.last_producer_epoch), (3, -1));
    assert_eq!((second.producer_epoch, second.last_producer_epoch), (4, 3));
    assert_eq!((first.client_version, second.client_version), (0, 2));
    for next in [&first, &second] {
        assert_eq!((next.start_ms, next.last_update_ms), (1_000, NOW));
        assert!(next.contains("orders", 0), "markers go to the partitions of the transaction");
    }
}

#[test]
fn an_abort_without_a_transaction_has_the_present_time_as_its_start() {
    for state in [State::Empty, State::CompleteCommit, State::CompleteAbort] {
        let Ok(Ends::Write(next)) = end(&entry(state), PRODUCER, false, 2) else {
            panic!("{state}")
        };
        assert_eq!((next.state, next.start_ms), (State::PrepareAbort, NOW));
        assert!(next.partitions.is_empty());
    }
}

fn complete(metadata: &TransactionMetadata) -> TransactionMetadata {
    at_level(2, |decider| decider.complete(metadata))
}

#[test]
fn when_all_markers_are_written_the_transaction_is_over() {
    for (from, to) in
        [(State::PrepareCommit, State::CompleteCommit), (State::PrepareAbort, State::CompleteAbort)]
    {
        let decided = entry(from).metadata;
        let next = complete(&decided);
        assert_eq!(next.state, to);
        assert!(next.partitions.is_empty());
        assert_eq!((next.producer_id, next.producer_epoch), PRODUCER);
        assert_eq!((next.start_ms, next.last_update_ms), (1_000, NOW));
    }
}

#[test]
fn the_last_epoch_of_a_producer_id_is_followed_by_another_id_in_epoch_0() {
    let mut open = entry(State::Ongoing);
    open.metadata.producer_epoch = i16::MAX - 1;
    let Ok(Ends::Write(next)) = end(&open, (7, i16::MAX - 1), true, 2) else { panic!("refused") };
    assert_eq!((next.producer_id, next.producer_epoch, next.next_producer_id), (7, i16::MAX, 99));
    let over = complete(&next);
    assert_eq!((over.producer_id, over.producer_epoch, over.next_producer_id), (99, 0, -1));
    assert_eq!((over.last_producer_epoch, over.previous_producer_id), (i16::MAX - 1, 7));

    // The same request again, and one with the opposite decision.
    let over = Entry::new(over);
    let again = end(&over, (7, i16::MAX - 1), true, 2);
    assert_eq!(again, Ok(Ends::Already { producer_id: 99, producer_epoch: 0 }));
    assert_eq!(outcome(&over, (7, i16::MAX - 1), false, 2), STATE);
    // The old producer id in a transaction of the new one.
    let mut open = over.clone();
    let next = open.metadata.to(State::Ongoing);
    open.complete(next);
    let mapping = Refused(ErrorCode::InvalidProducerIdMapping);
    assert_eq!(outcome(&open, (7, i16::MAX - 1), true, 2), mapping);
    // A request of version 1 bumps no epoch.
    let mut first = entry(State::Ongoing);
    first.metadata.producer_epoch = i16::MAX - 1;
    let Ok(Ends::Write(next)) = end(&first, (7, i16::MAX - 1), true, 0) else { panic!("refused") };
    assert_eq!((next.producer_epoch, next.next_producer_id), (i16::MAX - 1, -1));
}

#[test]
fn beyond_the_last_epoch_nothing_ends_a_transaction() {
    // O5: an id that was loaded in this state. Under the default rules no id is, because records
    // name the next producer id.
    let mut open = entry(State::Ongoing);
    open.metadata.producer_epoch = i16::MAX;
    let failed = Refused(ErrorCode::UnknownServerError);
    assert_eq!(outcome(&open, (7, i16::MAX), true, 2), failed);
}

#[test]
fn a_repeated_request_gets_the_response_of_the_first_one() {
    let over = entry(State::CompleteCommit);
    let again = end(&over, (7, 2), true, 2);
    assert_eq!(again, Ok(Ends::Already { producer_id: 7, producer_epoch: 3 }));
    let shared = end(&over, PRODUCER, true, 0);
    assert_eq!(shared, Ok(Ends::Already { producer_id: -1, producer_epoch: -1 }));
}
