//! Looking at groups: DescribeGroups, ListGroups (`GroupMetadataManager.describeGroups`, `listGroups`).
//! Only groups whose record is committed are shown.

use super::Groups;
use super::classic::ClassicGroup;
use super::consumer::{Assignment, ConsumerGroup, Member};
use super::group::Group;
use crate::broker::context::Cx;
use crate::broker::internal_topics::Internal;
use crate::broker::replicas::Partitions;
use crate::error::ErrorCode;
use crate::protocol::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, DescribedConsumer, DescribedMember, GroupState, ListGroupsRequest,
    ListGroupsResponse, ListedGroup, OwnedPartitions,
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
            Some(Group::Classic(group)) => described(group),
            Some(Group::Consumer(_)) | None => {
                let error = match request.version >= DescribeGroupsRequest::KNOWS_MISSING_GROUPS {
                    true => ErrorCode::GroupIdNotFound,
                    false => ErrorCode::None,
                };
                refused(error, Some(GroupState::Dead))
            }
        }
    }

    /// The members of a group of the consumer protocol.
    pub(in crate::broker) fn describe_consumers(
        &mut self,
        request: &ConsumerGroupDescribeRequest,
        replicas: &Partitions,
        cx: &mut Cx<'_>,
    ) -> ConsumerGroupDescribeResponse {
        let refused = |error| ConsumerGroupDescribeResponse {
            error,
            state: None,
            epoch: 0,
            assignment_epoch: 0,
            assignor: "".into(),
            members: Vec::new(),
        };
        let id = &request.group;
        let found = match id.is_empty() {
            true => Err(ErrorCode::InvalidGroupId),
            false => Internal::ConsumerOffsets
                .partition_of(&cx.context.image, id)
                .ok_or(ErrorCode::NotCoordinator),
        };
        let described = found.and_then(|partition| {
            self.on_high_watermark(partition.partition, replicas, cx);
            let shard = self.shards.get(partition.partition)?;
            match shard.state.groups.committed(id) {
                Some(Group::Consumer(group)) => Ok(described_consumers(group, cx)),
                _ => Err(ErrorCode::GroupIdNotFound),
            }
        });
        described.unwrap_or_else(refused)
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
                    protocol_type: group.protocol_type().unwrap_or_else(|| "".into()),
                    state: group.state(),
                    group_type: group.group_type(),
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

fn described_consumers(group: &ConsumerGroup, cx: &Cx<'_>) -> ConsumerGroupDescribeResponse {
    let existing = |assignment: &Assignment| -> Vec<OwnedPartitions> {
        let all = assignment.iter();
        let known = all.filter(|(topic, _)| cx.context.image.topic(**topic).is_some());
        known.map(|(topic, partitions)| (*topic, partitions.iter().copied().collect())).collect()
    };
    let members = group.members().map(|(id, it): (_, &Member)| DescribedConsumer {
        member: id.clone(),
        instance: it.metadata.instance.clone(),
        rack: it.metadata.rack.clone(),
        epoch: it.epoch,
        client_id: it.metadata.client_id.clone(),
        client_host: it.metadata.client_host.clone(),
        topics: it.metadata.topics.iter().cloned().collect(),
        assignment: existing(&it.assigned),
        target: existing(&group.target_of(id)),
        is_classic: it.is_classic(),
    });
    ConsumerGroupDescribeResponse {
        error: ErrorCode::None,
        state: Some(group.state()),
        epoch: group.epoch(),
        assignment_epoch: group.target_epoch(),
        assignor: group.assignor(cx.context.config.consumer_assignors.first()).into(),
        members: members.collect(),
    }
}
