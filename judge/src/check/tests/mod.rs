//! Every check, with a good history on which it reports nothing and a bad one on which it reports a
//! finding.

mod broken;
mod consumer_groups;
mod coordinators;
mod durability;
mod fencing;
mod groups;
mod isr;
mod liveness;
mod pipelines;
mod positions;
mod producers;
mod quorum;
mod readers;
mod sparse;
mod transactions;
mod zombies;

use super::CHECKS;
use crate::evidence::Change;
use crate::testing::{History, ORDERS, OTHER, batch, numbers};
use bytes::BytesMut;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};

/// Ten batches of four records: replicated, confirmed, and read as they are written.
fn good() -> History {
    let mut history = History::new(2);
    for count in (0..40).step_by(4) {
        history.produce(&numbers(count..count + 4));
        history.deliver(1002, 1, ORDERS, count as i64 + 2);
    }
    history
}

fn finish(mut history: History, leader: u16) -> History {
    history.read_back(leader, ORDERS);
    history.read_back(2, OTHER);
    history
}

fn names(history: &History) -> Vec<&'static str> {
    let mut names: Vec<_> = history.findings().into_iter().map(|(check, ..)| check).collect();
    names.dedup();
    names
}

fn orders(check: &'static str, offset: i64) -> (&'static str, String, Option<i64>) {
    (check, "orders-0".to_owned(), Some(offset))
}

#[test]
fn no_check_reports_a_good_history() {
    let history = finish(good(), 1);
    assert_eq!(history.findings(), vec![]);
    let judgement = history.judge();
    assert!(judgement.violations.is_empty() && judgement.permitted.is_empty());
    assert!(judgement.unknown.is_empty(), "{:?}", judgement.unknown);
    let counts = judgement.counts;
    assert_eq!((counts.sent, counts.acked, counts.read, counts.lost), (40, 40, 40, 0));
}

#[test]
fn no_check_reports_a_clean_election_and_its_truncation() {
    let mut history = good();
    // 1 alone has four more, whose fate its producer does not know.
    let tail = numbers(40..44);
    history.send(ORDERS, &tail, -1);
    history.write(1, ORDERS, 0, &tail);
    history.crash(1);
    history.elect(2, 1, &[2, 3], &[]);
    let failed = ClientFact::Failed {
        partition: Some(ORDERS),
        error: ErrorCode::RequestTimedOut,
        maybe_written: true,
        records: tail,
        over: None,
    };
    history.client(1001, failed);
    history.node(1, Change::Started);
    history.register(1, 50);
    history.cut(1, ORDERS, 40, 40);
    let more = numbers(44..48);
    history.send(ORDERS, &more, -1);
    history.write(2, ORDERS, 1, &more);
    history.follow(1, 2, ORDERS);
    history.follow(3, 2, ORDERS);
    history.change(None, &[1, 2, 3], &[]);
    history.watermark(2, &[1, 3], ORDERS, 1);
    history.confirm(2, ORDERS, 40, &more, -1);
    let history = finish(history, 2);
    assert_eq!(history.findings(), vec![]);
    let judgement = history.judge();
    assert!(judgement.violations.is_empty() && judgement.permitted.is_empty());
    assert_eq!((judgement.counts.unknown, judgement.counts.lost), (4, 0));
}

#[test]
fn every_check_has_a_unique_name() {
    let mut names: Vec<_> = CHECKS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKS.len());
}

#[test]
fn acknowledged_survives_names_the_lost_record() {
    let mut history = good();
    // All replicas forget the last batch and say nothing.
    for id in 1..=3 {
        history.disks.get_mut(&(id, ORDERS)).unwrap().pop();
    }
    let history = finish(history, 1);
    let found = history.findings();
    let lost: Vec<_> = found.iter().filter(|it| it.0 == "acknowledged-survives").collect();
    assert_eq!(lost.len(), 4);
    assert_eq!(*lost[0], orders("acknowledged-survives", 36));
    let judgement = history.judge();
    assert_eq!(judgement.counts.lost, 4);
    let violation = judgement.violations.iter().find(|it| it.check == "acknowledged-survives");
    assert!(violation.unwrap().summary.contains("record 0#36"), "{violation:?}");
}

#[test]
fn acknowledged_survives_requires_the_record_at_its_offset() {
    let mut history = History::new(2);
    let (first, second) = (numbers(0..2), numbers(2..4));
    history.send(ORDERS, &numbers(0..4), -1);
    history.write(1, ORDERS, 0, &first);
    history.write(1, ORDERS, 0, &second);
    history.follow(2, 1, ORDERS);
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[2, 3], ORDERS, 0);
    history.confirm(1, ORDERS, 0, &first, -1);
    history.confirm(1, ORDERS, 3, &second, -1);
    let found = finish(history, 1).findings();
    let at = |offset| orders("acknowledged-survives", offset);
    assert_eq!(found, vec![at(3), at(4)]);
}

#[test]
fn delivered_records_stay_with_any_acks() {
    let mut history = History::new(2);
    history.send(ORDERS, &numbers(0..2), 1);
    history.write(1, ORDERS, 0, &numbers(0..2));
    history.follow(2, 1, ORDERS);
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[2, 3], ORDERS, 0);
    history.deliver(1002, 1, ORDERS, 2);
    // 3 truncates everything, is elected, and writes other records.
    history.cut(3, ORDERS, 0, 0);
    history.elect(3, 1, &[2, 3], &[]);
    history.send(ORDERS, &numbers(2..4), 1);
    history.write(3, ORDERS, 1, &numbers(2..4));
    let history = finish(history, 3);
    let names = names(&history);
    assert!(names.contains(&"delivered-stays"), "{names:?}");
    assert!(names.contains(&"one-value-per-offset"), "another batch was read back: {names:?}");
    let judgement = history.judge();
    assert!(judgement.permitted.is_empty(), "acks=1 does not excuse: {:?}", judgement.permitted);
}

#[test]
fn order_as_sent_distinguishes_an_overtaken_record_from_a_copy() {
    let mut history = History::new(2);
    history.send(ORDERS, &numbers(0..3), -1);
    for of in [numbers(1..2), numbers(0..1), numbers(1..2), numbers(2..3)] {
        history.write(1, ORDERS, 0, &of);
    }
    history.follow(2, 1, ORDERS);
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[2, 3], ORDERS, 0);
    let history = finish(history, 1);
    assert_eq!(history.findings(), vec![orders("order-as-sent", 1), orders("stored-once", 2)]);
    let counts = history.judge().counts;
    assert_eq!((counts.reordered, counts.duplicated), (1, 1));
}

#[test]
fn nothing_unsent_reports_records_that_were_not_sent_to_the_partition() {
    let mut history = good();
    history.write(1, ORDERS, 0, &[77]);
    history.send(OTHER, &[78], -1);
    history.write(1, ORDERS, 0, &[78]);
    let found = history.findings();
    assert_eq!(found, vec![orders("nothing-unsent", 40), orders("nothing-unsent", 41)]);
}

#[test]
fn nothing_unsent_reports_refused_records() {
    let mut history = good();
    history.send(ORDERS, &numbers(40..41), -1);
    history.write(1, ORDERS, 0, &numbers(40..41));
    let refused = ClientFact::Failed {
        partition: Some(ORDERS),
        error: ErrorCode::NotEnoughReplicas,
        maybe_written: false,
        records: numbers(40..41),
        over: None,
    };
    history.client(1001, refused);
    assert_eq!(history.findings(), vec![orders("nothing-unsent", 40)]);
}

#[test]
fn one_wrong_byte_on_one_disk_is_found_and_named() {
    let mut history = finish(good(), 1);
    let batches = history.disks.get_mut(&(3, ORDERS)).unwrap();
    let mut bytes = BytesMut::from(&batches[5][..]);
    *bytes.last_mut().unwrap() ^= 1;
    batches[5] = bytes.freeze();
    let found = history.findings();
    assert_eq!(found, vec![orders("replicas-equal", 20), orders("replicas-equal", 20)]);
    let judgement = history.judge();
    assert!(judgement.violations.iter().any(|it| it.summary.contains("replica 3")));
}

#[test]
fn a_segment_is_no_larger_than_it_may_be() {
    let found = |segment_bytes: u64| {
        let mut history = good();
        history.setup.topics[0].segment_bytes = segment_bytes;
        names(&history)
    };
    assert_eq!(found(1 << 20), Vec::<&str>::new());
    let larger = found(100);
    assert!(larger.iter().all(|check| *check == "replicas-equal") && !larger.is_empty());
}

#[test]
fn a_disk_has_the_batches_that_its_replica_reported() {
    // All three lack the same batch, so they are equal.
    let mut history = finish(good(), 1);
    for id in 1..=3 {
        history.disks.get_mut(&(id, ORDERS)).unwrap().remove(5);
    }
    assert_eq!(history.findings(), vec![orders("replicas-equal", 20); 3]);
    // All three have another batch at the same offsets, intact and with a correct checksum.
    let mut history = finish(good(), 1);
    for id in 1..=3 {
        history.disks.get_mut(&(id, ORDERS)).unwrap()[9] = batch(36, 0, &numbers(30..34));
    }
    assert_eq!(history.findings(), vec![orders("replicas-equal", 36); 3]);
    // A batch that has just been written is reported later, and lies above the high watermark.
    let mut history = finish(good(), 1);
    history.disks.get_mut(&(1, ORDERS)).unwrap().push(batch(40, 0, &numbers(40..41)));
    assert_eq!(history.findings(), vec![]);
}

#[test]
fn a_replica_that_is_up_has_a_log() {
    let mut history = finish(good(), 1);
    history.without_log = vec![(3, OTHER)];
    let expected = ("replicas-equal", "orders-1".to_owned(), None);
    assert_eq!(history.findings(), vec![expected]);
    history.crash(3);
    assert_eq!(history.findings(), vec![]);
}

#[test]
fn a_replica_is_checked_once_it_has_loaded_its_log() {
    let torn = |history: &mut History| {
        history.node(3, Change::Started);
        let batches = history.disks.get_mut(&(3, ORDERS)).unwrap();
        let last = batches.pop().unwrap();
        batches.push(last.slice(..last.len() / 2));
    };
    // It has started, and has not truncated the torn batch yet.
    let mut history = finish(good(), 1);
    history.crash(3);
    torn(&mut history);
    assert_eq!(history.findings(), vec![]);
    // It has loaded its log, and has left the torn batch.
    let mut loaded = history.clone();
    loaded.load(3, ORDERS, 36);
    assert!(names(&loaded).contains(&"replicas-equal"), "{:?}", loaded.findings());
    // A replica that follows has loaded its log, too.
    let follow = Fact::BecameFollower {
        partition: ORDERS,
        leader_epoch: 0,
        leader: Some(1),
        log_end: 36,
        high_watermark: 36,
    };
    history.fact(3, follow);
    assert!(names(&history).contains(&"replicas-equal"), "{:?}", history.findings());
    // The same with a missing log: it is a finding once the log is loaded.
    let mut history = finish(good(), 1);
    history.crash(3);
    history.node(3, Change::Started);
    history.without_log = vec![(3, OTHER)];
    assert_eq!(history.findings(), vec![]);
    let mut registered = history.clone();
    history.load(3, OTHER, 0);
    assert_eq!(history.findings(), vec![("replicas-equal", "orders-1".to_owned(), None)]);
    // A registered broker has loaded all its logs, even if it has not reported this one.
    registered.register(3, 20);
    assert_eq!(registered.findings(), vec![("replicas-equal", "orders-1".to_owned(), None)]);
}

#[test]
fn replicas_are_not_compared_above_the_watermark() {
    let mut history = finish(good(), 1);
    history.send(ORDERS, &numbers(40..41), -1);
    history.write(1, ORDERS, 0, &numbers(40..41));
    let found = history.findings();
    assert_eq!(found, vec![], "the others need not have the last batch yet");
}

#[test]
fn a_follower_may_append_only_batches_of_a_leader() {
    let mut history = good();
    history.send(ORDERS, &numbers(40..41), -1);
    let other = batch(40, 0, &numbers(40..41));
    history.append(2, ORDERS, false, 0, other);
    assert_eq!(history.findings(), vec![orders("replicas-equal", 40)]);
}

#[test]
fn a_leader_epoch_has_one_leader() {
    let mut history = good();
    history.begin(ORDERS, 3, 0);
    let expected = ("one-leader-per-epoch", "orders-0".to_owned(), None);
    assert_eq!(history.findings(), vec![expected]);
}

#[test]
fn members_have_all_committed_records() {
    let mut history = good();
    history.change(None, &[1, 2], &[]);
    let more = numbers(40..44);
    history.send(ORDERS, &more, -1);
    history.write(1, ORDERS, 0, &more);
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[2], ORDERS, 0);
    let quiet = history.clone();
    assert_eq!(quiet.findings(), vec![]);
    // 3 is let in without the last batch (KAFKA-7128).
    history.change(None, &[1, 2, 3], &[]);
    assert_eq!(history.findings(), vec![orders("members-hold-committed", 40)]);
}

#[test]
fn a_watermark_waits_for_the_committed_isr() {
    // The leader acts on its own shrink at once (KIP-497).
    let mut history = good();
    history.send(ORDERS, &numbers(40..44), -1);
    history.write(1, ORDERS, 0, &numbers(40..44));
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[2], ORDERS, 0);
    assert_eq!(history.findings(), vec![orders("members-hold-committed", 40)]);
}

#[test]
fn a_replica_that_lost_its_power_is_exempt_until_it_is_registered() {
    let mut history = good();
    history.lose_power(3, 36);
    history.change(None, &[1, 2, 3], &[]);
    assert_eq!(history.clone().findings(), vec![]);
    history.register(3, 60);
    assert_eq!(history.findings(), vec![orders("members-hold-committed", 36)]);
}

#[test]
fn a_truncation_below_the_watermark_is_judged() {
    let mut history = good();
    history.cut(2, ORDERS, 36, 40);
    assert_eq!(history.findings(), vec![orders("truncation-below-watermark", 36)]);
}

#[test]
fn missing_items_after_the_deadline_are_named() {
    let mut history = finish(good(), 1);
    history.lack(Some(ORDERS), "orders-0: ISR {1, 2}, 3 is fenced since 12.4 s");
    let judgement = history.judge();
    assert_eq!(judgement.violations.len(), 1);
    assert!(judgement.violations[0].summary.contains("3 is fenced since 12.4 s"));
}

#[test]
fn callbacks_run_once_and_in_order() {
    let mut history = good();
    history.confirm_over(1, Some(4), &numbers(4..8));
    assert_eq!(names(&history), vec!["callbacks-in-order"], "they ran before");

    let mut history = History::new(2);
    history.send(ORDERS, &numbers(0..4), -1);
    history.write(1, ORDERS, 0, &numbers(0..2));
    history.write(1, ORDERS, 0, &numbers(2..4));
    history.confirm(1, ORDERS, 2, &numbers(2..4), -1);
    history.confirm(1, ORDERS, 0, &numbers(0..2), -1);
    assert_eq!(names(&history), vec!["callbacks-in-order"]);
}

#[test]
fn equal_keys_go_to_one_partition() {
    let mut history = History::new(2);
    history.send(ORDERS, &numbers(0..2), -1);
    history.send(OTHER, &numbers(2..4), -1);
    let [a, b, c]: [Option<&[u8]>; 3] = [Some(b"a"), Some(b"b"), Some(b"c")];
    history.write_keyed(1, ORDERS, &[(0, a), (1, b)]);
    history.write_keyed(2, OTHER, &[(2, c)]);
    assert_eq!(names(&history), Vec::<&str>::new());
    history.write_keyed(2, OTHER, &[(3, a)]);
    let expected = ("same-key-same-partition", "orders-1".to_owned(), Some(1));
    assert_eq!(history.findings(), vec![expected]);
}

/// Neither the replicas of a partition nor those of a metadata log have a limit.
#[test]
fn a_hundred_replicas_are_judged_as_three_are() {
    let replicas: Vec<u16> = (1..=100).collect();
    let mut history = History::of(2, &replicas);
    let produce = |history: &mut History, followers: &[u16], of: std::ops::Range<usize>| {
        let base = history.end(1, ORDERS);
        history.send(ORDERS, &numbers(of.clone()), -1);
        history.write(1, ORDERS, 0, &numbers(of.clone()));
        followers.iter().for_each(|id| history.follow(*id, 1, ORDERS));
        history.watermark(1, followers, ORDERS, 0);
        history.confirm(1, ORDERS, base, &numbers(of), -1);
    };
    produce(&mut history, &replicas[1..], 0..4);
    let quiet = finish(history.clone(), 1);
    assert_eq!(quiet.findings(), vec![]);
    assert_eq!(quiet.judge().counts.lost, 0);
    produce(&mut history, &replicas[1..99], 4..8);
    assert_eq!(history.findings(), vec![orders("members-hold-committed", 4)]);
    history.change(None, &replicas[..99], &[]);
    history.elect(100, 1, &[100], &[]);
    let judgement = finish(history, 100).judge();
    assert!(judgement.violations.iter().any(|it| it.check == "acknowledged-survives"));
    let lines: Vec<_> = judgement.violations.iter().flat_map(|it| &it.explanation).collect();
    assert!(lines.iter().any(|line| line.contains("never held by {100};")), "{lines:#?}");
}
