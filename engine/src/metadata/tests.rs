//! Records survive encoding, decoding never panics, and replay increments the epochs.

use super::*;
use crate::config::TopicConfig;
use crate::ids::{BrokerId, DirectoryId, TopicId, TopicPartition};
use crate::record::BatchBuilder;
use proptest::option;
use proptest::prelude::*;

fn brokers() -> impl Strategy<Value = Vec<BrokerId>> {
    prop::collection::vec(any::<u16>(), 0..6)
}

fn directories() -> impl Strategy<Value = Vec<DirectoryId>> {
    prop::collection::vec(any::<u128>().prop_map(DirectoryId), 0..4)
}

fn partition() -> impl Strategy<Value = TopicPartition> {
    (any::<u128>(), any::<i32>())
        .prop_map(|(topic, partition)| TopicPartition::new(TopicId(topic), partition))
}

fn broker_record() -> impl Strategy<Value = MetadataRecord> {
    let register = (any::<(u16, u128, i64, bool, bool)>(), option::of(".{0,9}"), directories())
        .prop_map(
            |(
                (broker, incarnation, broker_epoch, fenced, in_controlled_shutdown),
                rack,
                log_dirs,
            )| {
                MetadataRecord::RegisterBroker(RegisterBroker {
                    broker,
                    incarnation,
                    broker_epoch,
                    rack,
                    fenced,
                    in_controlled_shutdown,
                    log_dirs,
                })
            },
        );
    let change = (any::<(u16, i64, Option<bool>, Option<bool>)>(), option::of(directories()))
        .prop_map(|((broker, broker_epoch, fenced, in_controlled_shutdown), log_dirs)| {
            MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
                broker,
                broker_epoch,
                fenced,
                in_controlled_shutdown,
                log_dirs,
            })
        });
    let unregister = any::<(u16, i64)>().prop_map(|(broker, broker_epoch)| {
        MetadataRecord::UnregisterBroker { broker, broker_epoch }
    });
    prop_oneof![register, change, unregister]
}

fn partition_record() -> impl Strategy<Value = MetadataRecord> {
    let create = (
        partition(),
        [brokers(), brokers(), brokers()],
        directories(),
        any::<(Option<u16>, Option<u16>, i32, i32)>(),
    )
        .prop_map(|(partition, [replicas, isr, elr], directories, rest)| {
            let (last_known_leader, leader, leader_epoch, partition_epoch) = rest;
            MetadataRecord::Partition(PartitionRecord {
                partition,
                replicas,
                directories,
                isr,
                elr,
                last_known_leader,
                leader,
                leader_epoch,
                partition_epoch,
            })
        });
    let change = (
        partition(),
        option::of(brokers()),
        option::of(brokers()),
        any::<(Option<Option<u16>>, Option<Option<u16>>)>(),
        option::of(directories()),
    )
        .prop_map(|(partition, isr, elr, (last_known_leader, leader), directories)| {
            MetadataRecord::PartitionChange(PartitionChange {
                partition,
                isr,
                elr,
                last_known_leader,
                leader,
                directories,
            })
        });
    prop_oneof![create, change]
}

fn record() -> impl Strategy<Value = MetadataRecord> {
    let resource = prop_oneof![
        Just(ConfigResource::Cluster),
        any::<u128>().prop_map(|id| ConfigResource::Topic(TopicId(id)))
    ];
    let feature = prop_oneof![
        Just(Feature::MetadataVersion),
        Just(Feature::EligibleLeaderReplicas),
        Just(Feature::TransactionVersion),
    ];
    prop_oneof![
        broker_record(),
        partition_record(),
        (".{0,20}", any::<u128>())
            .prop_map(|(name, id)| MetadataRecord::Topic { name, id: TopicId(id) }),
        any::<u128>().prop_map(|id| MetadataRecord::RemoveTopic { id: TopicId(id) }),
        (resource, ".{0,20}", option::of(".{0,20}"))
            .prop_map(|(resource, name, value)| MetadataRecord::Config { resource, name, value }),
        (feature, any::<u16>())
            .prop_map(|(feature, level)| MetadataRecord::FeatureLevel { feature, level }),
        Just(MetadataRecord::NoOp),
        any::<(u16, i64, i64)>().prop_map(|(broker, broker_epoch, next_producer_id)| {
            MetadataRecord::ProducerIds { broker, broker_epoch, next_producer_id }
        }),
    ]
}

proptest! {
    #[test]
    fn a_record_survives_encoding(record in record()) {
        prop_assert_eq!(MetadataRecord::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn cut_or_extended_bytes_are_refused(record in record(), cut in any::<prop::sample::Index>()) {
        let bytes = record.encode();
        prop_assert!(MetadataRecord::decode(&bytes[..cut.index(bytes.len())]).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(MetadataRecord::decode(&longer), Err(DecodeError::TrailingBytes));
    }

    /// A flipped bit may give another record, but never a second form of one.
    #[test]
    fn damaged_bytes_are_refused_or_another_record(
        record in record(),
        at in any::<prop::sample::Index>(),
        bit in 0u32..8,
    ) {
        let mut bytes = record.encode().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(other) = MetadataRecord::decode(&bytes) {
            prop_assert_eq!(&other.encode()[..], &bytes[..]);
            prop_assert_ne!(other, record);
        }
    }

    #[test]
    fn any_bytes_decode_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = MetadataRecord::decode(&bytes);
    }

    #[test]
    fn any_records_replay_without_panic(records in prop::collection::vec(record(), 0..20)) {
        let mut image = MetadataImage::new(TopicConfig::default());
        for (offset, record) in (0..).zip(&records) {
            let _ = image.replay(offset, record);
        }
    }
}

/// Records that are likely to follow one another, since they have few brokers and topics.
fn likely_record() -> impl Strategy<Value = MetadataRecord> {
    let partition = |topic: u128| TopicPartition::new(TopicId(topic), 0);
    prop_oneof![
        (0u16..3, 0i64..2, any::<bool>()).prop_map(|(broker, broker_epoch, fenced)| {
            MetadataRecord::RegisterBroker(RegisterBroker {
                broker,
                incarnation: 1,
                broker_epoch,
                rack: None,
                fenced,
                in_controlled_shutdown: false,
                log_dirs: Vec::new(),
            })
        }),
        (0u16..3, 0i64..2).prop_map(|(broker, broker_epoch)| {
            MetadataRecord::UnregisterBroker { broker, broker_epoch }
        }),
        (0u128..3).prop_map(|id| MetadataRecord::Topic { name: format!("t{id}"), id: TopicId(id) }),
        (0u128..3).prop_map(|id| MetadataRecord::RemoveTopic { id: TopicId(id) }),
        (0u128..3, 1u16..4).prop_map(move |(topic, leader)| {
            MetadataRecord::Partition(PartitionRecord {
                partition: partition(topic),
                replicas: vec![1, 2, 3],
                directories: Vec::new(),
                isr: vec![leader],
                elr: Vec::new(),
                last_known_leader: None,
                leader: Some(leader),
                leader_epoch: 0,
                partition_epoch: 0,
            })
        }),
        (0u128..3, 1u16..4).prop_map(move |(topic, leader)| {
            let leader = Some(Some(leader));
            MetadataRecord::PartitionChange(PartitionChange {
                leader,
                ..PartitionChange::of(partition(topic))
            })
        }),
        (0u16..3).prop_map(|level| {
            MetadataRecord::FeatureLevel { feature: Feature::EligibleLeaderReplicas, level }
        }),
        (option::of(0u128..3), option::of(1u32..4)).prop_map(|(topic, value)| {
            MetadataRecord::Config {
                resource: topic
                    .map_or(ConfigResource::Cluster, |id| ConfigResource::Topic(TopicId(id))),
                name: "min.insync.replicas".to_owned(),
                value: value.map(|value| value.to_string()),
            }
        }),
    ]
}

/// An image with the content of `image`, created by records in another order.
fn recreated(image: &MetadataImage) -> MetadataImage {
    let mut again = MetadataImage::new(TopicConfig::default());
    let mut records = Vec::new();
    for broker in image.brokers() {
        records.push((
            broker.registered_at,
            MetadataRecord::RegisterBroker(RegisterBroker {
                broker: broker.id,
                incarnation: broker.incarnation,
                broker_epoch: broker.epoch,
                rack: broker.rack.clone(),
                fenced: broker.fenced,
                in_controlled_shutdown: broker.in_controlled_shutdown,
                log_dirs: broker.log_dirs.clone(),
            }),
        ));
    }
    records.sort_by_key(|(offset, _)| *offset);
    for (offset, record) in &records {
        again.replay(*offset, record).unwrap();
    }
    let mut offset = 1_000;
    let mut replay = |again: &mut MetadataImage, record: MetadataRecord| {
        again.replay(offset, &record).unwrap();
        offset += 1;
    };
    for (name, value) in image.overrides() {
        let (name, value) = (name.clone(), Some(value.clone()));
        let resource = ConfigResource::Cluster;
        replay(&mut again, MetadataRecord::Config { resource, name, value });
    }
    let feature = Feature::EligibleLeaderReplicas;
    replay(&mut again, MetadataRecord::FeatureLevel { feature, level: image.feature(feature) });
    for topic in image.topics() {
        replay(&mut again, MetadataRecord::Topic { name: topic.name.clone(), id: topic.id });
        for (name, value) in &topic.overrides {
            let resource = ConfigResource::Topic(topic.id);
            let (name, value) = (name.clone(), Some(value.clone()));
            replay(&mut again, MetadataRecord::Config { resource, name, value });
        }
        for (index, state) in (0..).zip(&topic.partitions) {
            replay(
                &mut again,
                MetadataRecord::Partition(PartitionRecord {
                    partition: TopicPartition::new(topic.id, index),
                    replicas: state.replicas.clone(),
                    directories: state.directories.clone(),
                    isr: state.isr.clone(),
                    elr: state.elr.clone(),
                    last_known_leader: state.last_known_leader,
                    leader: state.leader,
                    leader_epoch: state.leader_epoch,
                    partition_epoch: state.partition_epoch,
                }),
            );
        }
    }
    again
}

proptest! {
    /// The checksum depends only on the content of an image, not on its history.
    #[test]
    fn the_checksum_is_that_of_the_content(records in prop::collection::vec(likely_record(), 0..40)) {
        let mut image = MetadataImage::new(TopicConfig::default());
        let feature = Feature::EligibleLeaderReplicas;
        image.replay(0, &MetadataRecord::FeatureLevel { feature, level: 1 }).unwrap();
        for (offset, record) in (1..).zip(&records) {
            let _ = image.replay(offset, record);
        }
        prop_assert_eq!(recreated(&image).checksum(), image.checksum());
    }

    #[test]
    fn images_that_differ_have_different_checksums(record in likely_record()) {
        let mut image = one_partition();
        let before = (image.checksum(), image.clone());
        if image.replay(9, &record).is_ok() {
            let moved = MetadataRecord::NoOp;
            let mut same = before.1;
            same.replay(9, &moved).unwrap();
            prop_assert_eq!(image == same, image.checksum() == before.0);
        }
    }
}

const TOPIC: TopicId = TopicId(7);
const PARTITION: TopicPartition = TopicPartition::new(TOPIC, 0);

fn one_partition() -> MetadataImage {
    let mut image = MetadataImage::new(TopicConfig::default());
    let topic = MetadataRecord::Topic { name: "orders".to_owned(), id: TOPIC };
    let partition = MetadataRecord::Partition(PartitionRecord {
        partition: PARTITION,
        replicas: vec![1, 2, 3],
        directories: vec![DirectoryId::UNASSIGNED; 3],
        isr: vec![1, 2, 3],
        elr: vec![],
        last_known_leader: None,
        leader: Some(1),
        leader_epoch: 0,
        partition_epoch: 0,
    });
    assert_eq!(image.replay(0, &topic), Ok(Touched::Topic(TOPIC)));
    assert_eq!(image.replay(1, &partition), Ok(Touched::Partition(PARTITION)));
    image
}

#[test]
fn a_change_of_leader_begins_an_epoch_and_a_change_of_the_isr_does_not() {
    let mut image = one_partition();
    let change = PartitionChange::of(PARTITION);
    let steps = [
        (PartitionChange { isr: Some(vec![1, 2]), ..change.clone() }, (0, 1)),
        (PartitionChange { leader: Some(Some(2)), ..change.clone() }, (1, 2)),
        (PartitionChange { leader: Some(None), ..change.clone() }, (2, 3)),
        // KAFKA-18106: the same leader again, in a new epoch.
        (PartitionChange { leader: Some(None), isr: Some(vec![]), ..change }, (3, 4)),
    ];
    for (offset, (change, epochs)) in (2..).zip(steps) {
        image.replay(offset, &MetadataRecord::PartitionChange(change)).unwrap();
        let state = image.partition(PARTITION).unwrap();
        assert_eq!((state.leader_epoch, state.partition_epoch), epochs, "record {offset}");
    }
}

#[test]
fn properties_of_a_topic_override_those_of_the_cluster_and_these_those_of_the_node() {
    let mut image = one_partition();
    let mut set = |offset, resource, value: Option<&str>| {
        let record = MetadataRecord::Config {
            resource,
            name: "min.insync.replicas".to_owned(),
            value: value.map(str::to_owned),
        };
        let touched = image.replay(offset, &record);
        touched.map(|_| image.topic_config(TOPIC).unwrap().min_insync_replicas)
    };
    assert_eq!(set(2, ConfigResource::Cluster, Some("2")), Ok(2));
    assert_eq!(set(3, ConfigResource::Topic(TOPIC), Some("3")), Ok(3));
    assert_eq!(set(4, ConfigResource::Cluster, Some("4")), Ok(3));
    assert_eq!(set(5, ConfigResource::Topic(TOPIC), Some("three")), Err(ReplayError::Config));
    assert_eq!(set(6, ConfigResource::Topic(TOPIC), None), Ok(4));
    assert_eq!(set(7, ConfigResource::Cluster, None), Ok(1));
}

#[test]
fn a_change_meant_for_an_earlier_life_is_refused() {
    let mut image = MetadataImage::new(TopicConfig::default());
    let register = |broker_epoch| {
        MetadataRecord::RegisterBroker(RegisterBroker {
            broker: 1,
            incarnation: broker_epoch as u128,
            broker_epoch,
            rack: None,
            fenced: true,
            in_controlled_shutdown: false,
            log_dirs: Vec::new(),
        })
    };
    let unfence = |broker_epoch| {
        MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
            broker: 1,
            broker_epoch,
            fenced: Some(false),
            in_controlled_shutdown: None,
            log_dirs: None,
        })
    };
    image.replay(0, &register(0)).unwrap();
    image.replay(5, &register(5)).unwrap();
    assert_eq!(image.replay(6, &unfence(0)), Err(ReplayError::NoSuchBroker(1)), "KIP-380");
    assert!(!image.is_active(1));
    image.replay(7, &unfence(5)).unwrap();
    assert!(image.is_active(1));
    let again = ReplayError::OutOfOrder { offset: 7, image: 7 };
    assert_eq!(image.replay(7, &unfence(5)), Err(again));
}

#[test]
fn a_removed_topic_frees_its_name_but_not_its_identity() {
    let mut image = one_partition();
    let before = image.digest();
    image.replay(2, &MetadataRecord::RemoveTopic { id: TOPIC }).unwrap();
    assert_eq!(image.partition(PARTITION), None);
    let again = MetadataRecord::Topic { name: "orders".to_owned(), id: TopicId(8) };
    image.replay(3, &again).unwrap();
    assert_eq!(image.topic_by_name("orders").unwrap().id, TopicId(8));
    assert_ne!(image.digest(), before);
}

#[test]
fn batches_replay_with_their_offsets_and_control_batches_are_passed_over() {
    let topic = MetadataRecord::Topic { name: "orders".to_owned(), id: TOPIC };
    let mut batch = BatchBuilder::new().base_offset(4);
    batch.append(0, None, Some(&topic.encode()), &[]);
    batch.append(0, None, Some(&MetadataRecord::NoOp.encode()), &[]);
    let mut image = MetadataImage::new(TopicConfig::default());
    let mut delta = ImageDelta::default();
    image.replay_batch(&batch.build(), &mut delta).unwrap();
    assert_eq!((image.offset(), delta.topics.contains(&TOPIC)), (5, true));

    let mut control = BatchBuilder::new().base_offset(6).control();
    control.append(0, Some(&[0, 0, 0, 2]), Some(&[0, 0]), &[]);
    image.replay_batch(&control.build(), &mut delta).unwrap();
    assert_eq!(image.offset(), 6);

    let mut damaged = BatchBuilder::new().base_offset(7);
    damaged.append(0, None, Some(&[200, 0]), &[]);
    let refused = image.replay_batch(&damaged.build(), &mut delta);
    assert_eq!(refused, Err(ReplayError::Decode(DecodeError::UnknownType(200))));
}
