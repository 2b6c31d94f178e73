//! Nodes that stop by an error.

use super::{broken, finish, hazards};
use crate::evidence::{Change, FaultKind};
use crate::testing::{History, ORDERS, OTHER, numbers};
use crate::verdict::Judgement;
use engine::fact::Fact;
use engine::ids::TopicPartition;
use engine::record::RecordError;

const FULL: &str = "the log directory failed: no space left on device";
const UNREGISTERED: &str = "no controller has registered the broker";

/// Broker 3 stops for this reason and is not started again.
fn stops(why: &str, fault: Option<(u16, FaultKind)>, capacity: Option<u64>) -> Judgement {
    let mut history = History::new(2);
    history.setup.disk_capacity = capacity;
    [101, 102, 103].into_iter().for_each(|id| history.node(id, Change::Started));
    history.produce(&numbers(0..4));
    if let Some((node, kind)) = fault {
        history.fault(node, kind, true);
    }
    history.node(3, Change::Halted { why: why.to_owned() });
    history.lack(None, "broker 3 is not running");
    finish(history, 1)
}

#[test]
fn a_broker_that_stops_for_its_disk_is_an_event_and_no_broken_promise() {
    for (fault, capacity, hazard) in [
        (Some((3, FaultKind::FullDisk)), None, "full-disk"),
        (None, Some(1_000_000), "full-disk"),
        (Some((3, FaultKind::FailingDisk)), None, "failed-disk"),
        (Some((3, FaultKind::LostDisk)), None, "failed-disk"),
    ] {
        let judgement = stops(FULL, fault, capacity);
        assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
        assert_eq!(hazards(&judgement), vec![(hazard, 1)]);
        assert_eq!(judgement.unknown, Vec::<String>::new());
        let because = &judgement.permitted[0].because;
        assert!(because.ends_with(FULL) && because.contains("broker 3 stopped at "), "{because}");
    }
    let judgement = stops(UNREGISTERED, Some((101, FaultKind::Other)), None);
    assert_eq!(hazards(&judgement), vec![("unregistered", 1)]);
    assert_eq!(broken(&judgement), ["converges"], "it has to be started again");
}

#[test]
fn a_halt_that_nothing_explains_is_a_violation() {
    let disk = |node| Some((node, FaultKind::FullDisk));
    for judgement in [
        stops(FULL, None, None),
        stops(FULL, disk(2), None),
        stops("the metadata log cannot be replayed: no such topic", None, Some(1_000_000)),
        stops(UNREGISTERED, None, None),
    ] {
        assert!(broken(&judgement).contains(&"stops-explained"), "{judgement:#?}");
        assert!(broken(&judgement).contains(&"converges"), "{judgement:#?}");
        assert_eq!(hazards(&judgement), vec![]);
    }
}

/// The broker reports only that its last directory is gone; the failure in it was reported before.
#[test]
fn a_disk_of_limited_size_is_full_if_a_log_directory_had_no_space() {
    let all_failed = |capacity, error: &str, restarts: bool| {
        let mut history = History::new(2);
        history.setup.disk_capacity = capacity;
        history.produce(&numbers(0..4));
        let (path, error) = (String::new(), error.to_owned());
        history.fact(3, Fact::LogDirFailed { path, partition: Some(ORDERS), error });
        if restarts {
            history.crash(3);
            history.node(3, Change::Started);
        }
        history.node(3, Change::Halted { why: "all log directories have failed".to_owned() });
        history.lack(None, "broker 3 is not running");
        finish(history, 1)
    };
    let no_space = "disk: no space left on device";
    let judgement = all_failed(Some(1_000_000), no_space, false);
    assert_eq!(hazards(&judgement), vec![("full-disk", 1)]);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    for judgement in [
        all_failed(None, no_space, false),
        all_failed(Some(1_000_000), "disk: input/output error", false),
        all_failed(Some(1_000_000), no_space, true),
    ] {
        assert!(broken(&judgement).contains(&"stops-explained"), "{judgement:#?}");
        assert_eq!(hazards(&judgement), vec![]);
    }
}

#[test]
fn a_broker_that_was_started_again_has_to_come_back() {
    let mut history = History::new(2);
    history.fault(3, FaultKind::FullDisk, true);
    history.node(3, Change::Halted { why: FULL.to_owned() });
    history.fault(3, FaultKind::FullDisk, false);
    history.node(3, Change::Started);
    history.lack(Some(ORDERS), "orders-0: ISR [1, 2], 3 is fenced");
    let judgement = finish(history, 1);
    assert_eq!(
        (hazards(&judgement), broken(&judgement)),
        (vec![("full-disk", 1)], vec!["converges"])
    );
}

/// A fault that was over before the process started explains nothing.
#[test]
fn a_disk_that_worked_again_before_the_start_is_no_cause() {
    let stops_after = |kind: FaultKind, starts: bool| {
        let mut history = History::new(2);
        history.fault(3, kind, true);
        history.crash(3);
        history.fault(3, kind, false);
        if starts {
            history.node(3, Change::Started);
        }
        history.fault(3, kind, true);
        if starts {
            history.fault(3, kind, false);
            history.crash(3);
            history.node(3, Change::Started);
        }
        history.node(3, Change::Halted { why: "all log directories have failed".to_owned() });
        history.node(3, Change::Started);
        finish(history, 1)
    };
    assert_eq!(broken(&stops_after(FaultKind::FailingDisk, false)), Vec::<&str>::new());
    assert_eq!(broken(&stops_after(FaultKind::FailingDisk, true)), ["stops-explained"]);
}

/// A sector is corrupted in a file of broker 3, which later takes a log directory offline with an
/// error, in the log of a partition, and stops.
fn fails_after(file: &str, partition: Option<TopicPartition>, error: &str) -> Judgement {
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    history.fault(3, FaultKind::CorruptDisk, true);
    history.node(3, Change::SectorCorrupted { file: file.to_owned(), at: 0 });
    // No start mends a sector.
    history.crash(3);
    history.node(3, Change::Started);
    history.load(3, ORDERS, 4);
    let (path, error) = ("d1".to_owned(), error.to_owned());
    history.fact(3, Fact::LogDirFailed { path, partition, error });
    history.node(3, Change::Halted { why: "all log directories have failed".to_owned() });
    history.node(3, Change::Started);
    history.load(3, ORDERS, 4);
    finish(history, 1)
}

#[test]
fn a_bad_sector_explains_errors_about_the_bytes_of_its_partition() {
    let checksum = RecordError::Crc { stored: 1, computed: 2 }.to_string();
    let malformed = RecordError::Malformed("offsets do not grow").to_string();
    let (log, index) =
        ("d1/orders-0/00000000000000000000.log", "d1/orders-0/00000000000000000000.index");
    for (file, error) in [(log, &checksum), (log, &malformed), (index, &malformed)] {
        let judgement = fails_after(file, Some(ORDERS), error);
        assert_eq!(broken(&judgement), Vec::<&str>::new(), "{file}: {error}");
        assert_eq!(hazards(&judgement)[0].0, "failed-disk", "{file}: {error}");
    }
    for (file, partition, error) in [
        (log, Some(OTHER), checksum.as_str()),
        (log, None, &checksum),
        (log, Some(ORDERS), "disk: input/output error"),
        (log, Some(ORDERS), "disk: no space left on device"),
        ("d1/recovery-point-offset-checkpoint", Some(ORDERS), &checksum),
    ] {
        let judgement = fails_after(file, partition, error);
        assert_eq!(broken(&judgement), ["stops-explained"], "{file}: {partition:?}: {error}");
    }
}

/// A voter stops for bytes of the metadata log, and for nothing else that is on its disk.
#[test]
fn a_bad_sector_of_a_partition_explains_no_stop_for_the_metadata_log() {
    let stops = |file: &str, why: &str| {
        let mut history = History::new(2);
        history.fault(103, FaultKind::CorruptDisk, true);
        let file = format!("{file}/00000000000000000000.index");
        history.node(103, Change::SectorCorrupted { file, at: 0 });
        history.node(103, Change::Halted { why: why.to_owned() });
        history.node(103, Change::Started);
        broken(&finish(history, 1)).contains(&"stops-explained")
    };
    let of_bytes = "the metadata log failed: malformed batch: offsets do not grow";
    assert!(!stops("__cluster_metadata-0", of_bytes));
    assert!(stops("orders-0", of_bytes));
    assert!(stops("__cluster_metadata-0", "the metadata log failed: disk: input/output error"));
    assert!(stops("__cluster_metadata-0", "quorum-state failed: disk: file exists"));
}

/// A replica that was started with a bad sector where its last segment begins appends nothing.
#[test]
fn a_follower_with_a_bad_first_batch_does_not_come_back_into_the_isr() {
    let of = |batch: usize, spoilt: bool, started: bool, isr: &[u16]| {
        let mut history = History::new(2);
        history.produce(&numbers(0..4));
        history.produce(&numbers(4..8));
        let log = history.disks.get_mut(&(3, ORDERS)).unwrap();
        let at: usize = log[..batch].iter().map(|it| it.len()).sum();
        log[batch] = vec![0xff; log[batch].len()].into();
        if spoilt {
            history.spoil_sector(3, ORDERS, at as u64);
        }
        if started {
            history.crash(3);
            history.node(3, Change::Started);
            history.load(3, ORDERS, 8);
        }
        history.change(None, isr, &[]);
        history.lack(Some(ORDERS), "ISR [1, 2], 3 is not in sync");
        finish(history, 1)
    };
    let judgement = of(0, true, true, &[1, 2]);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert!(hazards(&judgement).iter().all(|(hazard, _)| *hazard == "corrupted-disk"));
    assert_eq!(broken(&of(1, true, true, &[1, 2])), ["converges"], "it can append");
    assert!(broken(&of(0, false, true, &[1, 2])).contains(&"converges"), "no sector went bad");
    assert_eq!(broken(&of(0, true, true, &[1])), ["converges"], "2 has to be in sync");
    assert_eq!(broken(&of(0, true, false, &[1, 2])), ["converges"], "it read the batch before");
}
