//! Losses that faults of disks excuse, and losses that they do not.

use super::{Judgement, broken, finish, hazards};
use crate::evidence::{Change, FaultKind};
use crate::testing::{History, METADATA, ORDERS, OTHER, numbers};
use engine::fact::Fact;
use engine::ids::TopicPartition;

/// What happens to the disks of brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    /// The disk with the partition is lost.
    Lost,
    /// The disk with the other partition is lost.
    OtherLost,
    /// A sector of the first batch is corrupted.
    Corrupted,
    /// An index is corrupted, which can be rebuilt.
    CorruptedIndex,
    /// Nothing is lost, although a fault of this kind is in force.
    Upon(FaultKind),
}

fn strike(history: &mut History, disk: Disk, id: u16) {
    let kind = match disk {
        Disk::Lost | Disk::OtherLost => FaultKind::LostDisk,
        Disk::Corrupted | Disk::CorruptedIndex => FaultKind::CorruptDisk,
        Disk::Upon(kind) => kind,
    };
    history.fault(id, kind, true);
    match disk {
        Disk::Lost => history.lose_disk(id, &[ORDERS]),
        Disk::OtherLost => history.lose_disk(id, &[OTHER]),
        Disk::Corrupted => history.spoil_sector(id, ORDERS, 0),
        Disk::CorruptedIndex => {
            let file = "orders-0/00000000000000000000.index".to_owned();
            history.node(id, Change::SectorCorrupted { file, at: 0 });
        }
        Disk::Upon(_) => {}
    }
}

/// All three replicas have eight records; the brokers in `of` come back with an empty log, and the
/// first of these leads. `by_bug`: the controller keeps them in the ELR, which it must not do.
fn come_back(disk: Disk, of: &[u16], by_bug: bool) -> Judgement {
    let mut history = History::new(2);
    history.produce(&numbers(0..8));
    for id in of {
        strike(&mut history, disk, *id);
        history.crash(*id);
    }
    history.change(Some(None), &[], &[1, 2, 3]);
    for id in of {
        history.disks.get_mut(&(*id, ORDERS)).unwrap().clear();
        history.node(*id, Change::Started);
        history.load(*id, ORDERS, 0);
    }
    let mut elr = vec![1, 2, 3];
    for (id, epoch) in of.iter().zip(50..) {
        elr.retain(|other| other != id || by_bug);
        history.come_back(*id, epoch, &elr);
    }
    history.elect(of[0], 2, &of[..1], &[]);
    [1, 2, 3]
        .into_iter()
        .filter(|id| !of.contains(id))
        .for_each(|id| history.cut(id, ORDERS, 0, 8));
    finish(history, of[0])
}

#[test]
fn the_loss_of_the_disks_of_all_replicas_excuses_the_loss_of_their_records() {
    for (disk, hazard) in [(Disk::Lost, "lost-disk"), (Disk::Corrupted, "corrupted-disk")] {
        let judgement = come_back(disk, &[1, 2, 3], false);
        assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
        assert_eq!(hazards(&judgement), vec![(hazard, 8)]);
    }
}

/// A fault that loses no bytes excuses nothing; losing one disk excuses only what was on it; an
/// index can be rebuilt from its `.log` file.
#[test]
fn the_loss_of_a_disk_permits_only_the_loss_of_its_records() {
    for disk in [
        Disk::OtherLost,
        Disk::CorruptedIndex,
        Disk::Upon(FaultKind::LostDisk),
        Disk::Upon(FaultKind::CorruptDisk),
        Disk::Upon(FaultKind::Other),
        Disk::Upon(FaultKind::FullDisk),
        Disk::Upon(FaultKind::ClockJump),
    ] {
        let judgement = come_back(disk, &[1, 2, 3], false);
        assert!(broken(&judgement).contains(&"acknowledged-survives"), "{disk:?}: {judgement:#?}");
        assert_eq!(hazards(&judgement), vec![], "{disk:?}");
    }
}

#[test]
fn the_disk_of_one_replica_is_no_excuse() {
    // 2 and 3 still have the records, and the controller had to wait for one of them.
    for by_bug in [false, true] {
        let judgement = come_back(Disk::Lost, &[1], by_bug);
        assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:#?}");
        assert_eq!(hazards(&judgement), vec![]);
    }
}

/// A disk that was lost long ago does not excuse what is missing from a log that has been refilled
/// since.
#[test]
fn a_lost_disk_excuses_one_load() {
    let after = |second_loss: bool| {
        let mut history = History::new(2);
        history.produce(&numbers(0..8));
        let come_back = |history: &mut History, epoch: i64, lost: bool| {
            if lost {
                strike(history, Disk::Lost, 3);
            }
            history.crash(3);
            history.change(None, &[1, 2], &[]);
            history.disks.get_mut(&(3, ORDERS)).unwrap().clear();
            history.node(3, Change::Started);
            // A new log is not loaded.
            if !lost {
                history.load(3, ORDERS, 0);
            }
            history.register(3, epoch);
            history.follow(3, 1, ORDERS);
            history.change(None, &[1, 2, 3], &[]);
        };
        come_back(&mut history, 50, true);
        come_back(&mut history, 51, second_loss);
        finish(history, 1)
    };
    assert_eq!(broken(&after(true)), Vec::<&str>::new());
    assert_eq!(broken(&after(false)), ["loads-what-is-durable"]);
}

/// Recovery may cut from the bad sector onwards, and not before.
#[test]
fn a_corrupt_sector_permits_the_loss_of_later_records() {
    let cut_to = |end: i64| {
        let mut history = History::new(2);
        history.produce(&numbers(0..4));
        history.produce(&numbers(4..8));
        let first = history.disks[&(3, ORDERS)][0].len() as u64;
        history.fault(3, FaultKind::CorruptDisk, true);
        history.spoil_sector(3, ORDERS, first);
        history.crash(3);
        history.change(None, &[1, 2], &[]);
        history.disks.get_mut(&(3, ORDERS)).unwrap().truncate(end as usize / 4);
        history.node(3, Change::Started);
        history.load(3, ORDERS, end);
        history.register(3, 50);
        history.follow(3, 1, ORDERS);
        finish(history, 1)
    };
    assert_eq!(broken(&cut_to(8)), Vec::<&str>::new());
    assert_eq!(broken(&cut_to(4)), Vec::<&str>::new());
    assert_eq!(broken(&cut_to(0)), ["loads-what-is-durable"]);
}

/// Batches appended after a sector was corrupted are cut with it at recovery, although they were
/// never in that sector and no power was lost.
#[test]
fn records_that_follow_a_bad_sector_go_with_it() {
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    [1, 2, 3].into_iter().for_each(|id| strike(&mut history, Disk::Corrupted, id));
    history.produce(&numbers(4..8));
    [1, 2, 3].into_iter().for_each(|id| history.crash(id));
    history.change(Some(None), &[], &[1, 2, 3]);
    for (id, elr) in [(1, &[2, 3][..]), (2, &[3]), (3, &[])] {
        history.disks.get_mut(&(id, ORDERS)).unwrap().clear();
        history.node(id, Change::Started);
        history.load(id, ORDERS, 0);
        history.come_back(id, 50 + i64::from(id), elr);
    }
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("corrupted-disk", 8)]);
}

/// A broker whose disk is lost runs on until it notices, and stays in the ISR meanwhile.
#[test]
fn a_replica_without_its_disk_need_not_have_committed_records() {
    let confirmed = |disk_is_lost: bool| {
        let mut history = History::new(2);
        history.send(ORDERS, &numbers(0..4), -1);
        history.write(1, ORDERS, 0, &numbers(0..4));
        history.follow(2, 1, ORDERS);
        if disk_is_lost {
            strike(&mut history, Disk::Lost, 3);
        }
        // 3 is in the ISR and does not have the records.
        history.watermark(1, &[2], ORDERS, 0);
        history.confirm(1, ORDERS, 0, &numbers(0..4), -1);
        history.follow(3, 1, ORDERS);
        finish(history, 1)
    };
    assert!(broken(&confirmed(false)).contains(&"members-hold-committed"));
    assert_eq!(broken(&confirmed(true)), Vec::<&str>::new());
}

#[test]
fn corrupted_bytes_are_excused_if_their_checksum_is_wrong() {
    let with = |disk: Disk, swap: bool| {
        let mut history = History::new(2);
        history.produce(&numbers(0..4));
        history.produce(&numbers(4..8));
        let first = history.disks[&(3, ORDERS)][0].len() as u64;
        match disk {
            Disk::Corrupted => history.spoil_sector(3, ORDERS, first),
            disk => strike(&mut history, disk, 3),
        }
        let log = history.disks.entry((3, ORDERS)).or_default();
        if swap {
            // Another batch with a valid checksum, which no bad sector can produce.
            log[1] = crate::testing::batch(4, 0, &numbers(0..4));
        } else {
            let mut bytes = bytes::BytesMut::from(&log[1][..]);
            *bytes.last_mut().unwrap() ^= 1;
            log[1] = bytes.freeze();
        }
        finish(history, 1)
    };
    let judgement = with(Disk::Corrupted, false);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement)[0].0, "corrupted-disk");
    for disk in [Disk::Upon(FaultKind::CorruptDisk), Disk::CorruptedIndex, Disk::OtherLost] {
        assert_eq!(broken(&with(disk, false)), ["replicas-equal"], "{disk:?}");
    }
    assert_eq!(broken(&with(Disk::Corrupted, true)), ["replicas-equal"]);
}

/// A broker continues without a log directory that failed: its files stay as the failed call left
/// them, and the cluster has not recovered until the broker restarts.
#[test]
fn a_log_directory_that_failed_is_offline_until_its_broker_restarts() {
    let of = |fault: bool, dir: &str, starts: bool, lacks: TopicPartition| {
        let mut history = History::new(2);
        history.node(3, Change::Started);
        history.load(3, ORDERS, 0);
        history.produce(&numbers(0..8));
        if fault {
            history.fault(3, FaultKind::FailingDisk, true);
        }
        let error = "input/output error".to_owned();
        let (path, partition) = ("d1".to_owned(), Some(ORDERS));
        history.fact(3, Fact::LogDirFailed { path, partition, error });
        history.fault(3, FaultKind::FailingDisk, false);
        history.dirs.insert((3, ORDERS), dir.to_owned());
        let log = history.disks.get_mut(&(3, ORDERS)).unwrap();
        log[0] = log[0].slice(..20);
        if starts {
            history.crash(3);
            history.node(3, Change::Started);
            history.load(3, ORDERS, 8);
        }
        history.change(None, &[1, 2], &[]);
        history.dirs.insert((3, OTHER), "d2".to_owned());
        history.lack(Some(lacks), "ISR [1, 2], 3 is not in sync");
        finish(history, 1)
    };
    let end = |fault, dir, starts| of(fault, dir, starts, ORDERS);
    let judgement = end(true, "d1", false);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("failed-disk", 1)]);
    assert_eq!(
        broken(&end(false, "d1", false)),
        ["converges", "replicas-equal", "stops-explained"],
        "no fault explains it"
    );
    assert_eq!(broken(&of(true, "d1", false, OTHER)), ["converges"], "it is in d2");
    assert_eq!(
        broken(&of(true, "d1", false, METADATA)),
        ["converges"],
        "the metadata log is not excused by a broker's failed directory"
    );
    assert!(broken(&end(true, "d2", false)).contains(&"replicas-equal"), "it is in d2");
    assert!(broken(&end(true, "d1", true)).contains(&"converges"), "the broker has restarted");
}

/// A directory that is offline holds up its own replicas: another member of the ISR that lives has
/// to lead, and other replicas have to be in sync.
#[test]
fn an_offline_directory_excuses_its_own_replicas_alone() {
    let of = |leader: u16, isr: &[u16]| {
        let mut history = History::new(2);
        history.node(3, Change::Started);
        history.load(3, ORDERS, 0);
        history.produce(&numbers(0..8));
        history.fault(3, FaultKind::FailingDisk, true);
        let (path, partition) = ("d1".to_owned(), Some(ORDERS));
        let error = "input/output error".to_owned();
        history.fact(3, Fact::LogDirFailed { path, partition, error });
        history.dirs.insert((3, ORDERS), "d1".to_owned());
        history.change(Some(Some(leader)), isr, &[]);
        history.lack(Some(ORDERS), "it could not be read back");
        broken(&finish(history, 1)).contains(&"converges")
    };
    assert!(!of(1, &[1, 2]), "3 cannot come back into the ISR");
    assert!(!of(3, &[3]), "no other member may lead");
    assert!(of(3, &[1, 2, 3]), "1 or 2 has to lead");
    assert!(of(3, &[2, 3]), "2 has to lead");
    assert!(of(1, &[1]), "2 has to be in sync");
    assert!(of(1, &[1, 2, 3]), "3 has to leave the ISR");
}

/// A leader continues with corrupted bytes: neither a consumer nor a new follower gets past them.
#[test]
fn a_leader_cannot_be_read_beyond_a_bad_sector() {
    let of = |spoilt: u16, lacks: TopicPartition| {
        let mut history = History::new(2);
        history.produce(&numbers(0..4));
        history.produce(&numbers(4..8));
        let first = history.disks[&(1, ORDERS)][0].len() as u64;
        history.spoil_sector(spoilt, ORDERS, first);
        history.lack(Some(lacks), "it was read back up to 4 of 8");
        history.judge()
    };
    let end = |spoilt| of(spoilt, ORDERS);
    let judgement = end(1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement)[0].0, "corrupted-disk");
    assert!(!judgement.unknown.iter().any(|it| it.contains("orders-0")), "{judgement:#?}");
    let judgement = end(2);
    assert_eq!(broken(&judgement), ["converges"], "the leader's log is intact");
    for lacks in [OTHER, METADATA] {
        assert_eq!(broken(&of(1, lacks)), ["converges"], "its log is intact");
    }
}

/// 1 is alone in sync. What was acknowledged before is still on its disk and on those of both
/// followers.
#[test]
fn records_after_a_bad_sector_of_the_leader_cannot_be_read() {
    let of = |min_isr: usize, spoilt: u16, damaged: usize, others: usize| {
        let mut history = History::new(min_isr);
        for count in 0..3 {
            history.produce(&numbers(count * 4..count * 4 + 4));
        }
        history.change(None, &[1], &[]);
        let first = history.disks[&(1, ORDERS)][0].len() as u64;
        history.spoil_sector(spoilt, ORDERS, first);
        let log = history.disks.get_mut(&(1, ORDERS)).unwrap();
        log[damaged] = vec![0; log[damaged].len()].into();
        for id in [2, 3] {
            history.disks.get_mut(&(id, ORDERS)).unwrap().truncate(others);
        }
        history.read_back(2, OTHER);
        broken(&history.judge()).contains(&"acknowledged-survives")
    };
    assert!(!of(2, 1, 1, 3));
    assert!(of(2, 2, 1, 3), "the leader's log is intact");
    assert!(of(2, 1, 0, 3), "the damaged batch is before the sector");
    assert!(of(2, 1, 1, 2), "no other disk has the last batch");
    assert!(!of(1, 1, 1, 2), "with min.insync.replicas 1 the leader alone was enough");
}

#[test]
fn a_voter_that_lost_its_disk_may_vote_twice() {
    let two_leaders = |lost: Option<u16>| {
        let mut history = History::new(2);
        if let Some(id) = lost {
            history.fault(id, FaultKind::LostDisk, true);
            history.lose_disk(id, if id > 100 { &[METADATA] } else { &[ORDERS] });
        }
        history.fact(102, Fact::QuorumLeader { epoch: 1, epoch_start: 0 });
        finish(history, 1)
    };
    let judgement = two_leaders(Some(103));
    assert_eq!((broken(&judgement), hazards(&judgement)), (vec![], vec![("lost-voter", 1)]));
    for judgement in [two_leaders(None), two_leaders(Some(1))] {
        assert_eq!(broken(&judgement), ["quorum-is-safe"]);
    }
    let mut history = History::new(2);
    history.fact(102, Fact::QuorumLeader { epoch: 1, epoch_start: 0 });
    history.fault(103, FaultKind::LostDisk, true);
    history.lose_disk(103, &[METADATA]);
    assert_eq!(broken(&finish(history, 1)), ["quorum-is-safe"], "lost after the election");
}

/// An incarnation whose disk call failed may have lost what that incarnation wrote, but nothing
/// that a later one wrote.
#[test]
fn a_failed_disk_call_excuses_only_the_incarnation_that_made_it() {
    let after = |other_life: bool, kind: FaultKind| {
        let mut history = History::new(2);
        history.node(3, Change::Started);
        history.load(3, ORDERS, 0);
        history.produce(&numbers(0..4));
        history.fault(3, kind, true);
        history.fault(3, kind, false);
        if other_life {
            history.crash(3);
            history.node(3, Change::Started);
            history.load(3, ORDERS, 4);
        }
        history.crash(3);
        history.change(None, &[1, 2], &[]);
        history.disks.get_mut(&(3, ORDERS)).unwrap().clear();
        history.node(3, Change::Started);
        history.load(3, ORDERS, 0);
        history.register(3, 50);
        history.follow(3, 1, ORDERS);
        finish(history, 1)
    };
    for kind in [FaultKind::FailingDisk, FaultKind::FullDisk] {
        assert_eq!(broken(&after(false, kind)), Vec::<&str>::new());
        assert_eq!(broken(&after(true, kind)), ["loads-what-is-durable"]);
    }
}

/// A bad sector explains the bytes of the batches that lie in it, until they are rewritten.
#[test]
fn a_bad_sector_explains_its_own_bytes() {
    let with = |bad: usize, is_cut: bool| {
        let mut history = History::new(2);
        history.produce(&numbers(0..4));
        history.produce(&numbers(4..8));
        // Long, so that the batch after this one begins beyond the sector.
        history.produce(&numbers(8..40));
        history.produce(&numbers(40..44));
        let first = history.disks[&(3, ORDERS)][0].len() as u64;
        history.spoil_sector(3, ORDERS, first);
        if is_cut {
            history.cut(3, ORDERS, 0, 0);
            history.follow(3, 1, ORDERS);
        }
        let log = history.disks.get_mut(&(3, ORDERS)).unwrap();
        let mut bytes = bytes::BytesMut::from(&log[bad][..]);
        *bytes.last_mut().unwrap() ^= 1;
        log[bad] = bytes.freeze();
        finish(history, 1)
    };
    let judgement = with(1, false);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert!(broken(&with(0, false)).contains(&"replicas-equal"), "before the sector");
    assert!(broken(&with(3, false)).contains(&"replicas-equal"), "after the sector");
    assert!(broken(&with(1, true)).contains(&"replicas-equal"), "rewritten");
}

/// The bad sector may lie far before the end of the log: batches after it cannot be read, but do
/// not count as missing.
#[test]
fn batches_after_unreadable_bytes_do_not_count_as_missing() {
    let with = |sector: bool| {
        let mut history = History::new(2);
        for count in (0..120).step_by(40) {
            history.produce(&numbers(count..count + 40));
        }
        if sector {
            history.spoil_sector(3, ORDERS, 0);
        }
        let log = history.disks.get_mut(&(3, ORDERS)).unwrap();
        log[0] = vec![0; log[0].len()].into();
        let judgement = finish(history, 1);
        broken(&judgement).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(with(true), Vec::<String>::new());
    assert_eq!(with(false), ["replicas-equal"]);
}

/// If the leader's log is corrupted, the records of the partition are those of an in-sync replica.
#[test]
fn a_replica_out_of_sync_is_no_substitute_for_a_corrupted_leader() {
    let end = |isr: &[u16]| {
        let mut history = History::new(2);
        history.produce(&numbers(0..4));
        history.change(None, isr, &[]);
        history.spoil_sector(1, ORDERS, 0);
        history.disks.insert((3, ORDERS), vec![crate::testing::batch(0, 0, &numbers(4..8))]);
        history.read_back(2, OTHER);
        history.judge()
    };
    assert!(broken(&end(&[1, 3])).contains(&"acknowledged-survives"), "3 lacks the records");
    assert!(!broken(&end(&[1, 2])).contains(&"acknowledged-survives"), "2 has the records");
}

/// A broker that lost power need not have committed records until it is registered again, but it
/// does not count towards min.insync.replicas either.
#[test]
fn a_replica_without_power_out_of_sync_does_not_count_towards_min_isr() {
    let delivered = |in_sync: &[u16]| {
        let mut history = History::new(2);
        history.crash(3);
        history.change(None, in_sync, &[]);
        history.node(3, Change::PowerLost { bytes: 100 });
        history.send(ORDERS, &numbers(0..4), 1);
        history.write(1, ORDERS, 0, &numbers(0..4));
        in_sync[1..].iter().for_each(|id| history.follow(*id, 1, ORDERS));
        history.watermark(1, &[], ORDERS, 0);
        history.deliver(1002, 1, ORDERS, 4);
        finish(history, 1)
    };
    assert_eq!(broken(&delivered(&[1, 2])), Vec::<&str>::new());
    assert!(broken(&delivered(&[1])).contains(&"no-uncommitted-read"));
}
