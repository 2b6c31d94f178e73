//! Requests to the coordinator of a group (`KafkaApis`, `GroupCoordinatorService`).

use super::Groups;
use super::effects::Turn;
use super::outcomes::of_coordinator;
use super::shard::State;
use super::writes::Producer;
use crate::broker::context::Cx;
use crate::broker::internal_topics::Internal;
use crate::broker::replicas::Partitions;
use crate::broker::requests::{Reply, Served};
use crate::error::ErrorCode;
use crate::ids::{GroupId, TopicPartition};
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, DeleteGroupsRequest,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    NamedPartition, OffsetCommitRequest, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, Request, SyncGroupRequest, TxnOffsetCommitRequest,
};
use machine::{Halt, Span};
use std::sync::Arc;

impl Groups {
    /// The index of the partition that a group belongs to, if it is coordinated here.
    fn index_of(&self, group: &GroupId, cx: &Cx<'_>) -> Result<i32, ErrorCode> {
        let partition = Internal::ConsumerOffsets.partition_of(&cx.context.image, group);
        let index = partition.ok_or(ErrorCode::NotCoordinator)?.partition;
        self.shards.get(index).map(|_| index)
    }

    /// Parks a request, and carries out its operation.
    fn park_and_operate(
        &mut self,
        index: i32,
        reply: Reply,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
        operation: impl FnOnce(&mut State, &mut Turn<'_>),
    ) -> Result<Served, Halt> {
        reply.park(cx);
        self.operate(index, replicas, cx, operation)?;
        Ok(Served::Parked)
    }

    /// A consumer joins.
    pub(in crate::broker) fn join_group(
        &mut self,
        reply: Reply,
        request: &JoinGroupRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let refused =
            |error, member| Ok(Served::Response(JoinGroupResponse::refused(error, member).into()));
        if request.group.is_empty() {
            return refused(ErrorCode::InvalidGroupId, request.member.clone());
        }
        let session = u64::try_from(request.session_timeout_ms).map(Span::millis);
        let config = &cx.context.config;
        let range = config.group_min_session_timeout..=config.group_max_session_timeout;
        if !session.is_ok_and(|session| range.contains(&session)) {
            return refused(ErrorCode::InvalidSessionTimeout, request.member.clone());
        }
        let index = match self.index_of(&request.group, cx) {
            Ok(index) => index,
            Err(error) => return refused(error, "".into()),
        };
        let host = format!("/node-{}", reply.conn.opener());
        self.park_and_operate(index, reply, replicas, cx, |state, turn| {
            state.join(request, &host, reply, turn);
        })
    }

    /// A member asks for its assignment.
    pub(in crate::broker) fn sync_group(
        &mut self,
        reply: Reply,
        request: &SyncGroupRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let refused = |error| Ok(Served::Response(Request::from(request.clone()).refused(error)));
        let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
        if request.version >= SyncGroupRequest::NAMES_PROTOCOL && !names_protocol {
            return refused(ErrorCode::InconsistentGroupProtocol);
        }
        if request.group.is_empty() {
            return refused(ErrorCode::InvalidGroupId);
        }
        match self.index_of(&request.group, cx) {
            Ok(index) => self.park_and_operate(index, reply, replicas, cx, |state, turn| {
                state.sync(request, reply, turn);
            }),
            Err(error) => refused(error),
        }
    }

    /// A member is alive.
    pub(in crate::broker) fn heartbeat(
        &mut self,
        reply: Reply,
        request: &HeartbeatRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let respond = |error| Ok(Served::Response(HeartbeatResponse { error }.into()));
        if request.group.is_empty() {
            return respond(ErrorCode::InvalidGroupId);
        }
        match self.index_of(&request.group, cx) {
            Ok(index) => self.park_and_operate(index, reply, replicas, cx, |state, turn| {
                state.heartbeat(request, reply, turn);
            }),
            // Sessions begin anew when the log has been read.
            Err(ErrorCode::CoordinatorLoadInProgress) => respond(ErrorCode::None),
            Err(error) => respond(error),
        }
    }

    /// Members leave.
    pub(in crate::broker) fn leave_group(
        &mut self,
        reply: Reply,
        request: &LeaveGroupRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let refused = |error| Ok(Served::Response(Request::from(request.clone()).refused(error)));
        if request.group.is_empty() {
            return refused(ErrorCode::InvalidGroupId);
        }
        match self.index_of(&request.group, cx) {
            Ok(index) => self.park_and_operate(index, reply, replicas, cx, |state, turn| {
                state.leave(request, reply, turn);
            }),
            Err(error) => refused(error),
        }
    }

    /// A member of the consumer protocol joins, is alive, or leaves.
    pub(in crate::broker) fn consumer_heartbeat(
        &mut self,
        reply: Reply,
        request: &ConsumerGroupHeartbeatRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let refused =
            |error| Ok(Served::Response(ConsumerGroupHeartbeatResponse::refused(error).into()));
        if let Err(error) = check_heartbeat(request, cx) {
            return refused(error);
        }
        let host = format!("/node-{}", reply.conn.opener());
        match self.index_of(&request.group, cx) {
            Ok(index) => self.park_and_operate(index, reply, replicas, cx, |state, turn| {
                state.consumer_heartbeat(request, &host, reply, turn);
            }),
            Err(error) => refused(error),
        }
    }

    /// Commits offsets for a group, or for a consumer that is not in one.
    pub(in crate::broker) fn commit_offsets(
        &mut self,
        reply: Reply,
        request: &OffsetCommitRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let unknown = unknown(request.offsets.iter().map(|it| &it.partition), cx);
        if unknown.len() == request.offsets.len() {
            let response = request.with_error(ErrorCode::UnknownTopicOrPartition);
            return Ok(Served::Response(response.into()));
        }
        match self.index_of(&request.group, cx) {
            Ok(index) => self.park_and_operate(index, reply, replicas, cx, |state, turn| {
                state.commit_offsets(request, &unknown, reply, turn);
            }),
            Err(error) => {
                let mut response = request.with_error(error);
                for (_, code) in
                    response.partitions.iter_mut().filter(|(it, _)| unknown.contains(it))
                {
                    *code = ErrorCode::UnknownTopicOrPartition;
                }
                Ok(Served::Response(response.into()))
            }
        }
    }

    /// The offsets that a group has committed.
    pub(in crate::broker) fn fetch_offsets(
        &mut self,
        reply: Reply,
        request: &OffsetFetchRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let index = match self.index_of(&request.group, cx) {
            Ok(index) => index,
            Err(error) => {
                return Ok(Served::Response(Request::from(request.clone()).refused(error)));
            }
        };
        self.park_and_operate(index, reply, replicas, cx, |state, turn| {
            let response = state.fetch_offsets(request, turn);
            if !response.error.is_none() {
                return turn.respond(reply, response);
            }
            let fact = state.served(request, &response, turn);
            if request.require_stable {
                turn.effects.fact = Some(fact);
                let answer = super::effects::Answer::Response(reply, response.into());
                turn.effects.answer = Some(answer);
            } else {
                turn.report(fact);
                turn.respond(reply, response);
            }
        })
    }

    /// Deletes offsets of a group.
    pub(in crate::broker) fn delete_offsets(
        &mut self,
        reply: Reply,
        request: &OffsetDeleteRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let unknown = unknown(request.partitions.iter(), cx);
        if unknown.len() == request.partitions.len() {
            let error = ErrorCode::UnknownTopicOrPartition;
            let partitions = unknown.into_iter().map(|it| (it, error)).collect();
            let response = OffsetDeleteResponse { error: ErrorCode::None, partitions };
            return Ok(Served::Response(response.into()));
        }
        let refused = |error| Ok(Served::Response(Request::from(request.clone()).refused(error)));
        if request.group.is_empty() {
            return refused(ErrorCode::InvalidGroupId);
        }
        match self.index_of(&request.group, cx) {
            Ok(index) => self.park_and_operate(index, reply, replicas, cx, |state, turn| {
                state.delete_offsets(request, &unknown, reply, turn);
            }),
            Err(error) => refused(error),
        }
    }

    /// Deletes a group with its offsets.
    pub(in crate::broker) fn delete_group(
        &mut self,
        reply: Reply,
        request: &DeleteGroupsRequest,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        match self.index_of(&request.group, cx) {
            Ok(index) => self.park_and_operate(index, reply, replicas, cx, |state, turn| {
                state.delete_group(request, reply, turn);
            }),
            Err(error) => Ok(Served::Response(Request::from(request.clone()).refused(error))),
        }
    }

    /// The partition of `__consumer_offsets` that offsets of a transaction go to.
    ///
    /// # Errors
    ///
    /// The error of all partitions of the request that exist.
    pub(in crate::broker) fn partition_of_transaction(
        &self,
        request: &TxnOffsetCommitRequest,
        cx: &Cx<'_>,
    ) -> Result<TopicPartition, ErrorCode> {
        let unknown = unknown(request.offsets.iter().map(|it| &it.partition), cx);
        if unknown.len() == request.offsets.len() {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        if request.group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let index = self.index_of(&request.group, cx)?;
        self.shards.partition(index).ok_or(ErrorCode::NotCoordinator)
    }

    /// Commits offsets with a transaction, which its coordinator has verified with `verdict`.
    pub(in crate::broker) fn commit_in_transaction(
        &mut self,
        reply: Reply,
        request: &TxnOffsetCommitRequest,
        verdict: Result<Option<u64>, ErrorCode>,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let unknown = unknown(request.offsets.iter().map(|it| &it.partition), cx);
        let found = verdict.map_err(of_coordinator).and_then(|guard| {
            let index = self.index_of(&request.group, cx)?;
            Ok((index, guard))
        });
        let (index, guard) = match found {
            Ok(found) => found,
            Err(error) => {
                return Ok(Served::Response(refused_offsets(request, error, cx).into()));
            }
        };
        let (id, epoch) = (request.producer_id, request.producer_epoch);
        let producer = Producer { id, epoch, guard };
        reply.park(cx);
        self.operate_for(index, Some(producer), replicas, cx, |state, turn| {
            state.commit_in_transaction(request, &unknown, reply, turn);
        })?;
        Ok(Served::Parked)
    }
}

/// The response that refuses offsets of a transaction; partitions that do not exist have their own error.
pub(in crate::broker) fn refused_offsets(
    request: &TxnOffsetCommitRequest,
    error: ErrorCode,
    cx: &Cx<'_>,
) -> crate::protocol::TxnOffsetCommitResponse {
    let unknown = unknown(request.offsets.iter().map(|it| &it.partition), cx);
    let mut response = request.with_error(error);
    for (_, code) in response.partitions.iter_mut().filter(|(it, _)| unknown.contains(it)) {
        *code = ErrorCode::UnknownTopicOrPartition;
    }
    response
}

/// What a heartbeat has to say, and what it may not say
/// (`throwIfConsumerGroupHeartbeatRequestIsInvalid`).
fn check_heartbeat(request: &ConsumerGroupHeartbeatRequest, cx: &Cx<'_>) -> Result<(), ErrorCode> {
    let names_itself = request.version >= ConsumerGroupHeartbeatRequest::REQUIRES_ID
        || request.epoch > 0
        || request.epoch == -1;
    let is_empty = |text: &Option<Arc<str>>| text.as_ref().is_some_and(|text| text.is_empty());
    let is_incomplete = match request.epoch {
        0 => {
            request.rebalance_timeout_ms == -1
                || request.owned.as_ref().is_none_or(|owned| !owned.is_empty())
                || request.topics.is_none()
        }
        -2 => request.instance.is_none(),
        epoch => epoch < -2,
    };
    if (names_itself && request.member.is_empty())
        || request.group.is_empty()
        || is_empty(&request.instance)
        || is_empty(&request.rack)
        || is_incomplete
    {
        return Err(ErrorCode::InvalidRequest);
    }
    let assignors = &cx.context.config.consumer_assignors;
    match &request.assignor {
        Some(assignor) if !assignors.has(assignor) => Err(ErrorCode::UnsupportedAssignor),
        _ => Ok(()),
    }
}

/// Those of some partitions that do not exist.
fn unknown<'a>(
    partitions: impl Iterator<Item = &'a NamedPartition>,
    cx: &Cx<'_>,
) -> Vec<NamedPartition> {
    let image = &cx.context.image;
    let exists = |(topic, index): &NamedPartition| {
        let id = image.topic_by_name(topic).map(|topic| topic.id);
        id.is_some_and(|id| image.partition(TopicPartition::new(id, *index)).is_some())
    };
    partitions.filter(|it| !exists(it)).cloned().collect()
}
