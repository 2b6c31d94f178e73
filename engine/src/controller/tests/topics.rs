//! Creation of topics: valid requests, and the initial state of topics.

use super::bench::{Bench, assigned};
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::protocol::CreatableTopic;
use crate::rules::Rules;

fn counted(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { num_partitions, replication_factor, ..assigned(name, &[], &[]) }
}

#[test]
fn each_topic_of_a_request_is_checked_separately() {
    let (mut bench, _) = Bench::three(Rules::kafka(), &[]);
    bench.create(vec![assigned("a.b", &[&[1]], &[])]);
    bench.register(4, 4, None).unwrap();
    let cases = [
        (counted("", 1, 1), ErrorCode::InvalidTopicException),
        (counted("..", 1, 1), ErrorCode::InvalidTopicException),
        (counted("no spaces", 1, 1), ErrorCode::InvalidTopicException),
        (counted(&"x".repeat(250), 1, 1), ErrorCode::InvalidTopicException),
        (counted("a_b", 1, 1), ErrorCode::InvalidTopicException),
        (counted("orders", 1, 1), ErrorCode::TopicAlreadyExists),
        (counted("zero", 0, 1), ErrorCode::InvalidPartitions),
        (counted("none", 1, 0), ErrorCode::InvalidReplicationFactor),
        (counted("five", 1, 5), ErrorCode::InvalidReplicationFactor),
        (assigned("twice", &[&[1, 1]], &[]), ErrorCode::InvalidReplicaAssignment),
        (assigned("uneven", &[&[1, 2], &[1]], &[]), ErrorCode::InvalidReplicaAssignment),
        (assigned("unknown", &[&[1, 9]], &[]), ErrorCode::InvalidReplicaAssignment),
        (assigned("fenced", &[&[4]], &[]), ErrorCode::InvalidReplicaAssignment),
        (assigned("name", &[&[1]], &[("min.isr", "2")]), ErrorCode::InvalidConfig),
        (assigned("value", &[&[1]], &[("segment.bytes", "big")]), ErrorCode::InvalidConfig),
        (counted("same", 1, 1), ErrorCode::InvalidRequest),
        (counted("default", -1, -1), ErrorCode::None),
        (counted("fine", 6, 3), ErrorCode::None),
    ];
    let (mut topics, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    // The response has one entry for both.
    topics.push(counted("same", 2, 1));
    let created = bench.create(topics);
    let got: Vec<_> =
        created.topics.iter().map(|topic| (topic.name.as_str(), topic.error)).collect();
    let names = created.topics.iter().map(|topic| topic.name.as_str());
    assert_eq!(got, names.zip(expected).collect::<Vec<_>>());

    let fine = bench.active.image.topic_by_name("fine").unwrap();
    assert_eq!(fine.partitions.len(), 6);
    assert!(fine.partitions.iter().all(|partition| partition.replicas.len() == 3));
    assert_eq!(bench.active.image.topics().count(), 4, "orders, a.b, default, fine");
    assert_eq!(bench.replayed(), bench.active.image);
}

#[test]
fn a_topic_begins_with_its_live_replicas_and_its_own_configuration() {
    let (mut bench, _) = Bench::three(Rules::kafka(), &[]);
    bench.silence_all_but(&[2, 3]);
    let configs = &[("min.insync.replicas", "2"), ("unclean.leader.election.enable", "true")];
    let created = bench.create(vec![assigned("a", &[&[1, 3, 2]], configs)]);
    let partition = TopicPartition::new(created.topics[0].topic, 0);
    assert_eq!(bench.roles(partition), (Some(3), vec![3, 2], vec![]));
    let state = bench.state(partition);
    assert_eq!((state.leader_epoch, state.partition_epoch), (0, 0));
    let config = bench.active.image.topic_config(partition.topic).unwrap();
    assert_eq!((config.min_insync_replicas, config.unclean_leader_election), (2, true));
}
