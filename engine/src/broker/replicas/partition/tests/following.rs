//! Followers: the batches that they append, and how their logs become equal to the leader's.

use super::*;
use crate::protocol::{EpochEndOffset, Records};
use crate::record::Batch;
use proptest::prelude::*;

#[test]
fn a_fetched_batch_newer_than_the_fetch_is_left_out() {
    let mut follower = Replica::new(2, 1);
    follower.with(|p, _, io| p.become_follower(&state(1, &[1, 2], (3, 0)), io));
    let mut fetched = refused_fetch(&follower.request(0), ErrorCode::None);
    fetched.high_watermark = 9;
    fetched.log_start_offset = 0;
    let at = |offset, epoch| crate::record::stamp(batch(), offset, epoch);
    fetched.records = Records(vec![at(0, 2), at(1, 3), at(2, 4), at(3, 3)]);
    follower.with(|p, context, io| p.append_fetched(&fetched, 3, context, io).unwrap().unwrap());
    assert_eq!(follower.partition.log.end_offset(), 2, "KAFKA-18723");
    assert_eq!(
        follower.hw(),
        2,
        "the leader's high watermark, but at most the follower's own log end"
    );
    fetched.high_watermark = 1;
    fetched.records = Records::default();
    follower.with(|p, context, io| p.append_fetched(&fetched, 3, context, io).unwrap().unwrap());
    assert_eq!(follower.hw(), 1, "it may go back");
}

/// Lets `follower` fetch from `leader` until its log is complete, and returns the number of
/// fetches.
fn replicate(leader: &mut Replica, follower: &mut Replica) -> usize {
    let epoch = leader.partition.leader_epoch;
    for round in 0..50 {
        let log = &follower.partition.log;
        let request = FetchPartition {
            last_fetched_epoch: log.latest_epoch(),
            ..leader.request(log.end_offset())
        };
        let reader = Reader::Follower(ReplicaState { id: 2, epoch: 12 });
        let answer = leader.fetch(reader, &request).0;
        if answer.error == ErrorCode::OffsetOutOfRange {
            let end = leader.partition.log.end_offset();
            assert!(
                end < log.end_offset(),
                "only offsets beyond the leader's log are out of range"
            );
            follower.with(|p, _, io| p.truncate_beyond_leader(end, io).unwrap());
            continue;
        }
        assert_eq!(answer.error, ErrorCode::None);
        if let Some(end) = answer.diverging_epoch {
            follower.with(|p, context, io| p.truncate_diverged(end, context, io).unwrap());
            continue;
        }
        let empty = answer.records.is_empty();
        follower
            .with(|p, context, io| p.append_fetched(&answer, epoch, context, io).unwrap().unwrap());
        if empty {
            return round;
        }
    }
    panic!("the follower never catches up");
}

/// The base offset and leader epoch of every batch of a log.
fn history(replica: &mut Replica) -> Vec<(Offset, i32)> {
    let end = replica.partition.log.end_offset();
    let mut from = replica.partition.log.log_start();
    let mut history = Vec::new();
    while from < end {
        let read = replica.partition.log.read(from, 1 << 20, end, true, &mut replica.disk).unwrap();
        for batch in &read.batches {
            let view = Batch::new(batch).unwrap();
            history.push((view.base_offset(), view.leader_epoch()));
        }
        from = read.next_offset;
    }
    history
}

/// A log with these numbers of records in these epochs.
fn written(id: BrokerId, epochs: &[(i32, usize)]) -> Replica {
    let mut replica = Replica::new(id, 1);
    for (epoch, records) in epochs {
        let state =
            PartitionRegistration { leader: Some(id), ..state(id, &[id], (*epoch, *epoch)) };
        replica.lead(&state);
        for _ in 0..*records {
            replica.append(1).unwrap();
        }
    }
    replica
}

#[test]
fn several_fast_elections_need_several_rounds() {
    let mut leader = written(1, &[(0, 2), (3, 2), (6, 1)]);
    let mut follower = written(2, &[(0, 2), (1, 2), (2, 2), (4, 2)]);
    follower.with(|p, _, io| p.become_follower(&state(1, &[1, 2], (6, 9)), io));
    let rounds = replicate(&mut leader, &mut follower);
    assert!(rounds >= 3, "KIP-279: {rounds}");
    assert_eq!(history(&mut follower), history(&mut leader));
}

#[test]
fn a_truncation_is_reported_and_lowers_the_high_watermark() {
    let mut follower = written(2, &[(0, 5)]);
    assert_eq!(follower.hw(), 5);
    follower.with(|p, _, io| p.become_follower(&state(1, &[1, 2], (2, 9)), io));
    let end = EpochEndOffset { epoch: 0, end_offset: 3 };
    follower.with(|p, context, io| p.truncate_diverged(end, context, io).unwrap());
    assert_eq!((follower.hw(), follower.partition.log.end_offset()), (3, 3));
    follower.with(|p, _, io| p.start_anew(20, io).unwrap());
    assert_eq!(follower.hw(), 20, "KAFKA-9491");
    let told = follower
        .out
        .drain()
        .filter(|output| matches!(output, machine::Output::Observe(Fact::Truncated { .. })));
    assert_eq!(told.count(), 2);
}

fn epochs() -> impl Strategy<Value = Vec<(i32, usize)>> {
    prop::collection::vec((1..4_i32, 0..4_usize), 0..5).prop_map(|steps| {
        let mut epoch = 0;
        let grow = steps.into_iter().map(|(step, records)| {
            epoch += step;
            (epoch, records)
        });
        grow.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever records of unknown epochs a follower has, its log becomes equal to that of its
    /// leader, and no record that both have is removed.
    #[test]
    fn a_follower_ends_with_its_leaders_log(ours in epochs(), theirs in epochs()) {
        // An epoch has one leader: those of one side are even, those of the other odd.
        let of = |epochs: Vec<(i32, usize)>, parity| -> Vec<(i32, usize)> {
            let own = epochs.into_iter().map(|(epoch, records)| (2 * epoch + parity, records));
            std::iter::once((0, 2)).chain(own).collect()
        };
        let mut leader = written(1, &of(ours, 0));
        let mut follower = written(2, &of(theirs, 1));
        let last = leader.partition.leader_epoch.max(follower.partition.leader_epoch) + 1;
        leader.lead(&state(1, &[1], (last, last)));
        follower.with(|p, _, io| p.become_follower(&state(1, &[1], (last, last)), io));
        let before = history(&mut follower);
        replicate(&mut leader, &mut follower);
        prop_assert_eq!(history(&mut follower), history(&mut leader));
        prop_assert_eq!(&before[..2], &history(&mut follower)[..2]);
    }
}
