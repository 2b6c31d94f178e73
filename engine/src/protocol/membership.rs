//! Membership in a group of consumers, classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup
//! (KIP-62, KIP-345, KIP-394).
//!
//! What members say of themselves and what the leader assigns are bytes to the coordinator.

use super::api::{ApiKey, PARTITION, RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{GroupId, GroupInstanceId, MemberId, TopicPartition};
use bytes::Bytes;
use std::sync::Arc;

/// Joins a group, or begins a rebalance of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JoinGroupRequest {
    /// The version of the request; see [`JoinGroupRequest::REQUIRES_ID`] and
    /// [`JoinGroupRequest::SKIPS_ASSIGNMENT`].
    pub version: i16,
    /// `client.id`; Kafka has it in the header of every request.
    pub client_id: Arc<str>,
    /// `group.id`
    pub group: GroupId,
    /// How long the member may be silent, in milliseconds (`session.timeout.ms`).
    pub session_timeout_ms: i32,
    /// How long the member may take to join again, in milliseconds (`max.poll.interval.ms`).
    pub rebalance_timeout_ms: i32,
    /// The id that the coordinator has given to the member; empty: none.
    pub member: MemberId,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance: Option<GroupInstanceId>,
    /// The kind of protocols; `consumer` for consumers.
    pub protocol_type: Arc<str>,
    /// The assignors that the member knows, the best first, each with its subscription.
    pub protocols: Vec<(Arc<str>, Bytes)>,
}

/// The response to a [`JoinGroupRequest`], sent when the group has a new generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JoinGroupResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The generation; -1 on error.
    pub generation: i32,
    /// The kind of protocols.
    pub protocol_type: Option<Arc<str>>,
    /// The assignor that the coordinator has chosen.
    pub protocol_name: Option<Arc<str>>,
    /// The member that assigns; empty on error.
    pub leader: MemberId,
    /// The leader need not assign: its static member has been replaced (KIP-814).
    pub skip_assignment: bool,
    /// The id of the member, given with this response or before.
    pub member: MemberId,
    /// All members, for the leader; otherwise empty.
    pub members: Vec<JoinedMember>,
}

/// One member of a [`JoinGroupResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JoinedMember {
    /// Its id.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// Its subscription for the chosen assignor.
    pub metadata: Bytes,
}

/// Fetches the assignment of a member; the leader brings those of all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SyncGroupRequest {
    /// The version of the request; from [`SyncGroupRequest::NAMES_PROTOCOL`] onwards it has to name the
    /// protocol.
    pub version: i16,
    /// `group.id`
    pub group: GroupId,
    /// The generation of the last join.
    pub generation: i32,
    /// The member.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// The kind of protocols that the member has joined with.
    pub protocol_type: Option<Arc<str>>,
    /// The assignor that the join has brought.
    pub protocol_name: Option<Arc<str>>,
    /// From the leader, the assignments; otherwise empty.
    pub assignments: Vec<(MemberId, Bytes)>,
}

/// The response to a [`SyncGroupRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SyncGroupResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The kind of protocols.
    pub protocol_type: Option<Arc<str>>,
    /// The chosen assignor.
    pub protocol_name: Option<Arc<str>>,
    /// What is assigned to the member.
    pub assignment: Bytes,
}

/// Keeps the session of a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeartbeatRequest {
    /// `group.id`
    pub group: GroupId,
    /// The generation of the last join.
    pub generation: i32,
    /// The member.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
}

/// The response to a [`HeartbeatRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeartbeatResponse {
    /// How it went.
    pub error: ErrorCode,
}

/// Removes members from a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaveGroupRequest {
    /// `group.id`
    pub group: GroupId,
    /// The members.
    pub members: Vec<LeavingMember>,
}

/// One member of a [`LeaveGroupRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeavingMember {
    /// Its id; empty if an administrator removes a static member.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
}

/// The response to a [`LeaveGroupRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaveGroupResponse {
    /// An error of the whole request.
    pub error: ErrorCode,
    /// The outcome of each member of the request; empty if the whole request failed.
    pub members: Vec<(LeavingMember, ErrorCode)>,
}

impl JoinGroupRequest {
    /// The first version in which a dynamic member joins again with the id that it is given, so that a
    /// join whose response is lost leaves no member behind (KIP-394).
    pub const REQUIRES_ID: i16 = 4;

    /// The first version in which a leader may skip the assignment (KIP-814).
    pub const SKIPS_ASSIGNMENT: i16 = 9;

    /// The newest version.
    pub const NEWEST: i16 = ApiKey::JoinGroup.versions().1;
}

impl JoinGroupResponse {
    /// The response that refuses a join; the member keeps the id in it.
    pub fn refused(error: ErrorCode, member: MemberId) -> Self {
        Self {
            error,
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: "".into(),
            skip_assignment: false,
            member,
            members: Vec::new(),
        }
    }
}

impl SyncGroupRequest {
    /// The first version that names the protocol (KIP-559).
    pub const NAMES_PROTOCOL: i16 = 5;

    /// The newest version.
    pub const NEWEST: i16 = ApiKey::SyncGroup.versions().1;
}

impl SyncGroupResponse {
    /// The response that refuses a sync.
    pub fn refused(error: ErrorCode) -> Self {
        Self { error, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

impl RequestBody for JoinGroupRequest {
    type Response = JoinGroupResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> JoinGroupResponse {
        JoinGroupResponse::refused(error, self.member.clone())
    }

    fn size(&self) -> u64 {
        let protocols: usize = self.protocols.iter().map(|(name, it)| name.len() + it.len()).sum();
        SMALL + protocols as u64
    }
}

impl ResponseBody for JoinGroupResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        let members = self.members.iter();
        SMALL + members.map(|it| PARTITION + it.metadata.len() as u64).sum::<u64>()
    }
}

impl RequestBody for SyncGroupRequest {
    type Response = SyncGroupResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> SyncGroupResponse {
        SyncGroupResponse::refused(error)
    }

    fn size(&self) -> u64 {
        let assignments = self.assignments.iter();
        SMALL + assignments.map(|(_, it)| PARTITION + it.len() as u64).sum::<u64>()
    }
}

impl ResponseBody for SyncGroupResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL + self.assignment.len() as u64
    }
}

impl RequestBody for HeartbeatRequest {
    type Response = HeartbeatResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> HeartbeatResponse {
        HeartbeatResponse { error }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for HeartbeatResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for LeaveGroupRequest {
    type Response = LeaveGroupResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> LeaveGroupResponse {
        LeaveGroupResponse { error, members: Vec::new() }
    }

    fn size(&self) -> u64 {
        SMALL + self.members.len() as u64 * PARTITION
    }
}

impl ResponseBody for LeaveGroupResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error || self.members.iter().any(|(_, found)| *found == error)
    }

    fn size(&self) -> u64 {
        SMALL + self.members.len() as u64 * PARTITION
    }
}
