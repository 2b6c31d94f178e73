//! Members of the classic protocol in a group of the consumer protocol: their requests mean what a
//! ConsumerGroupHeartbeat means, and their generation is their member epoch
//! (`classicGroupJoinToConsumerGroup` and its siblings).

use super::ConsumerGroup;
use super::convert::{named, session_of};
use super::heartbeat::{Update, timeout_of};
use super::member::{Assignment, ClassicMetadata, Member, MemberState, contains};
use crate::broker::groups::classic::{CONSUMER, subscription};
use crate::broker::groups::effects::{After, Answer, Turn};
use crate::broker::groups::group::Group;
use crate::broker::groups::shard::State;
use crate::broker::groups::timers::MemberTimer;
use crate::broker::requests::Reply;
use crate::error::ErrorCode;
use crate::ids::{GroupId, GroupInstanceId, MemberId};
use crate::protocol::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use machine::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What follows when a member of the classic protocol has joined or synced.
#[derive(Clone, Debug)]
pub(in crate::broker::groups) struct Joined {
    pub(in crate::broker::groups) group: GroupId,
    pub(in crate::broker::groups) member: MemberId,
    pub(in crate::broker::groups) session: Span,
    /// After a join: how long the member may take to sync.
    pub(in crate::broker::groups) rebalance: Option<Span>,
}

impl State {
    /// A member of the classic protocol joins.
    pub(in crate::broker::groups) fn join_consumer_group(
        &mut self,
        request: &JoinGroupRequest,
        host: &str,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        match self.classic_join(request, host, turn) {
            Ok(response) => turn.effects.answer = Some(Answer::Response(reply, response.into())),
            Err((error, member)) => {
                turn.effects.records.clear();
                turn.effects.is_applied = false;
                turn.refuse_join(reply, error, member);
            }
        }
    }

    /// The response, or the error with the id of the member.
    fn classic_join(
        &mut self,
        request: &JoinGroupRequest,
        host: &str,
        turn: &mut Turn<'_>,
    ) -> Result<JoinGroupResponse, (ErrorCode, MemberId)> {
        let refused = |error: ErrorCode| (error, MemberId::from(""));
        let Some(Group::Consumer(group)) = self.groups.get(&request.group) else {
            return Err(refused(ErrorCode::UnknownMemberId));
        };
        if !turn.config.consumer_migration_policy.allows_any() {
            return Err(refused(ErrorCode::InconsistentGroupProtocol));
        }
        let is_unknown = request.member.is_empty();
        let id = match is_unknown {
            true => turn.random.uuid().into(),
            false => request.member.clone(),
        };
        group.check_room(&id, turn).map_err(refused)?;
        if !group.supports(&request.protocol_type, &request.protocols) {
            return Err(refused(ErrorCode::InconsistentGroupProtocol));
        }
        let needs_id = request.version >= JoinGroupRequest::REQUIRES_ID;
        if is_unknown && request.instance.is_none() && needs_id {
            return Err((ErrorCode::MemberIdRequired, id));
        }
        let before = match &request.instance {
            None => group.dynamic_member(&id, true),
            Some(instance) => group.static_member_for(&id, instance, is_unknown, true, turn),
        };
        let before = before.map_err(refused)?;
        let (protocol, metadata) =
            request.protocols.first().ok_or(refused(ErrorCode::InconsistentGroupProtocol))?;
        // Kafka's coordinator fails with an exception at bytes that are no subscription.
        let said = subscription::read(metadata).ok_or(refused(ErrorCode::UnknownServerError))?;
        let existing = request.instance.as_ref().and_then(|it| group.static_member(it));
        let downgrades =
            existing.is_some_and(|(_, it)| group.may_downgrade_with_replaced(it, turn));
        let mut after = before.clone();
        after.metadata.instance =
            request.instance.clone().or_else(|| after.metadata.instance.take());
        after.metadata.rack = said.rack.or_else(|| after.metadata.rack.take());
        if request.rebalance_timeout_ms != -1 {
            after.metadata.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        after.metadata.topics = said.topics.into_iter().collect();
        after.metadata.client_id = request.client_id.clone();
        after.metadata.client_host = host.into();
        after.metadata.classic = Some(ClassicMetadata {
            session_timeout_ms: request.session_timeout_ms,
            protocols: request.protocols.clone(),
        });
        let mut owned = Assignment::new();
        for (topic, partition) in said.owned {
            if let Some(topic) = turn.image.topic_by_name(&topic) {
                owned.entry(topic.id).or_default().insert(partition);
            }
        }
        let mut update = Update { id, before, after, owned: Some(owned) };
        let (epoch, has_risen) = group.update_member(&update, false, turn);
        if downgrades {
            let group = group.clone();
            if !has_risen {
                let owner = group.replaced_by(&update).unwrap_or(&update.id);
                let target = group.target_of(owner);
                group.bring_further(&mut update, group.target_epoch, &target, turn);
            }
            self.downgrade_with_replaced(&group, &update, has_risen, turn);
        } else {
            let (target_epoch, target) = group.target_for(epoch, &update, turn).map_err(refused)?;
            group.bring_further(&mut update, target_epoch, &target, turn);
        }
        let Update { id, after, .. } = update;
        let joined = Joined {
            group: request.group.clone(),
            member: id.clone(),
            session: millis(request.session_timeout_ms),
            rebalance: Some(millis(request.rebalance_timeout_ms)),
        };
        turn.effects.after = Some(After::JoinedConsumers(joined));
        Ok(JoinGroupResponse {
            error: ErrorCode::None,
            generation: after.epoch,
            protocol_type: Some(CONSUMER.into()),
            protocol_name: Some(protocol.clone()),
            leader: "".into(),
            skip_assignment: false,
            member: id,
            members: Vec::new(),
        })
    }

    /// A member of the classic protocol has joined or synced, and what it has seen is committed.
    pub(in crate::broker::groups) fn on_classic_joined(
        &mut self,
        joined: Joined,
        outcome: Result<(), ErrorCode>,
        turn: &mut Turn<'_>,
    ) {
        let Joined { group: id, member, session, rebalance } = joined;
        // A join that has converted the group leaves none of these timers.
        let Some(Group::Consumer(group)) = self.groups.get(&id) else { return };
        if outcome.is_err() {
            return;
        }
        let done = if rebalance.is_some() { MemberTimer::Join } else { MemberTimer::Sync };
        group.cancel_timer(&member, done, turn);
        group.set_timer(&member, MemberTimer::Session, session, turn);
        if let Some(rebalance) = rebalance {
            group.set_timer(&member, MemberTimer::Sync, rebalance, turn);
        }
    }

    /// Members of either protocol leave, or are removed.
    pub(in crate::broker::groups) fn leave_as_classic(
        &mut self,
        request: &LeaveGroupRequest,
        turn: &mut Turn<'_>,
    ) -> LeaveGroupResponse {
        let mut response = LeaveGroupResponse { error: ErrorCode::None, members: Vec::new() };
        let Some(Group::Consumer(group)) = self.groups.get(&request.group) else { return response };
        let mut gone = BTreeSet::new();
        for leaving in &request.members {
            let found = match &leaving.instance {
                None => group.members.get_key_value(&leaving.member).map(|(id, _)| id),
                Some(instance) => group.static_member(instance).map(|(id, _)| id),
            };
            let is_admin = leaving.member.is_empty() && leaving.instance.is_some();
            let error = match found {
                None => ErrorCode::UnknownMemberId,
                Some(id) if *id != leaving.member && !is_admin => ErrorCode::FencedInstanceId,
                Some(id) => {
                    gone.insert(id.clone());
                    ErrorCode::None
                }
            };
            response.members.push((leaving.clone(), error));
        }
        self.fence_members(&request.group, &gone, turn);
        response
    }
}

impl ConsumerGroup {
    /// The assignment of a member of the classic protocol.
    pub(in crate::broker::groups) fn sync_classic(
        &self,
        request: &SyncGroupRequest,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        match self.check_sync(request, turn) {
            Err(error) => turn.refuse_sync(reply, error),
            Ok((member, classic)) => {
                let version = subscription::version(&classic.protocols[0].1);
                let assignment =
                    subscription::write_assignment(version, &named(&member.assigned, turn.image));
                let response = SyncGroupResponse {
                    error: ErrorCode::None,
                    protocol_type: request.protocol_type.clone(),
                    protocol_name: request.protocol_name.clone(),
                    assignment,
                };
                turn.effects.after = Some(After::JoinedConsumers(Joined {
                    group: self.id.clone(),
                    member: request.member.clone(),
                    session: session_of(classic),
                    rebalance: None,
                }));
                turn.effects.answer = Some(Answer::Response(reply, response.into()));
            }
        }
    }

    fn check_sync(
        &self,
        request: &SyncGroupRequest,
        turn: &mut Turn<'_>,
    ) -> Result<(&Member, &ClassicMetadata), ErrorCode> {
        let (member, classic) = self.classic_member(&request.member, request.instance.as_ref())?;
        if member.epoch != request.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let named = |it: &Option<Arc<str>>, of_member: &str| {
            it.as_deref().is_none_or(|named| named == of_member)
        };
        let protocol = classic.protocols.first().map_or("", |(name, _)| &**name);
        if !named(&request.protocol_type, CONSUMER) || !named(&request.protocol_name, protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
            self.await_join(&request.member, member, turn);
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok((member, classic))
    }

    /// A member of the classic protocol is alive. It has to join again if there is something new for it.
    pub(in crate::broker::groups) fn heartbeat_classic(
        &self,
        request: &HeartbeatRequest,
        turn: &mut Turn<'_>,
    ) -> ErrorCode {
        let id = &request.member;
        let (member, classic) = match self.classic_member(id, request.instance.as_ref()) {
            Ok(found) => found,
            Err(error) => return error,
        };
        if member.epoch != request.generation {
            return ErrorCode::IllegalGeneration;
        }
        self.set_timer(id, MemberTimer::Session, session_of(classic), turn);
        let has_news = match member.state {
            _ if member.epoch < self.epoch => true,
            MemberState::UnrevokedPartitions => true,
            MemberState::UnreleasedPartitions => !self.waits_for_others(id, member),
            MemberState::Stable => false,
        };
        if !has_news {
            return ErrorCode::None;
        }
        self.await_join(id, member, turn);
        ErrorCode::RebalanceInProgress
    }

    /// The member has so long to join again, unless the time is already running.
    fn await_join(&self, id: &MemberId, member: &Member, turn: &mut Turn<'_>) {
        let (group, id) = (self.id.clone(), id.clone());
        turn.set_timer_if_absent(group, id, MemberTimer::Join, timeout_of(member));
    }

    /// Whether another member owns a partition of the target of a member.
    fn waits_for_others(&self, id: &MemberId, member: &Member) -> bool {
        let target = self.target_of(id);
        target.iter().any(|(topic, partitions)| {
            let mut missing =
                partitions.iter().filter(|it| !contains(&member.assigned, *topic, **it));
            missing.any(|partition| self.is_owned(*topic, *partition))
        })
    }

    /// A member of the classic protocol, by its id and its instance.
    fn classic_member(
        &self,
        id: &MemberId,
        instance: Option<&GroupInstanceId>,
    ) -> Result<(&Member, &ClassicMetadata), ErrorCode> {
        let member = match instance {
            None => self.members.get(id).ok_or(ErrorCode::UnknownMemberId)?,
            Some(instance) => match self.static_member(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some((owner, _)) if owner != id => return Err(ErrorCode::FencedInstanceId),
                Some((_, member)) => member,
            },
        };
        let classic = member.metadata.classic.as_ref().ok_or(ErrorCode::UnknownMemberId)?;
        Ok((member, classic))
    }

    /// Whether a member of the classic protocol with these assignors may join.
    fn supports(&self, protocol_type: &str, protocols: &[(Arc<str>, bytes::Bytes)]) -> bool {
        if protocol_type != CONSUMER {
            return false;
        }
        let has = |member: &Member, name: &str| {
            let classic = member.metadata.classic.as_ref();
            classic.is_none_or(|it| it.protocols.iter().any(|(its, _)| **its == *name))
        };
        let of_all = |name: &str| self.members().all(|(_, member)| has(member, name));
        protocols.iter().any(|(name, _)| of_all(name))
    }
}

/// A time-out of a request, in milliseconds there; none is negative.
fn millis(timeout: i32) -> Span {
    Span::millis(u64::try_from(timeout).unwrap_or(0))
}
