//! Checks of events that are late, early or forgotten, and of records lost on the way to the disk.

use super::{finish, good, names, orders};
use crate::evidence::{Change, FaultKind};
use crate::testing::{CRASHED, History, ORDERS, numbers};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, Truncation};
use engine::reach::Reach;
use machine::Span;

fn forget_on_disk(history: &mut History, id: u16) {
    history.disks.get_mut(&(id, ORDERS)).unwrap().pop();
}

#[test]
fn a_crash_and_a_clean_shutdown_lose_no_records() {
    for change in [CRASHED, Change::Stopped] {
        let comes_back = |forgets: bool| {
            let mut history = good();
            history.node(3, change.clone());
            if forgets {
                forget_on_disk(&mut history, 3);
            }
            history.node(3, Change::Started);
            let end = history.end(3, ORDERS);
            history.load(3, ORDERS, end);
            history.follow(3, 1, ORDERS);
            names(&finish(history, 1))
        };
        assert_eq!(comes_back(false), Vec::<&str>::new());
        assert_eq!(comes_back(true), ["loads-what-is-durable"]);
    }
}

/// The broker closes its logs and writes a clean-shutdown file, unless it is stopped before it has
/// been unfenced.
#[test]
fn a_log_is_not_recovered_after_a_clean_shutdown() {
    let comes_back = |change: Change, unfenced: bool, clean: bool| {
        let mut history = good();
        if unfenced {
            history.fact(3, Fact::FencedChanged { fenced: false });
        }
        history.node(3, change);
        history.node(3, Change::Started);
        let end = history.end(3, ORDERS);
        history.load_as(3, ORDERS, end, clean);
        history.follow(3, 1, ORDERS);
        names(&finish(history, 1))
    };
    assert_eq!(comes_back(Change::Stopped, true, true), Vec::<&str>::new());
    assert_eq!(comes_back(Change::Stopped, false, false), Vec::<&str>::new());
    assert_eq!(comes_back(Change::Crashed { cut_short: false }, true, false), Vec::<&str>::new());
    assert_eq!(comes_back(Change::Stopped, true, false), ["loads-what-is-durable"]);
    // The broker has been unfenced, but not in the life that was stopped.
    let mut history = good();
    history.fact(3, Fact::FencedChanged { fenced: false });
    for end in [Change::Crashed { cut_short: false }, Change::Stopped] {
        history.node(3, end);
        history.node(3, Change::Started);
    }
    let end = history.end(3, ORDERS);
    history.load_as(3, ORDERS, end, false);
    history.follow(3, 1, ORDERS);
    assert_eq!(names(&finish(history, 1)), Vec::<&str>::new());
}

#[test]
fn a_power_loss_loses_only_unsynced_records() {
    let comes_back = |flush: Option<u64>, stopped: bool| {
        let mut history = good();
        history.setup.topics[0].flush_messages = flush;
        history.node(3, if stopped { Change::Stopped } else { CRASHED });
        history.node(3, Change::PowerLost { bytes: 100 });
        forget_on_disk(&mut history, 3);
        history.node(3, Change::Started);
        history.load(3, ORDERS, 36);
        history.register(3, 50);
        history.follow(3, 1, ORDERS);
        let found = names(&history);
        found.contains(&"loads-what-is-durable")
    };
    assert!(!comes_back(None, false), "nothing had to be synced");
    assert!(!comes_back(Some(5), false), "four records may be unsynced");
    assert!(comes_back(Some(4), false), "four records are synced together");
    assert!(comes_back(None, true), "a clean shutdown syncs everything");
}

/// A process that dies or stops before it has loaded its logs has neither kept nor synced them.
#[test]
fn a_life_that_loads_no_log_changes_nothing_about_its_records() {
    let comes_back = |changes: &[Change]| {
        let mut history = good();
        changes.iter().for_each(|change| history.node(3, change.clone()));
        forget_on_disk(&mut history, 3);
        history.node(3, Change::Started);
        history.load(3, ORDERS, 36);
        history.register(3, 50);
        history.follow(3, 1, ORDERS);
        names(&history).contains(&"loads-what-is-durable")
    };
    let power = || Change::PowerLost { bytes: 100 };
    let (started, crashed, stopped) = (|| Change::Started, || CRASHED, || Change::Stopped);
    assert!(!comes_back(&[crashed(), power(), started(), crashed()]));
    assert!(!comes_back(&[crashed(), power(), started(), stopped()]));
    assert!(!comes_back(&[crashed(), started(), stopped(), power()]));
    assert!(comes_back(&[crashed(), started(), crashed()]), "the host kept it");
    assert!(comes_back(&[stopped(), started(), crashed(), power()]), "the first stop synced it");
}

/// 3 has records that 1 wrote and that 2, the next leader, lacks. A crash prevents the report that
/// 3 cut them.
#[test]
fn records_that_a_replica_was_cutting_when_it_crashed_may_be_missing() {
    let comes_back = |cut_short: bool, elected: bool| {
        let mut history = good();
        history.write(1, ORDERS, 0, &numbers(40..44));
        history.follow(3, 1, ORDERS);
        if elected {
            history.elect(2, 1, &[1, 2, 3], &[]);
        }
        history.node(3, Change::Crashed { cut_short });
        forget_on_disk(&mut history, 3);
        history.node(3, Change::Started);
        history.load(3, ORDERS, 40);
        names(&history).contains(&"loads-what-is-durable")
    };
    assert!(!comes_back(true, true));
    assert!(comes_back(false, true), "no handler was in progress");
    assert!(comes_back(true, false), "the leader has it");
}

#[test]
fn a_replica_that_drops_all_needs_a_leader_whose_log_begins_later() {
    let mut history = good();
    let fact = Fact::Truncated {
        partition: ORDERS,
        leader_epoch: 0,
        from: 40,
        to: 0,
        high_watermark: 40,
        why: Truncation::BehindLeader,
    };
    history.fact(3, fact.clone());
    history.disks.get_mut(&(3, ORDERS)).unwrap().clear();
    assert_eq!(history.findings(), vec![orders("truncation-below-watermark", 0)]);
    // To an offset beyond its end, which no log of a leader begins at.
    let mut history = good();
    let Fact::Truncated { from, high_watermark, .. } = fact else { unreachable!() };
    history.fact(
        3,
        Fact::Truncated {
            partition: ORDERS,
            leader_epoch: 0,
            from,
            to: 60,
            high_watermark,
            why: Truncation::BehindLeader,
        },
    );
    assert_eq!(history.findings(), vec![orders("truncation-below-watermark", 60)]);
}

fn proposed(history: &mut History, to: &[u16]) {
    history.fact(
        1,
        Fact::IsrProposed {
            partition: ORDERS,
            leader_epoch: 0,
            partition_epoch: 0,
            from: vec![1, 2, 3],
            to: to.to_vec(),
        },
    );
}

fn adopted(history: &mut History, isr: &[u16]) {
    history.fact(
        1,
        Fact::IsrAdopted {
            partition: ORDERS,
            leader_epoch: 0,
            partition_epoch: 1,
            isr: isr.to_vec(),
        },
    );
}

#[test]
fn a_leader_has_one_proposal_in_flight_and_forgets_none() {
    let mut history = good();
    history.node(1, Change::Started);
    proposed(&mut history, &[1, 2]);
    let mut second = history.clone();
    adopted(&mut history, &[1, 2]);
    proposed(&mut history, &[1, 2, 3]);
    adopted(&mut history, &[1, 2, 3]);
    history.wait(Span::secs(60));
    assert_eq!(names(&finish(history, 1)), Vec::<&str>::new());
    // A refusal without a change settles the proposal, a time-out does not.
    let mut refused = second.clone();
    let error = ErrorCode::IneligibleReplica;
    refused.fact(1, Fact::IsrRefused { partition: ORDERS, leader_epoch: 0, error });
    proposed(&mut refused, &[1, 3]);
    adopted(&mut refused, &[1, 3]);
    assert_eq!(names(&refused), Vec::<&str>::new());
    let error = ErrorCode::RequestTimedOut;
    second.fact(1, Fact::IsrRefused { partition: ORDERS, leader_epoch: 0, error });
    let mut forgotten = second.clone();
    proposed(&mut second, &[1, 3]);
    assert_eq!(names(&second), ["one-isr-proposal"]);
    forgotten.wait(Span::secs(60));
    assert_eq!(names(&finish(forgotten, 1)), ["one-isr-proposal"]);
}

fn fenced(broker: u16, asked: bool) -> Fact {
    Fact::BrokerFenced { broker, fenced: true, asked }
}

#[test]
fn a_broker_is_fenced_a_session_after_its_last_heartbeat() {
    let fenced_after = |span: Span, drift_ppm: u32| {
        let mut history = good();
        history.setup.drift_ppm = drift_ppm;
        history.fact(101, Fact::ControllerActive { epoch: 1 });
        history.fact(101, Fact::BrokerFenced { broker: 3, fenced: false, asked: true });
        history.wait(span);
        history.fact(101, fenced(3, false));
        names(&history)
    };
    assert_eq!(fenced_after(Span::secs(9), 0), Vec::<&str>::new());
    assert_eq!(fenced_after(Span::secs(8), 0), ["fenced-after-a-session"]);
    assert_eq!(fenced_after(Span::millis(8_990), 2_000), Vec::<&str>::new());
}

/// A heartbeat of its start may reach the controller late, over another connection.
#[test]
fn a_broker_that_starts_or_stops_may_request_to_be_fenced() {
    let asks = |of: fn(&mut History), is_ready: bool| {
        let mut history = good();
        history.fact(101, Fact::ControllerActive { epoch: 1 });
        of(&mut history);
        if is_ready {
            history.fact(101, Fact::BrokerFenced { broker: 3, fenced: false, asked: true });
        }
        history.wait(Span::secs(1));
        history.fact(101, fenced(3, true));
        names(&history)
    };
    let restarts = |history: &mut History| {
        history.crash(3);
        history.node(3, Change::Started);
    };
    let restarts_behind_a_bad_link = |history: &mut History| {
        history.crash(3);
        history.node(3, Change::Started);
        history.bad_link(3, 101);
    };
    let stops = |history: &mut History| history.fault(3, FaultKind::Stop, true);
    assert_eq!(asks(restarts, false), Vec::<&str>::new());
    assert_eq!(asks(restarts, true), ["fenced-after-a-session"], "it is ready");
    assert_eq!(asks(restarts_behind_a_bad_link, true), Vec::<&str>::new());
    assert_eq!(asks(stops, true), Vec::<&str>::new());
    assert_eq!(asks(|_| {}, true), ["fenced-after-a-session"]);
}

/// A controller that is alone elects itself when it starts, and reports to be active when its vote
/// is on its disk.
#[test]
fn a_session_counts_from_the_start_of_a_lone_controller() {
    let fenced_after = |controllers: usize, silent: Span| {
        let mut history = good();
        history.setup.controllers.truncate(controllers);
        history.unfence(&[3]);
        history.node(101, CRASHED);
        history.node(101, Change::Started);
        history.wait(Span::millis(2));
        history.fact(101, Fact::ControllerActive { epoch: 2 });
        history.wait(silent);
        history.fact(101, fenced(3, false));
        history.fence(3, true);
        names(&history)
    };
    let early = Span(Span::secs(9).0 - Span::millis(2).0);
    assert_eq!(fenced_after(1, early), Vec::<&str>::new());
    assert_eq!(fenced_after(1, Span::secs(8)), ["fenced-after-a-session"]);
    assert_eq!(
        fenced_after(3, early),
        ["fenced-after-a-session"],
        "it has to be elected by others"
    );
}

#[test]
fn brokers_are_fenced_one_by_one() {
    let mut history = good();
    history.fact(101, fenced(2, false));
    history.fact(101, fenced(3, false));
    assert_eq!(names(&history), Vec::<&str>::new());
    // A controller that was paused receives all messages at the same moment.
    history.fault(1, FaultKind::Stop, true);
    history.fact(101, fenced(3, false));
    history.at_once(101, fenced(1, true));
    assert_eq!(names(&history), Vec::<&str>::new());
    history.at_once(101, fenced(2, false));
    assert_eq!(names(&history), ["fenced-after-a-session"]);
}

#[test]
fn acks_all_needs_enough_replicas_in_sync() {
    let shrunk = |acks: i16, isr: &[u16]| {
        let mut history = good();
        history.change(None, isr, &[]);
        adopted(&mut history, isr);
        history.send(ORDERS, &numbers(40..42), acks);
        history.write(1, ORDERS, 0, &numbers(40..42));
        names(&history)
    };
    assert_eq!(shrunk(-1, &[1, 2]), Vec::<&str>::new());
    assert_eq!(shrunk(1, &[1]), Vec::<&str>::new(), "acks=1 asks for none");
    assert_eq!(shrunk(-1, &[1]), ["enough-in-sync"]);
    // Appended in time, and confirmed when it was too late.
    let confirmed = |isr: Vec<u16>| {
        let mut history = good();
        history.fact(
            1,
            Fact::Acknowledged {
                partition: ORDERS,
                leader_epoch: 0,
                base_offset: 36,
                last_offset: 39,
                acks: -1,
                high_watermark: 40,
                isr,
            },
        );
        names(&history)
    };
    assert_eq!(confirmed(vec![1, 3]), Vec::<&str>::new());
    assert_eq!(confirmed(vec![1]), ["enough-in-sync"]);
    // A replica that is about to join counts as one that has joined.
    let mut joining = good();
    proposed(&mut joining, &[1, 2]);
    let acknowledged = Fact::Acknowledged {
        partition: ORDERS,
        leader_epoch: 0,
        base_offset: 36,
        last_offset: 39,
        acks: -1,
        high_watermark: 40,
        isr: vec![1],
    };
    joining.fact(1, acknowledged);
    assert_eq!(names(&joining), Vec::<&str>::new());
}

#[test]
fn acks_all_is_confirmed_by_the_high_watermark() {
    let confirmed = |high_watermark: i64| {
        let mut history = good();
        let acknowledged = Fact::Acknowledged {
            partition: ORDERS,
            leader_epoch: 0,
            base_offset: 36,
            last_offset: 39,
            acks: -1,
            high_watermark,
            isr: vec![1, 2, 3],
        };
        history.fact(1, acknowledged);
        names(&history)
    };
    assert_eq!(confirmed(40), Vec::<&str>::new());
    assert_eq!(confirmed(39), ["enough-in-sync"], "a duplicate waits as its batch does");
}

#[test]
fn whoever_joins_an_isr_is_unfenced() {
    let joins = |fenced: bool| {
        let mut history = good();
        history.unfence(&[1, 2, 3]);
        history.change(None, &[1, 2], &[]);
        history.fence(3, fenced);
        history.change(None, &[1, 2, 3], &[]);
        names(&history)
    };
    assert_eq!(joins(false), Vec::<&str>::new());
    assert_eq!(joins(true), ["in-sync-and-alive"]);
}

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
fn a_replica_that_lags_leaves_the_isr_in_time() {
    let lags_behind =
        |bad_link: Option<(u16, u16)>, fault: Option<(u16, FaultKind)>, span: Span| {
            let mut history = good();
            if let Some((a, b)) = bad_link {
                history.bad_link(a, b);
            }
            if let Some((id, kind)) = fault {
                history.fault(id, kind, true);
            }
            for of in [numbers(40..42), numbers(42..44)] {
                history.send(ORDERS, &of, 1);
                history.write(1, ORDERS, 0, &of);
                history.follow(2, 1, ORDERS);
                history.wait(span);
            }
            history.send(ORDERS, &numbers(44..46), 1);
            history.write(1, ORDERS, 0, &numbers(44..46));
            names(&history)
        };
    let lags = |fault, span| lags_behind(None, fault, span);
    assert_eq!(lags(None, Span::secs(22)), Vec::<&str>::new());
    assert_eq!(lags(None, Span::secs(23)), ["laggards-leave"]);
    // A fault of the replica itself explains its lag, but not that it stays in the ISR.
    let late = Span::secs(23);
    assert_eq!(lags(Some((3, FaultKind::Other)), late), ["laggards-leave"]);
    assert_eq!(lags(Some((1, FaultKind::Link)), late), ["laggards-leave"]);
    assert_eq!(lags(Some((1, FaultKind::Other)), late), Vec::<&str>::new());
    assert_eq!(lags(Some((101, FaultKind::Other)), late), Vec::<&str>::new());
    assert_eq!(lags_behind(Some((101, 102)), None, late), Vec::<&str>::new());
    assert_eq!(lags_behind(Some((1, 2)), None, late), ["laggards-leave"]);
}

/// The replica lacks the records only since it lost power.
#[test]
fn a_replica_that_lost_its_log_has_time_to_fetch_it_again() {
    let lost = |to_fetch: Span| {
        let mut history = good();
        for of in [numbers(40..42), numbers(42..44)] {
            history.send(ORDERS, &of, 1);
            history.write(1, ORDERS, 0, &of);
            history.follow(2, 1, ORDERS);
            history.follow(3, 1, ORDERS);
            history.wait(Span::secs(23));
        }
        history.lose_power(3, 0);
        history.wait(to_fetch);
        history.send(ORDERS, &numbers(44..46), 1);
        history.write(1, ORDERS, 0, &numbers(44..46));
        names(&history)
    };
    assert!(!lost(Span::secs(30)).contains(&"laggards-leave"));
    assert!(lost(Span::secs(46)).contains(&"laggards-leave"));
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
