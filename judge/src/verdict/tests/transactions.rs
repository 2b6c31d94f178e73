//! The outcomes of transactions, and the sum over accounts.

use crate::evidence::State;
use crate::outcome::{Share, Transactions};
use crate::testing::{BOTH, History, ORDERS, OTHER};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, EndTxnHandled, Fact, TransactionOutcome};
use machine::NodeId;

const PID: i64 = 5;

fn transfers() -> History {
    let mut history = History::transactional();
    history.setup.producers[0].transfers = true;
    history.own(1001, (PID, 0));
    history
}

fn share(transactions: u64, records: u64) -> Share {
    Share { transactions, records }
}

/// Issue 10, line 7: each transaction is in one outcome, with its records.
#[test]
fn transactions_are_counted_by_the_outcome_that_their_application_knows() {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.transaction(0, (PID, 0), true);
    history.transaction(2, (PID, 1), false);
    let mut end = |number: u64, call: Option<bool>, outcome, error| {
        history.begin_transaction(1001, number);
        if let Some(commit) = call {
            history.ending(1001, number, commit);
        }
        let transaction = number;
        history.client(1001, ClientFact::TransactionEnded { transaction, outcome, error });
    };
    let fenced = Some(ErrorCode::ProducerFenced);
    end(4, Some(false), TransactionOutcome::Aborted, Some(ErrorCode::TransactionAbortable));
    end(5, None, TransactionOutcome::GivenUp, fenced);
    end(6, Some(true), TransactionOutcome::Unknown, fenced);
    end(10, Some(true), TransactionOutcome::Unknown, Some(ErrorCode::RequestTimedOut));
    end(7, None, TransactionOutcome::GivenUp, None);
    end(8, None, TransactionOutcome::GivenUp, Some(ErrorCode::UnknownServerError));
    history.begin_transaction(1001, 9);
    let expected = Transactions {
        committed: share(1, 2),
        aborted: share(1, 2),
        aborted_after_error: share(1, 0),
        fenced: share(2, 0),
        unanswered: share(1, 0),
        abandoned: share(1, 0),
        cut_off: share(2, 0),
        maybe: 2,
        maybe_committed: 0,
        errors: [
            ("PRODUCER_FENCED", 2),
            ("REQUEST_TIMED_OUT", 1),
            ("TRANSACTION_ABORTABLE", 1),
            ("UNKNOWN_SERVER_ERROR", 1),
        ]
        .map(|(name, count)| (name.to_owned(), count))
        .into(),
    };
    assert_eq!(history.judge().transactions, expected);
}

#[test]
fn the_sum_over_accounts_holds_if_every_transfer_is_read_whole_or_not_at_all() {
    let mut history = transfers();
    history.transaction(0, (PID, 0), true);
    history.transaction(2, (PID, 1), false);
    history.transaction(4, (PID, 2), true);
    history.read_back_without([&[2], &[2]]);
    let sum = history.judge().sum.expect("there are transfers");
    assert_eq!((sum.expected, sum.read, sum.transfers), (0, Some(0), 2));
    assert!(sum.moved >= 2 && sum.held() == Some(true));
    assert!(History::transactional().judge().sum.is_none());
}

#[test]
fn the_sum_over_accounts_does_not_hold_if_half_a_transfer_is_read() {
    let mut history = transfers();
    history.begin_transaction(1001, 0);
    history.state((PID, 0), State::Ongoing, BOTH);
    history.produce_in(1001, ORDERS, (PID, 0, 0), &[0]);
    history.produce_in(1001, OTHER, (PID, 0, 0), &[1]);
    history.ending(1001, 0, true);
    history.marker(ORDERS, (PID, 1), true, 0);
    history.marker(OTHER, (PID, 1), false, 0);
    let unread = history.judge().sum.expect("there are transfers");
    assert_eq!((unread.read, unread.held()), (None, None));
    history.read_back_without([&[], &[0]]);
    let judgement = history.judge();
    let sum = judgement.sum.expect("there are transfers");
    assert!(sum.held() == Some(false) && sum.read < Some(0), "{sum:?}");
    assert_eq!(judgement.transactions.maybe_committed, 1);
}

/// Two transactions under version 1 of the protocol, both in epoch 0. The EndTxn of the first comes
/// once more and ends the second, which its application aborts.
fn ended_by_a_late_request() -> History {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    let end_txn = |commit, handled| Fact::EndTxnReceived {
        client: NodeId::new(0, 1001),
        transactional_id: "t".into(),
        producer_id: PID,
        producer_epoch: 0,
        commit,
        handled,
    };
    for number in [0, 2] {
        history.begin_transaction(1001, number);
        history.state((PID, 0), State::Ongoing, BOTH);
        history.produce_in(1001, ORDERS, (PID, 0, number as i32), &[number]);
        history.produce_in(1001, OTHER, (PID, 0, number as i32), &[number + 1]);
        if number == 0 {
            history.ending(1001, number, true);
        }
        history.fact(1, end_txn(true, EndTxnHandled::Decides));
        history.decide((PID, 0), true);
        if number == 0 {
            history.ended(1001, number, TransactionOutcome::Committed);
        }
    }
    history.ending(1001, 2, false);
    history.fact(1, end_txn(false, EndTxnHandled::Refused(ErrorCode::InvalidTxnState)));
    let (transaction, error) = (2, Some(ErrorCode::InvalidTxnState));
    let outcome = TransactionOutcome::GivenUp;
    history.client(1001, ClientFact::TransactionEnded { transaction, outcome, error });
    history.read_back_without([&[], &[]]);
    history
}

/// The explanation names the transaction, the requests, the decision, the markers and the bug of
/// Kafka.
#[test]
fn a_violation_of_a_transaction_is_explained_by_its_course() {
    let judgement = ended_by_a_late_request().judge();
    let violation = &judgement.violations[0];
    assert_eq!(violation.check, "all-or-nothing");
    let lines = violation.explanation.join("\n");
    for part in [
        "the transaction that begins with record 0#2: transactional id t, producer 5 in epoch 0, client \
         1001",
        "this is KAFKA-17754: client 1001 had not called commitTransaction when broker 1 received EndTxn \
         (COMMIT)",
        "a late request for an earlier transaction, the one of record 0#0 (called at",
        "with transaction.version=2 each transaction has an epoch of its own",
        "client 1001 called commitTransaction for its previous transaction, which begins with record 0#0",
        "broker 1 received EndTxn (COMMIT) of producer 5 in epoch 0 from client 1001: accepted",
        "broker 1, its coordinator, decided COMMIT, in epoch 0 (__transaction_state-0@",
        "COMMIT markers written: orders-0@3, orders-1@3",
        "client 1001 called abortTransaction",
        "broker 1 received EndTxn (ABORT) of producer 5 in epoch 0 from client 1001: refused with \
         INVALID_TXN_STATE",
        "client 1001 gave it up (INVALID_TXN_STATE)",
    ] {
        assert!(lines.contains(part), "{part}\n{lines}");
    }
}

/// A decision that a producer requested is no late one, and one of the coordinator itself is said
/// to be.
#[test]
fn a_decision_of_the_coordinator_alone_is_not_taken_for_a_late_request() {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.transaction(0, (PID, 0), true);
    history.begin_transaction(1001, 2);
    history.state((PID, 1), State::Ongoing, BOTH);
    history.produce_in(1001, ORDERS, (PID, 1, 0), &[2]);
    history.produce_in(1001, OTHER, (PID, 1, 0), &[3]);
    history.ending(1001, 2, true);
    history.state((PID, 2), State::PrepareAbort, BOTH);
    history.marker(ORDERS, (PID, 2), false, 0);
    history.marker(OTHER, (PID, 2), true, 0);
    history.ended(1001, 2, TransactionOutcome::Committed);
    history.read_back_without([&[2], &[]]);
    let judgement = history.judge();
    let about = |it: &&crate::outcome::Violation| it.check == "all-or-nothing";
    let lines = judgement.violations.iter().find(about).expect("it is half").explanation.join("\n");
    let alone = "decided ABORT without a request of the producer, in epoch 2";
    assert!(lines.contains(alone) && !lines.contains("KAFKA-17754"), "{lines}");
}
