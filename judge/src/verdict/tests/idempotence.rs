//! The state of an idempotent producer that a leader may forget, or has to keep.

use super::{broken, finish, hazards};
use crate::evidence::{Change, FaultKind};
use crate::testing::{CRASHED, History, ORDERS, numbers};
use crate::verdict::Judgement;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};
use machine::Span;

/// The producer's id.
const ID: i64 = 5;

fn history() -> History {
    let mut history = History::new(2);
    history.setup.producers[0].idempotence = true;
    history
}

/// All follow 1 up to its end, and that is committed.
fn replicate(history: &mut History, leader: u16, epoch: i32) {
    let followers: Vec<u16> = (1..=3).filter(|id| *id != leader).collect();
    followers.iter().for_each(|follower| history.follow(*follower, leader, ORDERS));
    history.watermark(leader, &followers, ORDERS, epoch);
}

/// The leader refuses records as out of order, and their producer sends them under another epoch.
fn renumber(history: &mut History, leader: u16, of: &[u64]) {
    let error = ErrorCode::OutOfOrderSequenceNumber;
    history.fact(leader, Fact::ProduceRefused { partition: ORDERS, error });
    history.retry_after(error, ORDERS, of);
    let renumbered = ClientFact::Renumbered { partition: ORDERS, records: of.to_vec() };
    history.client(1001, renumbered);
}

/// Two records are written and replicated, and their answer is lost. What happens to broker 2 then
/// is for `meanwhile`. It leads, refuses the records, and gets them under another epoch.
fn sent_again(meanwhile: &dyn Fn(&mut History)) -> Judgement {
    let mut history = history();
    history.send(ORDERS, &numbers(0..4), -1);
    history.write_as(1, ORDERS, 0, (ID, 0, 0), &numbers(0..2));
    history.write_as(1, ORDERS, 0, (ID, 0, 2), &numbers(2..4));
    replicate(&mut history, 1, 0);
    meanwhile(&mut history);
    history.node(1, CRASHED);
    history.elect(2, 1, &[2, 3], &[]);
    renumber(&mut history, 2, &numbers(0..4));
    history.write_as(2, ORDERS, 1, (ID, 1, 0), &numbers(0..2));
    history.write_as(2, ORDERS, 1, (ID, 1, 2), &numbers(2..4));
    history.follow(3, 2, ORDERS);
    history.watermark(2, &[3], ORDERS, 1);
    history.confirm(2, ORDERS, 4, &numbers(0..4), -1);
    finish(history, 2)
}

#[test]
fn a_broker_that_came_back_knows_the_last_batch_alone() {
    let came_back = |history: &mut History| {
        history.node(2, CRASHED);
        history.node(2, Change::Started);
        history.load(2, ORDERS, 4);
    };
    let judgement = sent_again(&came_back);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("sent-under-another-epoch", 4)]);
    let because = &judgement.permitted[0].because;
    assert!(
        because.starts_with("a snapshot has only the last batch of a producer, broker 2 restarted")
    );
    // Without a start, or with one of another broker, it has to know them.
    assert_eq!(broken(&sent_again(&|_| ())), vec!["stored-once"], "KAFKA-5494");
    let another = |history: &mut History| {
        history.node(3, CRASHED);
        history.node(3, Change::Started);
        history.load(3, ORDERS, 4);
    };
    assert_eq!(broken(&sent_again(&another)), vec!["stored-once"]);
}

/// More batches are in flight to two leaders than one remembers.
#[test]
fn a_leader_remembers_five_batches() {
    let stored = |more: usize| {
        let mut history = history();
        let all = numbers(0..more + 1);
        history.send(ORDERS, &all, -1);
        for (count, number) in all.iter().enumerate() {
            history.write_as(1, ORDERS, 0, (ID, 0, count as i32), &[*number]);
        }
        replicate(&mut history, 1, 0);
        renumber(&mut history, 1, &numbers(0..1));
        history.write_as(1, ORDERS, 0, (ID, 1, 0), &numbers(0..1));
        replicate(&mut history, 1, 0);
        history.confirm(1, ORDERS, more as i64 + 1, &numbers(0..1), -1);
        history.confirm(1, ORDERS, 1, &numbers(1..more + 1), -1);
        finish(history, 1)
    };
    assert_eq!(broken(&stored(5)), Vec::<&str>::new());
    assert_eq!(hazards(&stored(5)), vec![("sent-under-another-epoch", 1)]);
    assert_eq!(broken(&stored(4)), vec!["stored-once"], "KAFKA-5494");
}

#[test]
fn a_copy_is_excused_only_where_its_producer_may_have_been_forgotten() {
    let stored_twice_after = |retries: usize, change: &dyn Fn(&mut History)| {
        let mut history = history();
        change(&mut history);
        history.send(ORDERS, &numbers(0..2), -1);
        for _ in 0..2 {
            history.write_as(1, ORDERS, 0, (ID, 0, 0), &numbers(0..2));
        }
        for _ in 0..retries {
            history.retry(ORDERS, &numbers(0..2));
        }
        replicate(&mut history, 1, 0);
        history.confirm(1, ORDERS, 2, &numbers(0..2), -1);
        finish(history, 1)
    };
    let stored_twice = |change: &dyn Fn(&mut History)| stored_twice_after(1, change);
    let of_log = vec!["sequences-follow", "stored-once"];
    assert_eq!(broken(&stored_twice(&|_| ())), of_log);
    let soon = |history: &mut History| history.setup.producer_id_expiration = Span::millis(5);
    let judgement = stored_twice(&soon);
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    assert!(hazards(&judgement).iter().all(|(hazard, _)| *hazard == "producer-forgotten"));
    assert_eq!(broken(&stored_twice_after(0, &soon)), ["stored-once"], "it was sent once");
    let jumped = |history: &mut History| history.fault(1, FaultKind::ClockJump, true);
    assert_eq!(broken(&stored_twice(&jumped)), Vec::<&str>::new());
}

#[test]
fn records_of_a_killed_producer_may_follow_those_of_the_next_one() {
    let landed = |id: i64, killed: bool| {
        let mut history = history();
        history.send(ORDERS, &numbers(0..1), -1);
        if killed {
            history.node(1001, CRASHED);
            history.node(1001, Change::Started);
        }
        history.send(ORDERS, &numbers(1..2), -1);
        history.write_as(1, ORDERS, 0, (id, 0, 0), &numbers(1..2));
        history.write_as(1, ORDERS, 0, (ID, 0, 0), &numbers(0..1));
        replicate(&mut history, 1, 0);
        if !killed {
            history.confirm(1, ORDERS, 1, &numbers(0..1), -1);
        }
        history.confirm(1, ORDERS, 0, &numbers(1..2), -1);
        finish(history, 1)
    };
    let judgement = landed(6, true);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert!(hazards(&judgement).iter().any(|(hazard, _)| *hazard == "another-session"));
    assert!(broken(&landed(6, false)).contains(&"order-as-sent"), "it was not killed");
    assert!(broken(&landed(ID, true)).contains(&"order-as-sent"), "it is one session");
}

#[test]
fn a_record_that_was_given_up_may_be_there_but_in_its_place() {
    let given_up = |first: usize, second: usize| {
        let mut history = history();
        history.send(ORDERS, &numbers(0..2), -1);
        history.write_as(1, ORDERS, 0, (ID, 0, 0), &numbers(first..first + 1));
        history.write_as(1, ORDERS, 0, (ID, 0, 1), &numbers(second..second + 1));
        replicate(&mut history, 1, 0);
        history.fail_over(1, &numbers(0..1));
        let offset = i64::from(first == 0);
        history.confirm_over(1, Some(offset), &numbers(1..2));
        finish(history, 1)
    };
    let judgement = given_up(0, 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("unknown-outcome-landed", 1)]);
    assert_eq!(broken(&given_up(1, 0)), vec!["order-as-sent"]);
}

/// A leader that takes a batch of a producer that it has forgotten, though it is not the next one
/// (FL-4): the previous one is stored under another epoch.
#[test]
fn a_forgotten_producer_excuses_no_order() {
    let overtaken = |change: &dyn Fn(&mut History)| {
        let mut history = history();
        change(&mut history);
        history.send(ORDERS, &numbers(0..2), -1);
        history.write_as(1, ORDERS, 0, (ID, 0, 1), &numbers(1..2));
        history.retry(ORDERS, &numbers(0..1));
        history.write_as(1, ORDERS, 0, (ID, 1, 0), &numbers(0..1));
        replicate(&mut history, 1, 0);
        history.confirm_over(1, Some(0), &numbers(1..2));
        history.confirm_over(1, Some(1), &numbers(0..1));
        finish(history, 1)
    };
    let order = ["callbacks-in-order", "order-as-sent"];
    assert_eq!(broken(&overtaken(&|_| ())), order);
    let soon = |history: &mut History| history.setup.producer_id_expiration = Span::millis(5);
    assert_eq!(broken(&overtaken(&soon)), order);
}

/// With `--bug FL-4` a new leader confirms a batch although the previous one, which was sent to the
/// previous leader, was never stored.
#[test]
fn a_batch_that_is_given_up_is_called_back_late() {
    let called = |retried: bool, stored: &[usize]| {
        let mut history = history();
        history.send(ORDERS, &numbers(0..2), -1);
        for number in stored {
            let sequence = (ID, 0, *number as i32);
            history.write_as(1, ORDERS, 0, sequence, &numbers(*number..number + 1));
        }
        replicate(&mut history, 1, 0);
        if retried {
            history.retry(ORDERS, &numbers(0..1));
        }
        let offset = stored.iter().position(|number| *number == 1).expect("it is stored");
        history.confirm_over(1, Some(offset as i64), &numbers(1..2));
        history.fail_over(1, &numbers(0..1));
        finish(history, 1)
    };
    let stored = called(true, &[0, 1]);
    let late = hazards(&stored);
    assert!(late.contains(&("given-up-late", 1)), "{late:?}");
    assert_eq!(broken(&stored), Vec::<&str>::new());
    assert_eq!(broken(&called(false, &[0, 1])), vec!["callbacks-in-order"], "not sent again");
    assert_eq!(broken(&called(true, &[1])), vec!["callbacks-in-order"], "never stored");
    assert!(broken(&called(true, &[1, 0])).contains(&"callbacks-in-order"), "stored later");
}

/// Seed 5739 of `swarm`: a batch behind one that is sent again is too large for the log.
#[test]
fn a_batch_that_is_refused_is_called_back_before_an_earlier_one_that_is_sent_again() {
    let refused = |retried: bool, in_flight: u32| {
        let mut history = history();
        history.setup.producers[0].max_in_flight = in_flight;
        history.send(ORDERS, &numbers(0..2), -1);
        if retried {
            history.retry(ORDERS, &numbers(0..1));
        }
        history.refuse_over(1, &numbers(1..2));
        history.write_as(1, ORDERS, 0, (ID, 0, 0), &numbers(0..1));
        replicate(&mut history, 1, 0);
        history.confirm_over(1, Some(0), &numbers(0..1));
        finish(history, 1)
    };
    assert_eq!(broken(&refused(true, 5)), Vec::<&str>::new());
    assert_eq!(hazards(&refused(true, 5)), vec![("refused-early", 1)]);
    assert_eq!(broken(&refused(false, 5)), vec!["callbacks-in-order"]);
    assert_eq!(broken(&refused(true, 1)), vec!["callbacks-in-order"]);
}

/// Seed 300256 of `swarm`: a request times out at the leader, which has its batch and confirms
/// those behind it, sent over the same connection.
#[test]
fn a_duplicate_is_confirmed_after_later_batches() {
    let confirmed = |retried: bool, in_flight: u32, in_place: bool| {
        let mut history = history();
        history.setup.producers[0].max_in_flight = in_flight;
        history.send(ORDERS, &numbers(0..2), -1);
        let (first, second) = if in_place { (0, 1) } else { (1, 0) };
        for (count, number) in [first, second].into_iter().enumerate() {
            let sequence = (ID, 0, count as i32);
            history.write_as(1, ORDERS, 0, sequence, &numbers(number..number + 1));
        }
        replicate(&mut history, 1, 0);
        if retried {
            history.retry(ORDERS, &numbers(0..1));
        }
        history.confirm_over(1, Some(second as i64), &numbers(1..2));
        history.confirm_over(1, Some(first as i64), &numbers(0..1));
        finish(history, 1)
    };
    let late = confirmed(true, 5, true);
    assert_eq!(broken(&late), Vec::<&str>::new(), "{:#?}", late.violations);
    assert_eq!(hazards(&late), vec![("confirmed-late", 1)]);
    assert_eq!(broken(&confirmed(false, 5, true)), vec!["callbacks-in-order"], "not sent again");
    assert_eq!(broken(&confirmed(true, 1, true)), vec!["callbacks-in-order"], "one at a time");
    let moved = confirmed(true, 5, false);
    assert!(broken(&moved).contains(&"callbacks-in-order"), "the log has another order");
}

#[test]
fn batches_that_were_sent_again_are_given_up_in_order() {
    let given_up = |again: &[u64]| {
        let mut history = history();
        history.send(ORDERS, &numbers(0..2), -1);
        history.retry(ORDERS, again);
        history.fail_over(1, &numbers(1..2));
        history.fail_over(1, &numbers(0..1));
        finish(history, 1)
    };
    assert_eq!(hazards(&given_up(&numbers(0..1))), vec![("given-up-late", 1)]);
    assert_eq!(broken(&given_up(&numbers(0..2))), vec!["callbacks-in-order"]);
}
