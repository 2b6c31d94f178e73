//! Metadata requests, which get the metadata image of this broker; it may be behind
//! (`KRaftMetadataCache`).

use crate::error::ErrorCode;
use crate::ids::{BrokerId, TopicId, TopicPartition};
use crate::metadata::{
    Feature, MetadataImage, PartitionRegistration, TopicImage, is_valid_topic_name,
};
use crate::protocol::{
    ApiVersionsResponse, LeaderIdAndEpoch, MetadataBroker, MetadataPartition, MetadataRequest,
    MetadataResponse, MetadataTopic,
};
use std::collections::BTreeSet;

/// The response to a metadata request.
pub(in crate::broker) fn respond(
    image: &MetadataImage,
    request: &MetadataRequest,
) -> MetadataResponse {
    let mut named = BTreeSet::new();
    let topics = match &request.topics {
        // Each once, however often it is named.
        Some(names) => names
            .iter()
            .filter(|name| named.insert(*name))
            .map(|name| match image.topic_by_name(name) {
                Some(topic) => metadata_topic(image, topic),
                None => unknown_topic(name),
            })
            .collect(),
        None => image
            .topic_names()
            .filter_map(|(_, id)| image.topic(id))
            .map(|topic| metadata_topic(image, topic))
            .collect(),
    };
    let brokers = image.brokers().filter(|broker| !broker.fenced);
    MetadataResponse {
        brokers: brokers
            .map(|broker| MetadataBroker { id: broker.id, rack: broker.rack.clone() })
            .collect(),
        topics,
    }
}

/// The finalized features of the cluster, as far as this broker knows.
pub(in crate::broker) fn api_versions(image: &MetadataImage) -> ApiVersionsResponse {
    ApiVersionsResponse {
        error: ErrorCode::None,
        finalized_features_epoch: image.offset(),
        transaction_version: image.feature(Feature::TransactionVersion),
    }
}

fn metadata_topic(image: &MetadataImage, topic: &TopicImage) -> MetadataTopic {
    let indexed = (0..).zip(&topic.partitions);
    MetadataTopic {
        error: ErrorCode::None,
        name: topic.name.clone(),
        topic: topic.id,
        partitions: indexed.map(|(index, state)| metadata_partition(image, index, state)).collect(),
    }
}

fn metadata_partition(
    image: &MetadataImage,
    partition: i32,
    state: &PartitionRegistration,
) -> MetadataPartition {
    let leader = reachable(image, state.leader);
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
fn reachable(image: &MetadataImage, leader: Option<BrokerId>) -> Option<BrokerId> {
    leader.filter(|id| image.broker(*id).is_some_and(|broker| !broker.fenced))
}

/// The leader of a partition, as far as this broker knows.
pub(in crate::broker) fn current_leader(
    image: &MetadataImage,
    id: TopicPartition,
) -> Option<LeaderIdAndEpoch> {
    let state = image.partition(id)?;
    Some(LeaderIdAndEpoch { leader: reachable(image, state.leader), epoch: state.leader_epoch })
}

fn unknown_topic(name: &str) -> MetadataTopic {
    let error = match is_valid_topic_name(name) {
        true => ErrorCode::UnknownTopicOrPartition,
        false => ErrorCode::InvalidTopicException,
    };
    MetadataTopic {
        error,
        name: name.to_owned(),
        topic: TopicId::default(),
        partitions: Vec::new(),
    }
}
