//! Lives of brokers: registration, sessions, and a change of the active controller.

use super::bench::{Bench, assigned};
use crate::error::ErrorCode;
use crate::ids::BrokerId;
use crate::metadata::MetadataRecord;
use crate::rules::Rules;
use crate::timer::ControllerTimer;
use machine::{Mono, Span};

#[test]
fn the_epoch_of_a_broker_is_the_offset_of_its_registration_and_stays_the_same() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let first = bench.register(1, 10, None).unwrap();
    assert!(matches!(bench.log[first as usize], MetadataRecord::RegisterBroker(_)));
    assert!(bench.active.image.broker(1).unwrap().fenced, "each life begins fenced");
    assert_eq!(bench.register(1, 10, None), Ok(first), "KAFKA-16952");
    bench.beat(1, false);
    assert_eq!(bench.register(1, 10, None), Ok(first));
    assert!(!bench.active.image.broker(1).unwrap().fenced, "a repetition changes nothing");

    bench.end_sessions();
    let second = bench.register(1, 11, Some(first)).unwrap();
    assert!(second > first);
    assert!(matches!(bench.log[second as usize], MetadataRecord::RegisterBroker(_)));
}

#[test]
fn the_epoch_is_the_offset_of_the_first_record_when_the_last_life_has_to_be_cleaned_up() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), &[]);
    bench.end_sessions();
    let epoch = bench.register(1, 11, None).unwrap();
    assert!(matches!(bench.log[epoch as usize], MetadataRecord::PartitionChange(_)));
    assert!(!bench.state(partition).isr.contains(&1));
    let registered_at = bench.active.image.broker(1).unwrap().registered_at;
    assert_eq!(registered_at, epoch + 1, "the registration comes last");
    assert_eq!(bench.log.len() as i64, registered_at + 1);
}

#[test]
fn another_life_has_to_wait_for_the_session_of_the_last() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let first = bench.start(1, 10, None);
    bench.now += bench.config.session_timeout;
    let duplicate = Err(ErrorCode::DuplicateBrokerRegistration);
    assert_eq!(bench.register(1, 11, Some(first)), duplicate);
    bench.now += Span(1);
    let second = bench.register(1, 11, Some(first)).unwrap();
    // Only heartbeats make a session.
    let third = bench.register(1, 12, Some(second));
    assert!(third.is_ok_and(|third| third > second));
}

#[test]
fn a_broker_that_was_shut_down_cleanly_has_to_wait_for_the_end_of_its_session_too() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let epoch = bench.start(1, 10, None);
    bench.create(vec![assigned("orders", &[&[1]], &[])]);
    assert!(!bench.beat(1, true).should_shut_down, "it leads");
    let duplicate = Err(ErrorCode::DuplicateBrokerRegistration);
    assert_eq!(bench.register(1, 11, Some(epoch)), duplicate, "it is still shutting down");
    assert!(bench.beat(1, true).should_shut_down);
    bench.now += bench.config.session_timeout;
    assert_eq!(bench.register(1, 11, Some(epoch)), duplicate, "it has shut down");
    bench.now += Span(1);
    assert!(bench.register(1, 11, Some(epoch)).is_ok());
}

#[test]
fn a_controlled_shutdown_waits_for_the_next_heartbeat_of_a_broker_that_was_just_unfenced() {
    let mut bench = Bench::new(Rules::kafka(), true);
    for broker in 1..=3 {
        bench.start(broker, 1, None);
    }
    bench.create(vec![assigned("orders", &[&[1, 2]], &[])]);
    bench.beat(2, false);
    assert!(!bench.beat(1, true).should_shut_down, "it leads");
    bench.beat(2, false);
    assert!(!bench.beat(1, true).should_shut_down, "the offset of 3 is not known again yet");
    bench.beat(3, false);
    assert!(bench.beat(1, true).should_shut_down);
}

#[test]
fn a_broker_is_unfenced_when_it_has_applied_its_own_registration() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let epoch = bench.register(1, 10, None).unwrap();
    let early = bench.beat_at(1, epoch - 1, false);
    assert!(early.is_fenced && !early.is_caught_up);
    let late = bench.beat_at(1, epoch, false);
    assert!(!late.is_fenced && late.is_caught_up);
}

/// The checks that find an expired session: their times in milliseconds after `from`, and the
/// brokers that are fenced afterwards.
fn passes(bench: &mut Bench, from: Mono, until: Span) -> Vec<(u64, Vec<BrokerId>)> {
    let mut passes = Vec::new();
    let fenced = |bench: &Bench| -> Vec<BrokerId> {
        bench.active.image.brokers().filter(|b| b.fenced).map(|b| b.id).collect()
    };
    while let Some(at) = bench.timer_at(ControllerTimer::Sessions)
        && at <= from + until
    {
        let before = fenced(bench);
        bench.now = at;
        bench.timer(ControllerTimer::Sessions);
        if fenced(bench) != before {
            passes.push((at.since(from).as_millis(), fenced(bench)));
        }
    }
    passes
}

#[test]
fn sessions_are_checked_eight_times_in_a_session_and_one_broker_is_fenced_per_pass() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let began = bench.now;
    for broker in 1..=3 {
        bench.start(broker, 1, None);
        bench.now += Span::millis(10);
    }
    // Checks come every 1,125 ms. The sessions of 9 s end within 9,030 ms, so the ninth check
    // finds all of them, and they follow one another after 10 ms. The epochs 2, 4 and 6 put the
    // brokers into the buckets 2, 3 and 4 of the hash map.
    let expected = [(10_125, vec![1]), (10_135, vec![1, 2]), (10_145, vec![1, 2, 3])];
    assert_eq!(passes(&mut bench, began, Span::secs(20)), expected);
}

#[test]
fn brokers_are_fenced_in_the_order_of_the_hash_map_and_not_of_their_last_heartbeats() {
    let mut bench = Bench::new(Rules::kafka(), true);
    for broker in 1..=3 {
        bench.start(broker, 1, None);
    }
    for broker in [3, 2, 1] {
        bench.beat(broker, false);
        bench.now += Span::secs(1);
    }
    bench.end_sessions();
    let mut order = Vec::new();
    for _ in 0..4 {
        bench.timer(ControllerTimer::Sessions);
        order.push(bench.active.image.brokers().filter(|b| b.fenced).count());
        if order.len() == 1 {
            assert!(bench.active.image.broker(1).unwrap().fenced, "the most recent heartbeat");
        }
    }
    assert_eq!(order, [1, 2, 3, 3]);
}

#[test]
fn the_session_of_an_earlier_registration_takes_a_pass_of_its_own() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let first = bench.start(1, 10, None);
    bench.end_sessions();
    // The new life is registered before the end of the old session was noticed.
    bench.start(1, 11, Some(first));
    bench.end_sessions();
    let written = bench.log.len();
    bench.timer(ControllerTimer::Sessions);
    assert_eq!(bench.log.len(), written, "nothing comes of the earlier registration");
    assert!(bench.active.image.is_active(1));
    bench.timer(ControllerTimer::Sessions);
    assert!(!bench.active.image.is_active(1));
}

#[test]
fn a_new_controller_gives_every_live_broker_a_whole_session() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let first = bench.start(1, 10, None);
    bench.now += bench.config.session_timeout;
    bench.fail_over();
    bench.now += bench.config.session_timeout;
    bench.timer(ControllerTimer::Sessions);
    assert!(bench.active.image.is_active(1));
    let duplicate = Err(ErrorCode::DuplicateBrokerRegistration);
    assert_eq!(bench.register(1, 11, Some(first)), duplicate);
    bench.now += Span(1);
    bench.timer(ControllerTimer::Sessions);
    assert!(!bench.active.image.is_active(1));
}

#[test]
fn a_record_is_written_at_each_idle_interval() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let before = bench.log.len();
    bench.timer(ControllerTimer::Idle);
    assert_eq!(bench.log[before..], [MetadataRecord::NoOp]);
    let next = bench.timer_at(ControllerTimer::Idle);
    assert_eq!(next, Some(bench.now + bench.config.max_idle), "whatever else was written");
}
