//! A group of the classic protocol (`ClassicGroup`, `ClassicGroupMember`).
//!
//! What a group is beside its last record is in memory only: who joins, which syncs wait, whose session
//! ends when. A coordinator that takes over begins with the last generation.

mod assign;
mod facts;
mod join;
mod leave;
mod member;
mod rebalance;
pub(super) mod subscription;
mod taken;

pub(super) use member::Member;
pub(super) use taken::Taken;

use super::effects::Turn;
use super::record::{GroupValue, MemberValue, Record};
use super::timers::{Key, Timeout};
use crate::error::ErrorCode;
use crate::fact::MemberRemoval;
use crate::ids::{GroupId, GroupInstanceId, MemberId};
use crate::protocol::{GroupState, JoinGroupResponse, JoinedMember, SyncGroupResponse};
use crate::rules::group::{Instance, Named};
use bytes::Bytes;
use machine::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The protocol type of consumers.
pub(super) const CONSUMER: &str = "consumer";

/// How long a new member may wait in its first join.
const NEW_MEMBER_JOIN_TIMEOUT: Span = Span::secs(300);

/// The state of a group; the header of the coordinator says what may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClassicState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    Dead,
}

/// A group.
#[derive(Clone, Debug)]
pub(in crate::broker) struct ClassicGroup {
    id: GroupId,
    state: ClassicState,
    previous_state: ClassicState,
    /// When the group has entered its state, in milliseconds; `None`: unknown.
    state_ms: Option<i64>,
    generation: i32,
    protocol_type: Option<Arc<str>>,
    /// The chosen assignor.
    protocol: Option<Arc<str>>,
    leader: Option<MemberId>,
    members: BTreeMap<MemberId, Member>,
    static_members: BTreeMap<GroupInstanceId, MemberId>,
    /// How many members have an assignor.
    supported: BTreeMap<Arc<str>, usize>,
    /// Ids that have been given away, and whose members have not come back with them.
    pending_joins: BTreeSet<MemberId>,
    /// Members of this generation that have not synced.
    pending_syncs: BTreeSet<MemberId>,
    /// The topics of all members; `None`: they cannot be read, or the group is not of consumers.
    subscribed: Option<BTreeSet<Arc<str>>>,
    /// A member has come while the first rebalance waits for more.
    new_member_added: bool,
}

impl ClassicGroup {
    /// A group without members.
    pub(super) fn new(id: GroupId, now_ms: i64) -> Self {
        Self {
            id,
            state: ClassicState::Empty,
            previous_state: ClassicState::Dead,
            state_ms: Some(now_ms),
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            supported: BTreeMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            subscribed: None,
            new_member_added: false,
        }
    }

    /// The group that a record describes.
    pub(super) fn loaded(id: GroupId, value: GroupValue) -> Self {
        let mut group = Self::new(id, value.state_ms);
        group.state_ms = (value.state_ms >= 0).then_some(value.state_ms);
        group.generation = value.generation;
        group.protocol_type =
            Some(value.protocol_type).filter(|protocol_type| !protocol_type.is_empty());
        group.protocol = value.protocol;
        for it in value.members {
            let protocols =
                group.protocol.iter().map(|name| (name.clone(), it.subscription.clone()));
            let rebalance_timeout_ms = match it.rebalance_timeout_ms {
                -1 => it.session_timeout_ms,
                timeout => timeout,
            };
            let member = Member {
                instance: it.instance,
                client_id: it.client_id,
                client_host: it.client_host,
                rebalance_timeout_ms,
                session_timeout_ms: it.session_timeout_ms,
                protocols: protocols.collect(),
                assignment: it.assignment,
                joining: None,
                syncing: None,
                is_new: false,
            };
            group.insert(it.member, member);
        }
        if !group.members.is_empty() {
            group.state = ClassicState::Stable;
        }
        group.leader = value.leader;
        group.subscribed = group.subscribed_topics();
        group
    }

    /// The record of the group, with these assignments.
    fn record(&self, assignments: &BTreeMap<MemberId, Bytes>) -> Record {
        let members = self.members.iter().map(|(id, member)| MemberValue {
            member: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: self.metadata_of(member),
            assignment: assignments.get(id).cloned().unwrap_or_default(),
        });
        let value = GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| "".into()),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_ms: self.state_ms.unwrap_or(-1),
            members: members.collect(),
        };
        Record::Group { group: self.id.clone(), value: Some(value) }
    }

    /// The record of a group that is new and has no members.
    pub(super) fn empty_record(&self) -> Record {
        let value = GroupValue {
            protocol_type: "".into(),
            generation: 0,
            protocol: None,
            leader: None,
            state_ms: self.state_ms.unwrap_or(-1),
            members: Vec::new(),
        };
        Record::Group { group: self.id.clone(), value: Some(value) }
    }

    pub(super) fn id(&self) -> &GroupId {
        &self.id
    }

    pub(super) fn state(&self) -> GroupState {
        match self.state {
            ClassicState::Empty => GroupState::Empty,
            ClassicState::PreparingRebalance => GroupState::PreparingRebalance,
            ClassicState::CompletingRebalance => GroupState::CompletingRebalance,
            ClassicState::Stable => GroupState::Stable,
            ClassicState::Dead => GroupState::Dead,
        }
    }

    /// Whether it was only created to hold offsets, so that no record knows it.
    pub(super) fn is_simple(&self) -> bool {
        self.protocol_type.is_none()
            && self.state == ClassicState::Empty
            && self.pending_joins.is_empty()
    }

    pub(super) fn generation(&self) -> i32 {
        self.generation
    }

    pub(super) fn state_ms(&self) -> Option<i64> {
        self.state_ms
    }

    pub(super) fn protocol_type(&self) -> Option<&Arc<str>> {
        self.protocol_type.as_ref()
    }

    /// The chosen assignor, of a stable group.
    pub(super) fn protocol(&self) -> Option<&Arc<str>> {
        self.protocol.as_ref()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&MemberId, &Member)> {
        self.members.iter()
    }

    /// The subscription of a member for the chosen assignor.
    pub(super) fn metadata_of(&self, member: &Member) -> Bytes {
        self.protocol.as_ref().and_then(|name| member.metadata(name)).unwrap_or_default()
    }

    /// Whether it is a group of consumers.
    pub(super) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether the topics of the members are known.
    pub(super) fn knows_topics(&self) -> bool {
        self.subscribed.is_some()
    }

    /// Whether a member is, or may be, subscribed to a topic.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.iter().any(|it| **it == *topic),
            None => self.is_of_consumers(),
        }
    }

    /// How the group knows what a request names.
    pub(super) fn named(&self, member: &MemberId, instance: Option<&GroupInstanceId>) -> Named {
        let instance = instance.map(|instance| match self.static_members.get(instance) {
            None => Instance::Unknown,
            Some(owner) if owner == member => Instance::Same,
            Some(_) => Instance::Another,
        });
        Named { is_member: self.members.contains_key(member), instance }
    }

    fn check_member(
        &self,
        member: &MemberId,
        instance: Option<&GroupInstanceId>,
        turn: &mut Turn<'_>,
    ) -> Result<(), ErrorCode> {
        turn.rules.check_group_member(turn.out, self.named(member, instance))
    }

    fn is_leader(&self, id: &MemberId) -> bool {
        self.leader.as_ref() == Some(id)
    }

    fn enter(&mut self, state: ClassicState, now_ms: i64) {
        self.previous_state = self.state;
        self.state = state;
        self.state_ms = Some(now_ms);
    }

    /// How many members wait in a join.
    fn joining(&self) -> usize {
        self.members.values().filter(|member| member.joining.is_some()).count()
    }

    fn all_have_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.members.values().all(|it| it.joining.is_some())
    }

    /// The longest time that a member may take to join.
    fn rebalance_timeout(&self) -> Span {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        millis(longest.unwrap_or(0))
    }

    fn insert(&mut self, id: MemberId, member: Member) {
        if let Some(instance) = &member.instance {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.count_protocols(&member.protocols, 1);
        self.pending_joins.remove(&id);
        self.members.insert(id, member);
    }

    /// Removes a member, or an id that has been given away.
    fn remove(&mut self, id: &MemberId, why: MemberRemoval, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.remove(id) {
            self.report_removed(id, member.instance.clone(), why, turn);
            self.count_protocols(&member.protocols, -1);
            if let Some(instance) = &member.instance {
                self.static_members.remove(instance);
            }
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(id);
        self.pending_syncs.remove(id);
    }

    fn count_protocols(&mut self, protocols: &[(Arc<str>, Bytes)], by: isize) {
        for (name, _) in protocols {
            let count = self.supported.entry(name.clone()).or_default();
            *count = count.saturating_add_signed(by);
        }
        self.supported.retain(|_, count| *count > 0);
    }

    /// The assignor that most members have first, of those that all have.
    fn chosen_protocol(&self) -> Option<Arc<str>> {
        let of_all = |name: &Arc<str>| self.supported.get(name) == Some(&self.members.len());
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| of_all(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().max()?;
        votes.iter().find(|(_, count)| *count == most).map(|(name, _)| Arc::clone(name))
    }

    /// Whether a member with these protocols may join.
    fn supports(&self, protocol_type: &str, protocols: &[(Arc<str>, Bytes)]) -> bool {
        if self.state == ClassicState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let of_all = |name| self.supported.get(name).copied().unwrap_or(0) == self.members.len();
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|(name, _)| of_all(name))
    }

    fn subscribed_topics(&self) -> Option<BTreeSet<Arc<str>>> {
        if !self.is_of_consumers() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.members.is_empty() {
            return Some(topics);
        }
        let protocol = self.protocol.as_ref()?;
        for member in self.members.values() {
            topics.extend(subscription::topics(&member.metadata(protocol)?)?);
        }
        Some(topics)
    }

    /// The members, for the leader.
    fn joined_members(&self) -> Vec<JoinedMember> {
        let all = self.members.iter().map(|(id, member)| JoinedMember {
            member: id.clone(),
            instance: member.instance.clone(),
            metadata: self.metadata_of(member),
        });
        all.collect()
    }

    /// The response to a join that brings a member into the present generation.
    fn joined(&self, id: &MemberId, members: Vec<JoinedMember>) -> JoinGroupResponse {
        JoinGroupResponse {
            error: ErrorCode::None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_else(|| "".into()),
            skip_assignment: false,
            member: id.clone(),
            members,
        }
    }

    /// Restarts the session of a member.
    pub(super) fn keep_session(&self, id: &MemberId, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get(id) {
            self.keep_for(id, millis(member.session_timeout_ms), turn);
        }
    }

    fn keep_for(&self, id: &MemberId, timeout: Span, turn: &mut Turn<'_>) {
        let timeout_of = Timeout::Session { group: self.id.clone(), member: id.clone() };
        turn.set_timer(timeout_of, timeout);
    }

    fn end_session(&self, id: &MemberId, turn: &mut Turn<'_>) {
        turn.cancel_timer(Key::Session(self.id.clone(), id.clone()));
    }

    /// The coordinator has loaded the group.
    pub(super) fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        for id in self.members.keys() {
            self.keep_session(id, turn);
        }
        if self.members.len() > turn.config.group_max_size as usize {
            self.prepare_rebalance(turn);
        }
    }

    /// The coordinator gives the group up: whoever waits looks for the next one.
    pub(super) fn on_unloaded(&mut self, turn: &mut Turn<'_>) {
        self.enter(ClassicState::Dead, turn.now_ms());
        for (id, member) in &mut self.members {
            if let Some(reply) = member.joining.take() {
                turn.refuse_join(reply, ErrorCode::NotCoordinator, id.clone());
            }
            if let Some(reply) = member.syncing.take() {
                turn.respond(reply, SyncGroupResponse::refused(ErrorCode::NotCoordinator));
            }
        }
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        for (instance, id) in &self.static_members {
            let owner = self.members.get(id).and_then(|member| member.instance.as_ref());
            assert_eq!(owner, Some(instance), "a static member is a member");
        }
        if let Some(leader) = &self.leader {
            assert!(self.members.contains_key(leader), "the leader is a member");
        }
        assert!(
            !self.pending_joins.iter().any(|id| self.members.contains_key(id)),
            "a member has its id"
        );
    }
}

/// A time-out of a request, in milliseconds there; none is negative.
fn millis(timeout: i32) -> Span {
    Span::millis(u64::try_from(timeout).unwrap_or(0))
}
