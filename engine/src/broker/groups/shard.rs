//! The groups of one partition of `__consumer_offsets`: the state of its coordinator
//! (`GroupCoordinatorShard`).

use super::classic::ClassicGroup;
use super::consumer::{ConsumerGroup, ConsumerRecord};
use super::effects::{Answer, Turn};
use super::group::Group;
use super::offsets::Offsets;
use super::record::Record;
use super::timeline::Timeline;
use super::timers::Timeout;
use crate::Outbox;
use crate::broker::requests::Reply;
use crate::error::ErrorCode;
use crate::ids::{GroupId, MemberId, Offset};
use crate::protocol::{
    GroupState, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest,
};
use crate::rules::Rulebook;
use machine::Span;

/// The groups and their offsets.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) groups: Timeline<GroupId, Group>,
    pub(super) offsets: Offsets,
    /// The generations as their last records have them.
    pub(super) generations: Timeline<GroupId, Generation>,
    /// The records below this offset are committed.
    pub(super) committed_to: Offset,
}

/// What replaying a record takes beside the record.
pub(super) struct Replay<'a> {
    /// The wall clock, in milliseconds.
    pub(super) now_ms: i64,
    pub(super) rules: &'a Rulebook,
    pub(super) out: &'a mut Outbox,
}

/// A generation in a record.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    pub(super) number: i32,
    /// The ids of its members, in order.
    pub(super) members: Vec<MemberId>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            groups: Timeline::new(),
            offsets: Offsets::new(),
            generations: Timeline::new(),
            committed_to: 0,
        }
    }

    /// A record of an operation is going to be written at offset `at`: replays it, unless the operation
    /// has already changed the group.
    pub(super) fn write(
        &mut self,
        at: Offset,
        producer_id: Option<i64>,
        record: &Record,
        is_applied: bool,
        with: &mut Replay<'_>,
    ) {
        if is_applied {
            self.note_generation(at, record);
        } else {
            self.replay(at, producer_id, record.clone(), with);
        }
    }

    fn note_generation(&mut self, at: Offset, record: &Record) {
        let Record::Group { group, value } = record else { return };
        let generation = value.as_ref().map(|value| {
            let mut members: Vec<MemberId> =
                value.members.iter().map(|it| it.member.clone()).collect();
            members.sort_unstable();
            Generation { number: value.generation, members }
        });
        self.generations.put(at, group.clone(), generation);
    }

    /// Replays a record at offset `at`. `producer_id` is that of the transaction which it belongs to.
    pub(super) fn replay(
        &mut self,
        at: Offset,
        producer_id: Option<i64>,
        record: Record,
        with: &mut Replay<'_>,
    ) {
        self.note_generation(at, &record);
        match record {
            Record::Offset { group, partition, value } => {
                if value.is_some() && self.groups.get(&group).is_none() {
                    let new = ClassicGroup::new(group.clone(), with.now_ms);
                    self.groups.put(at, group.clone(), Some(Group::Classic(new)));
                }
                self.offsets.replay(at, producer_id, (group, partition), value);
            }
            Record::Group { group, value } => {
                let loaded = value.map(|value| ClassicGroup::loaded(group.clone(), value));
                self.groups.put(at, group, loaded.map(Group::Classic));
            }
            Record::Consumer { group, record } => self.replay_consumer(at, group, record, with),
        }
    }

    /// Replays a record of the consumer protocol. A group that only holds offsets becomes one of it. A
    /// tombstone of what there is not means nothing.
    fn replay_consumer(
        &mut self,
        at: Offset,
        id: GroupId,
        record: ConsumerRecord,
        with: &mut Replay<'_>,
    ) {
        let mut group = match self.groups.get(&id) {
            Some(Group::Consumer(group)) => group.clone(),
            Some(Group::Classic(group)) if !group.is_simple() => return,
            _ if record.value().is_none() => return,
            _ => ConsumerGroup::new(id.clone()),
        };
        let is_there = group.replay(record, with);
        self.groups.put(at, id, is_there.then_some(Group::Consumer(group)));
    }

    /// Replays the marker of a transaction at offset `at`.
    pub(super) fn replay_marker(
        &mut self,
        at: Offset,
        producer_id: i64,
        committed: bool,
        rules: &Rulebook,
        out: &mut Outbox,
    ) {
        self.offsets.replay_marker(at, producer_id, committed, rules, out);
    }

    /// The records below `offset` are committed.
    pub(super) fn commit(&mut self, offset: Offset) {
        self.groups.commit(offset);
        self.offsets.commit(offset);
        self.generations.commit(offset);
        self.committed_to = self.committed_to.max(offset);
    }

    /// The records from `offset` on have not been written.
    pub(super) fn revert(&mut self, offset: Offset) {
        self.groups.revert(offset);
        self.offsets.revert(offset);
        self.generations.revert(offset);
    }

    /// A group that exists, or a new one that holds offsets only.
    pub(super) fn group_or_new(&mut self, id: &GroupId, turn: &Turn<'_>) -> &mut Group {
        if self.groups.get(id).is_none() {
            let new = ClassicGroup::new(id.clone(), turn.now_ms());
            self.groups.put(turn.next_offset, id.clone(), Some(Group::Classic(new)));
        }
        self.groups.get_mut(id).expect("it has been inserted")
    }

    /// The group with this id, if it is one of the classic protocol.
    pub(super) fn classic(&mut self, id: &GroupId) -> Option<&mut ClassicGroup> {
        self.groups.get_mut(id).and_then(Group::as_classic)
    }

    pub(super) fn join(
        &mut self,
        request: &JoinGroupRequest,
        host: &str,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let id = &request.group;
        let mut tombstones = Vec::new();
        match self.groups.get(id) {
            Some(Group::Consumer(group)) if group.state() != GroupState::Empty => {
                return self.join_consumer_group(request, host, reply, turn);
            }
            // An empty group takes the protocol of whoever joins it.
            Some(Group::Consumer(group)) => {
                tombstones = group.tombstones();
                self.groups.put(turn.next_offset, id.clone(), None);
            }
            _ => {}
        }
        let is_new = self.groups.get(id).is_none();
        if is_new && !request.member.is_empty() {
            return turn.refuse_join(reply, ErrorCode::UnknownMemberId, request.member.clone());
        }
        let Group::Classic(group) = self.group_or_new(id, turn) else { return };
        group.join(request, host, reply, turn);
        if is_new && turn.effects.records.is_empty() {
            turn.effects.records.append(&mut tombstones);
            let record = group.empty_record();
            turn.effects.records.push(record);
            turn.effects.is_applied = true;
        }
        turn.effects.answer = Some(Answer::FailedJoin(reply));
    }

    pub(super) fn sync(&mut self, request: &SyncGroupRequest, reply: Reply, turn: &mut Turn<'_>) {
        match self.groups.get_mut(&request.group) {
            Some(Group::Classic(group)) => group.sync(request, reply, turn),
            Some(Group::Consumer(group)) => return group.sync_classic(request, reply, turn),
            None => turn.refuse_sync(reply, ErrorCode::UnknownMemberId),
        }
        turn.effects.answer = Some(Answer::FailedSync(reply));
    }

    pub(super) fn heartbeat(
        &mut self,
        request: &HeartbeatRequest,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let error = match self.groups.get_mut(&request.group) {
            Some(Group::Classic(group)) => group.heartbeat(request, turn),
            Some(Group::Consumer(group)) => group.heartbeat_classic(request, turn),
            None => ErrorCode::UnknownMemberId,
        };
        let response = HeartbeatResponse { error };
        if matches!(error, ErrorCode::None | ErrorCode::RebalanceInProgress) {
            turn.effects.answer = Some(Answer::Response(reply, response.into()));
        } else {
            turn.respond(reply, response);
        }
    }

    pub(super) fn leave(&mut self, request: &LeaveGroupRequest, reply: Reply, turn: &mut Turn<'_>) {
        let response = match self.groups.get_mut(&request.group) {
            Some(Group::Classic(group)) => group.leave(request, turn),
            Some(Group::Consumer(_)) => self.leave_as_classic(request, turn),
            None => {
                let unknown = request.members.iter();
                let unknown = unknown.map(|it| (it.clone(), ErrorCode::UnknownMemberId)).collect();
                let response = LeaveGroupResponse { error: ErrorCode::None, members: unknown };
                return turn.respond(reply, response);
            }
        };
        turn.effects.answer = Some(Answer::Response(reply, response.into()));
    }

    /// A timer is due.
    pub(super) fn on_timeout(&mut self, timeout: Timeout, turn: &mut Turn<'_>) {
        match timeout {
            Timeout::Session { group: id, member } => {
                if let Some(group) = self.classic(&id) {
                    group.on_session_end(&member, turn);
                }
            }
            Timeout::InitialJoin { group: id, delay, remaining } => {
                if let Some(group) = self.classic(&id) {
                    group.on_initial_join(delay, remaining, turn);
                }
            }
            Timeout::Join { group: id } => {
                if let Some(group) = self.classic(&id) {
                    group.complete_join(turn);
                }
            }
            Timeout::Sync { group: id, generation } => {
                if let Some(group) = self.classic(&id) {
                    group.on_sync_overdue(generation, turn);
                }
            }
            Timeout::Member { group, member, timer } => {
                self.on_member_timeout(&group, &member, timer, turn);
            }
            Timeout::Expiration => self.expire(turn),
        }
    }

    /// The log has been read: sessions begin anew.
    pub(super) fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<GroupId> = self.groups.iter().map(|(id, _)| id.clone()).collect();
        for id in ids {
            match self.groups.get_mut(&id) {
                Some(Group::Classic(group)) => group.on_loaded(turn),
                Some(Group::Consumer(group)) => group.on_loaded(turn),
                None => {}
            }
        }
        let interval: Span = turn.config.offsets_retention_check;
        turn.set_timer(Timeout::Expiration, interval);
    }

    /// Another broker coordinates the groups.
    pub(super) fn on_unloaded(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<GroupId> = self.groups.iter().map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(group) = self.classic(&id) {
                group.on_unloaded(turn);
            }
        }
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        self.groups.invariants();
        self.generations.invariants();
        self.offsets.invariants();
        self.groups.iter().for_each(|(_, group)| group.invariants());
    }
}
