//! Groups whose coordinator assigns: ConsumerGroupHeartbeat, ConsumerGroupDescribe (KIP-848).

use super::api::{PARTITION, RequestBody, ResponseBody, SMALL};
use super::groups::GroupState;
use crate::error::ErrorCode;
use crate::ids::{GroupId, GroupInstanceId, MemberId, TopicId, TopicPartition};
use std::sync::Arc;

/// Partitions of one topic.
pub type OwnedPartitions = (TopicId, Vec<i32>);

/// Joins a group, keeps the place in it, or leaves. What has not changed since the last request is left
/// out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerGroupHeartbeatRequest {
    /// The version of the request; see [`ConsumerGroupHeartbeatRequest::REQUIRES_ID`].
    pub version: i16,
    /// `client.id`; Kafka has it in the header of every request.
    pub client_id: Arc<str>,
    /// `group.id`
    pub group: GroupId,
    /// The id that the member has given itself; up to version 0 it may be empty, and one is made.
    pub member: MemberId,
    /// The member epoch; 0: the member joins, -1: it leaves, -2: it is static and leaves for a time.
    pub epoch: i32,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// `client.rack`
    pub rack: Option<Arc<str>>,
    /// How long the member may take to give up partitions, in milliseconds; -1: as before.
    pub rebalance_timeout_ms: i32,
    /// The topics that the member is subscribed to; `None`: as before.
    pub topics: Option<Vec<Arc<str>>>,
    /// The assignor that the member prefers; `None`: as before.
    pub assignor: Option<Arc<str>>,
    /// The partitions that the member owns; `None`: as before.
    pub owned: Option<Vec<OwnedPartitions>>,
}

/// The response to a [`ConsumerGroupHeartbeatRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerGroupHeartbeatResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The id of the member; `None` on error.
    pub member: Option<MemberId>,
    /// Its epoch.
    pub epoch: i32,
    /// How often to send a heartbeat, in milliseconds.
    pub heartbeat_interval_ms: i32,
    /// All partitions that the member is to own, if that has changed or the request has said everything.
    pub assignment: Option<Vec<OwnedPartitions>>,
}

/// Requests the members of a group whose coordinator assigns. Kafka's request names several groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerGroupDescribeRequest {
    /// `group.id`
    pub group: GroupId,
}

/// The response to a [`ConsumerGroupDescribeRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerGroupDescribeResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The state; `None` on error.
    pub state: Option<GroupState>,
    /// The group epoch.
    pub epoch: i32,
    /// The epoch of the target assignment.
    pub assignment_epoch: i32,
    /// The assignor that most members prefer, or the default.
    pub assignor: Arc<str>,
    /// The members.
    pub members: Vec<DescribedConsumer>,
}

/// One member of a [`ConsumerGroupDescribeResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribedConsumer {
    /// Its id.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// `client.rack`
    pub rack: Option<Arc<str>>,
    /// Its epoch.
    pub epoch: i32,
    /// `client.id`
    pub client_id: Arc<str>,
    /// Where it has joined from.
    pub client_host: Arc<str>,
    /// The topics that it is subscribed to, in order.
    pub topics: Vec<Arc<str>>,
    /// What it is assigned, of topics that exist.
    pub assignment: Vec<OwnedPartitions>,
    /// What it is to be assigned, of topics that exist.
    pub target: Vec<OwnedPartitions>,
    /// It speaks the classic protocol.
    pub is_classic: bool,
}

impl ConsumerGroupHeartbeatRequest {
    /// The first version in which a member gives itself its id (KIP-1082).
    pub const REQUIRES_ID: i16 = 1;
}

impl ConsumerGroupHeartbeatResponse {
    /// The response that refuses a request.
    pub fn refused(error: ErrorCode) -> Self {
        Self { error, member: None, epoch: 0, heartbeat_interval_ms: 0, assignment: None }
    }
}

fn size_of(partitions: &[OwnedPartitions]) -> u64 {
    partitions.iter().map(|(_, all)| 20 + 4 * all.len() as u64).sum()
}

impl RequestBody for ConsumerGroupHeartbeatRequest {
    type Response = ConsumerGroupHeartbeatResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> ConsumerGroupHeartbeatResponse {
        ConsumerGroupHeartbeatResponse::refused(error)
    }

    fn size(&self) -> u64 {
        let topics = self.topics.iter().flatten().map(|topic| topic.len() as u64 + 1).sum::<u64>();
        SMALL + topics + self.owned.as_deref().map_or(0, size_of)
    }
}

impl ResponseBody for ConsumerGroupHeartbeatResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL + self.assignment.as_deref().map_or(0, size_of)
    }
}

impl RequestBody for ConsumerGroupDescribeRequest {
    type Response = ConsumerGroupDescribeResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> ConsumerGroupDescribeResponse {
        ConsumerGroupDescribeResponse {
            error,
            state: None,
            epoch: 0,
            assignment_epoch: 0,
            assignor: "".into(),
            members: Vec::new(),
        }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for ConsumerGroupDescribeResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        let member =
            |it: &DescribedConsumer| 2 * PARTITION + size_of(&it.assignment) + size_of(&it.target);
        SMALL + self.members.iter().map(member).sum::<u64>()
    }
}
