//! Transactions: what applications are promised, what coordinators decide, and what logs hold.

use super::{names, orders};
use crate::evidence::State;
use crate::testing::{BOTH, History, ID, ORDERS, OTHER, READER, STATES, state_value};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, TransactionOutcome};
use machine::Span;

/// The producer id.
const PID: i64 = 5;

/// A transaction that is committed, one that is aborted, one that is committed again. Both partitions
/// then hold a record and a marker of each: offsets 0 to 5.
fn good() -> History {
    let mut history = History::transactional();
    history.own(1001, (PID, 0));
    history.transaction(0, (PID, 0), true);
    history.transaction(2, (PID, 1), false);
    history.transaction(4, (PID, 2), true);
    history.deliver_without(1002, ORDERS, 6, &[2]);
    history
}

fn finish(mut history: History) -> History {
    history.read_back_without([&[2], &[2]]);
    history
}

/// What the checks find that are about transactions.
fn found(history: &History) -> Vec<(&'static str, &'static str)> {
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

/// A transaction of which its application was told nothing, with these markers.
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
    let half = ["half of a transaction is committed"];
    assert_eq!(atomic(&unknown(true, true, false)), half);
    assert_eq!(atomic(&unknown(true, false, true)), half);
    // An application that never asked for it gets nothing committed, not even all.
    let never = ["a transaction is committed that its application did not commit"];
    assert_eq!(atomic(&unknown(false, true, true)), never);
    assert_eq!(atomic(&unknown(false, false, false)), Vec::<&str>::new());
}

/// A transaction that its application was told the end of, and that ended otherwise in one partition.
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
fn what_an_application_was_told_holds_in_every_partition() {
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
fn a_reader_of_read_committed_is_given_what_is_committed_and_replicated() {
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
    assert_eq!(read(&open), ["open data was delivered"]);
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
    assert_eq!(read(&early), ["data was delivered whose commit was not replicated"]);
    let mut good = history.clone();
    good.marker(ORDERS, (PID, 1), true, 0);
    good.deliver_without(1002, ORDERS, 2, &[]);
    assert_eq!(read(&good), Vec::<&str>::new());
    let mut aborted = history;
    aborted.marker(ORDERS, (PID, 1), false, 0);
    aborted.deliver_without(1002, ORDERS, 2, &[]);
    assert_eq!(read(&aborted), ["aborted data was delivered"]);
}

#[test]
fn a_reader_passes_over_what_is_aborted_and_over_nothing_else() {
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
    // It may have been answered before the transaction began.
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
            "a transaction was open when its producer had been replaced",
            "a transaction is committed whose producer had been replaced"
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

#[test]
fn a_marker_is_what_was_decided_for_its_partition() {
    let wrong = |decision: State, partitions: &[&str], epoch: i16, committed: bool| {
        let mut history = good();
        history.begin_transaction(1001, 6);
        history.state((PID, 3), State::Ongoing, BOTH);
        history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
        history.state((PID, 4), decision, partitions);
        history.marker(ORDERS, (PID, epoch), committed, 0);
        found(&history)
            .contains(&("markers-as-decided", "a marker is not what its coordinator decided"))
    };
    assert!(!wrong(State::PrepareCommit, BOTH, 4, true));
    assert!(!wrong(State::PrepareAbort, BOTH, 4, false));
    assert!(wrong(State::PrepareCommit, BOTH, 4, false));
    assert!(wrong(State::PrepareAbort, BOTH, 4, true));
    assert!(wrong(State::PrepareCommit, BOTH, 5, true));
    assert!(wrong(State::PrepareCommit, &["orders-1"], 4, true));
    assert!(wrong(State::Ongoing, BOTH, 4, true));
}

/// KAFKA-19446: marker n carries the epoch of transaction n + 1.
#[test]
fn a_late_marker_may_end_nothing() {
    let late = |is_open: bool| {
        let mut history = good();
        if is_open {
            history.begin_transaction(1001, 6);
            history.state((PID, 3), State::Ongoing, BOTH);
            history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
        }
        history.marker(ORDERS, (PID, 3), true, 0);
        found(&history)
    };
    assert_eq!(late(false), []);
    let what = "a late marker ended a later transaction";
    assert!(late(true).contains(&("markers-as-decided", what)));
}

#[test]
fn a_coordinator_that_was_replaced_writes_no_marker_after_its_successor() {
    let mut history = good();
    history.begin_transaction(1001, 6);
    history.state((PID, 3), State::Ongoing, BOTH);
    history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
    history.ending(1001, 6, true);
    history.state((PID, 4), State::PrepareCommit, BOTH);
    history.marker(ORDERS, (PID, 4), true, 2);
    assert_eq!(found(&history), []);
    history.marker(ORDERS, (PID, 4), true, 1);
    let what = "a coordinator that had been replaced wrote a marker";
    assert_eq!(found(&history), [("markers-as-decided", what)]);
}

/// What is wrong with these states after the good history, whose last is CompleteCommit of epoch 3.
fn states(of: &[(i16, State)]) -> Vec<&'static str> {
    let mut history = good();
    for (epoch, state) in of {
        let partitions = if *state == State::Ongoing { BOTH } else { &[] };
        history.state((PID, *epoch), *state, partitions);
    }
    let found = found(&history);
    found.iter().filter(|it| it.0 == "coordinator-states").map(|it| it.1).collect()
}

#[test]
fn a_state_of_a_coordinator_follows_the_one_before() {
    use State::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
    for good in [
        &[(4, Empty), (5, Empty), (5, Ongoing), (5, Ongoing)][..],
        &[(3, Ongoing), (4, PrepareCommit), (4, PrepareCommit), (4, CompleteCommit)],
        &[(4, PrepareAbort), (4, CompleteAbort), (4, Ongoing)],
    ] {
        assert_eq!(states(good), Vec::<&str>::new(), "{good:?}");
    }
    let next = "a state of a transaction does not follow the one before";
    assert_eq!(states(&[(4, PrepareCommit)]), [next]);
    assert_eq!(states(&[(3, CompleteAbort)]), [next]);
    assert_eq!(states(&[(3, Ongoing), (4, Empty)]), [next]);
    let decided = "a decision about a transaction does not stand";
    assert_eq!(states(&[(3, Ongoing), (4, PrepareCommit), (4, CompleteAbort)]), [decided]);
    assert_eq!(states(&[(3, Ongoing), (4, PrepareCommit), (4, Ongoing)]), [decided]);
    assert_eq!(states(&[(2, Empty)]), ["the epoch of a transactional id falls"]);
}

/// A coordinator that cannot replicate its record acts after the time-out as if it had not written it.
#[test]
fn a_coordinator_that_gave_up_a_record_may_decide_otherwise() {
    let after = |wait: Span| {
        let mut history = good();
        history.state((PID, 3), State::Ongoing, BOTH);
        history.state_alone((PID, 4), State::PrepareCommit, &[]);
        history.wait(wait);
        history.state((PID, 4), State::PrepareAbort, &[]);
        let judgement = finish(history).judge();
        let hazards: Vec<_> = judgement.permitted.into_iter().map(|it| it.hazard).collect();
        let broken: Vec<_> = judgement.violations.into_iter().map(|it| it.check).collect();
        (hazards, broken)
    };
    assert_eq!(after(Span::secs(10)), (vec!["coordinator-gave-up".to_owned()], vec![]));
    assert_eq!(after(Span::secs(5)), (vec![], vec!["coordinator-states".to_owned()]));
}

#[test]
fn a_transaction_is_complete_when_each_partition_has_its_marker() {
    let complete = |both: bool| {
        let mut history = good();
        history.begin_transaction(1001, 6);
        history.state((PID, 3), State::Ongoing, BOTH);
        history.state((PID, 4), State::PrepareCommit, BOTH);
        history.marker(ORDERS, (PID, 4), true, 0);
        if both {
            history.marker(OTHER, (PID, 4), true, 0);
        }
        history.state((PID, 4), State::CompleteCommit, &[]);
        found(&history)
    };
    assert_eq!(complete(true), []);
    let what = "a transaction is complete without a marker in a partition of it";
    assert_eq!(complete(false), [("coordinator-states", what)]);
}

#[test]
fn a_coordinator_knows_what_its_log_says() {
    let knows = |of: (i64, i16), state: State| {
        let mut history = good();
        history.fact(
            1,
            Fact::TransactionalIdChanged {
                partition: STATES,
                coordinator_epoch: 0,
                transactional_id: ID.into(),
                value: Some(state_value(of, state, &[])),
            },
        );
        history
    };
    assert_eq!(found(&knows((PID, 3), State::CompleteCommit)), []);
    let what = "a coordinator knows something else than its log says";
    let wrong = [("coordinator-knows-its-log", what)];
    assert_eq!(found(&knows((PID, 2), State::CompleteCommit)), wrong);
    assert_eq!(found(&knows((PID, 3), State::Empty)), wrong);
    // What is not replicated yet it does not know either.
    let mut pending = good();
    pending.state_alone((PID, 4), State::Empty, &[]);
    pending.observed.extend(knows((PID, 3), State::CompleteCommit).observed.pop());
    assert_eq!(found(&pending), []);
    let mut loaded = good();
    for (ids, expected) in [(1, &[][..]), (0, &wrong[..])] {
        let mut history = loaded.clone();
        let partition = STATES;
        history.fact(1, Fact::CoordinatorLoaded { partition, coordinator_epoch: 0, ids });
        assert_eq!(found(&history), expected);
    }
    loaded.fact(1, Fact::CoordinatorResigned { partition: STATES, coordinator_epoch: 0 });
    assert_eq!(found(&loaded), []);
}

#[test]
fn a_record_stands_behind_those_that_were_acknowledged_before_it_was_sent() {
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

/// A power loss of as many replicas as `min.insync.replicas` takes a marker, and the next one ends two
/// transactions in its place.
#[test]
fn what_follows_from_a_marker_that_was_lost_with_the_power_is_permitted() {
    let lost = |by_power: bool| {
        let mut history = History::transactional();
        history.own(1001, (PID, 0));
        history.transaction(0, (PID, 0), true);
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
        history.marker_alone(ORDERS, (PID, 2), false, 0);
        history.judge()
    };
    let permitted = lost(true);
    let hazards: Vec<_> = permitted.permitted.iter().map(|it| it.hazard.as_str()).collect();
    assert!(hazards.contains(&"marker-lost"), "{hazards:?} {:?}", permitted.violations);
    let broken = |judgement: &crate::verdict::Judgement| {
        judgement.violations.iter().any(|it| it.check == "all-or-nothing")
    };
    assert!(!broken(&permitted));
    let cut = lost(false);
    assert!(broken(&cut), "{:?} {:?}", cut.permitted, cut.violations);
}
