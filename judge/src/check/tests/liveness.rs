//! Checks of progress: runs without faults, prompt commits and responses, back-offs, livelocks, and
//! offsets of timestamps.

use super::isr::proposed;
use super::{finish, good, names};
use crate::evidence::FaultKind;
use crate::testing::{ORDERS, numbers};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};
use engine::reach::Reach;
use machine::Span;

#[test]
fn no_batch_is_sent_again_and_no_isr_shrinks_without_faults() {
    let run = |is_calm: bool, error: ErrorCode, shrinks: bool| {
        let mut history = good();
        history.setup.is_calm = is_calm;
        history.retry_after(error, ORDERS, &numbers(36..40));
        if shrinks {
            proposed(&mut history, &[1, 2]);
        }
        names(&history)
    };
    assert_eq!(run(false, ErrorCode::RequestTimedOut, true), Vec::<&str>::new());
    assert_eq!(run(true, ErrorCode::MessageTooLarge, false), Vec::<&str>::new());
    assert_eq!(run(true, ErrorCode::RequestTimedOut, false), ["calm-stays-calm"]);
    assert_eq!(run(true, ErrorCode::MessageTooLarge, true), ["calm-stays-calm"]);
    assert_eq!(run(true, ErrorCode::ConcurrentTransactions, false), Vec::<&str>::new());
}

#[test]
fn the_quorum_keeps_its_leader_and_no_broker_is_fenced_without_faults() {
    let run = |is_calm: bool, facts: &[Fact]| {
        let mut history = good();
        history.setup.is_calm = is_calm;
        history.wait(Span::secs(9));
        facts.iter().for_each(|fact| history.fact(101, fact.clone()));
        names(&history)
    };
    let active = Fact::ControllerActive { epoch: 1 };
    let stands = Fact::QuorumCandidate { epoch: 2, pre_vote: true };
    let fenced = Fact::BrokerFenced { broker: 3, fenced: true, asked: false };
    assert_eq!(run(true, &[stands.clone(), active.clone()]), Vec::<&str>::new());
    assert_eq!(run(true, &[active.clone(), stands.clone()]), ["calm-stays-calm"]);
    assert_eq!(run(true, std::slice::from_ref(&fenced)), ["calm-stays-calm"]);
    assert_eq!(run(false, &[fenced, active, stands]), Vec::<&str>::new());
}

#[test]
fn batches_of_the_whole_isr_are_committed_and_confirmed_in_time() {
    let run = |to_commit: Span, to_confirm: Span, fault: bool| {
        let mut history = good();
        if fault {
            history.fault(3, FaultKind::Other, true);
        }
        history.send(ORDERS, &numbers(40..44), -1);
        history.write(1, ORDERS, 0, &numbers(40..44));
        history.wait(Span::secs(20));
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.wait(to_commit);
        history.watermark(1, &[2, 3], ORDERS, 0);
        history.wait(to_confirm);
        history.confirm(1, ORDERS, 40, &numbers(40..44), -1);
        names(&history)
    };
    let (soon, late) = (Span::millis(400), Span::millis(1_100));
    assert_eq!(run(soon, soon, false), Vec::<&str>::new());
    assert_eq!(run(late, Span::ZERO, false), ["answers-are-prompt"]);
    assert_eq!(run(late, Span::ZERO, true), Vec::<&str>::new());
    // No fault excuses a late response for a committed batch.
    assert_eq!(run(Span::ZERO, late, true), ["answers-are-prompt"]);
}

/// An idempotent producer may send a batch again that was committed long ago.
#[test]
fn a_copy_is_confirmed_when_it_comes() {
    let confirmed = |is_copy: bool| {
        let mut history = good();
        history.wait(Span::secs(5));
        if is_copy {
            history.fact(1, Fact::Reached(Reach::DuplicateFound));
        }
        let acknowledged = Fact::Acknowledged {
            partition: ORDERS,
            leader_epoch: 0,
            base_offset: 36,
            last_offset: 39,
            acks: -1,
            high_watermark: 40,
            isr: vec![1, 2, 3],
        };
        history.at_once(1, acknowledged);
        names(&history)
    };
    assert_eq!(confirmed(true), Vec::<&str>::new());
    assert_eq!(confirmed(false), ["answers-are-prompt"]);
}

#[test]
fn a_follower_outside_the_isr_may_get_committed_batches_late() {
    let mut history = good();
    history.change(None, &[1, 2], &[]);
    history.send(ORDERS, &numbers(40..46), -1);
    history.write(1, ORDERS, 0, &numbers(40..44));
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[2], ORDERS, 0);
    history.confirm(1, ORDERS, 40, &numbers(40..44), -1);
    history.follow(3, 1, ORDERS);
    history.wait(Span::secs(2));
    history.write(1, ORDERS, 0, &numbers(44..46));
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[2], ORDERS, 0);
    history.confirm(1, ORDERS, 44, &numbers(44..46), -1);
    assert_eq!(names(&history), Vec::<&str>::new());
}

/// The follower waits for its back-off, or for metadata.
#[test]
fn a_follower_that_is_refused_waits() {
    let refused = |every: Span, times: u64| {
        let mut history = good();
        let error = ErrorCode::FencedLeaderEpoch;
        let fact = Fact::FetchRefused { partition: ORDERS, replica: Some(2), error };
        for _ in 0..times {
            history.wait(every);
            history.fact(1, fact.clone());
        }
        names(&history)
    };
    assert_eq!(refused(Span::millis(10), 1_000), Vec::<&str>::new());
    assert_eq!(refused(Span::millis(1), 150), Vec::<&str>::new());
    assert_eq!(refused(Span::millis(1), 1_000), ["no-livelock"]);
}

#[test]
fn a_livelock_is_a_finding() {
    let mut history = finish(good(), 1);
    assert_eq!(names(&history), Vec::<&str>::new());
    history.livelock = Some("400000 events in 3 s".to_owned());
    assert_eq!(names(&history), ["no-livelock"]);
    let summary = history.judge().violations[0].summary.clone();
    assert!(summary.ends_with("without end: 400000 events in 3 s"), "{summary}");
}

/// All records of the history have the same timestamp.
#[test]
fn the_offset_of_a_time_is_that_of_the_first_record_as_late() {
    let shown = |timestamp, offset| {
        let mut history = good();
        let (partition, broker) = (ORDERS, 1);
        history.client(1002, ClientFact::TimeShown { partition, timestamp, offset, broker });
        names(&finish(history, 1))
    };
    assert_eq!(shown(1_000, Some(0)), Vec::<&str>::new());
    assert_eq!(shown(2_000, None), Vec::<&str>::new());
    // An offset after four records that are as late, and the offset of a record that is earlier.
    assert_eq!(shown(1_000, Some(4)), ["offset-of-time"]);
    assert_eq!(shown(2_000, Some(0)), ["offset-of-time"]);
}
