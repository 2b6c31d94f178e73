//! Lives of brokers: registration, sessions, and what a new controller makes of them.

use super::bench::{Bench, assigned};
use crate::error::ErrorCode;
use crate::metadata::MetadataRecord;
use crate::rules::Rules;
use crate::timer::ControllerTimer;
use machine::Span;

#[test]
fn a_life_is_numbered_by_the_offset_of_its_record_and_keeps_its_number() {
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
fn the_epoch_is_the_records_own_offset_even_when_the_last_life_has_to_be_cleaned_up() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), &[]);
    bench.end_sessions();
    let epoch = bench.register(1, 11, None).unwrap();
    assert!(bench.log.len() as i64 > epoch + 1, "the partition changed in the same batch");
    assert!(!bench.state(partition).isr.contains(&1));
    assert_eq!(bench.active.image.broker(1).unwrap().registered_at, epoch);
}

#[test]
fn another_life_has_to_wait_for_the_session_of_the_last() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let first = bench.start(1, 10, None);
    bench.now += bench.config.session_timeout;
    let duplicate = Err(ErrorCode::DuplicateBrokerRegistration);
    assert_eq!(bench.register(1, 11, Some(first)), duplicate);
    bench.now += Span(1);
    assert!(bench.register(1, 11, Some(first)).is_ok());

    // One that was shutting down need not be waited for.
    bench.beat(1, false);
    bench.create(vec![assigned("orders", &[&[1]], &[])]);
    assert!(!bench.beat(1, true).should_shut_down);
    let epoch = bench.epoch(1);
    assert!(bench.register(1, 12, Some(epoch)).is_ok());
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

#[test]
fn the_stalest_session_ends_first_and_one_per_pass() {
    let mut bench = Bench::new(Rules::kafka(), true);
    for broker in 1..=3 {
        bench.start(broker, 1, None);
        bench.now += Span::secs(1);
    }
    bench.beat(1, false);
    bench.end_sessions();
    let fenced = |bench: &Bench| -> Vec<u16> {
        bench.active.image.brokers().filter(|b| b.fenced).map(|b| b.id).collect()
    };
    let mut passes = Vec::new();
    for _ in 0..4 {
        bench.timer(ControllerTimer::Sessions);
        passes.push(fenced(&bench));
    }
    assert_eq!(passes, [vec![2], vec![2, 3], vec![1, 2, 3], vec![1, 2, 3]]);
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
fn an_idle_log_goes_on() {
    let mut bench = Bench::new(Rules::kafka(), true);
    let before = bench.log.len();
    bench.timer(ControllerTimer::Idle);
    assert_eq!(bench.log.len(), before, "it was written just now");
    bench.now += bench.config.max_idle;
    bench.timer(ControllerTimer::Idle);
    assert_eq!(bench.log[before..], [MetadataRecord::NoOp]);
}
