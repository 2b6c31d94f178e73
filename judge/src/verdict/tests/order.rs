//! Copies of records, and records in another order than sent.

use super::{broken, finish, hazards};
use crate::testing::{History, ORDERS, OTHER, numbers};
use crate::verdict::Judgement;
use engine::error::ErrorCode;

#[test]
fn a_duplicate_needs_a_retry_for_each_copy() {
    let copies_after = |retries: usize, error: ErrorCode, idempotence: bool| {
        let mut history = History::new(2);
        history.setup.producers[0].idempotence = idempotence;
        history.send(ORDERS, &numbers(0..1), -1);
        for _ in 0..3 {
            history.write(1, ORDERS, 0, &numbers(0..1));
        }
        for _ in 0..retries {
            history.retry_after(error, ORDERS, &numbers(0..1));
        }
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.watermark(1, &[2, 3], ORDERS, 0);
        history.confirm(1, ORDERS, 2, &numbers(0..1), -1);
        finish(history, 1)
    };
    let copies =
        |retries, idempotence| copies_after(retries, ErrorCode::RequestTimedOut, idempotence);
    // One record, though found twice.
    assert_eq!(hazards(&copies(2, false)), vec![("retry-duplicate", 1)]);
    assert_eq!(copies(2, false).violations.len(), 0);
    // A log that stores a batch twice is not excused by one retry.
    assert_eq!(broken(&copies(1, false)), vec!["stored-once"]);
    assert_eq!(broken(&copies(2, true)), vec!["stored-once"]);
    // A batch that was too large was not written, so its parts are no copies.
    assert_eq!(broken(&copies_after(2, ErrorCode::MessageTooLarge, false)), vec!["stored-once"]);
}

/// A step of a producer, with one of records 0 to 2 of `orders-0` or 10 of `orders-1`.
#[derive(Clone, Copy)]
enum Step {
    Send(usize),
    Retry(usize),
    /// A retry that is reported for another partition than the record's.
    RetryElsewhere(usize),
    Store(usize),
}

/// Each record is a batch; in the end the stored records are confirmed in the order of their
/// offsets.
fn in_turn(steps: &[Step], change: &dyn Fn(&mut History)) -> Judgement {
    let mut history = History::new(2);
    change(&mut history);
    let partition = |count: usize| if count < 10 { ORDERS } else { OTHER };
    let leader = |count: usize| if count < 10 { 1 } else { 2 };
    let of = |count: usize| numbers(count..count + 1);
    let mut stored: Vec<(usize, i64)> = Vec::new();
    for step in steps {
        match *step {
            Step::Send(count) => history.send(partition(count), &of(count), -1),
            Step::Retry(count) => history.retry(partition(count), &of(count)),
            Step::RetryElsewhere(count) => history.retry(OTHER, &of(count)),
            Step::Store(count) => {
                let end = history.end(leader(count), partition(count));
                stored.retain(|(other, _)| *other != count);
                stored.push((count, end));
                history.write(leader(count), partition(count), 0, &of(count));
            }
        }
    }
    for (partition, leader, followers) in [(ORDERS, 1, [2, 3]), (OTHER, 2, [1, 3])] {
        followers.iter().for_each(|it| history.follow(*it, leader, partition));
        history.watermark(leader, &followers, partition, 0);
    }
    for (count, offset) in stored {
        history.confirm(leader(count), partition(count), offset, &of(count), -1);
    }
    finish(history, 1)
}

use Step::{Retry, RetryElsewhere, Send, Store};

#[test]
fn a_reorder_needs_requests_in_flight_and_no_idempotence() {
    let steps = [Send(0), Send(1), Store(1), Retry(0), Store(0)];
    let judgement = in_turn(&steps, &|_| ());
    assert_eq!(hazards(&judgement), vec![("in-flight-reorder", 1)]);
    assert_eq!(judgement.permitted[0].callbacks, 0, "it is in the log");
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    let because = &judgement.permitted[0].because;
    assert!(because.contains("sent again when record 0#1 could be on its way"), "{because}");
    let both = vec!["callbacks-in-order", "order-as-sent"];
    let one = |history: &mut History| history.setup.producers[0].max_in_flight = 1;
    assert_eq!(broken(&in_turn(&steps, &one)), both);
    let idempotent = |history: &mut History| history.setup.producers[0].idempotence = true;
    assert_eq!(broken(&in_turn(&steps, &idempotent)), both);
}

/// The explanation has the brokers that stored each record, the times, and the reasons why the
/// producer sent a record again. Without them it would not show how the record was overtaken.
#[test]
fn an_overtaken_record_is_explained_by_the_path_of_both() {
    let steps = [Send(0), Send(1), Store(1), Retry(0), Retry(0), Store(0)];
    let idempotent = |history: &mut History| history.setup.producers[0].idempotence = true;
    let judgement = in_turn(&steps, &idempotent);
    let order = judgement.violations.iter().find(|it| it.check == "order-as-sent").unwrap();
    let told = order.explanation.join("\n");
    let place = |part: &str| told.find(part).unwrap_or_else(|| panic!("{part:?} not in\n{told}"));
    let overtaker = place("broker 1 appended record 0#1 at orders-0@0 in epoch 0");
    let again = place("the producer sends record 0#0 again, after NETWORK_EXCEPTION: 2 times");
    let own = place("broker 1 appended record 0#0 at orders-0@1 in epoch 0");
    assert!(overtaker < again && again < own, "{told}");
}

/// FL-4: the leader that accepts a later batch first is named with what it lacks.
#[test]
fn a_sequence_that_was_skipped_is_part_of_the_explanation() {
    let mut history = History::new(2);
    history.setup.producers[0].idempotence = true;
    history.send(ORDERS, &numbers(0..3), -1);
    history.write_as(1, ORDERS, 0, (7, 0, 2), &numbers(2..3));
    history.retry_after(ErrorCode::OutOfOrderSequenceNumber, ORDERS, &numbers(0..2));
    history.write_as(1, ORDERS, 0, (7, 1, 0), &numbers(0..2));
    [2, 3].iter().for_each(|it| history.follow(*it, 1, ORDERS));
    history.watermark(1, &[2, 3], ORDERS, 0);
    let judgement = finish(history, 1);
    let order = judgement.violations.iter().find(|it| it.check == "order-as-sent").unwrap();
    let told = order.explanation.join("\n");
    let skipped = "broker 1 accepted a batch of producer 7 in epoch 0, sequence 2 at orders-0@0, \
                   although its log had no sequence 0 to 1 of that epoch";
    assert!(told.contains(skipped), "{told}");
    assert!(told.contains("sends record 0#0 again, after OUT_OF_ORDER_SEQUENCE_NUMBER"), "{told}");
}

#[test]
fn a_reorder_is_permitted_after_a_retry_that_could_be_overtaken() {
    for steps in [
        // The other was in flight, and arrived before or after the retry.
        &[Send(0), Send(1), Store(1), Retry(0), Store(0)][..],
        &[Send(0), Send(1), Retry(0), Store(1), Store(0)],
        // Both failed, and the later one went to the front of the queue.
        &[Send(0), Send(1), Retry(0), Retry(1), Store(1), Store(0)],
        // Sent again twice, and overtaken at the second time.
        &[Send(0), Retry(0), Send(1), Store(1), Retry(0), Store(0)],
        // Stored behind the record that overtook it, and again because of a lost response.
        &[Send(0), Send(1), Retry(0), Store(1), Store(0), Retry(0), Store(0)],
    ] {
        let judgement = in_turn(steps, &|_| ());
        assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
        assert!(hazards(&judgement).contains(&("in-flight-reorder", 1)));
    }
}

#[test]
fn a_reorder_is_not_excused_by_a_retry_that_overtook_nothing() {
    for steps in [
        // None at all; of the batch that came first; of a third one.
        &[Send(0), Send(1), Store(1), Store(0)][..],
        &[Send(0), Send(1), Retry(1), Store(1), Store(0)],
        &[Send(0), Send(1), Send(2), Retry(2), Store(1), Store(0), Store(2)],
        // In another partition: a retry of a batch there, or reported for that partition.
        &[Send(0), Send(10), Send(1), Retry(10), Store(10), Store(1), Store(0)],
        &[Send(0), Send(1), RetryElsewhere(0), Store(1), Store(0)],
        // When the record was in the log already.
        &[Send(0), Send(1), Store(1), Store(0), Retry(0)],
        // Before the record that overtook it was passed to the producer, which queues that behind.
        &[Send(0), Retry(0), Send(1), Store(1), Store(0)],
        // One could overtake it, another one could not.
        &[Send(0), Send(1), Retry(0), Send(2), Store(1), Store(2), Store(0)],
    ] {
        let judgement = in_turn(steps, &|_| ());
        assert!(broken(&judgement).contains(&"order-as-sent"), "{:#?}", judgement.permitted);
    }
}

/// Records sent over connection 1, then 2, which are called back or stored in the opposite order.
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
fn with_acks_0_records_over_another_connection_may_overtake() {
    let stored = |connections: [u32; 2]| {
        let mut history = over_two(0);
        history.confirm_over(connections[0], None, &numbers(0..2));
        history.confirm_over(connections[1], None, &numbers(2..4));
        finish(history, 1)
    };
    let judgement = stored([1, 2]);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("acks0-overtaken", 2)]);
    // A broker that handles the requests of one connection out of order.
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
    assert!(
        because
            .ends_with("the record was sent over connection 1, what overtook it over connection 2"),
        "{because}"
    );
    // A client that completes requests of one connection out of order.
    assert_eq!(broken(&called_back([1, 1], &|_| ())), vec!["callbacks-in-order"]);
    let one = |history: &mut History| history.setup.producers[0].max_in_flight = 1;
    assert_eq!(broken(&called_back([1, 2], &one)), vec!["callbacks-in-order"]);
    // Sequences keep the order in the log, and not that of responses over two connections.
    let idempotent = |history: &mut History| history.setup.producers[0].idempotence = true;
    assert_eq!(broken(&called_back([1, 2], &idempotent)), Vec::<&str>::new());
    assert_eq!(broken(&called_back([1, 1], &idempotent)), vec!["callbacks-in-order"]);
}

#[test]
fn a_batch_without_response_from_an_isolated_leader_fails_after_later_ones_are_confirmed() {
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

/// Two batches time out together and are sent again in turn, while a later one is confirmed over
/// another connection.
#[test]
fn a_callback_is_overtaken_on_its_own_connection_and_on_another() {
    let run = |retried: bool| {
        let mut history = History::new(1);
        history.change(None, &[1], &[]);
        history.send(ORDERS, &numbers(0..2), 1);
        if retried {
            history.retry(ORDERS, &numbers(0..1));
            history.retry(ORDERS, &numbers(1..2));
        }
        history.send(ORDERS, &numbers(2..3), 1);
        for (over, offset, count) in [(2, 0, 2), (7, 1, 1), (7, 2, 0)] {
            history.write(1, ORDERS, 0, &numbers(count..count + 1));
            history.confirm_over(over, Some(offset), &numbers(count..count + 1));
        }
        let mut found = broken(&finish(history, 1)).iter().map(|it| (*it).to_owned()).collect();
        Vec::<String>::retain(&mut found, |check| check == "callbacks-in-order");
        found
    };
    assert_eq!(run(true), Vec::<String>::new());
    assert_eq!(run(false), ["callbacks-in-order"]);
}

/// 1 is replaced by 2 while a batch is on its way to 1, and leads again when the batch arrives.
#[test]
fn a_delayed_batch_may_be_stored_by_a_leader_that_leads_again() {
    let stored = |connections: [u32; 2], last: u16, idempotence: bool| {
        let mut history = History::new(2);
        history.setup.producers[0].idempotence = idempotence;
        history.send(ORDERS, &numbers(0..4), -1);
        history.elect(2, 1, &[1, 2, 3], &[]);
        history.write(2, ORDERS, 1, &numbers(2..4));
        history.follow(1, 2, ORDERS);
        history.follow(3, 2, ORDERS);
        history.elect(last, 2, &[1, 2, 3], &[]);
        history.write(last, ORDERS, 2, &numbers(0..2));
        history.confirm_over(connections[1], Some(0), &numbers(2..4));
        history.confirm_over(connections[0], Some(2), &numbers(0..2));
        finish(history, last)
    };
    let judgement = stored([1, 2], 1, false);
    assert!(hazards(&judgement).contains(&("leader-again", 2)), "{:#?}", judgement.permitted);
    assert!(!broken(&judgement).contains(&"order-as-sent"), "{:#?}", judgement.violations);
    assert!(broken(&stored([1, 2], 3, false)).contains(&"order-as-sent"), "it led never");
    assert!(broken(&stored([1, 1], 1, false)).contains(&"order-as-sent"), "one connection");
    assert!(broken(&stored([1, 2], 1, true)).contains(&"order-as-sent"), "idempotence");
}
