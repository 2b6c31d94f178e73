//! Copies, and what comes in another order than it was sent.

use super::{broken, finish, hazards};
use crate::evidence::testing::{History, ORDERS, numbers};

#[test]
fn a_duplicate_needs_a_retry_for_each_copy() {
    let copies = |retries: usize, idempotence: bool| {
        let mut history = History::new(2);
        history.setup.producers[0].idempotence = idempotence;
        history.send(ORDERS, &numbers(0..1), -1);
        for _ in 0..3 {
            history.write(1, ORDERS, 0, &numbers(0..1));
        }
        for _ in 0..retries {
            history.retry(ORDERS, &numbers(0..1));
        }
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.watermark(1, &[2, 3], ORDERS, 0);
        history.confirm(1, ORDERS, 2, &numbers(0..1), -1);
        finish(history, 1)
    };
    // One record, though found twice.
    assert_eq!(hazards(&copies(2, false)), vec![("retry-duplicate", 1)]);
    assert_eq!(copies(2, false).violations.len(), 0);
    // A log that stores a batch twice is not excused by one retry.
    assert_eq!(broken(&copies(1, false)), vec!["stored-once"]);
    assert_eq!(broken(&copies(2, true)), vec!["stored-once"]);
}

#[test]
fn a_reorder_needs_a_retry_and_requests_in_flight() {
    let overtaken = |retry: bool, in_flight: u32| {
        let mut history = History::new(2);
        history.setup.producers[0].max_in_flight = in_flight;
        history.send(ORDERS, &numbers(0..2), -1);
        if retry {
            history.retry(ORDERS, &numbers(0..1));
        }
        history.write(1, ORDERS, 0, &numbers(1..2));
        history.write(1, ORDERS, 0, &numbers(0..1));
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.watermark(1, &[2, 3], ORDERS, 0);
        history.confirm(1, ORDERS, 1, &numbers(0..1), -1);
        history.confirm(1, ORDERS, 0, &numbers(1..2), -1);
        finish(history, 1)
    };
    let judgement = overtaken(true, 5);
    assert_eq!(hazards(&judgement), vec![("in-flight-reorder", 1)]);
    assert_eq!(judgement.permitted[0].callbacks, 0, "it is in the log");
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    assert_eq!(broken(&overtaken(false, 5)), vec!["order-as-sent"]);
    assert_eq!(broken(&overtaken(true, 1)), vec!["order-as-sent"]);
}

/// Sent over connections 1 and 2 in turn, and called back or stored the other way round.
fn over_two(acks: i16) -> History {
    let mut history = History::new(2);
    history.send(ORDERS, &numbers(0..4), acks);
    for of in [numbers(2..4), numbers(0..2)] {
        history.write(1, ORDERS, 0, &of);
    }
    history.follow(2, 1, ORDERS);
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[2, 3], ORDERS, 0);
    history
}

#[test]
fn without_acks_only_another_connection_may_overtake() {
    let stored = |connections: [u32; 2]| {
        let mut history = over_two(0);
        history.confirm_over(connections[0], None, &numbers(0..2));
        history.confirm_over(connections[1], None, &numbers(2..4));
        finish(history, 1)
    };
    let judgement = stored([1, 2]);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("acks0-overtaken", 2)]);
    // A broker that takes the requests of one connection out of order.
    assert_eq!(broken(&stored([1, 1])), vec!["order-as-sent"]);
    // The same behind another connection, which hides it.
    let log = [numbers(4..5), numbers(2..4), numbers(0..2)];
    let mut hidden = History::new(2);
    hidden.send(ORDERS, &numbers(0..5), 0);
    hidden.confirm_over(1, None, &numbers(0..4));
    hidden.confirm_over(2, None, &numbers(4..5));
    log.iter().for_each(|of| hidden.write(1, ORDERS, 0, of));
    hidden.follow(2, 1, ORDERS);
    hidden.follow(3, 1, ORDERS);
    hidden.watermark(1, &[2, 3], ORDERS, 0);
    let judgement = finish(hidden, 1);
    assert_eq!(hazards(&judgement), vec![("acks0-overtaken", 2)]);
    assert_eq!(broken(&judgement), vec!["order-as-sent"]);
}

#[test]
fn with_acks_another_connection_excuses_no_order_in_the_log() {
    let mut history = over_two(1);
    history.confirm_over(1, Some(2), &numbers(0..2));
    history.confirm_over(2, Some(0), &numbers(2..4));
    assert_eq!(broken(&finish(history, 1)), vec!["order-as-sent"]);
}

#[test]
fn callbacks_over_two_connections_may_pass_each_other() {
    let called_back = |connections: [u32; 2], change: &dyn Fn(&mut History)| {
        let mut history = History::new(2);
        change(&mut history);
        history.send(ORDERS, &numbers(0..4), -1);
        history.write(1, ORDERS, 0, &numbers(0..4));
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.watermark(1, &[2, 3], ORDERS, 0);
        history.confirm_over(connections[1], Some(2), &numbers(2..4));
        history.confirm_over(connections[0], Some(0), &numbers(0..2));
        finish(history, 1)
    };
    let judgement = called_back([1, 2], &|_| ());
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("callback-overtaken", 2)]);
    assert_eq!(judgement.permitted[0].callbacks, 2, "the log is in order");
    let because = &judgement.permitted[0].because;
    assert!(because.ends_with("was sent over connection 1, the other one over 2"), "{because}");
    // A client that completes what one connection brought out of order.
    assert_eq!(broken(&called_back([1, 1], &|_| ())), vec!["callbacks-in-order"]);
    let one = |history: &mut History| history.setup.producers[0].max_in_flight = 1;
    assert_eq!(broken(&called_back([1, 2], &one)), vec!["callbacks-in-order"]);
    let idempotent = |history: &mut History| history.setup.producers[0].idempotence = true;
    assert_eq!(broken(&called_back([1, 2], &idempotent)), vec!["callbacks-in-order"]);
}

#[test]
fn what_a_cut_off_leader_never_answers_fails_after_what_the_next_one_confirms() {
    let failed = |over: u32| {
        let mut history = History::new(2);
        history.send(ORDERS, &numbers(0..4), -1);
        history.write(1, ORDERS, 0, &numbers(2..4));
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.watermark(1, &[2, 3], ORDERS, 0);
        history.confirm_over(2, Some(0), &numbers(2..4));
        history.fail_over(over, &numbers(0..2));
        finish(history, 1)
    };
    let judgement = failed(1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("callback-overtaken", 2)]);
    assert_eq!(broken(&failed(2)), vec!["callbacks-in-order"]);
}
