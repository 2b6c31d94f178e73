//! Consequences of a power loss that deletes records of coordinators: a transaction that remains
//! open, and one that is ended by the marker of another.

use super::{Judgement, broken, hazards};
use crate::evidence::State;
use crate::testing::{BOTH, History, ORDERS, OTHER, READER};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, TransactionOutcome};
use machine::Span;

const PID: i64 = 5;

fn begun() -> History {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.begin_transaction(1001, 0);
    history.state((PID, 0), State::Ongoing, BOTH);
    history.produce_in(1001, ORDERS, (PID, 0, 0), &[0]);
    history
}

fn has(judgement: &Judgement, check: &str) -> bool {
    broken(judgement).contains(&check)
}

/// The coordinator no longer knows the transaction, which therefore remains open. It blocks its
/// producer, and readers, which get no records after its first one.
#[test]
fn a_transaction_lost_by_its_coordinator_blocks_readers_and_its_producer() {
    let open = |by_power: bool| {
        let mut history = begun();
        history.ending(1001, 0, true);
        history.ended(1001, 0, TransactionOutcome::Committed);
        history.produce(&[2]);
        if by_power {
            history.lose_states(1);
        }
        history.wait(Span::secs(40));
        history.lack_behind(ORDERS, PID);
        history.client(READER, ClientFact::ReadBack { partition: ORDERS, end: 0 });
        history.judge()
    };
    let of_it = ["transactions-end", "converges", "acknowledged-survives"];
    let stuck = open(false);
    assert!(of_it.iter().all(|check| has(&stuck, check)), "{:?}", broken(&stuck));
    let lost = open(true);
    assert!(!of_it.iter().any(|check| has(&lost, check)), "{:#?}", lost.violations);
    assert!(hazards(&lost).iter().any(|(hazard, _)| *hazard == "decision-lost"));
}

/// A producer gives up a record, and therefore aborts its transaction. The coordinator, which has
/// lost its state, refuses that, and a commit marker of another transaction commits the written
/// records.
#[test]
fn a_marker_of_a_coordinator_that_lost_its_state_commits_records() {
    let committed = |by_power: bool| {
        let mut history = begun();
        history.client(1001, ClientFact::Sent { record: 1, partition: OTHER, acks: -1 });
        history.ending(1001, 0, true);
        if by_power {
            history.lose_states(1);
        }
        history.client(
            1001,
            ClientFact::Failed {
                partition: Some(OTHER),
                error: ErrorCode::InvalidProducerEpoch,
                maybe_written: true,
                records: vec![1],
                over: None,
            },
        );
        history.ended(1001, 0, TransactionOutcome::Unknown);
        history.marker(ORDERS, (PID, 1), true, 0);
        history.judge()
    };
    assert!(has(&committed(false), "all-or-nothing"));
    let lost = committed(true);
    assert!(!has(&lost, "all-or-nothing"), "{:#?}", lost.violations);
    assert!(hazards(&lost).iter().any(|(hazard, _)| *hazard == "decision-lost"));
}

/// The next transaction gets an epoch that was used before, and a leader treats its batch as a
/// duplicate.
#[test]
fn an_epoch_that_is_used_again_makes_a_record_a_duplicate() {
    let copied = |by_power: bool| {
        let mut history = begun();
        if by_power {
            history.lose_states(1);
        }
        history.own(1001, (PID, 0));
        history.begin_transaction(1001, 2);
        history.client(1001, ClientFact::Sent { record: 2, partition: ORDERS, acks: -1 });
        history.confirm(1, ORDERS, 0, &[2], -1);
        history.ending(1001, 2, true);
        history.ended(1001, 2, TransactionOutcome::Committed);
        history.judge()
    };
    assert!(has(&copied(false), "acknowledged-survives"));
    assert!(!has(&copied(true), "acknowledged-survives"));
}

/// The marker of a transaction is lost, and `read_committed` readers get records only up to its
/// begin, although they had read more before.
#[test]
fn the_last_stable_offset_moves_back_to_a_transaction_open_again() {
    let back = |by_power: bool, to: i64| {
        let mut history = History::transactional();
        history.own(1001, (PID, 0));
        history.transaction(0, (PID, 0), true);
        let shown = ClientFact::EndShown { partition: ORDERS, offset: 1, broker: 1, question: 0 };
        history.client(READER, shown);
        for id in [1, 2, 3] {
            match by_power {
                true => history.lose_power(id, 1),
                false => history.cut(id, ORDERS, 1, 2),
            }
        }
        history.change(Some(None), &[], &[1, 2, 3]);
        history.come_back(1, 50, &[2, 3]);
        history.come_back(2, 51, &[3]);
        history.come_back(3, 52, &[]);
        history.elect(1, 2, &[1], &[]);
        let (partition, broker, question) = (ORDERS, 1, 1);
        history.client(READER, ClientFact::EndAsked { partition, question });
        let offset = to;
        history.client(READER, ClientFact::EndShown { partition, offset, broker, question });
        has(&history.judge(), "end-never-back")
    };
    assert!(!back(true, 0));
    assert!(back(false, 0), "nothing excuses the loss of the marker");
}

/// Seed 330 of `swarm`: a transaction fails while some of its records are in flight and others
/// wait.
#[test]
fn records_never_sent_are_given_up_before_records_in_flight() {
    let called = |in_transaction: bool, sent: bool| {
        let mut history = History::transactional();
        history.own(1001, (PID, 0));
        if in_transaction {
            history.begin_transaction(1001, 0);
            history.state((PID, 0), State::Ongoing, BOTH);
        }
        history.send(ORDERS, &[0, 1], -1);
        match sent {
            true => history.refuse_over(1, &[1]),
            false => history.client(
                1001,
                ClientFact::Failed {
                    partition: Some(ORDERS),
                    error: ErrorCode::TransactionAbortable,
                    maybe_written: false,
                    records: vec![1],
                    over: None,
                },
            ),
        }
        history.write_in(ORDERS, (PID, 0, 0), &[0]);
        history.replicate(ORDERS);
        history.confirm_over(1, Some(0), &[0]);
        let judgement = history.judge();
        let hazards = hazards(&judgement);
        (hazards.contains(&("given-up-unsent", 1)), has(&judgement, "callbacks-in-order"))
    };
    assert_eq!(called(true, false), (true, false));
    assert_eq!(called(true, true), (false, true), "it was on its way");
    assert_eq!(called(false, false), (false, true));
}

/// Seed 614 of `swarm`: abort markers are lost in one partition, in which the next commit marker
/// commits the records that they had aborted. The other partition has the decided outcome.
#[test]
fn half_a_transaction_without_its_marker_is_permitted_by_the_loss() {
    let half = |by_power: bool| {
        let mut history = begun();
        history.produce_in(1001, OTHER, (PID, 0, 0), &[1]);
        history.ending(1001, 0, true);
        history.marker(ORDERS, (PID, 1), false, 0);
        history.marker(OTHER, (PID, 1), false, 0);
        history.ended(1001, 0, TransactionOutcome::Unknown);
        for id in [1, 2, 3] {
            match by_power {
                true => history.lose_power(id, 1),
                false => history.cut(id, ORDERS, 1, 2),
            }
        }
        history.change(Some(None), &[], &[1, 2, 3]);
        history.come_back(1, 50, &[2, 3]);
        history.come_back(2, 51, &[3]);
        history.come_back(3, 52, &[]);
        history.elect(1, 2, &[1], &[]);
        history.marker_alone(ORDERS, (PID, 2), true, 0);
        has(&history.judge(), "all-or-nothing")
    };
    assert!(!half(true));
    assert!(half(false));
}
