//! The table of requests, one row for each kind, and the traits that every kind implements.
//!
//! | step | place |
//! |---|---|
//! | its fields, [`RequestBody`] and [`ResponseBody`] | a file of this folder |
//! | its row | `apis!` below |
//! | its handling | an arm in the broker's `serve` and in the controller's `handle`, one in `owner_of` for its response, and one in `errors.rs`; the compiler finds all four |

use super::*;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;

/// The servers that handle a kind of request (`listeners` in Kafka's message definitions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedBy {
    /// Brokers.
    Broker,
    /// Controllers. A broker closes the connection.
    Controller,
    /// The active controller; brokers forward it for clients (KIP-590).
    Forwarded,
    /// Brokers and controllers, each for partitions of its own.
    Both,
}

/// Implemented by the body of every request.
pub(crate) trait RequestBody {
    /// The response to the request.
    type Response: ResponseBody;

    /// Adds the partitions that it reads or writes.
    fn locks(&self, locks: &mut Vec<TopicPartition>);

    /// The response that refuses all of it.
    fn refused(&self, error: ErrorCode) -> Self::Response;

    /// Its size on the wire without the header, in bytes, accurate enough to model bandwidth.
    fn size(&self) -> u64;
}

/// Implemented by the body of every response.
pub(crate) trait ResponseBody {
    /// Adds the partitions that the requester changes when it handles the response.
    fn locks(&self, locks: &mut Vec<TopicPartition>);

    /// Whether `error` occurs anywhere in the response.
    fn has_error(&self, error: ErrorCode) -> bool;

    /// Its size on the wire without the header, in bytes, accurate enough to model bandwidth.
    fn size(&self) -> u64;
}

/// The size in bytes of one partition in a request or response, without its records.
pub(super) const PARTITION: u64 = 48;
/// The size in bytes of a body without partitions.
pub(super) const SMALL: u64 = 2 * PARTITION;

macro_rules! apis {
    ($($api:ident $key:literal $versions:tt $served:ident $request:ident $response:ident)*) => {
        /// A kind of request, by its number on the wire (`ApiKeys`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(#[doc = concat!("See [`", stringify!($request), "`].")] $api = $key,)*
        }

        impl ApiKey {
            /// All kinds, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$api,)*];

            /// The oldest and newest version of this API in Kafka 4.1; the newest is modelled.
            pub const fn versions(self) -> (i16, i16) {
                match self { $(Self::$api => $versions,)* }
            }

            /// The servers that handle it.
            pub const fn served(self) -> ServedBy {
                match self { $(Self::$api => ServedBy::$served,)* }
            }
        }

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
            /// Its kind.
            pub const fn api(&self) -> ApiKey {
                match self { $(Self::$api(_) => ApiKey::$api,)* }
            }

            /// Its name in the protocol.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$api(_) => stringify!($request),)* }
            }

            /// Adds the partitions that it reads or writes.
            pub(crate) fn locks(&self, locks: &mut Vec<TopicPartition>) {
                match self { $(Self::$api(body) => body.locks(locks),)* }
            }

            /// The response that refuses all of it.
            pub fn refused(&self, error: ErrorCode) -> Response {
                match self { $(Self::$api(body) => body.refused(error).into(),)* }
            }

            pub(super) fn size(&self) -> u64 {
                match self { $(Self::$api(body) => body.size(),)* }
            }
        }

        impl Response {
            /// The kind of its request.
            pub const fn api(&self) -> ApiKey {
                match self { $(Self::$api(_) => ApiKey::$api,)* }
            }

            /// Its name in the protocol.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$api(_) => stringify!($response),)* }
            }

            /// Adds the partitions that the requester changes when it handles the response.
            pub(crate) fn locks(&self, locks: &mut Vec<TopicPartition>) {
                match self { $(Self::$api(body) => body.locks(locks),)* }
            }

            /// Whether `error` occurs anywhere in the response.
            pub fn has_error(&self, error: ErrorCode) -> bool {
                match self { $(Self::$api(body) => body.has_error(error),)* }
            }

            pub(super) fn size(&self) -> u64 {
                match self { $(Self::$api(body) => body.size(),)* }
            }
        }
    };
}

apis! {
    Produce              0  (3, 13) Broker     ProduceRequest              ProduceResponse
    Fetch                1  (4, 18) Both       FetchRequest                FetchResponse
    ListOffsets          2  (1, 10) Broker     ListOffsetsRequest          ListOffsetsResponse
    Metadata             3  (0, 13) Broker     MetadataRequest             MetadataResponse
    FindCoordinator      10 (0, 6)  Broker     FindCoordinatorRequest      FindCoordinatorResponse
    ApiVersions          18 (0, 4)  Broker     ApiVersionsRequest          ApiVersionsResponse
    CreateTopics         19 (2, 7)  Forwarded  CreateTopicsRequest         CreateTopicsResponse
    InitProducerId       22 (0, 5)  Broker     InitProducerIdRequest       InitProducerIdResponse
    OffsetForLeaderEpoch 23 (2, 4)  Broker     OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse
    AddPartitionsToTxn   24 (0, 5)  Broker     AddPartitionsToTxnRequest   AddPartitionsToTxnResponse
    EndTxn               26 (0, 5)  Broker     EndTxnRequest               EndTxnResponse
    WriteTxnMarkers      27 (1, 1)  Broker     WriteTxnMarkersRequest      WriteTxnMarkersResponse
    ElectLeaders         43 (0, 2)  Forwarded  ElectLeadersRequest         ElectLeadersResponse
    Vote                 52 (0, 2)  Controller VoteRequest                 VoteResponse
    BeginQuorumEpoch     53 (0, 1)  Controller BeginQuorumEpochRequest     BeginQuorumEpochResponse
    EndQuorumEpoch       54 (0, 1)  Controller EndQuorumEpochRequest       EndQuorumEpochResponse
    AlterPartition       56 (2, 3)  Controller AlterPartitionRequest       AlterPartitionResponse
    DescribeProducers    61 (0, 0)  Broker     DescribeProducersRequest    DescribeProducersResponse
    BrokerRegistration   62 (0, 4)  Controller BrokerRegistrationRequest   BrokerRegistrationResponse
    BrokerHeartbeat      63 (0, 1)  Controller BrokerHeartbeatRequest      BrokerHeartbeatResponse
    DescribeTransactions 65 (0, 0)  Broker     DescribeTransactionsRequest DescribeTransactionsResponse
    ListTransactions     66 (0, 2)  Broker     ListTransactionsRequest     ListTransactionsResponse
    AllocateProducerIds  67 (0, 0)  Controller AllocateProducerIdsRequest  AllocateProducerIdsResponse
    AssignReplicasToDirs 73 (0, 0)  Controller AssignReplicasToDirsRequest AssignReplicasToDirsResponse
    OffsetCommit         8  (2, 9)  Broker     OffsetCommitRequest         OffsetCommitResponse
    OffsetFetch          9  (1, 9)  Broker     OffsetFetchRequest          OffsetFetchResponse
    JoinGroup            11 (0, 9)  Broker     JoinGroupRequest            JoinGroupResponse
    Heartbeat            12 (0, 4)  Broker     HeartbeatRequest            HeartbeatResponse
    LeaveGroup           13 (0, 5)  Broker     LeaveGroupRequest           LeaveGroupResponse
    SyncGroup            14 (0, 5)  Broker     SyncGroupRequest            SyncGroupResponse
    DescribeGroups       15 (0, 6)  Broker     DescribeGroupsRequest       DescribeGroupsResponse
    ListGroups           16 (0, 5)  Broker     ListGroupsRequest           ListGroupsResponse
    AddOffsetsToTxn      25 (0, 4)  Broker     AddOffsetsToTxnRequest      AddOffsetsToTxnResponse
    TxnOffsetCommit      28 (0, 5)  Broker     TxnOffsetCommitRequest      TxnOffsetCommitResponse
    DeleteGroups         42 (0, 2)  Broker     DeleteGroupsRequest         DeleteGroupsResponse
    OffsetDelete         47 (0, 0)  Broker     OffsetDeleteRequest         OffsetDeleteResponse
    ConsumerGroupHeartbeat 68 (0, 1) Broker    ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse
    ConsumerGroupDescribe 69 (0, 1) Broker     ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse
}
