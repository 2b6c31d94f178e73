//! Owners of partitions in a group of the consumer protocol (KIP-848).

use super::*;
use crate::metadata::{MetadataRecord, PartitionRecord};
use crate::protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

const TOPIC: TopicId = TopicId(7);

/// A bench that knows a topic of two partitions.
fn bench() -> Bench {
    let mut bench = Bench::new();
    let mut records = vec![MetadataRecord::Topic { name: "t".to_owned(), id: TOPIC }];
    records.extend((0..2).map(|index| {
        MetadataRecord::Partition(PartitionRecord {
            partition: TopicPartition::new(TOPIC, index),
            replicas: vec![1],
            directories: Vec::new(),
            isr: vec![1],
            elr: Vec::new(),
            last_known_leader: None,
            leader: Some(1),
            leader_epoch: 0,
            partition_epoch: 0,
        })
    }));
    for (offset, record) in (0..).zip(&records) {
        bench.image.replay(offset, record).expect("it fits");
    }
    bench
}

impl Bench {
    /// A heartbeat; with `owned` it says everything.
    fn beat(
        &mut self,
        member: &str,
        epoch: i32,
        owned: Option<&[i32]>,
    ) -> ConsumerGroupHeartbeatResponse {
        let reply = self.reply();
        let of = |all: &[i32]| match all {
            [] => Vec::new(),
            all => vec![(TOPIC, all.to_vec())],
        };
        let request = ConsumerGroupHeartbeatRequest {
            version: ConsumerGroupHeartbeatRequest::REQUIRES_ID,
            client_id: "c".into(),
            group: GROUP.into(),
            member: member.into(),
            epoch,
            instance: None,
            rack: None,
            rebalance_timeout_ms: if owned.is_some() { 30_000 } else { -1 },
            topics: owned.is_some().then(|| vec!["t".into()]),
            assignor: None,
            owned: owned.map(of),
        };
        let effects =
            self.operate(|state, turn| state.consumer_heartbeat(&request, "/h", reply, turn));
        match effects.answer {
            Some(Answer::Response(_, Response::ConsumerGroupHeartbeat(response))) => response,
            other => panic!("{other:?}"),
        }
    }
}

fn assigned(response: &ConsumerGroupHeartbeatResponse) -> Option<Vec<i32>> {
    let all = response.assignment.as_ref()?;
    Some(all.iter().flat_map(|(_, partitions)| partitions.clone()).collect())
}

#[test]
fn what_a_member_gets_back_is_its_own_until_it_gives_it_up_again() {
    let mut bench = bench();
    assert_eq!(assigned(&bench.beat("a", 0, Some(&[]))), Some(vec![0, 1]));
    bench.beat("a", 1, Some(&[0, 1]));
    assert_eq!(assigned(&bench.beat("b", 0, Some(&[]))), Some(Vec::new()));
    let kept = assigned(&bench.beat("a", 1, None)).expect("one partition has to go");
    assert_eq!(kept.len(), 1);

    // It comes back before that has happened, for the other member has left.
    bench.beat("b", -1, None);
    let back = bench.beat("a", 1, Some(&kept));
    assert_eq!(assigned(&back), Some(vec![0, 1]));
    bench.beat("a", back.epoch, Some(&[0, 1]));

    let other = bench.beat("b", 0, Some(&[]));
    assert_eq!(assigned(&other), Some(Vec::new()), "the first member owns both (KAFKA-16147)");
    let kept = assigned(&bench.beat("a", back.epoch, None)).expect("one has to go");
    bench.beat("a", back.epoch, Some(&kept));
    let got = assigned(&bench.beat("b", other.epoch, None)).expect("it is free");
    assert!(got.len() == 1 && !kept.contains(&got[0]), "{kept:?}, {got:?}");
}
