//! The groups of one partition of `__consumer_offsets`: the state of its coordinator
//! (`GroupCoordinatorShard`).

use super::classic::ClassicGroup;
use super::effects::{Answer, Turn};
use super::offsets::Offsets;
use super::record::Record;
use super::timeline::Timeline;
use super::timers::Timeout;
use crate::Outbox;
use crate::broker::requests::Reply;
use crate::error::ErrorCode;
use crate::ids::{GroupId, MemberId, Offset};
use crate::protocol::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest,
};
use crate::rules::Rulebook;
use machine::Span;

/// The groups and their offsets.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) groups: Timeline<GroupId, ClassicGroup>,
    pub(super) offsets: Offsets,
    /// The generations as their last records have them.
    pub(super) generations: Timeline<GroupId, Generation>,
    /// The records below this offset are committed.
    pub(super) committed_to: Offset,
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
        now_ms: i64,
    ) {
        if is_applied {
            self.note_generation(at, record);
        } else {
            self.replay(at, producer_id, record.clone(), now_ms);
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
        now_ms: i64,
    ) {
        self.note_generation(at, &record);
        match record {
            Record::Offset { group, partition, value } => {
                if value.is_some() && self.groups.get(&group).is_none() {
                    let new = ClassicGroup::new(group.clone(), now_ms);
                    self.groups.put(at, group.clone(), Some(new));
                }
                self.offsets.replay(at, producer_id, (group, partition), value);
            }
            Record::Group { group, value } => {
                let loaded = value.map(|value| ClassicGroup::loaded(group.clone(), value));
                self.groups.put(at, group, loaded);
            }
        }
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

    /// A group that exists, or is new now.
    pub(super) fn group_or_new(&mut self, id: &GroupId, turn: &Turn<'_>) -> &mut ClassicGroup {
        if self.groups.get(id).is_none() {
            let new = ClassicGroup::new(id.clone(), turn.now_ms());
            self.groups.put(turn.next_offset, id.clone(), Some(new));
        }
        self.groups.get_mut(id).expect("it has been inserted")
    }

    pub(super) fn join(
        &mut self,
        request: &JoinGroupRequest,
        host: &str,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let is_new = self.groups.get(&request.group).is_none();
        if is_new && !request.member.is_empty() {
            return turn.refuse_join(reply, ErrorCode::UnknownMemberId, request.member.clone());
        }
        let group = self.group_or_new(&request.group, turn);
        group.join(request, host, reply, turn);
        if is_new && turn.effects.records.is_empty() {
            let record = group.empty_record();
            turn.effects.records.push(record);
            turn.effects.is_applied = true;
        }
        turn.effects.answer = Some(Answer::FailedJoin(reply));
    }

    pub(super) fn sync(&mut self, request: &SyncGroupRequest, reply: Reply, turn: &mut Turn<'_>) {
        match self.groups.get_mut(&request.group) {
            Some(group) => group.sync(request, reply, turn),
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
            Some(group) => group.heartbeat(request, turn),
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
        let Some(group) = self.groups.get_mut(&request.group) else {
            let unknown = request.members.iter();
            let unknown = unknown.map(|it| (it.clone(), ErrorCode::UnknownMemberId)).collect();
            let response = LeaveGroupResponse { error: ErrorCode::None, members: unknown };
            return turn.respond(reply, response);
        };
        let response = group.leave(request, turn);
        turn.effects.answer = Some(Answer::Response(reply, response.into()));
    }

    /// A timer is due.
    pub(super) fn on_timeout(&mut self, timeout: Timeout, turn: &mut Turn<'_>) {
        let groups = &mut self.groups;
        match timeout {
            Timeout::Session { group: id, member } => {
                if let Some(group) = groups.get_mut(&id) {
                    group.on_session_end(&member, turn);
                }
            }
            Timeout::InitialJoin { group: id, delay, remaining } => {
                if let Some(group) = groups.get_mut(&id) {
                    group.on_initial_join(delay, remaining, turn);
                }
            }
            Timeout::Join { group: id } => {
                if let Some(group) = groups.get_mut(&id) {
                    group.complete_join(turn);
                }
            }
            Timeout::Sync { group: id, generation } => {
                if let Some(group) = groups.get_mut(&id) {
                    group.on_sync_overdue(generation, turn);
                }
            }
            Timeout::Expiration => self.expire(turn),
        }
    }

    /// The log has been read: sessions begin anew.
    pub(super) fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<GroupId> = self.groups.iter().map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(group) = self.groups.get_mut(&id) {
                group.on_loaded(turn);
            }
        }
        let interval: Span = turn.config.offsets_retention_check;
        turn.set_timer(Timeout::Expiration, interval);
    }

    /// Another broker coordinates the groups.
    pub(super) fn on_unloaded(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<GroupId> = self.groups.iter().map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(group) = self.groups.get_mut(&id) {
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
