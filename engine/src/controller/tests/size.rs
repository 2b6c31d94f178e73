//! A hundred brokers with ten thousand partitions: the cost of a change depends only on the
//! partitions that change.

use super::bench::Bench;
use crate::error::ErrorCode;
use crate::ids::BrokerId;
use crate::metadata::MetadataRecord;
use crate::protocol::CreatableTopic;
use crate::rules::Rules;
use crate::timer::ControllerTimer;
use machine::Span;

const BROKERS: BrokerId = 100;
const PARTITIONS: i32 = 10_000;

fn large() -> Bench {
    let mut bench = Bench::new(Rules::kafka(), true);
    for broker in 1..=BROKERS {
        bench.start(broker, u128::from(broker), None);
    }
    let created = bench.create(vec![CreatableTopic {
        name: "orders".to_owned(),
        num_partitions: PARTITIONS,
        replication_factor: 3,
        assignments: Vec::new(),
        configs: Vec::new(),
    }]);
    assert_eq!(created.topics[0].error, ErrorCode::None);
    bench
}

fn changes(bench: &Bench, from: usize) -> usize {
    let records = bench.log[from..].iter();
    records.filter(|record| matches!(record, MetadataRecord::PartitionChange(_))).count()
}

#[test]
fn one_broker_of_a_hundred_changes_its_own_partitions_only() {
    let mut bench = large();
    // Ten minutes of heartbeats and periodic checks. If each of them visited every partition, the
    // test would take too long.
    for _ in 0..300 {
        bench.now += Span::secs(2);
        for broker in 1..=BROKERS {
            bench.beat(broker, false);
        }
        bench.timer(ControllerTimer::Sessions);
        bench.timer(ControllerTimer::Unclean);
    }
    assert_eq!(changes(&bench, 0), 0);

    let before = bench.log.len();
    let in_sync = |bench: &Bench| {
        let partitions = bench.active.image.partitions();
        partitions.filter(|(_, state)| state.isr.contains(&7)).count()
    };
    let own = in_sync(&bench);
    assert!((200..400).contains(&own), "{own} of 30,000 replicas");
    let others: Vec<BrokerId> = (1..=BROKERS).filter(|broker| *broker != 7).collect();
    bench.silence_all_but(&others);
    assert_eq!((changes(&bench, before), in_sync(&bench)), (own, 0));
    assert!(bench.active.index_is_current());
    assert_eq!(bench.replayed().checksum(), bench.active.image.checksum());
}

#[test]
fn leadership_returns_a_thousand_partitions_at_a_time() {
    let mut bench = large();
    let partitions: Vec<_> =
        bench.active.image.partitions().map(|(partition, _)| partition).collect();
    // Each call fences nine of them.
    let others: Vec<BrokerId> = (19..=BROKERS).collect();
    bench.silence_all_but(&others);
    bench.silence_all_but(&others);
    for broker in 1..19 {
        bench.beat(broker, false);
    }
    for partition in partitions {
        let state = bench.state(partition);
        if state.isr.len() < state.replicas.len() {
            let (leader, replicas) = (state.leader.unwrap(), state.replicas.clone());
            let proposal = bench.proposal(partition, &replicas);
            assert_eq!(bench.alter(leader, proposal).error, ErrorCode::None);
        }
    }
    let imbalanced = |bench: &Bench| {
        let partitions = bench.active.image.partitions();
        partitions.filter(|(_, state)| !state.has_preferred_leader()).count()
    };
    let before = imbalanced(&bench);
    assert!(before > 1_000, "{before}");
    let mut left = vec![before];
    while imbalanced(&bench) > 0 {
        bench.timer(ControllerTimer::Balance);
        left.push(imbalanced(&bench));
    }
    let passes = left.windows(2).map(|pair| pair[0] - pair[1]);
    assert_eq!(passes.max(), Some(1_000));
    assert!(bench.active.index_is_current());
}
