//! Transactions: what applications and readers are promised.

use super::{names, orders};
use crate::evidence::State;
use crate::testing::{BOTH, History, ORDERS, OTHER, READER};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, TransactionOutcome};
use machine::Span;

/// The producer id.
pub(super) const PID: i64 = 5;

/// A transaction that is committed, one that is aborted, one that is committed again. Both
/// partitions then hold a record and a marker of each: offsets 0 to 5.
pub(super) fn good() -> History {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.transaction(0, (PID, 0), true);
    history.transaction(2, (PID, 1), false);
    history.transaction(4, (PID, 2), true);
    history.deliver_without(1002, ORDERS, 6, &[2]);
    history
}

pub(super) fn finish(mut history: History) -> History {
    history.read_back_without([&[2], &[2]]);
    history
}

/// The findings of the checks of transactions.
pub(super) fn found(history: &History) -> Vec<(&'static str, &'static str)> {
    let (_, _, findings) = history.run();
    let mut found: Vec<_> = findings.0.iter().map(|it| (it.check, it.what)).collect();
    found.dedup();
    found
}

#[test]
fn good_transactions_keep_every_check_quiet() {
    let history = finish(good());
    assert_eq!(history.findings(), vec![]);
    let judgement = history.judge();
    assert!(judgement.violations.is_empty() && judgement.permitted.is_empty());
    assert!(judgement.unknown.is_empty(), "{:?}", judgement.unknown);
    let counts = judgement.counts;
    assert_eq!((counts.sent, counts.acked, counts.aborted, counts.read), (6, 6, 2, 4));
    assert_eq!((counts.lost, counts.unknown), (0, 0));
}

/// A transaction whose outcome its application did not learn, with these markers.
fn unknown(commit_called: bool, first: bool, second: bool) -> History {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.begin_transaction(1001, 0);
    history.state((PID, 0), State::Ongoing, BOTH);
    history.produce_in(1001, ORDERS, (PID, 0, 0), &[0]);
    history.produce_in(1001, OTHER, (PID, 0, 0), &[1]);
    if commit_called {
        history.ending(1001, 0, true);
    }
    history.marker(ORDERS, (PID, 1), first, 0);
    history.marker(OTHER, (PID, 1), second, 0);
    let hidden = |committed: bool| if committed { &[][..] } else { &[0][..] };
    history.read_back_without([hidden(first), hidden(second)]);
    history
}

#[test]
fn half_of_a_maybe_is_a_violation_and_either_whole_is_not() {
    let atomic = |history: &History| {
        let found = found(history);
        found.iter().filter(|it| it.0 == "all-or-nothing").map(|it| it.1).collect::<Vec<_>>()
    };
    assert_eq!(atomic(&unknown(true, true, true)), Vec::<&str>::new());
    assert_eq!(atomic(&unknown(true, false, false)), Vec::<&str>::new());
    let half = ["only a part of a transaction is committed"];
    assert_eq!(atomic(&unknown(true, true, false)), half);
    assert_eq!(atomic(&unknown(true, false, true)), half);
    // If an application never requested a commit, no record is committed, not even all of them.
    let never = ["a transaction is committed although its application did not commit it"];
    assert_eq!(atomic(&unknown(false, true, true)), never);
    assert_eq!(atomic(&unknown(false, false, false)), Vec::<&str>::new());
}

/// A transaction whose outcome its application learned, and that ended differently in one
/// partition.
fn told(outcome: TransactionOutcome, first: bool, second: bool) -> Vec<&'static str> {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.begin_transaction(1001, 0);
    history.state((PID, 0), State::Ongoing, BOTH);
    history.produce_in(1001, ORDERS, (PID, 0, 0), &[0]);
    history.produce_in(1001, OTHER, (PID, 0, 0), &[1]);
    history.ending(1001, 0, outcome == TransactionOutcome::Committed);
    history.marker(ORDERS, (PID, 1), first, 0);
    history.marker(OTHER, (PID, 1), second, 0);
    history.ended(1001, 0, outcome);
    let hidden = |committed: bool| if committed { &[][..] } else { &[0][..] };
    history.read_back_without([hidden(first), hidden(second)]);
    let found = found(&history);
    found.iter().filter(|it| it.0 == "all-or-nothing").map(|it| it.1).collect()
}

#[test]
fn an_outcome_reported_to_an_application_holds_in_every_partition() {
    use TransactionOutcome::{Aborted, Committed, GivenUp};
    assert_eq!(told(Committed, true, true), Vec::<&str>::new());
    let aborted = ["a record of a committed transaction is aborted"];
    assert_eq!(told(Committed, true, false), aborted);
    assert_eq!(told(Committed, false, true), aborted);
    for outcome in [Aborted, GivenUp] {
        assert_eq!(told(outcome, false, false), Vec::<&str>::new());
        let committed = ["a record of an aborted transaction is committed"];
        assert_eq!(told(outcome, false, true), committed, "{outcome:?}");
        assert_eq!(told(outcome, true, false), committed, "{outcome:?}");
    }
}

/// The client's part: librdkafka committed without what it had given up (museum card 70).
#[test]
fn a_record_that_was_given_up_cannot_be_in_a_committed_transaction() {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.begin_transaction(1001, 0);
    history.produce_in(1001, ORDERS, (PID, 0, 0), &[0]);
    history.client(1001, ClientFact::Sent { record: 1, partition: OTHER, acks: -1 });
    history.client(
        1001,
        ClientFact::Failed {
            partition: Some(OTHER),
            error: ErrorCode::RequestTimedOut,
            maybe_written: false,
            records: vec![1],
            over: None,
        },
    );
    history.state((PID, 0), State::Ongoing, &["orders-0"]);
    history.ending(1001, 0, true);
    history.state((PID, 1), State::PrepareCommit, &["orders-0"]);
    history.marker(ORDERS, (PID, 1), true, 0);
    history.state((PID, 1), State::CompleteCommit, &[]);
    history.ended(1001, 0, TransactionOutcome::Committed);
    history.read_back_without([&[], &[]]);
    let what = "a transaction is committed without a record that its producer gave up";
    assert_eq!(found(&history), [("all-or-nothing", what)]);
}

#[test]
fn a_read_committed_reader_gets_committed_and_replicated_records() {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.begin_transaction(1001, 0);
    history.state((PID, 0), State::Ongoing, BOTH);
    history.produce_in(1001, ORDERS, (PID, 0, 0), &[0]);
    history.produce_in(1001, OTHER, (PID, 0, 0), &[1]);
    let open = {
        let mut history = history.clone();
        history.deliver_without(1002, ORDERS, 1, &[]);
        history
    };
    let read = |history: &History| {
        let found = found(history);
        found.iter().filter(|it| it.0 == "read-committed").map(|it| it.1).collect::<Vec<_>>()
    };
    assert_eq!(read(&open), ["records of an open transaction were delivered"]);
    // The same to one that reads read_uncommitted is permitted, and named.
    let mut dirty = open.clone();
    dirty.setup.read_committed.clear();
    let judgement = dirty.judge();
    let permitted: Vec<_> = judgement.permitted.iter().map(|it| it.hazard.as_str()).collect();
    assert!(permitted.contains(&"read-uncommitted"), "{permitted:?}");
    // The commit marker is in the leader's log alone.
    let mut early = history.clone();
    early.marker_alone(ORDERS, (PID, 1), true, 0);
    early.deliver_without(1002, ORDERS, 2, &[]);
    assert_eq!(read(&early), ["records were delivered whose commit was not replicated"]);
    let mut good = history.clone();
    good.marker(ORDERS, (PID, 1), true, 0);
    good.deliver_without(1002, ORDERS, 2, &[]);
    assert_eq!(read(&good), Vec::<&str>::new());
    let mut aborted = history;
    aborted.marker(ORDERS, (PID, 1), false, 0);
    aborted.deliver_without(1002, ORDERS, 2, &[]);
    assert_eq!(read(&aborted), ["records of an aborted transaction were delivered"]);
}

#[test]
fn a_reader_skips_aborted_records_and_no_others() {
    let skips = |hidden: &[i64], read_committed: bool| {
        let mut history = good();
        if !read_committed {
            history.setup.read_committed.clear();
        }
        history.deliver_without(1003, ORDERS, 6, hidden);
        history.setup.read_committed.insert(machine::NodeId::new(0, READER));
        names(&finish(history)).contains(&"polls-contiguous")
    };
    let with_reader = |hidden: &[i64]| {
        let mut history = good();
        history.setup.read_committed.insert(machine::NodeId::new(0, 1003));
        history.deliver_without(1003, ORDERS, 6, hidden);
        names(&finish(history)).contains(&"polls-contiguous")
    };
    assert!(!with_reader(&[2]));
    assert!(with_reader(&[0, 2]), "offset 0 is committed");
    assert!(skips(&[2], false), "read_uncommitted hides nothing");
}

#[test]
fn the_end_of_a_reader_of_read_committed_is_not_beyond_an_open_transaction() {
    let shown = |offset: i64, asked_before: bool| {
        let mut history = good();
        let (partition, question) = (ORDERS, 1);
        if asked_before {
            history.client(1002, ClientFact::EndAsked { partition, question });
        }
        history.begin_transaction(1001, 6);
        history.state((PID, 3), State::Ongoing, BOTH);
        history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
        if !asked_before {
            history.client(1002, ClientFact::EndAsked { partition, question });
        }
        history.client(1002, ClientFact::EndShown { partition, offset, broker: 1, question });
        found(&history).iter().any(|it| it.0 == "read-committed")
    };
    assert!(!shown(6, false));
    assert!(shown(7, false));
    // The request may have been handled before the transaction began.
    assert!(!shown(7, true));
}

#[test]
fn a_producer_that_was_replaced_commits_nothing_more() {
    let committed = |called_before: bool| {
        let mut history = History::transactional();
        history.own(1001, (PID, 0));
        history.begin_transaction(1001, 0);
        history.state((PID, 0), State::Ongoing, BOTH);
        history.produce_in(1001, ORDERS, (PID, 0, 0), &[0]);
        history.produce_in(1001, OTHER, (PID, 0, 0), &[1]);
        if called_before {
            history.ending(1001, 0, true);
            history.decide((PID, 1), true);
            history.own(1003, (PID, 2));
        } else {
            history.own(1003, (PID, 2));
            history.ending(1001, 0, true);
            history.decide((PID, 2), true);
        }
        history.ended(1001, 0, TransactionOutcome::Committed);
        history.read_back_without([&[], &[]]);
        let found = found(&history);
        found.iter().filter(|it| it.0 == "one-owner").map(|it| it.1).collect::<Vec<_>>()
    };
    assert_eq!(committed(true), Vec::<&str>::new());
    assert_eq!(
        committed(false),
        [
            "a transaction was still open after its producer had been replaced",
            "a transaction is committed although its producer had been replaced"
        ]
    );
}

#[test]
fn a_transaction_that_stays_open_in_a_healed_cluster_is_found() {
    let open = |wait: Span| {
        let mut history = good();
        history.begin_transaction(1001, 6);
        history.state((PID, 3), State::Ongoing, BOTH);
        history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
        history.wait(wait);
        found(&history).iter().any(|it| it.0 == "transactions-end")
    };
    assert!(!open(Span::secs(29)), "20 s of time-outs and 10 s of slack");
    assert!(open(Span::secs(31)));
}

/// KAFKA-19999: all markers are written, and the coordinator gives up before it has learned of it.
#[test]
fn a_decided_transaction_that_is_never_completed_is_found() {
    let found_after = |wait: Span, is_completed: bool| {
        let mut history = good();
        history.state((PID, 3), State::Ongoing, BOTH);
        history.state((PID, 4), State::PrepareCommit, BOTH);
        if is_completed {
            history.state((PID, 4), State::CompleteCommit, &[]);
        }
        history.wait(wait);
        let what = "a transaction was decided and is not completed";
        found(&history).contains(&("transactions-end", what))
    };
    assert!(!found_after(Span::secs(29), false));
    assert!(found_after(Span::secs(31), false));
    assert!(!found_after(Span::secs(31), true));
}

/// Museum, section 4, C21: what is permitted is named.
#[test]
fn a_transaction_is_not_aborted_before_its_time_and_after_it_that_is_named() {
    let aborted = |open_ms: i64, is_in_use: bool| {
        let mut history = good();
        history.state((PID, 3), State::Ongoing, BOTH);
        if is_in_use {
            history.begin_transaction(1001, 6);
        }
        history.time_out((PID, 4), open_ms);
        let judgement = history.judge();
        let broken: Vec<_> = judgement.violations.iter().map(|it| it.check.clone()).collect();
        let permitted: Vec<_> = judgement.permitted.iter().map(|it| it.hazard.clone()).collect();
        (broken.contains(&"transactions-end".to_owned()), permitted)
    };
    assert_eq!(aborted(10_000, true), (true, vec![]));
    assert_eq!(aborted(10_000, false), (true, vec![]));
    assert_eq!(aborted(10_001, true), (false, vec!["transaction-timed-out".to_owned()]));
    assert_eq!(aborted(10_001, false), (false, vec![]));
}

/// C23 of the same.
#[test]
fn a_producer_that_is_fenced_by_one_with_its_id_is_named() {
    let named = |other: u16| {
        let mut history = good();
        history.begin_transaction(1001, 6);
        history.own(other, (PID, 4));
        let (transaction, outcome) = (6, TransactionOutcome::GivenUp);
        let error = Some(ErrorCode::ProducerFenced);
        if other == 1001 {
            history.own(1001, (PID, 5));
        }
        history.client(1001, ClientFact::TransactionEnded { transaction, outcome, error });
        let judgement = history.judge();
        judgement.permitted.iter().any(|it| it.hazard == "shared-transactional-id")
    };
    assert!(named(1003));
    assert!(!named(1001), "it was replaced by itself");
}

#[test]
fn a_record_follows_those_acknowledged_before_it_was_sent() {
    let stands = |swapped: bool| {
        let mut history = History::new(2);
        history.setup.producers.push(history.setup.producers[0]);
        let [first, second] = [0, crate::evidence::records::number(1, 0)];
        // The second producer's record is sent when that of the first is acknowledged.
        history.send(ORDERS, &[first], -1);
        let order = if swapped { [second, first] } else { [first, second] };
        let offset = i64::from(swapped);
        if !swapped {
            history.write(1, ORDERS, 0, &[first]);
        }
        history.confirm(1, ORDERS, offset, &[first], -1);
        history.send(ORDERS, &[second], -1);
        for number in order {
            if swapped || number == second {
                history.write(1, ORDERS, 0, &[number]);
            }
        }
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.watermark(1, &[2, 3], ORDERS, 0);
        let history = super::finish(history, 1);
        history.findings()
    };
    assert!(!stands(false).iter().any(|it| it.0 == "order-in-real-time"));
    assert!(stands(true).contains(&orders("order-in-real-time", 0)));
}

/// Seed 378 of `swarm`: a reader of `read_committed` reads a partition back, of which one of
/// `read_uncommitted` was shown more.
#[test]
fn records_of_open_transactions_need_not_reach_read_committed_readers() {
    let went_back = |other: u16| {
        let mut history = good();
        history.begin_transaction(1001, 6);
        history.state((PID, 3), State::Ongoing, BOTH);
        history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
        let (partition, broker) = (ORDERS, 1);
        let shown = |offset, question| ClientFact::EndShown { partition, offset, broker, question };
        history.client(other, shown(7, 1));
        history.client(READER, ClientFact::EndAsked { partition, question: 2 });
        history.client(READER, shown(6, 2));
        history.client(READER, ClientFact::ReadBack { partition, end: 6 });
        found(&history).iter().any(|it| it.0 == "end-never-back")
    };
    assert!(!went_back(1003), "it reads what is open");
    assert!(went_back(1002));
}
