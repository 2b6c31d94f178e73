//! Checks of logs that are loaded or truncated: the records that a crash, a shutdown or a power
//! loss may take.

use super::{finish, good, names, orders};
use crate::evidence::Change;
use crate::testing::{CRASHED, History, ORDERS, numbers};
use engine::fact::{Fact, Truncation};

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

/// Broker 3 has records that 1 wrote and that 2, the next leader, lacks. Because of a crash, 3 does
/// not report that it truncated them.
#[test]
fn records_may_be_missing_after_a_crash_during_their_truncation() {
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
fn a_replica_deletes_its_whole_log_only_if_the_leaders_log_begins_later() {
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
    // To an offset beyond its end, at which the log of no leader begins.
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
