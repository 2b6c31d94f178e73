//! Requests and responses: our own typed values with Kafka's names and fields, so that a gateway
//! to the wire protocol can translate them one to one.
//!
//! Topics are named by id throughout, as the newest versions of the requests do (KIP-516); only
//! Metadata, CreateTopics and the requests about committed offsets know names.

mod admin;
mod api;
mod broker;
mod consumer_groups;
mod coordinator;
mod data;
mod describe;
mod errors;
mod fetch_metadata;
mod groups;
mod markers;
mod membership;
mod offsets;
mod producer;
mod quorum;
mod transaction;

pub use admin::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
    ElectLeadersRequest, ElectLeadersResponse, ElectionType, MetadataBroker, MetadataPartition,
    MetadataRequest, MetadataResponse, MetadataTopic,
};
pub use api::{ApiKey, Request, Response, ServedBy};
pub use broker::{
    AlterPartition, AlterPartitionRequest, AlterPartitionResponse, AlteredPartition,
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse, BrokerState,
};
pub use consumer_groups::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, DescribedConsumer, OwnedPartitions,
};
pub use coordinator::{
    ApiVersionsRequest, ApiVersionsResponse, CoordinatorType, FindCoordinatorRequest,
    FindCoordinatorResponse,
};
pub use data::{
    AbortedTransaction, EpochEndOffset, FetchPartition, FetchRequest, FetchResponse,
    FetchedPartition, Isolation, LeaderIdAndEpoch, ListOffset, ListOffsetsRequest,
    ListOffsetsResponse, ListedOffset, OffsetForLeaderEpoch, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, OffsetForLeaderEpochResult, ProducePartition, ProduceRequest,
    ProduceResponse, ProducedPartition, Records, ReplicaState,
};
pub use describe::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, DescribedProducer, DescribedProducers, DescribedTransaction,
    ListTransactionsRequest, ListTransactionsResponse, ListedTransaction, TransactionState,
};
pub use fetch_metadata::FetchMetadata;
pub use groups::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    DescribedMember, GroupState, GroupType, ListGroupsRequest, ListGroupsResponse, ListedGroup,
};
pub use markers::{TxnMarker, WriteTxnMarkersRequest, WriteTxnMarkersResponse, WrittenTxnMarker};
pub use membership::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, JoinedMember,
    LeaveGroupRequest, LeaveGroupResponse, LeavingMember, SyncGroupRequest, SyncGroupResponse,
};
pub use offsets::{
    FetchedOffset, NamedPartition, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, OffsetToCommit,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
pub use producer::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, InitProducerIdRequest,
    InitProducerIdResponse,
};
pub use quorum::{
    BeginQuorumEpochRequest, BeginQuorumEpochResponse, EndQuorumEpochRequest,
    EndQuorumEpochResponse, VoteRequest, VoteResponse,
};
pub use transaction::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxn, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, AddedPartitionsToTxn, EndTxnRequest, EndTxnResponse,
};

use bytes::Bytes;
use machine::Digest;
use std::hash::Hash;

/// The `timestamp` of ListOffsets that stands for the end of the readable records.
pub const LATEST_TIMESTAMP: i64 = -1;

/// The `timestamp` of ListOffsets that stands for the log start offset.
pub const EARLIEST_TIMESTAMP: i64 = -2;

/// The `timestamp` of ListOffsets that stands for the first record with the largest timestamp (KIP-734).
pub const MAX_TIMESTAMP: i64 = -3;

/// The `timestamp` of ListOffsets that stands for the start of the log on the leader's disk, here the log
/// start offset (KIP-405).
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;

/// The `timestamp` of ListOffsets that stands for the end of the records in tiered storage, of which
/// there are none (KIP-1005).
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;

/// A message on a connection. Responses come in the order of their requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A request, from the end that opened the connection.
    Request {
        /// Identifies the request on its connection; counts up.
        correlation_id: u32,
        /// The request.
        body: Request,
    },
    /// A response, from the other end.
    Response {
        /// The correlation id of its request.
        correlation_id: u32,
        /// The response.
        body: Response,
    },
    /// A message between applications, which no broker receives.
    Application {
        /// Its name.
        name: &'static str,
        /// Its content.
        body: Bytes,
    },
}

impl machine::Message for Message {
    /// Headers are counted as constants near their real size; records are counted exactly.
    fn wire_size(&self) -> u64 {
        const HEADER: u64 = 32;
        HEADER
            + match self {
                Self::Request { body, .. } => body.size(),
                Self::Response { body, .. } => body.size(),
                Self::Application { body, .. } => body.len() as u64,
            }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Request { body, .. } => body.name(),
            Self::Response { body, .. } => body.name(),
            Self::Application { name, .. } => name,
        }
    }

    fn fold(&self, digest: &mut Digest) {
        self.hash(digest);
    }
}
