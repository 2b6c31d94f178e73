//! What disks that fail take away from the promise, and what they do not.

use super::{Judgement, broken, finish, hazards};
use crate::evidence::{Change, FaultKind};
use crate::testing::{History, ORDERS, numbers};
use engine::fact::Fact;

/// Eight records are on all three; these brokers come back with a disk that holds nothing from
/// `from` on, and the first of them leads.
fn come_back(kind: FaultKind, of: &[u16], by_bug: bool) -> Judgement {
    let mut history = History::new(2);
    history.produce(&numbers(0..8));
    for id in of {
        history.fault(*id, kind, true);
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
fn disks_of_all_replicas_may_take_what_they_held() {
    for (kind, hazard) in
        [(FaultKind::LostDisk, "lost-disk"), (FaultKind::CorruptDisk, "corrupted-disk")]
    {
        let judgement = come_back(kind, &[1, 2, 3], false);
        assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
        assert_eq!(hazards(&judgement), vec![(hazard, 8)]);
    }
    // A disk that is slow, hung or full loses nothing.
    for kind in [FaultKind::Other, FaultKind::FullDisk, FaultKind::ClockJump] {
        let judgement = come_back(kind, &[1, 2, 3], false);
        assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:#?}");
    }
}

#[test]
fn the_disk_of_one_replica_is_no_excuse() {
    // 2 and 3 still have it, and the controller had to wait for one of them.
    for by_bug in [false, true] {
        let judgement = come_back(FaultKind::LostDisk, &[1], by_bug);
        assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:#?}");
        assert_eq!(hazards(&judgement), vec![]);
    }
}

#[test]
fn bytes_that_change_on_a_disk_are_permitted_where_their_checksum_shows_it() {
    let with = |fault: bool, swap: bool| {
        let mut history = History::new(2);
        history.produce(&numbers(0..4));
        history.produce(&numbers(4..8));
        if fault {
            history.fault(3, FaultKind::CorruptDisk, true);
        }
        let log = history.disks.get_mut(&(3, ORDERS)).unwrap();
        if swap {
            // Another batch, whole: no sector that went bad makes that.
            log[1] = crate::testing::batch(4, 0, &numbers(0..4));
        } else {
            let mut bytes = bytes::BytesMut::from(&log[1][..]);
            *bytes.last_mut().unwrap() ^= 1;
            log[1] = bytes.freeze();
        }
        finish(history, 1)
    };
    let judgement = with(true, false);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement)[0].0, "corrupted-disk");
    assert_eq!(broken(&with(false, false)), ["replicas-equal"]);
    assert_eq!(broken(&with(true, true)), ["replicas-equal"]);
}

#[test]
fn a_voter_that_lost_its_disk_may_vote_twice() {
    let two_leaders = |fault: Option<u16>| {
        let mut history = History::new(2);
        if let Some(id) = fault {
            history.fault(id, FaultKind::LostDisk, true);
        }
        history.fact(102, Fact::QuorumLeader { epoch: 1, epoch_start: 0 });
        finish(history, 1)
    };
    let judgement = two_leaders(Some(103));
    assert_eq!((broken(&judgement), hazards(&judgement)), (vec![], vec![("lost-voter", 1)]));
    for judgement in [two_leaders(None), two_leaders(Some(1))] {
        assert_eq!(broken(&judgement), ["quorum-is-safe"]);
    }
}
