//! Unclean elections.

use super::{broken, confirm_without_3, finish, hazards};
use crate::evidence::Change;
use crate::testing::{History, ORDERS, fencing, numbers};
use engine::metadata::{MetadataRecord, PartitionChange};

#[test]
fn unclean_election_is_permitted_where_it_is_configured() {
    let unclean = |enabled: bool, by_bug: bool| {
        let mut history = History::new(2);
        history.setup.topics[0].unclean_leader_election = enabled;
        confirm_without_3(&mut history);
        history.deliver(1002, 1, ORDERS, 8);
        if by_bug {
            history.change(None, &[1, 2, 3], &[]);
        }
        history.crash(1);
        history.crash(2);
        history.elect(3, 1, &[3], &[]);
        history.cut(1, ORDERS, 4, 8);
        finish(history, 3)
    };
    let judgement = unclean(true, false);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert!(hazards(&judgement).iter().all(|(hazard, _)| *hazard == "unclean-election"));
    let lost: Vec<u64> = judgement.permitted.iter().map(|it| it.count).collect();
    assert!(lost.contains(&4), "{lost:?}");
    assert!(broken(&unclean(false, false)).contains(&"acknowledged-survives"));
    // Broker 3 joined the ISR because of a bug, so that its election was clean by the committed
    // log.
    let judgement = unclean(true, true);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
    assert!(broken(&judgement).contains(&"delivered-stays"));
}

/// Brokers 1 and 2 are in sync and have the confirmed records; 3 has left the ISR, and lacks them.
fn unclean_allowed() -> History {
    let mut history = History::new(2);
    history.setup.topics[0].unclean_leader_election = true;
    history.unfence(&[1, 2, 3]);
    confirm_without_3(&mut history);
    history
}

#[test]
fn an_unclean_leader_may_be_elected_again_before_it_leads() {
    let mut history = unclean_allowed();
    [1, 2].into_iter().for_each(|id| history.fence(id, true));
    // Broker 3 is elected, stops, and is elected again as the only member of the ISR.
    history.change(Some(Some(3)), &[3], &[]);
    history.crash(3);
    history.change(Some(None), &[3], &[]);
    history.node(3, Change::Started);
    history.elect(3, 3, &[3], &[]);
    let judgement = finish(history, 3);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("unclean-election", 4)]);
}

#[test]
fn a_replica_that_joined_between_two_elections_was_a_member() {
    // Broker 3 joins without the records, and is elected twice, cleanly by the committed log.
    let mut history = unclean_allowed();
    history.change(None, &[1, 2, 3], &[]);
    [1, 2].into_iter().for_each(|id| history.fence(id, true));
    history.change(Some(Some(3)), &[3], &[]);
    history.change(Some(None), &[3], &[]);
    history.elect(3, 3, &[3], &[]);
    let judgement = finish(history, 3);
    assert_eq!(hazards(&judgement), vec![]);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn unclean_election_is_the_last_resort() {
    let elected = |fenced: &[u16], elr: bool| {
        let mut history = unclean_allowed();
        if elr {
            history.change(None, &[1], &[2]);
        }
        fenced.iter().for_each(|id| history.fence(*id, true));
        history.elect(3, 1, &[3], &[]);
        finish(history, 3)
    };
    for elr in [false, true] {
        let judgement = elected(&[1, 2], elr);
        assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
        assert_eq!(hazards(&judgement), vec![("unclean-election", 4)]);
        // The controller did not elect 2, which was running and had all records.
        let judgement = elected(&[1], elr);
        assert_eq!(hazards(&judgement), vec![], "{elr}");
        assert!(broken(&judgement).contains(&"acknowledged-survives"));
    }
}

#[test]
fn a_broker_that_one_batch_fences_and_unfences_could_not_have_led() {
    // The quorum's leader was slow, so that two decisions are in one batch.
    let elected = |fences: bool| {
        let mut history = unclean_allowed();
        history.fence(2, true);
        let election = PartitionChange {
            leader: Some(Some(3)),
            isr: Some(vec![3]),
            ..PartitionChange::of(ORDERS)
        };
        let fencings = fences.then(|| [fencing(1, true), fencing(1, false)]);
        let mut batch = vec![MetadataRecord::PartitionChange(election)];
        batch.extend(fencings.into_iter().flatten());
        history.metadata(&batch);
        history.begin(ORDERS, 3, 1);
        finish(history, 3)
    };
    assert_eq!(hazards(&elected(true)), vec![("unclean-election", 4)]);
    assert!(broken(&elected(false)).contains(&"acknowledged-survives"));
}

#[test]
fn unclean_election_needs_an_election() {
    // Broker 1 lost power and the records, and still leads in its epoch.
    let mut history = unclean_allowed();
    history.lose_power(1, 4);
    history.begin(ORDERS, 1, 0);
    let judgement = finish(history, 1);
    assert_eq!(hazards(&judgement), vec![]);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn unclean_election_needs_the_election_of_that_replica() {
    // The controller elects 2, but 3 leads.
    let led_by = |leader: u16| {
        let mut history = unclean_allowed();
        [1, 2].into_iter().for_each(|id| history.fence(id, true));
        history.change(Some(Some(leader)), &[leader], &[]);
        history.begin(ORDERS, 3, 1);
        finish(history, 3)
    };
    assert_eq!(hazards(&led_by(3)), vec![("unclean-election", 4)]);
    let judgement = led_by(2);
    assert_eq!(hazards(&judgement), vec![]);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn an_election_of_a_leader_that_never_leads_is_named_by_its_epoch() {
    let mut history = unclean_allowed();
    [1, 2].into_iter().for_each(|id| history.fence(id, true));
    // Broker 3 is elected, but never leads.
    history.change(Some(Some(3)), &[3], &[]);
    history.fence(3, true);
    history.fence(1, false);
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    let because = &judgement.permitted[0].because;
    assert!(because.contains(", and broker 3 was elected in epoch 1 at "), "{because}");
    assert!(
        because.contains("of ISR and ELR {1, 2} no broker could lead, and broker 3"),
        "{because}"
    );
}

/// Broker 2 is elected uncleanly. Broker 3 truncates the records that 2 lacks, and fetches those
/// that 2 wrote at these offsets. In a second life, if it has one, 3 truncates them again.
fn cuts_again(crash: bool, unclean: bool) -> crate::verdict::Judgement {
    let mut history = History::new(2);
    history.setup.topics[0].unclean_leader_election = unclean;
    history.unfence(&[1, 2, 3]);
    history.produce(&numbers(0..4));
    history.change(None, &[1, 3], &[]);
    history.send(ORDERS, &numbers(4..8), -1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[3], ORDERS, 0);
    history.confirm(1, ORDERS, 4, &numbers(4..8), -1);
    [1, 3].into_iter().for_each(|id| history.fence(id, true));
    history.elect(2, 1, &[2], &[]);
    history.cut(3, ORDERS, 4, 8);
    history.send(ORDERS, &numbers(8..12), -1);
    history.write(2, ORDERS, 1, &numbers(8..12));
    history.follow(3, 2, ORDERS);
    history.fence(3, false);
    history.change(None, &[2, 3], &[]);
    history.watermark(2, &[3], ORDERS, 1);
    history.confirm(2, ORDERS, 4, &numbers(8..12), -1);
    if crash {
        history.crash(3);
        history.node(3, Change::Started);
        history.load(3, ORDERS, 8);
    }
    history.cut(3, ORDERS, 4, 8);
    history.follow(3, 2, ORDERS);
    history.cut(1, ORDERS, 4, 8);
    finish(history, 2)
}

#[test]
fn a_replica_may_restart_with_an_epoch_truncated_after_an_unclean_election() {
    let judgement = cuts_again(true, true);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    let found = hazards(&judgement);
    assert!(found.contains(&("stale-epoch-entry", 1)), "{found:?}");
    // In the same life it knows the truncated records, and a clean election loses no committed
    // records.
    for judgement in [cuts_again(false, true), cuts_again(true, false)] {
        let found = broken(&judgement);
        assert!(found.contains(&"truncation-below-watermark"), "{found:?}");
    }
}
