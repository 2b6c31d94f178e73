//! Looking at groups and deleting them: DescribeGroups, ListGroups, DeleteGroups (KIP-229, KIP-518,
//! KIP-848).

use super::api::{PARTITION, RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{GroupId, GroupInstanceId, MemberId, TopicPartition};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// The state of a group (`ClassicGroupState`, `ConsumerGroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupState {
    /// It has no members. It may have offsets.
    Empty,
    /// Members join.
    PreparingRebalance,
    /// A generation has begun, and its leader assigns.
    CompletingRebalance,
    /// All members have their assignment.
    Stable,
    /// The target assignment has to be computed again. The consumer protocol has this state and the next
    /// one in place of both rebalances.
    Assigning,
    /// Some member has not come to its target assignment.
    Reconciling,
    /// There is no such group.
    Dead,
}

/// The protocol of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupType {
    /// JoinGroup, SyncGroup, Heartbeat.
    Classic,
    /// ConsumerGroupHeartbeat (KIP-848).
    Consumer,
}

/// Requests the members of a group from its coordinator. Kafka's request names several groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeGroupsRequest {
    /// The version of the request; see [`DescribeGroupsRequest::KNOWS_MISSING_GROUPS`].
    pub version: i16,
    /// `group.id`
    pub group: GroupId,
}

/// The response to a [`DescribeGroupsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeGroupsResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The state; [`GroupState::Dead`] for a group that there is not, `None` on other errors.
    pub state: Option<GroupState>,
    /// The kind of protocols; empty: none.
    pub protocol_type: Arc<str>,
    /// The chosen assignor, of a stable group; otherwise empty.
    pub protocol: Arc<str>,
    /// The members.
    pub members: Vec<DescribedMember>,
}

/// One member of a [`DescribeGroupsResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribedMember {
    /// Its id.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// `client.id`
    pub client_id: Arc<str>,
    /// Where it has joined from.
    pub client_host: Arc<str>,
    /// Its subscription, in a stable group; otherwise empty.
    pub metadata: Bytes,
    /// Its assignment.
    pub assignment: Bytes,
}

/// Requests the groups that a broker coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListGroupsRequest {
    /// Only groups in one of these states; `None`: in any.
    pub states: Option<Vec<GroupState>>,
    /// Only groups of one of these types; `None`: of any.
    pub types: Option<Vec<GroupType>>,
}

/// The response to a [`ListGroupsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListGroupsResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The groups.
    pub groups: Vec<ListedGroup>,
}

/// One group of a [`ListGroupsResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListedGroup {
    /// `group.id`
    pub group: GroupId,
    /// The kind of protocols; empty: none.
    pub protocol_type: Arc<str>,
    /// The state.
    pub state: GroupState,
    /// The type.
    pub group_type: GroupType,
}

/// Deletes a group with its offsets. Kafka's request names several groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeleteGroupsRequest {
    /// `group.id`
    pub group: GroupId,
}

/// The response to a [`DeleteGroupsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeleteGroupsResponse {
    /// How it went.
    pub error: ErrorCode,
}

impl GroupState {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Empty,
        Self::PreparingRebalance,
        Self::CompletingRebalance,
        Self::Stable,
        Self::Assigning,
        Self::Reconciling,
        Self::Dead,
    ];

    /// Its name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Dead => "Dead",
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl GroupType {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Classic, Self::Consumer];

    /// Its name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }
}

impl DescribeGroupsRequest {
    /// The first version that gets `GROUP_ID_NOT_FOUND` for a group that there is not.
    pub const KNOWS_MISSING_GROUPS: i16 = 6;
}

impl RequestBody for DescribeGroupsRequest {
    type Response = DescribeGroupsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> DescribeGroupsResponse {
        DescribeGroupsResponse {
            error,
            state: None,
            protocol_type: "".into(),
            protocol: "".into(),
            members: Vec::new(),
        }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for DescribeGroupsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        let bytes = |it: &DescribedMember| (it.metadata.len() + it.assignment.len()) as u64;
        SMALL + self.members.iter().map(|it| 2 * PARTITION + bytes(it)).sum::<u64>()
    }
}

impl RequestBody for ListGroupsRequest {
    type Response = ListGroupsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> ListGroupsResponse {
        ListGroupsResponse { error, groups: Vec::new() }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for ListGroupsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL + self.groups.len() as u64 * PARTITION
    }
}

impl RequestBody for DeleteGroupsRequest {
    type Response = DeleteGroupsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> DeleteGroupsResponse {
        DeleteGroupsResponse { error }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for DeleteGroupsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}
