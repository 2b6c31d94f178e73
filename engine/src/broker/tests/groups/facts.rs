//! What coordinators report of what they find in the log, leave behind, and show.

use super::*;
use crate::fact::{Fact, GroupFact, GroupState};
use crate::ids::{Offset, TopicPartition};

/// What brokers reported of groups.
fn reported(cluster: &Cluster) -> Vec<(BrokerId, GroupFact)> {
    let of = |(by, fact): &(BrokerId, Fact)| match fact {
        Fact::Group(fact) => Some((*by, fact.clone())),
        _ => None,
    };
    cluster.facts.iter().filter_map(of).collect()
}

/// The end of the log, and the groups, that a broker reported last when it began to coordinate.
fn loaded(cluster: &Cluster, by: BrokerId, of: TopicPartition) -> (Offset, Vec<GroupState>) {
    let found = reported(cluster).into_iter().rev().find_map(|(it, fact)| match fact {
        GroupFact::Loaded { partition, to, groups, .. } if (it, partition) == (by, of) => {
            Some((to, groups))
        }
        _ => None,
    });
    found.expect("it has loaded the partition")
}

fn served(cluster: &Cluster) -> (TopicPartition, Offset, Option<Offset>) {
    let all = reported(cluster).into_iter().rev();
    let mut all = all.filter_map(|(_, fact)| match fact {
        GroupFact::OffsetsServed { partition, to, offsets, .. } if !offsets.is_empty() => {
            Some((partition, to, offsets[0].1))
        }
        _ => None,
    });
    all.next().expect("offsets were shown")
}

#[test]
fn what_a_coordinator_leaves_behind_is_what_the_next_one_finds() {
    let mut cluster = start();
    let (old, conn) = coordinator(&mut cluster, &[]);
    let first = join(&mut cluster, conn);
    let a = first.member.to_string();
    assert_eq!(sync(&mut cluster, conn, &a, 1, &[(&a, "all")]).error, ErrorCode::None);
    assert_eq!(commit(&mut cluster, conn, &a, 1, 41), ErrorCode::None);
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 41));
    let (partition, to, offset) = served(&cluster);
    assert_eq!(offset, Some(41));
    // A rebalance is in the memory of the coordinator alone.
    let other = cluster.connect(old);
    cluster.ask(other, join_request("", Some("i")));
    cluster.run_for(Span::millis(50));
    cluster.facts.clear();
    cluster.begin_stop(old);
    let (new, _) = coordinator(&mut cluster, &[old]);
    let resigned = reported(&cluster).into_iter().find_map(|(by, fact)| match fact {
        GroupFact::Resigned { partition: it, to, groups, .. } if it == partition => {
            Some((by, to, groups))
        }
        _ => None,
    });
    let expected = GroupState {
        group: GROUP.into(),
        generation: Some(1),
        members: vec![a.as_str().into()],
        consumer: None,
        offsets: vec![(("orders".into(), 0), 41)],
        pending: Vec::new(),
    };
    assert_eq!(resigned, Some((old, to, vec![expected.clone()])));
    assert_eq!(loaded(&cluster, new, partition), (to, vec![expected]));
}

#[test]
fn offsets_that_are_not_committed_are_neither_shown_nor_left_behind() {
    let mut cluster = start_with(|cluster| cluster.config.replica_lag_time_max = Span::secs(60));
    let (node, conn) = coordinator(&mut cluster, &[]);
    assert_eq!(commit(&mut cluster, conn, "", -1, 1), ErrorCode::None);
    let others: Vec<BrokerId> = BROKERS.into_iter().filter(|id| *id != node).collect();
    cluster.cut(node, &others);
    cluster.ask(conn, commit_request("", -1, 2));
    cluster.run_for(Span::millis(100));
    let other = cluster.connect(node);
    assert_eq!(fetch(&mut cluster, other, false), (ErrorCode::None, 1));
    let (partition, to, offset) = served(&cluster);
    assert_eq!(offset, Some(1));
    // Whoever wants the newest offset waits for its record, and sees the log up to there.
    let asked = cluster.facts.len();
    let stable = cluster.connect(node);
    let partitions = Some(vec![("orders".into(), 0)]);
    let group = GROUP.into();
    cluster.ask(
        stable,
        OffsetFetchRequest { group, partitions, member: None, epoch: -1, require_stable: true },
    );
    cluster.run_for(Span::secs(1));
    cluster.facts.drain(..asked);
    assert!(
        !reported(&cluster).iter().any(|(_, it)| matches!(it, GroupFact::OffsetsServed { .. }))
    );
    cluster.heal();
    cluster.run_for(Span::secs(3));
    assert_eq!(served(&cluster), (partition, to + 1, Some(2)));
}
