//! Looking at groups: DescribeGroups, ListGroups (`GroupMetadataManager.describeGroups`, `listGroups`).
//! Only groups whose record is committed are shown.

use super::Groups;
use super::classic::ClassicGroup;
use crate::broker::context::Cx;
use crate::broker::internal_topics::Internal;
use crate::broker::replicas::Partitions;
use crate::error::ErrorCode;
use crate::protocol::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedMember, GroupState, GroupType,
    ListGroupsRequest, ListGroupsResponse, ListedGroup,
};
use bytes::Bytes;

impl Groups {
    /// The members of a group.
    pub(in crate::broker) fn describe(
        &mut self,
        request: &DescribeGroupsRequest,
        replicas: &Partitions,
        cx: &mut Cx<'_>,
    ) -> DescribeGroupsResponse {
        let refused = |error, state| DescribeGroupsResponse {
            error,
            state,
            protocol_type: "".into(),
            protocol: "".into(),
            members: Vec::new(),
        };
        let id = &request.group;
        let Some(partition) = Internal::ConsumerOffsets.partition_of(&cx.context.image, id) else {
            return refused(ErrorCode::NotCoordinator, None);
        };
        self.on_high_watermark(partition.partition, replicas, cx);
        let shard = match self.shards.get(partition.partition) {
            Ok(shard) => shard,
            Err(error) => return refused(error, None),
        };
        match shard.state.groups.committed(id) {
            Some(group) => described(group),
            None => {
                let error = match request.version >= DescribeGroupsRequest::KNOWS_MISSING_GROUPS {
                    true => ErrorCode::GroupIdNotFound,
                    false => ErrorCode::None,
                };
                refused(error, Some(GroupState::Dead))
            }
        }
    }

    /// The groups that are coordinated here.
    pub(in crate::broker) fn list(
        &mut self,
        request: &ListGroupsRequest,
        replicas: &Partitions,
        cx: &mut Cx<'_>,
    ) -> ListGroupsResponse {
        let mut groups = Vec::new();
        if !self.shards.loading.is_empty() {
            return ListGroupsResponse { error: ErrorCode::CoordinatorLoadInProgress, groups };
        }
        for index in self.shards.indexes() {
            self.on_high_watermark(index, replicas, cx);
            let Ok(shard) = self.shards.get(index) else { continue };
            for id in shard.state.groups.committed_keys() {
                let Some(group) = shard.state.groups.committed(&id) else { continue };
                let listed = ListedGroup {
                    group: id,
                    protocol_type: group.protocol_type().cloned().unwrap_or_else(|| "".into()),
                    state: group.state(),
                    group_type: GroupType::Classic,
                };
                if is_wanted(&listed, request) {
                    groups.push(listed);
                }
            }
        }
        ListGroupsResponse { error: ErrorCode::None, groups }
    }
}

fn is_wanted(listed: &ListedGroup, request: &ListGroupsRequest) -> bool {
    request.states.as_ref().is_none_or(|states| states.contains(&listed.state))
        && request.types.as_ref().is_none_or(|types| types.contains(&listed.group_type))
}

fn described(group: &ClassicGroup) -> DescribeGroupsResponse {
    let is_stable = group.state() == GroupState::Stable;
    let members = group.members().map(|(id, member)| DescribedMember {
        member: id.clone(),
        instance: member.instance.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        metadata: if is_stable { group.metadata_of(member) } else { Bytes::new() },
        assignment: member.assignment.clone(),
    });
    let none = || "".into();
    DescribeGroupsResponse {
        error: ErrorCode::None,
        state: Some(group.state()),
        protocol_type: group.protocol_type().cloned().unwrap_or_else(none),
        protocol: group.protocol().filter(|_| is_stable).cloned().unwrap_or_else(none),
        members: members.collect(),
    }
}
