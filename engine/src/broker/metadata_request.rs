//! Metadata requests: this broker's own view of the cluster, which may be behind
//! (`KRaftMetadataCache`).

use super::Broker;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, TopicId};
use crate::metadata::{PartitionRegistration, TopicImage};
use crate::protocol::{
    LeaderIdAndEpoch, MetadataBroker, MetadataPartition, MetadataRequest, MetadataResponse,
    MetadataTopic,
};

impl Broker {
    /// Answers a metadata request.
    pub(super) fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let image = &self.context.image;
        let brokers = image.brokers().filter(|broker| !broker.fenced);
        let topics = match &request.topics {
            Some(names) => names
                .iter()
                .map(|name| match image.topic_by_name(name) {
                    Some(topic) => self.metadata_topic(topic),
                    None => unknown_topic(name),
                })
                .collect(),
            None => image
                .topic_names()
                .filter_map(|(_, id)| image.topic(id))
                .map(|topic| self.metadata_topic(topic))
                .collect(),
        };
        MetadataResponse {
            brokers: brokers
                .map(|broker| MetadataBroker { id: broker.id, rack: broker.rack.clone() })
                .collect(),
            topics,
        }
    }

    fn metadata_topic(&self, topic: &TopicImage) -> MetadataTopic {
        let indexed = (0..).zip(&topic.partitions);
        MetadataTopic {
            error: ErrorCode::None,
            name: topic.name.clone(),
            topic: topic.id,
            partitions: indexed
                .map(|(index, state)| self.metadata_partition(index, state))
                .collect(),
        }
    }

    fn metadata_partition(
        &self,
        partition: i32,
        state: &PartitionRegistration,
    ) -> MetadataPartition {
        let leader = self.reachable(state.leader);
        let error = if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
        MetadataPartition {
            error,
            partition,
            leader,
            leader_epoch: state.leader_epoch,
            replicas: state.replicas.clone(),
            isr: state.isr.clone(),
        }
    }

    /// Clients see unfenced brokers only.
    fn reachable(&self, leader: Option<BrokerId>) -> Option<BrokerId> {
        let broker = |id: &BrokerId| self.context.image.broker(*id);
        leader.filter(|id| broker(id).is_some_and(|broker| !broker.fenced))
    }

    /// Who leads a partition, as far as this broker knows.
    pub(super) fn current_leader(
        &self,
        id: crate::ids::TopicPartition,
    ) -> Option<LeaderIdAndEpoch> {
        let state = self.context.image.partition(id)?;
        let epoch: LeaderEpoch = state.leader_epoch;
        Some(LeaderIdAndEpoch { leader: self.reachable(state.leader), epoch })
    }
}

fn unknown_topic(name: &str) -> MetadataTopic {
    MetadataTopic {
        error: ErrorCode::UnknownTopicOrPartition,
        name: name.to_owned(),
        topic: TopicId::default(),
        partitions: Vec::new(),
    }
}
