//! A checksum of the content of an image, updated with every replay, so that two images can be
//! compared without visiting every partition.

use super::image::MetadataImage;
use super::record::{ConfigResource, MetadataRecord};
use crate::ids::{BrokerId, TopicId, TopicPartition};
use machine::Digest;
use std::hash::Hash;

/// The summand of a part of an image. Parts of one kind differ in their key, kinds in their number.
fn part(kind: u8, key: impl Hash, value: impl Hash) -> u128 {
    let mut digest = Digest::default();
    (kind, key, value).hash(&mut digest);
    digest.value()
}

impl MetadataImage {
    /// The sum of the parts that a record may change.
    pub(super) fn sum_of(&self, record: &MetadataRecord) -> u128 {
        match record {
            MetadataRecord::RegisterBroker(record) => self.broker_sum(record.broker),
            MetadataRecord::UnregisterBroker { broker, .. } => self.broker_sum(*broker),
            MetadataRecord::BrokerRegistrationChange(record) => self.broker_sum(record.broker),
            MetadataRecord::Topic { id, .. }
            | MetadataRecord::Config { resource: ConfigResource::Topic(id), .. } => {
                self.topic_sum(*id)
            }
            MetadataRecord::RemoveTopic { id } => {
                self.topic_sum(*id).wrapping_add(self.partitions_sum(*id))
            }
            MetadataRecord::Partition(record) => self.partition_sum(record.partition),
            MetadataRecord::PartitionChange(record) => self.partition_sum(record.partition),
            MetadataRecord::Config { resource: ConfigResource::Cluster, .. } => {
                part(4, (), self.overrides())
            }
            MetadataRecord::FeatureLevel { feature, .. } => {
                let level = self.features().get(feature);
                level.map_or(0, |level| part(5, feature, level))
            }
            MetadataRecord::NoOp => 0,
            MetadataRecord::ProducerIds { .. } => match self.next_producer_id() {
                0 => 0,
                next => part(6, (), next),
            },
        }
    }

    fn broker_sum(&self, id: BrokerId) -> u128 {
        self.broker(id).map_or(0, |broker| part(1, id, broker))
    }

    fn topic_sum(&self, id: TopicId) -> u128 {
        self.topic(id).map_or(0, |topic| part(2, id, (&topic.name, &topic.overrides)))
    }

    fn partition_sum(&self, partition: TopicPartition) -> u128 {
        self.partition(partition).map_or(0, |state| part(3, partition, state))
    }

    fn partitions_sum(&self, id: TopicId) -> u128 {
        let count = self.topic(id).map_or(0, |topic| topic.partitions.len());
        let sums =
            (0..).take(count).map(|index| self.partition_sum(TopicPartition::new(id, index)));
        sums.fold(0, u128::wrapping_add)
    }
}
