//! Loss of the disks of all replicas, or of a majority of voters, which no promise covers.

use super::{broken, finish, hazards};
use crate::evidence::{Change, FaultKind};
use crate::testing::{History, METADATA, ORDERS, numbers};
use engine::fact::Fact;

fn lose(history: &mut History, id: u16) {
    history.fault(id, FaultKind::LostDisk, true);
    history.lose_disk(id, &[ORDERS]);
}

/// Brokers lose their disks, and each restarts with an empty log, which it does not load. Returns
/// the history up to their registrations.
fn begin_anew(of: &[u16]) -> History {
    let mut history = History::new(2);
    history.produce(&numbers(0..8));
    for id in of {
        lose(&mut history, *id);
        history.crash(*id);
    }
    history.change(Some(None), &[], &[1, 2, 3]);
    for id in of {
        history.node(*id, Change::Started);
        history.fact(
            *id,
            Fact::BecameFollower {
                partition: ORDERS,
                leader: None,
                leader_epoch: 1,
                log_end: 0,
                high_watermark: 0,
            },
        );
    }
    let mut elr = vec![1, 2, 3];
    for (id, epoch) in of.iter().zip(50..) {
        elr.retain(|other| other != id);
        history.come_back(*id, epoch, &elr);
    }
    history
}

/// A replication factor of N promises to survive N-1 lost disks. Later records are acknowledged at
/// the same offsets, and the explanation of the loss does not confuse them with the lost ones.
#[test]
fn the_loss_of_the_disks_of_all_replicas_excuses_lost_records() {
    let mut history = begin_anew(&[1, 2, 3]);
    history.elect(1, 2, &[1], &[]);
    history.change(None, &[1, 2, 3], &[]);
    history.send(ORDERS, &numbers(8..12), -1);
    history.write(1, ORDERS, 2, &numbers(8..12));
    history.follow(2, 1, ORDERS);
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[2, 3], ORDERS, 2);
    history.confirm_in(2, 1, 0, &numbers(8..12));
    let judgement = finish(history, 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("lost-disk", 8)]);
    let told = judgement.permitted[0].explanation.join("\n");
    assert!(told.contains("acknowledged record 0#0 at orders-0@0 (acks=all, epoch 0,"), "{told}");
    assert!(!told.contains("(acks=all, epoch 2"), "{told}");
}

/// The last known leader is elected once its broker has named its new directory (FL-3).
#[test]
fn a_partition_whose_replicas_lost_their_disks_has_a_leader_again() {
    let mut history = begin_anew(&[1, 2, 3]);
    history.lack(Some(ORDERS), "no leader, ISR [], ELR []");
    assert!(broken(&history.judge()).contains(&"converges"));
}

/// The headline names what has not recovered; the explanation lists the events that led to it.
#[test]
fn a_partition_that_did_not_recover_is_explained_by_its_events() {
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    history.crash(3);
    history.change(None, &[1, 2], &[]);
    history.lack(Some(ORDERS), "ISR [1, 2], 3 is not in sync");
    let judgement = finish(history, 1);
    let [only] = &judgement.violations[..] else { panic!("{judgement:#?}") };
    let told = only.explanation.join("\n");
    assert!(told.contains("broker 3 crashed") && told.contains("ISR {1, 2}"), "{told}");
    assert!(!told.contains("3 is not in sync"), "{told}");
}

/// A quorum of three keeps committed metadata if one voter loses its disk, but not if two do.
#[test]
fn a_quorum_loses_metadata_with_the_disks_of_a_majority() {
    let lost = |of: &[u16], epoch: i32| {
        let mut history = History::new(2);
        for id in of {
            history.fault(*id, FaultKind::LostDisk, true);
            history.lose_disk(*id, &[METADATA]);
            history.crash(*id);
            history.node(*id, Change::Started);
        }
        history.fact(102, Fact::QuorumLeader { epoch, epoch_start: 0 });
        history.lack(Some(ORDERS), "no leader, ISR [], ELR []");
        finish(history, 1)
    };
    // Voters that have lost their votes may elect a leader in an earlier epoch again.
    for (of, epoch) in [(&[102, 103][..], 2), (&[101, 102, 103], 2), (&[101, 102, 103], 1)] {
        let judgement = lost(of, epoch);
        assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
        assert!(hazards(&judgement).iter().all(|(hazard, _)| *hazard == "lost-voter"));
    }
    assert_eq!(broken(&lost(&[102], 2)), ["converges", "quorum-is-safe"], "two of three had it");
}
