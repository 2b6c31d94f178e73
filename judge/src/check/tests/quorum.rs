//! Checks of the metadata quorum: committed records, leaders, and live states of controllers.

use super::{good, names};
use crate::evidence::ControllerAtEnd;
use crate::testing::{History, METADATA, ORDERS, numbers};
use engine::config::TopicConfig;
use engine::fact::Fact;
use engine::ids::TopicPartition;
use engine::metadata::{Feature, MetadataImage, MetadataRecord, PartitionChange, decode_batch};
use machine::NodeId;

#[test]
fn live_state_is_the_replay_of_the_log() {
    let mut history = good();
    let mut image = MetadataImage::new(TopicConfig::default());
    for bytes in &history.disks[&(101, TopicPartition::METADATA)] {
        for (offset, record) in decode_batch(bytes).unwrap() {
            image.replay(offset, &record).unwrap();
        }
    }
    let at = |image: &MetadataImage| ControllerAtEnd {
        node: NodeId::new(0, 101),
        offset: image.offset(),
        digest: image.digest(),
    };
    history.controllers = vec![at(&image)];
    assert_eq!(history.clone().findings(), vec![]);
    history.controllers[0].digest ^= 1;
    let found = history.findings();
    assert_eq!((found.len(), found[0].0), (1, "live-state-is-replayed"));
}

fn level(level: u16) -> MetadataRecord {
    MetadataRecord::FeatureLevel { feature: Feature::MetadataVersion, level }
}

#[test]
fn the_quorum_commits_by_majority_and_keeps_committed_records() {
    let mut history = good();
    history.write_metadata(&[level(1)], &[101]);
    history.commit_metadata();
    assert_eq!(names(&history), vec!["quorum-is-safe"], "one of three is no majority");

    let mut history = good();
    history.write_metadata(&[level(1)], &[101, 102]);
    history.commit_metadata();
    assert_eq!(names(&history), Vec::<&str>::new());
    history.fact(103, Fact::QuorumLeader { epoch: 2, epoch_start: 3 });
    assert_eq!(names(&history), vec!["quorum-is-safe"], "103 lacks the committed records");
}

/// Until the old leader learns of its successor, it commits records that the successor has as well.
#[test]
fn a_replaced_leader_of_the_quorum_commits_records_that_its_successor_has() {
    let shrinks = |successor: u16| {
        let mut history = History::new(2);
        let isr = MetadataRecord::PartitionChange(PartitionChange {
            isr: Some(vec![1, 2]),
            ..PartitionChange::of(ORDERS)
        });
        history.write_metadata(&[isr], &[101, 102]);
        let epoch_start = history.end(successor, METADATA);
        history.fact(successor, Fact::QuorumLeader { epoch: 2, epoch_start });
        history.commit_metadata();
        history.send(ORDERS, &numbers(0..4), -1);
        history.write(1, ORDERS, 0, &numbers(0..4));
        history.follow(2, 1, ORDERS);
        history.watermark(1, &[2], ORDERS, 0);
        history.follow(3, 1, ORDERS);
        names(&history)
    };
    assert_eq!(shrinks(102), Vec::<&str>::new());
    assert!(shrinks(103).contains(&"members-hold-committed"), "the successor lacks the change");
}

#[test]
fn the_quorum_has_one_leader_in_an_epoch() {
    let mut history = good();
    history.fact(102, Fact::QuorumLeader { epoch: 1, epoch_start: 0 });
    assert_eq!(names(&history), vec!["quorum-is-safe"]);
}
