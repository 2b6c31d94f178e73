//! Requests of clients to describe or change the cluster: Metadata, CreateTopics, ElectLeaders.

use super::api::{PARTITION, RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, TopicId, TopicPartition};
use machine::Span;

/// Requests the brokers, topics and leaders of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataRequest {
    /// The names of the requested topics, or `None` for all.
    pub topics: Option<Vec<String>>,
}

/// The response to a [`MetadataRequest`], from the metadata that the broker has applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataResponse {
    /// The brokers that are not fenced.
    pub brokers: Vec<MetadataBroker>,
    /// The requested topics.
    pub topics: Vec<MetadataTopic>,
}

/// A broker of a [`MetadataResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataBroker {
    /// Its id.
    pub id: BrokerId,
    /// Its rack.
    pub rack: Option<String>,
}

/// A topic of a [`MetadataResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataTopic {
    /// `UNKNOWN_TOPIC_OR_PARTITION` if there is no topic with this name.
    pub error: ErrorCode,
    /// Its name.
    pub name: String,
    /// Its id.
    pub topic: TopicId,
    /// Its partitions in order of index.
    pub partitions: Vec<MetadataPartition>,
}

/// A partition of a [`MetadataTopic`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataPartition {
    /// `LEADER_NOT_AVAILABLE` if the partition has no leader.
    pub error: ErrorCode,
    /// Its index.
    pub partition: i32,
    /// The leader; `None` if there is none.
    pub leader: Option<BrokerId>,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// Its replicas in order of preference.
    pub replicas: Vec<BrokerId>,
    /// Its in-sync replicas.
    pub isr: Vec<BrokerId>,
}

/// Creates topics. Brokers forward the request to the active controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTopicsRequest {
    /// The topics to create.
    pub topics: Vec<CreatableTopic>,
    /// How long the controller may take.
    pub timeout: Span,
}

/// A topic of a [`CreateTopicsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreatableTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; ignored if `assignments` is given.
    pub num_partitions: i32,
    /// How many replicas of each; ignored if `assignments` is given.
    pub replication_factor: i16,
    /// The replicas of each partition in order of preference; empty: the controller places them.
    pub assignments: Vec<Vec<BrokerId>>,
    /// Its properties, by Kafka's names.
    pub configs: Vec<(String, String)>,
}

/// The response to a [`CreateTopicsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTopicsResponse {
    /// One for each topic of the request.
    pub topics: Vec<CreatableTopicResult>,
}

/// A topic of a [`CreateTopicsResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreatableTopicResult {
    /// Its name.
    pub name: String,
    /// Its new id.
    pub topic: TopicId,
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
}

/// Which election to hold (KIP-460).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElectionType {
    /// Move leadership to the first replica of the assignment, if it is in sync.
    Preferred,
    /// Let any live replica lead, even if records are lost.
    Unclean,
}

/// Holds elections. Brokers forward the request to the active controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElectLeadersRequest {
    /// Preferred or unclean.
    pub election_type: ElectionType,
    /// The partitions; `None`: all.
    pub partitions: Option<Vec<TopicPartition>>,
    /// How long the controller may take.
    pub timeout: Span,
}

/// The response to an [`ElectLeadersRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElectLeadersResponse {
    /// An error of the whole request.
    pub error: ErrorCode,
    /// One for each requested partition; if all were requested, only those that changed or failed.
    pub partitions: Vec<(TopicPartition, ErrorCode)>,
}

impl RequestBody for MetadataRequest {
    type Response = MetadataResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> MetadataResponse {
        let refused = |name: &String| MetadataTopic {
            error,
            name: name.clone(),
            topic: TopicId::default(),
            partitions: Vec::new(),
        };
        let topics = self.topics.iter().flatten().map(refused).collect();
        MetadataResponse { brokers: Vec::new(), topics }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for MetadataResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.topics.iter().any(|topic| topic.error == error)
    }

    fn size(&self) -> u64 {
        self.topics.iter().map(|t| (1 + t.partitions.len() as u64) * PARTITION).sum()
    }
}

impl RequestBody for CreateTopicsRequest {
    type Response = CreateTopicsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> CreateTopicsResponse {
        let refused = |topic: &CreatableTopic| CreatableTopicResult {
            name: topic.name.clone(),
            topic: TopicId::default(),
            error,
        };
        CreateTopicsResponse { topics: self.topics.iter().map(refused).collect() }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for CreateTopicsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.topics.iter().any(|topic| topic.error == error)
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for ElectLeadersRequest {
    type Response = ElectLeadersResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> ElectLeadersResponse {
        ElectLeadersResponse { error, partitions: Vec::new() }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for ElectLeadersResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error || self.partitions.iter().any(|(_, other)| *other == error)
    }

    fn size(&self) -> u64 {
        SMALL
    }
}
