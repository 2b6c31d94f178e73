//! Operations on committed offsets: OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete,
//! DeleteGroups, and what expires (`OffsetMetadataManager`; KIP-211, KIP-447, KIP-496).

use super::effects::{Answer, Turn};
use super::group::Group;
use super::offsets::{Key, Written};
use super::record::{OffsetValue, Record};
use super::shard::State;
use super::timers::Timeout;
use crate::broker::requests::Reply;
use crate::error::ErrorCode;
use crate::fact::{Fact, GroupFact};
use crate::ids::{GroupId, GroupInstanceId, MemberId};
use crate::protocol::{
    DeleteGroupsRequest, DeleteGroupsResponse, FetchedOffset, GroupState, NamedPartition,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, OffsetToCommit, Response, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use crate::reach::Reach;
use crate::rules::group::{Commit, Fetched, MemberCommit};

/// What a response has for a partition without a committed offset.
const NO_OFFSET: i64 = -1;

/// Who commits.
struct Committer<'a> {
    member: &'a MemberId,
    instance: Option<&'a GroupInstanceId>,
    generation: i32,
    is_transactional: bool,
    /// The version of the request knows epochs of members.
    knows_epochs: bool,
}

/// The outcome of each partition of a request.
type Outcomes = Vec<(NamedPartition, ErrorCode)>;

impl State {
    /// Commits offsets. `unknown` are the partitions of the request that do not exist.
    pub(super) fn commit_offsets(
        &mut self,
        request: &OffsetCommitRequest,
        unknown: &[NamedPartition],
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let id = &request.group;
        if self.groups.get(id).is_none() && request.generation >= 0 {
            let error = match request.version >= OffsetCommitRequest::KNOWS_MISSING_GROUPS {
                true => ErrorCode::GroupIdNotFound,
                false => ErrorCode::IllegalGeneration,
            };
            let partitions = refused(&request.offsets, unknown, error);
            return turn.respond(reply, OffsetCommitResponse { partitions });
        }
        let committer = Committer {
            member: &request.member,
            instance: request.instance.as_ref(),
            generation: request.generation,
            is_transactional: false,
            knows_epochs: request.version >= OffsetCommitRequest::KNOWS_MISSING_GROUPS,
        };
        let group = self.group_or_new(id, turn);
        if let Err(error) = check(group, &committer, turn) {
            let partitions = refused(&request.offsets, unknown, error);
            return turn.respond(reply, OffsetCommitResponse { partitions });
        }
        if let Group::Classic(group) = group
            && matches!(group.state(), GroupState::Stable | GroupState::PreparingRebalance)
        {
            group.keep_session(&request.member, turn);
        }
        let expire_ms = request.retention_ms.map(|retention_ms| turn.now_ms() + retention_ms);
        let partitions = write(id, &request.offsets, unknown, expire_ms, turn);
        let response = Response::from(OffsetCommitResponse { partitions });
        turn.effects.answer = Some(Answer::Response(reply, response));
    }

    /// Commits offsets with a transaction.
    pub(super) fn commit_in_transaction(
        &mut self,
        request: &TxnOffsetCommitRequest,
        unknown: &[NamedPartition],
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let id = &request.group;
        let committer = Committer {
            member: &request.member,
            instance: request.instance.as_ref(),
            generation: request.generation,
            is_transactional: true,
            knows_epochs: false,
        };
        let checked = match self.groups.get(id) {
            None if request.generation >= 0 => Err(ErrorCode::IllegalGeneration),
            _ => check(self.group_or_new(id, turn), &committer, turn),
        };
        if let Err(error) = checked {
            let partitions = refused(&request.offsets, unknown, error);
            return turn.respond(reply, TxnOffsetCommitResponse { partitions });
        }
        let partitions = write(id, &request.offsets, unknown, None, turn);
        let response = Response::from(TxnOffsetCommitResponse { partitions });
        turn.effects.answer = Some(Answer::Response(reply, response));
    }

    /// The offsets of a group. With `require_stable` they are the newest, whose records have to be
    /// committed before the response is sent; otherwise those that are committed now.
    pub(super) fn fetch_offsets(
        &self,
        request: &OffsetFetchRequest,
        turn: &mut Turn<'_>,
    ) -> OffsetFetchResponse {
        let (id, require_stable) = (&request.group, request.require_stable);
        let group = match require_stable {
            true => self.groups.get(id),
            false => self.groups.committed(id),
        };
        if let Some(Group::Consumer(group)) = group
            && let Err(error) = group.check_fetch(request.member.as_ref(), request.epoch)
        {
            return OffsetFetchResponse { error, offsets: Vec::new() };
        }
        let exists = group.is_some_and(|group| group.state() != GroupState::Dead);
        let keys: Vec<Key> = match &request.partitions {
            Some(partitions) => partitions.iter().map(|it| (id.clone(), it.clone())).collect(),
            None if !exists => Vec::new(),
            None if require_stable => self.offsets.of_group(id),
            None => self.offsets.committed_of_group(id),
        };
        let offsets = keys.into_iter().map(|key| {
            let written = match require_stable {
                true => self.offsets.get(&key),
                false => self.offsets.committed(&key),
            };
            let has_pending = exists && self.offsets.has_pending(&key);
            let fetched = Fetched { require_stable, has_pending };
            let is_shown = turn.rules.shows_offset(turn.out, fetched);
            if !is_shown {
                turn.out.observe(Fact::Reached(Reach::OffsetUnstable));
            }
            fetched_offset(key.1, written.filter(|_| exists), is_shown)
        });
        OffsetFetchResponse { error: ErrorCode::None, offsets: offsets.collect() }
    }

    /// What is reported of a response with offsets.
    pub(super) fn served(
        &self,
        request: &OffsetFetchRequest,
        response: &OffsetFetchResponse,
        turn: &Turn<'_>,
    ) -> GroupFact {
        let without_error = response.offsets.iter().filter(|it| it.error.is_none());
        let row = |it: &FetchedOffset| {
            (it.partition.clone(), (it.offset != NO_OFFSET).then_some(it.offset))
        };
        GroupFact::OffsetsServed {
            partition: turn.partition,
            coordinator_epoch: turn.epoch,
            group: request.group.clone(),
            to: if request.require_stable { turn.next_offset } else { self.committed_to },
            offsets: without_error.map(row).collect(),
        }
    }

    /// Deletes offsets. `unknown` are the partitions of the request that do not exist.
    pub(super) fn delete_offsets(
        &mut self,
        request: &OffsetDeleteRequest,
        unknown: &[NamedPartition],
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let refused = |error| OffsetDeleteResponse { error, partitions: Vec::new() };
        let id = &request.group;
        let group = self.groups.get(id).filter(|group| group.state() != GroupState::Dead);
        let Some(group) = group else {
            return turn.respond(reply, refused(ErrorCode::GroupIdNotFound));
        };
        if !group.allows_deletion_of_offsets() {
            return turn.respond(reply, refused(ErrorCode::NonEmptyGroup));
        }
        let mut partitions = Outcomes::new();
        for partition in &request.partitions {
            let key = (id.clone(), partition.clone());
            let error = if unknown.contains(partition) {
                ErrorCode::UnknownTopicOrPartition
            } else if group.is_subscribed_to(&partition.0) {
                ErrorCode::GroupSubscribedToTopic
            } else {
                if self.offsets.get(&key).is_some() || self.offsets.has_pending(&key) {
                    turn.effects.records.push(tombstone(key));
                }
                ErrorCode::None
            };
            partitions.push((partition.clone(), error));
        }
        let response = OffsetDeleteResponse { error: ErrorCode::None, partitions };
        turn.effects.answer = Some(Answer::Response(reply, response.into()));
    }

    /// Deletes a group and its offsets.
    pub(super) fn delete_group(
        &mut self,
        request: &DeleteGroupsRequest,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let id = &request.group;
        let error = match self.groups.get(id) {
            None => ErrorCode::GroupIdNotFound,
            Some(group) => match group.state() {
                GroupState::Dead => ErrorCode::GroupIdNotFound,
                GroupState::Empty => {
                    let keys = self.offsets.all_of_group(id);
                    turn.effects.records.extend(keys.into_iter().map(tombstone));
                    turn.effects.records.extend(tombstones(id, group));
                    ErrorCode::None
                }
                _ => ErrorCode::NonEmptyGroup,
            },
        };
        let response = DeleteGroupsResponse { error };
        turn.effects.answer = Some(Answer::Response(reply, response.into()));
    }

    /// Writes tombstones for the offsets that are too old, and for the groups that have nothing left.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>) {
        let interval = turn.config.offsets_retention_check;
        turn.set_timer(Timeout::Expiration, interval);
        for (id, group) in self.groups.iter() {
            let mut all = !self.offsets.has_pending_of(id);
            for key in self.offsets.of_group(id) {
                let Some(written) = self.offsets.get(&key) else { continue };
                if !self.offsets.has_pending(&key) && has_expired(group, &key, written, turn) {
                    turn.out.observe(Fact::Reached(Reach::OffsetExpired));
                    turn.effects.records.push(tombstone(key));
                } else {
                    all = false;
                }
            }
            if all && group.state() == GroupState::Empty {
                turn.effects.records.extend(tombstones(id, group));
            }
        }
    }
}

/// The tombstones of a group without members.
fn tombstones(id: &GroupId, group: &Group) -> Vec<Record> {
    match group {
        Group::Classic(_) => vec![Record::Group { group: id.clone(), value: None }],
        Group::Consumer(group) => group.tombstones(),
    }
}

fn check(group: &Group, committer: &Committer<'_>, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let Committer { member, instance, generation, is_transactional, knows_epochs } = *committer;
    let names_member = !member.is_empty() || instance.is_some();
    let checked = match group {
        Group::Classic(group) => {
            let commit = Commit {
                state: group.state(),
                generation,
                present: group.generation(),
                named: names_member.then(|| group.named(member, instance)),
                is_transactional,
            };
            turn.rules.check_commit(turn.out, commit)
        }
        Group::Consumer(group) => {
            let commit = MemberCommit {
                has_members: false,
                epoch: generation,
                present: None,
                is_classic: false,
                is_named: names_member || generation != -1,
                is_transactional,
                knows_epochs,
            };
            turn.rules.check_member_commit(turn.out, group.commit_of(member, commit))
        }
    };
    if checked.is_err() {
        turn.out.observe(Fact::Reached(Reach::CommitFenced));
    }
    checked
}

/// Writes the offsets of a request, and returns the outcome of each.
fn write(
    group: &GroupId,
    offsets: &[OffsetToCommit],
    unknown: &[NamedPartition],
    expire_ms: Option<i64>,
    turn: &mut Turn<'_>,
) -> Outcomes {
    let commit_ms = turn.now_ms();
    let mut outcomes = Outcomes::new();
    for it in offsets {
        let metadata = it.metadata.clone().unwrap_or_else(|| "".into());
        let error = if unknown.contains(&it.partition) {
            ErrorCode::UnknownTopicOrPartition
        } else if metadata.encode_utf16().count() > turn.config.offset_metadata_max as usize {
            ErrorCode::OffsetMetadataTooLarge
        } else {
            let (offset, leader_epoch) = (it.offset, it.leader_epoch);
            let value = OffsetValue { offset, leader_epoch, metadata, commit_ms, expire_ms };
            let (group, partition) = (group.clone(), it.partition.clone());
            turn.effects.records.push(Record::Offset { group, partition, value: Some(value) });
            ErrorCode::None
        };
        outcomes.push((it.partition.clone(), error));
    }
    outcomes
}

/// The outcomes of a request that is refused; partitions that do not exist have their own error.
fn refused(offsets: &[OffsetToCommit], unknown: &[NamedPartition], error: ErrorCode) -> Outcomes {
    let error_of = |partition: &NamedPartition| match unknown.contains(partition) {
        true => ErrorCode::UnknownTopicOrPartition,
        false => error,
    };
    offsets.iter().map(|it| (it.partition.clone(), error_of(&it.partition))).collect()
}

fn fetched_offset(
    partition: NamedPartition,
    written: Option<&Written>,
    is_shown: bool,
) -> FetchedOffset {
    let none = FetchedOffset {
        partition,
        error: if is_shown { ErrorCode::None } else { ErrorCode::UnstableOffsetCommit },
        offset: NO_OFFSET,
        leader_epoch: -1,
        metadata: "".into(),
    };
    match written.filter(|_| is_shown) {
        Some(Written { value, .. }) => FetchedOffset {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.clone(),
            ..none
        },
        None => none,
    }
}

fn tombstone((group, partition): Key) -> Record {
    Record::Offset { group, partition, value: None }
}

/// Whether an offset is too old: since the group has no members, or, without a protocol that says who is
/// subscribed, since the commit (KIP-211).
fn has_expired(group: &Group, key: &Key, written: &Written, turn: &Turn<'_>) -> bool {
    let commit_ms = written.value.commit_ms;
    let since_ms = match group {
        Group::Consumer(_) => commit_ms,
        Group::Classic(classic) => match (classic.protocol_type(), classic.state()) {
            (None, _) => commit_ms,
            (Some(_), GroupState::Empty) => classic.state_ms().unwrap_or(commit_ms),
            (Some(_), GroupState::Stable)
                if classic.is_of_consumers() && classic.knows_topics() =>
            {
                commit_ms
            }
            _ => return false,
        },
    };
    if group.is_subscribed_to(&key.1.0) {
        return false;
    }
    let retention_ms = i64::from(turn.config.offsets_retention_minutes) * 60_000;
    match written.value.expire_ms {
        Some(expire_ms) => turn.now_ms() >= expire_ms,
        None => turn.now_ms() - since_ms >= retention_ms,
    }
}
