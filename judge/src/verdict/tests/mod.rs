//! Every row of the permission table, with a finding that it permits and a rule bug that it does
//! not excuse.

mod application;
mod copies;
mod disks;
mod idempotence;
mod kept;
mod last_known;
mod lost_decisions;
mod lost_disks;
mod order;
mod replaced;
mod returned;
mod stopped;
mod transactions;
mod unclean;
mod unconfirmed;

use super::Judgement;
use crate::evidence::{Change, View};
use crate::testing::{CRASHED, History, ORDERS, OTHER, numbers};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};

fn hazards(judgement: &Judgement) -> Vec<(&str, u64)> {
    judgement.permitted.iter().map(|it| (it.hazard.as_str(), it.count)).collect()
}

fn broken(judgement: &Judgement) -> Vec<&str> {
    let mut checks: Vec<_> = judgement.violations.iter().map(|it| it.check.as_str()).collect();
    checks.sort_unstable();
    checks.dedup();
    checks
}

fn finish(mut history: History, leader: u16) -> Judgement {
    history.read_back(leader, ORDERS);
    history.read_back(2, OTHER);
    history.judge()
}

/// Four records with acks=1 that 1 confirms, after four that are committed.
fn acks1(followers: &[u16]) -> History {
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    history.send(ORDERS, &numbers(4..8), 1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    for follower in followers {
        history.follow(*follower, 1, ORDERS);
    }
    history.confirm(1, ORDERS, 4, &numbers(4..8), 1);
    history
}

#[test]
fn acks1_permits_the_loss_of_records_that_an_in_sync_replica_lacked() {
    let mut history = acks1(&[3]);
    history.crash(1);
    history.elect(2, 1, &[2, 3], &[]);
    history.cut(3, ORDERS, 4, 4);
    let judgement = finish(history, 2);
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    assert_eq!(hazards(&judgement), vec![("acks1-unreplicated", 4)]);
    assert_eq!(judgement.counts.lost, 4);
    let because = &judgement.permitted[0].because;
    let reason = "with acks=1 the leader confirms alone, in-sync replica 2 lacked the record, and \
                  broker 2 began to lead in epoch 1 at ";
    assert!(because.starts_with(reason), "{because}");
}

/// 2 has led for a long time when 1 confirms the records that are lost.
#[test]
fn acks1_permits_the_loss_of_records_confirmed_by_a_replaced_leader() {
    let mut history = acks1(&[2, 3]);
    history.elect(2, 1, &[2, 3], &[]);
    let led = View::default().time(history.now());
    history.send(ORDERS, &numbers(8..10), 1);
    history.write(1, ORDERS, 0, &numbers(8..10));
    history.confirm(1, ORDERS, 8, &numbers(8..10), 1);
    history.cut(1, ORDERS, 8, 4);
    let judgement = finish(history, 2);
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    assert_eq!(hazards(&judgement), vec![("acks1-unreplicated", 2)]);
    let because = &judgement.permitted[0].because;
    assert!(because.ends_with(&format!("broker 2 began to lead in epoch 1 at {led}")), "{because}");
}

/// Four records with acks=1 that 1 confirms while it is in sync alone, and 2 is eligible.
fn acks1_alone_and_alive() -> History {
    let mut history = History::new(2);
    history.unfence(&[1, 2, 3]);
    history.produce(&numbers(0..4));
    history.change(None, &[1], &[2]);
    history.send(ORDERS, &numbers(4..8), 1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.confirm(1, ORDERS, 4, &numbers(4..8), 1);
    history
}

/// The same, and 1 dies.
fn acks1_alone() -> History {
    let mut history = acks1_alone_and_alive();
    history.crash(1);
    history.fence(1, true);
    history
}

#[test]
fn acks1_permits_the_loss_of_records_of_an_isr_below_min_isr() {
    let mut history = acks1_alone();
    history.elect(2, 1, &[2], &[1]);
    let judgement = finish(history, 2);
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    assert_eq!(hazards(&judgement), vec![("acks1-unreplicated", 4)]);
    let because = &judgement.permitted[0].because;
    let reason = "with acks=1 the leader confirms alone, the ISR {1} was below \
                  min.insync.replicas=2, so that nothing was committed, and broker 2 began";
    assert!(because.starts_with(reason), "{because}");
}

#[test]
fn acks1_does_not_excuse_an_eligible_leader_in_place_of_one_in_sync() {
    // The ELR leads only if no in-sync replica can, and 1 is there.
    let mut history = acks1_alone_and_alive();
    history.elect(2, 1, &[2], &[1]);
    let judgement = finish(history, 2);
    assert_eq!(hazards(&judgement), vec![]);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn acks1_does_not_excuse_a_leader_that_was_not_eligible() {
    let mut history = acks1_alone();
    history.elect(3, 1, &[3], &[]);
    let judgement = finish(history, 3);
    assert_eq!(hazards(&judgement), vec![]);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn acks1_does_not_permit_a_truncation_to_the_replicas_own_watermark() {
    // KIP-101: 2 had everything, cut it when it began to follow, and is elected.
    let mut history = acks1(&[2, 3]);
    history.cut(2, ORDERS, 4, 4);
    history.crash(1);
    history.elect(2, 1, &[2, 3], &[]);
    let judgement = finish(history, 2);
    assert_eq!(hazards(&judgement), vec![]);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn acks1_does_not_permit_the_loss_of_records_of_the_whole_isr() {
    // KAFKA-7128: 3 is let in by the lagging watermark of a new leader.
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    history.change(None, &[1, 2], &[]);
    history.send(ORDERS, &numbers(4..8), 1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[], ORDERS, 0);
    history.confirm(1, ORDERS, 4, &numbers(4..8), 1);
    history.elect(2, 1, &[1, 2], &[]);
    history.change(None, &[1, 2, 3], &[]);
    history.elect(3, 2, &[3], &[]);
    let judgement = finish(history, 3);
    assert_eq!(hazards(&judgement), vec![]);
    assert_eq!(broken(&judgement), vec!["acknowledged-survives", "members-hold-committed"]);
    let lost = &judgement.violations.iter().find(|it| it.check == "acknowledged-survives");
    let lost = lost.unwrap();
    assert_eq!((lost.partition.as_str(), lost.offset), ("orders-0", Some(4)));
    assert!(lost.signature.contains("successor-never-had-it"), "{}", lost.signature);
    let explanation = lost.explanation.join("\n");
    assert!(
        explanation.contains("broker 1 acknowledged record 0#4 at orders-0@4 (acks=1, epoch 0")
    );
    assert!(explanation.contains("3 began to lead in epoch 2, from offset 4"), "{explanation}");
    assert!(explanation.contains("held then by {1, 2}"), "{explanation}");
}

#[test]
fn acks_all_is_not_excused_by_a_replica_that_lacked_it() {
    // KIP-497: acknowledged although 3, in the committed ISR, lacks it.
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    history.send(ORDERS, &numbers(4..8), -1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[2], ORDERS, 0);
    history.confirm(1, ORDERS, 4, &numbers(4..8), -1);
    history.crash(1);
    history.elect(3, 1, &[2, 3], &[]);
    history.cut(2, ORDERS, 4, 4);
    let judgement = finish(history, 3);
    assert_eq!(hazards(&judgement), vec![]);
    assert_eq!(broken(&judgement), vec!["acknowledged-survives", "members-hold-committed"]);
}

/// Four records that all have, and four that are confirmed when 3 has been let out of the ISR.
fn confirm_without_3(history: &mut History) {
    history.produce(&numbers(0..4));
    history.change(None, &[1, 2], &[]);
    history.send(ORDERS, &numbers(4..8), -1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[2], ORDERS, 0);
    history.confirm(1, ORDERS, 4, &numbers(4..8), -1);
}

/// Both members of the ISR lose their power and the last batch; 3 never had it.
fn power(lost: &[u16]) -> History {
    let mut history = History::new(2);
    confirm_without_3(&mut history);
    for id in lost {
        history.lose_power(*id, 4);
    }
    history
}

#[test]
fn correlated_power_loss_is_permitted() {
    let mut history = power(&[1, 2]);
    history.change(Some(None), &[], &[1, 2]);
    history.come_back(1, 50, &[2]);
    history.come_back(2, 51, &[]);
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    // The four records; that a member of the ISR lacks them, too, is no fifth.
    assert_eq!(hazards(&judgement), vec![("correlated-power-loss", 4)]);
    let summary = &judgement.permitted[0].summary;
    assert!(summary.starts_with("an acknowledged record was lost (orders-0 at 4)"), "{summary}");
    assert!(summary.ends_with(", and 3 more"), "{summary}");
    assert_eq!(judgement.lost.iter().map(|lost| lost.count).collect::<Vec<_>>(), [4]);
    let because = &judgement.permitted[0].because;
    let reason = "brokers confirm without fsync (flush.messages and flush.ms are Kafka's \
                  defaults), min.insync.replicas=2 requires no more copies than were lost, \
                  brokers 1 and 2 ended uncleanly with unsynced data, and broker 1 began to lead";
    assert!(because.starts_with(reason), "{because}");
}

/// Both are started, and die before they have loaded their logs.
#[test]
fn correlated_power_loss_is_permitted_whatever_ends_before_logs_are_loaded() {
    let mut history = History::new(2);
    confirm_without_3(&mut history);
    for id in [1, 2] {
        history.crash(id);
        history.node(id, Change::PowerLost { bytes: 100 });
        history.node(id, Change::Started);
        history.crash(id);
        history.disks.get_mut(&(id, ORDERS)).unwrap().truncate(1);
        history.node(id, Change::Started);
        history.load(id, ORDERS, 4);
    }
    history.change(Some(None), &[], &[1, 2]);
    history.come_back(1, 50, &[2]);
    history.come_back(2, 51, &[]);
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("correlated-power-loss", 4)]);
}

#[test]
fn a_power_loss_names_when_logs_were_synced() {
    let mut history = power(&[1, 2]);
    history.setup.topics[0].flush_messages = Some(100);
    history.change(Some(None), &[], &[1, 2]);
    history.come_back(1, 50, &[2]);
    history.come_back(2, 51, &[]);
    history.elect(1, 2, &[1], &[]);
    let because = finish(history, 1).permitted.remove(0).because;
    let reason = "brokers fsync no earlier than flush.messages=100 asks for, min.insync";
    assert!(because.starts_with(reason), "{because}");
}

#[test]
fn several_replicas_that_lacked_a_record_are_named() {
    let mut history = acks1(&[]);
    history.crash(1);
    history.elect(2, 1, &[2, 3], &[]);
    let because = finish(history, 2).permitted.remove(0).because;
    assert!(because.contains("in-sync replicas 2 and 3 lacked the record, and"), "{because}");
}

#[test]
fn one_power_loss_is_not_enough() {
    // The controller left 1 in the ELR although it returned without its records (KIP-966).
    let mut history = power(&[1]);
    history.change(Some(None), &[], &[1, 2]);
    history.register(1, 50);
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    assert_eq!(hazards(&judgement), vec![]);
    assert_eq!(broken(&judgement), vec!["acknowledged-survives", "members-hold-committed"]);
}

#[test]
fn power_losses_do_not_excuse_the_wrong_choice() {
    // 1 and 3 lose power, 2 still has everything and is in the ELR; 1 is elected all the same.
    let mut history = History::new(2);
    history.produce(&numbers(0..8));
    history.lose_power(1, 4);
    history.lose_power(3, 4);
    history.crash(2);
    history.change(Some(None), &[], &[2]);
    history.register(1, 50);
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    assert_eq!(hazards(&judgement), vec![]);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn an_isr_of_one_is_permitted_to_lose_with_its_power_only() {
    let alone = |lose: bool| {
        let mut history = History::new(1);
        history.produce(&numbers(0..4));
        history.change(None, &[1], &[]);
        history.send(ORDERS, &numbers(4..8), -1);
        history.write(1, ORDERS, 0, &numbers(4..8));
        history.watermark(1, &[], ORDERS, 0);
        history.confirm(1, ORDERS, 4, &numbers(4..8), -1);
        if lose {
            history.lose_power(1, 4);
        } else {
            history.crash(1);
        }
        history
    };
    let mut history = alone(true);
    history.change(Some(None), &[], &[1]);
    history.come_back(1, 50, &[]);
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("isr-of-one", 4)]);
    // A crash took nothing; another was elected that had no right to lead.
    let mut history = alone(false);
    history.elect(2, 1, &[2], &[]);
    let judgement = finish(history, 2);
    assert_eq!(hazards(&judgement), vec![]);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn with_min_isr_1_the_first_replica_to_return_may_have_lost_a_record() {
    let mut history = History::new(1);
    history.produce(&numbers(0..4));
    history.produce(&numbers(4..8));
    history.change(None, &[1, 2], &[]);
    history.lose_power(1, 4);
    history.lose_power(2, 4);
    history.change(Some(None), &[], &[1]);
    history.come_back(1, 52, &[]);
    history.come_back(2, 53, &[]);
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    // 3 holds it, but was neither in the ISR nor in the ELR any more.
    assert_eq!(hazards(&judgement), vec![("min-isr-1", 4)]);
    assert_eq!(broken(&judgement), Vec::<&str>::new());
}

#[test]
fn an_unknown_outcome_may_land_and_a_refused_record_may_not() {
    let landed = |maybe_written: bool| {
        let mut history = History::new(2);
        history.send(ORDERS, &numbers(0..2), -1);
        history.write(1, ORDERS, 0, &numbers(0..2));
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.watermark(1, &[2, 3], ORDERS, 0);
        let failed = ClientFact::Failed {
            partition: Some(ORDERS),
            error: ErrorCode::RequestTimedOut,
            maybe_written,
            records: numbers(0..2),
            over: None,
        };
        history.client(1001, failed);
        finish(history, 1)
    };
    assert_eq!(hazards(&landed(true)), vec![("unknown-outcome-landed", 2)]);
    assert_eq!(broken(&landed(false)), vec!["nothing-unsent"]);
}

#[test]
fn acks0_confirms_nothing() {
    let mut history = History::new(2);
    history.send(ORDERS, &numbers(0..2), 0);
    history.confirm_over(1, None, &numbers(0..2));
    let judgement = finish(history, 1);
    assert_eq!(hazards(&judgement), vec![("acks0-unwritten", 2)]);
    assert_eq!((judgement.counts.unconfirmed, judgement.counts.lost), (2, 0));
}

#[test]
fn findings_that_cannot_be_judged_are_unknown() {
    let mut history = History::new(2);
    history.send(ORDERS, &numbers(0..2), -1);
    history.node(3, CRASHED);
    let judgement = history.judge();
    assert_eq!(judgement.violations.len(), 0);
    assert_eq!(
        judgement.unknown,
        vec![
            "2 records have no outcome: the workload did not finish",
            "orders-0 was not read back",
            "orders-1 was not read back",
        ]
    );
}

#[test]
fn a_leader_that_continues_in_its_epoch_after_a_power_loss_is_named() {
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    history.produce(&numbers(4..8));
    history.lose_power(1, 4);
    history.begin(ORDERS, 1, 0);
    // The controller registers it and leaves it the leader.
    history.register(1, 50);
    let judgement = finish(history, 1);
    assert_eq!(hazards(&judgement), vec![]);
    let lost = judgement.violations.iter().find(|it| it.check == "acknowledged-survives").unwrap();
    assert!(lost.signature.ends_with("successor-lost-it-with-power"), "{}", lost.signature);
}

#[test]
fn a_lost_record_is_the_headline_and_its_story_tells_who_did_not_wait() {
    // KIP-497: 1 proposes an ISR without 3, and goes past 3 before the controller has agreed.
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    let proposed = Fact::IsrProposed {
        partition: ORDERS,
        leader_epoch: 0,
        partition_epoch: 0,
        from: vec![1, 2, 3],
        to: vec![1, 2],
    };
    history.fact(1, proposed);
    history.send(ORDERS, &numbers(4..8), -1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[2], ORDERS, 0);
    history.confirm(1, ORDERS, 4, &numbers(4..8), -1);
    history.elect(3, 1, &[3], &[]);
    let judgement = finish(history, 3);
    assert_eq!(judgement.violations[0].check, "acknowledged-survives");
    assert!(broken(&judgement).contains(&"members-hold-committed"), "which came earlier");
    let told = judgement.violations[0].explanation.join("\n");
    for line in [
        "1, leader in epoch 0, proposed the ISR {1, 2} in place of {1, 2, 3}",
        "1 moved its high watermark to 8, beyond the log end of {3}, members of the committed ISR {1, 2, 3}",
        "broker 1 acknowledged record 0#4 at orders-0@4 (acks=all, epoch 0, ISR {1, 2, 3}",
        "3 began to lead in epoch 1, from offset 4",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

#[test]
fn the_explanation_names_the_replica_that_joined_without_committed_records() {
    // KAFKA-7128: 3 is let in where it has reached what 2 knows to be committed.
    let mut history = acks1(&[2, 3]);
    history.change(None, &[1, 2], &[]);
    history.cut(3, ORDERS, 4, 4);
    history.watermark(1, &[], ORDERS, 0);
    history.elect(2, 1, &[2], &[]);
    history.change(None, &[2, 3], &[]);
    let judgement = finish(history, 2);
    let told = judgement.violations.last().unwrap().explanation.join("\n");
    let line = "3 was admitted to the ISR, although its log ended at 4 and offsets below 8 were committed; \
                the leader's own high watermark was 4";
    assert!(told.contains(line), "{told}");
}
