//! Requests and responses: our own typed values with Kafka's names and fields, so that a gateway
//! to the wire protocol can translate them one to one.
//!
//! Topics are named by id throughout, as the newest versions of the requests do (KIP-516); only
//! Metadata and CreateTopics know names.

mod admin;
mod broker;
mod data;
mod quorum;

pub use admin::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
    ElectLeadersRequest, ElectLeadersResponse, ElectionType, MetadataBroker, MetadataPartition,
    MetadataRequest, MetadataResponse, MetadataTopic,
};
pub use broker::{
    AlterPartition, AlterPartitionRequest, AlterPartitionResponse, AlteredPartition,
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse, BrokerState,
};
pub use data::{
    AbortedTransaction, EpochEndOffset, FetchPartition, FetchRequest, FetchResponse,
    FetchedPartition, Isolation, LeaderIdAndEpoch, ListOffset, ListOffsetsRequest,
    ListOffsetsResponse, ListedOffset, OffsetForLeaderEpoch, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, OffsetForLeaderEpochResult, ProducePartition, ProduceRequest,
    ProduceResponse, ProducedPartition, Records, ReplicaState,
};
pub use quorum::{
    BeginQuorumEpochRequest, BeginQuorumEpochResponse, EndQuorumEpochRequest,
    EndQuorumEpochResponse, VoteRequest, VoteResponse,
};

use machine::Digest;
use std::hash::Hash;

/// The `timestamp` of ListOffsets that asks for the end of what may be read.
pub const LATEST_TIMESTAMP: i64 = -1;

/// The `timestamp` of ListOffsets that asks for the first offset there is.
pub const EARLIEST_TIMESTAMP: i64 = -2;

/// What travels on a connection. Responses come in the order of their requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// From the end that opened the connection.
    Request {
        /// Names the request on its connection; counts up.
        correlation_id: u32,
        /// What is asked.
        body: Request,
    },
    /// From the end that was connected to.
    Response {
        /// The request that this answers.
        correlation_id: u32,
        /// The answer.
        body: Response,
    },
}

macro_rules! apis {
    ($($api:ident $request:ident $response:ident)*) => {
        /// A request.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Request {
            $(#[doc = concat!("See [`", stringify!($request), "`].")] $api($request),)*
        }

        /// A response.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Response {
            $(#[doc = concat!("See [`", stringify!($response), "`].")] $api($response),)*
        }

        $(
            impl From<$request> for Request {
                fn from(body: $request) -> Self { Self::$api(body) }
            }

            impl From<$response> for Response {
                fn from(body: $response) -> Self { Self::$api(body) }
            }
        )*

        impl Request {
            /// Its name in the protocol.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$api(_) => stringify!($request),)* }
            }
        }

        impl Response {
            /// Its name in the protocol.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$api(_) => stringify!($response),)* }
            }
        }
    };
}

apis! {
    Produce ProduceRequest ProduceResponse
    Fetch FetchRequest FetchResponse
    ListOffsets ListOffsetsRequest ListOffsetsResponse
    OffsetForLeaderEpoch OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse
    Metadata MetadataRequest MetadataResponse
    CreateTopics CreateTopicsRequest CreateTopicsResponse
    ElectLeaders ElectLeadersRequest ElectLeadersResponse
    AlterPartition AlterPartitionRequest AlterPartitionResponse
    BrokerRegistration BrokerRegistrationRequest BrokerRegistrationResponse
    BrokerHeartbeat BrokerHeartbeatRequest BrokerHeartbeatResponse
    AssignReplicasToDirs AssignReplicasToDirsRequest AssignReplicasToDirsResponse
    Vote VoteRequest VoteResponse
    BeginQuorumEpoch BeginQuorumEpochRequest BeginQuorumEpochResponse
    EndQuorumEpoch EndQuorumEpochRequest EndQuorumEpochResponse
}

impl machine::Message for Message {
    /// Headers are counted as constants near their real size; records are counted exactly.
    fn wire_size(&self) -> u64 {
        const HEADER: u64 = 32;
        const PARTITION: u64 = 48;
        let body = match self {
            Self::Request { body, .. } => match body {
                Request::Produce(r) => {
                    r.partitions.iter().map(|p| PARTITION + p.records.len() as u64).sum()
                }
                Request::Fetch(r) => r.partitions.len() as u64 * PARTITION,
                _ => 2 * PARTITION,
            },
            Self::Response { body, .. } => match body {
                Response::Produce(r) => r.partitions.len() as u64 * PARTITION,
                Response::Fetch(r) => {
                    r.partitions.iter().map(|p| PARTITION + p.records.size()).sum()
                }
                Response::Metadata(r) => {
                    r.topics.iter().map(|t| (1 + t.partitions.len() as u64) * PARTITION).sum()
                }
                _ => 2 * PARTITION,
            },
        };
        HEADER + body
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Request { body, .. } => body.name(),
            Self::Response { body, .. } => body.name(),
        }
    }

    fn fold(&self, digest: &mut Digest) {
        self.hash(digest);
    }
}
