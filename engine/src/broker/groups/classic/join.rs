//! JoinGroup (`GroupMetadataManager.classicGroupJoinToClassicGroup`; KIP-345, KIP-394, KIP-814).

use super::{ClassicGroup, ClassicState, Member, NEW_MEMBER_JOIN_TIMEOUT, millis};
use crate::broker::groups::effects::{After, Replaced, Turn};
use crate::broker::requests::Reply;
use crate::error::ErrorCode;
use crate::fact::{Fact, MemberRemoval};
use crate::ids::{GroupInstanceId, MemberId};
use crate::protocol::{JoinGroupRequest, JoinGroupResponse};
use crate::reach::Reach;
use bytes::Bytes;
use std::collections::BTreeMap;

impl ClassicGroup {
    /// A consumer joins. `host` is where it has connected from.
    pub(in crate::broker::groups) fn join(
        &mut self,
        request: &JoinGroupRequest,
        host: &str,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let id = &request.member;
        if !self.has_room_for(id, turn) {
            self.remove(id, MemberRemoval::NoRoom, turn);
            return turn.refuse_join(reply, ErrorCode::GroupMaxSizeReached, "".into());
        }
        if self.state == ClassicState::Dead {
            return turn.refuse_join(reply, ErrorCode::CoordinatorNotAvailable, id.clone());
        }
        if !self.supports(&request.protocol_type, &request.protocols) {
            return turn.refuse_join(reply, ErrorCode::InconsistentGroupProtocol, id.clone());
        }
        if id.is_empty() {
            self.join_without_id(request, host, reply, turn);
        } else if self.pending_joins.contains(id) {
            if request.instance.is_some() {
                // Kafka's coordinator fails with an exception here, and the id stays.
                return turn.refuse_join(reply, ErrorCode::UnknownServerError, "".into());
            }
            self.add(id.clone(), request, host, reply, turn);
        } else {
            self.rejoin(request, reply, turn);
        }
    }

    /// Whether the group may have this member, by `group.max.size`.
    fn has_room_for(&self, id: &MemberId, turn: &Turn<'_>) -> bool {
        let max = turn.config.group_max_size as usize;
        match self.state {
            ClassicState::Empty | ClassicState::Dead => true,
            ClassicState::PreparingRebalance => {
                let waits = self.members.get(id).is_some_and(|member| member.joining.is_some());
                waits || self.joining() < max
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.members.contains_key(id) || self.members.len() < max
            }
        }
    }

    fn join_without_id(
        &mut self,
        request: &JoinGroupRequest,
        host: &str,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let prefix = request.instance.as_ref().unwrap_or(&request.client_id);
        let id: MemberId = format!("{prefix}-{}", turn.random.uuid()).into();
        match &request.instance {
            Some(instance) => match self.static_members.get(instance).cloned() {
                Some(old) => self.replace(request, instance, old, id, reply, turn),
                None => self.add(id, request, host, reply, turn),
            },
            None if request.version >= JoinGroupRequest::REQUIRES_ID => {
                self.pending_joins.insert(id.clone());
                self.keep_for(&id, millis(request.session_timeout_ms), turn);
                turn.refuse_join(reply, ErrorCode::MemberIdRequired, id);
            }
            None => self.add(id, request, host, reply, turn),
        }
    }

    /// A new member waits for the next generation.
    fn add(
        &mut self,
        id: MemberId,
        request: &JoinGroupRequest,
        host: &str,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        if self.state == ClassicState::PreparingRebalance
            && self.previous_state == ClassicState::Empty
        {
            self.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        let member = Member {
            instance: request.instance.clone(),
            client_id: request.client_id.clone(),
            client_host: host.into(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: request.protocols.clone(),
            assignment: Bytes::new(),
            joining: Some(reply),
            syncing: None,
            is_new: true,
        };
        self.insert(id.clone(), member);
        self.keep_for(&id, NEW_MEMBER_JOIN_TIMEOUT, turn);
        self.rebalance(turn);
    }

    /// A member joins again.
    fn rejoin(&mut self, request: &JoinGroupRequest, reply: Reply, turn: &mut Turn<'_>) {
        let id = &request.member;
        if let Err(error) = self.check_member(id, request.instance.as_ref(), turn) {
            if error == ErrorCode::FencedInstanceId {
                turn.out.observe(Fact::Reached(Reach::StaticMemberFenced));
            }
            return turn.refuse_join(reply, error, id.clone());
        }
        let Some(member) = self.members.get(id) else { return };
        let is_same = member.protocols == request.protocols;
        match self.state {
            ClassicState::PreparingRebalance => self.update(request, reply, turn),
            ClassicState::CompletingRebalance if is_same => {
                // It may not have received the response to its last join.
                let members = match self.is_leader(id) {
                    true => self.joined_members(),
                    false => Vec::new(),
                };
                turn.respond(reply, self.joined(id, members));
            }
            // Only the leader knows when partitions are added.
            ClassicState::Stable if is_same && !self.is_leader(id) => {
                turn.respond(reply, self.joined(id, Vec::new()));
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.update(request, reply, turn);
            }
            ClassicState::Empty | ClassicState::Dead => {
                turn.refuse_join(reply, ErrorCode::UnknownMemberId, id.clone());
            }
        }
    }

    /// Takes over what a member says, which waits for the next generation.
    fn update(&mut self, request: &JoinGroupRequest, reply: Reply, turn: &mut Turn<'_>) {
        self.set_metadata(&request.member, request, Some(reply));
        self.rebalance(turn);
    }

    fn set_metadata(&mut self, id: &MemberId, request: &JoinGroupRequest, reply: Option<Reply>) {
        let Some(member) = self.members.get_mut(id) else { return };
        let protocols = request.protocols.clone();
        let before = std::mem::replace(&mut member.protocols, protocols.clone());
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        member.session_timeout_ms = request.session_timeout_ms;
        // A join that has waited is never answered.
        member.joining = reply;
        self.count_protocols(&before, -1);
        self.count_protocols(&protocols, 1);
    }

    /// A static member has started again, without the id of before: it takes the place of itself.
    fn replace(
        &mut self,
        request: &JoinGroupRequest,
        instance: &GroupInstanceId,
        old: MemberId,
        new: MemberId,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        turn.out.observe(Fact::Reached(Reach::StaticMemberReplaced));
        let leader = self.leader.clone();
        self.rename(instance, &old, &new, turn);
        self.keep_session(&new, turn);
        let Some(before) = self.members.get(&new).cloned() else { return };
        self.set_metadata(&new, request, Some(reply));
        match self.state {
            ClassicState::Stable if self.protocol == self.chosen_protocol() => {
                let assignments: BTreeMap<MemberId, Bytes> = self
                    .members
                    .iter()
                    .map(|(id, member)| (id.clone(), member.assignment.clone()))
                    .collect();
                let record = self.record(&assignments);
                turn.effects.records.push(record);
                turn.effects.is_applied = true;
                turn.effects.after = Some(After::Replaced(Box::new(Replaced {
                    group: self.id.clone(),
                    instance: instance.clone(),
                    reply,
                    version: request.version,
                    old,
                    new,
                    leader,
                    protocols: before.protocols,
                    rebalance_timeout_ms: before.rebalance_timeout_ms,
                    session_timeout_ms: before.session_timeout_ms,
                })));
            }
            ClassicState::Stable => self.rebalance(turn),
            // The leader may be assigning to the id of before.
            ClassicState::CompletingRebalance => self.prepare_rebalance(turn),
            _ => self.maybe_complete_join(turn),
        }
    }

    /// Gives the place of a static member to another id. What the one before waits for is refused.
    fn rename(
        &mut self,
        instance: &GroupInstanceId,
        old: &MemberId,
        new: &MemberId,
        turn: &mut Turn<'_>,
    ) {
        let Some(mut member) = self.members.remove(old) else { return };
        if let Some(reply) = member.joining.take() {
            turn.refuse_join(reply, ErrorCode::FencedInstanceId, old.clone());
        }
        if let Some(reply) = member.syncing.take() {
            turn.refuse_sync(reply, ErrorCode::FencedInstanceId);
        }
        member.is_new = false;
        let why = MemberRemoval::Replaced { by: new.clone() };
        self.report_removed(old, member.instance.clone(), why, turn);
        self.members.insert(new.clone(), member);
        if self.is_leader(old) {
            self.leader = Some(new.clone());
        }
        self.static_members.insert(instance.clone(), new.clone());
    }

    /// The record of a static member that has been replaced is committed, or has failed: then the one
    /// before is back.
    pub(in crate::broker::groups) fn on_replaced(
        &mut self,
        replaced: Replaced,
        outcome: Result<(), ErrorCode>,
        turn: &mut Turn<'_>,
    ) {
        let Replaced { instance, reply, version, old, new, leader, .. } = replaced;
        if let Err(error) = outcome {
            if let Some(member) = self.members.get_mut(&new) {
                let before = std::mem::replace(&mut member.protocols, replaced.protocols.clone());
                member.rebalance_timeout_ms = replaced.rebalance_timeout_ms;
                member.session_timeout_ms = replaced.session_timeout_ms;
                member.joining = None;
                self.count_protocols(&before, -1);
                self.count_protocols(&replaced.protocols, 1);
                self.rename(&instance, &new, &old, turn);
                self.keep_session(&old, turn);
            }
            return turn.refuse_join(reply, error, "".into());
        }
        if self.state == ClassicState::Stable {
            self.report_generation(turn);
        }
        let Some(reply) = self.members.get_mut(&new).and_then(|member| member.joining.take())
        else {
            return;
        };
        let response = if version >= JoinGroupRequest::SKIPS_ASSIGNMENT {
            let is_leader = self.is_leader(&new);
            let members = if is_leader { self.joined_members() } else { Vec::new() };
            JoinGroupResponse { skip_assignment: is_leader, ..self.joined(&new, members) }
        } else {
            // It is not asked to lead: it would assign to ids that it does not know.
            let leader = leader.unwrap_or_else(|| "".into());
            JoinGroupResponse { leader, ..self.joined(&new, Vec::new()) }
        };
        turn.respond(reply, response);
    }
}
