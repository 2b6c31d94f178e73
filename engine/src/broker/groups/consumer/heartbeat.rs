//! ConsumerGroupHeartbeat (`GroupMetadataManager.consumerGroupHeartbeat`): a member is created or updated,
//! which may raise the group epoch; the target assignment is computed for the group epoch; and the member
//! is brought a step further towards its target.

use super::member::{Assignment, LEAVES, LEAVES_FOR_A_TIME, Member, MemberState};
use super::reconcile::{Target, reconcile};
use super::{ConsumerGroup, ConsumerRecord, hash, target};
use crate::broker::groups::effects::{Answer, Turn};
use crate::broker::groups::group::Group;
use crate::broker::groups::record::Record;
use crate::broker::groups::shard::State;
use crate::broker::groups::timers::{MemberTimer, Timeout};
use crate::broker::requests::Reply;
use crate::error::ErrorCode;
use crate::fact::{Fact, MemberRemoval};
use crate::ids::{GroupId, MemberId, TopicId};
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupState, OwnedPartitions,
};
use crate::reach::Reach;
use crate::rules::group::Beat;
use machine::Span;
use std::borrow::Cow;
use std::sync::Arc;

/// A member at work: as it was, and as it is going to be.
pub(super) struct Update {
    pub(super) id: MemberId,
    pub(super) before: Member,
    pub(super) after: Member,
    /// What it reports that it owns; `None`: nothing is said of it.
    pub(super) owned: Option<Assignment>,
}

impl State {
    pub(in crate::broker::groups) fn consumer_heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        host: &str,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let done = match request.epoch {
            LEAVES | LEAVES_FOR_A_TIME => self.leave_consumer_group(request, turn),
            _ => self.beat(request, host, turn),
        };
        match done {
            Ok(response) => turn.effects.answer = Some(Answer::Response(reply, response.into())),
            Err(error) => {
                turn.effects.records.clear();
                turn.effects.is_applied = false;
                turn.respond(reply, ConsumerGroupHeartbeatResponse::refused(error));
            }
        }
    }

    fn beat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        host: &str,
        turn: &mut Turn<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, ErrorCode> {
        let joins = request.epoch == 0;
        let id = match request.member.is_empty() {
            true => turn.random.uuid().into(),
            false => request.member.clone(),
        };
        let group = self.consumer_group_for(&request.group, joins, turn)?;
        group.check_room(&request.member, turn)?;
        let owned = request.owned.as_deref().map(assignment_of);
        let before = match &request.instance {
            None => group.dynamic_member(&id, joins)?,
            Some(instance) => {
                let found = group.static_member_for(&id, instance, joins, false, turn)?;
                if joins { found } else { group.known(&id)? }
            }
        };
        if request.instance.is_none() || !joins {
            check_epoch(&before, request.epoch, owned.as_ref(), turn)?;
        }
        let mut after = before.clone();
        let said = &mut after.metadata;
        said.instance = request.instance.clone().or_else(|| said.instance.take());
        said.rack = request.rack.clone().or_else(|| said.rack.take());
        if request.rebalance_timeout_ms != -1 {
            said.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        said.assignor = request.assignor.clone().or_else(|| said.assignor.take());
        if let Some(topics) = &request.topics {
            said.topics = topics.iter().cloned().collect();
        }
        said.client_id = request.client_id.clone();
        said.client_host = host.into();
        said.classic = None;

        let mut update = Update { id, before, after, owned };
        let (epoch, _) = group.update_member(&update, group.epoch == 0, turn);
        let (target_epoch, target) = group.target_for(epoch, &update, turn)?;
        group.bring_further(&mut update, target_epoch, &target, turn);
        let session = turn.config.consumer_session_timeout;
        let Update { id, before, after, .. } = update;
        group.set_timer(&id, MemberTimer::Session, session, turn);
        let is_full = request.rebalance_timeout_ms != -1
            && request.topics.is_some()
            && request.owned.is_some();
        let has_changed = before.assigned != after.assigned;
        Ok(ConsumerGroupHeartbeatResponse {
            error: ErrorCode::None,
            member: Some(id),
            epoch: after.epoch,
            heartbeat_interval_ms: millis_of(turn.config.consumer_heartbeat_interval),
            assignment: (joins || is_full || has_changed).then(|| partitions_of(&after.assigned)),
        })
    }

    /// The group of a request; with `create` a new one, one that was empty in the classic protocol, or one
    /// of the classic protocol that is converted with its members. Records of a conversion are among the
    /// effects.
    fn consumer_group_for(
        &mut self,
        id: &GroupId,
        create: bool,
        turn: &mut Turn<'_>,
    ) -> Result<Cow<'_, ConsumerGroup>, ErrorCode> {
        if create && let Some(Group::Classic(classic)) = self.groups.get_mut(id) {
            if classic.state() == GroupState::Empty {
                turn.effects.records.push(Record::Group { group: id.clone(), value: None });
                return Ok(Cow::Owned(ConsumerGroup::new(id.clone())));
            }
            return ConsumerGroup::upgraded(classic, turn).map(Cow::Owned);
        }
        match self.groups.get(id) {
            Some(Group::Consumer(group)) => Ok(Cow::Borrowed(group)),
            None if create => Ok(Cow::Owned(ConsumerGroup::new(id.clone()))),
            _ => Err(ErrorCode::GroupIdNotFound),
        }
    }
}

impl ConsumerGroup {
    /// Whether the group may have this member, by `group.consumer.max.size`.
    pub(super) fn check_room(&self, id: &MemberId, turn: &Turn<'_>) -> Result<(), ErrorCode> {
        let is_full = self.members.len() >= turn.config.consumer_group_max_size as usize;
        match is_full && !self.members.contains_key(id) {
            true => Err(ErrorCode::GroupMaxSizeReached),
            false => Ok(()),
        }
    }

    fn known(&self, id: &MemberId) -> Result<Member, ErrorCode> {
        self.members.get(id).map(|it| (**it).clone()).ok_or(ErrorCode::UnknownMemberId)
    }

    /// The member with this id, or a new one.
    pub(super) fn dynamic_member(&self, id: &MemberId, create: bool) -> Result<Member, ErrorCode> {
        match self.known(id) {
            Err(_) if create => Ok(Member::new()),
            known => known,
        }
    }

    /// The static member with this instance id. One that comes again has another id: it takes the place of
    /// the one before, which has to have left if both speak the consumer protocol.
    pub(super) fn static_member_for(
        &self,
        id: &MemberId,
        instance: &Arc<str>,
        joins: bool,
        is_classic: bool,
        turn: &mut Turn<'_>,
    ) -> Result<Member, ErrorCode> {
        let existing = self.static_member(instance);
        if !joins {
            let (owner, member) = existing.ok_or(ErrorCode::UnknownMemberId)?;
            return match owner == id {
                true => Ok((**member).clone()),
                false => Err(ErrorCode::FencedInstanceId),
            };
        }
        let Some((owner, member)) = existing else { return self.dynamic_member(id, true) };
        if !is_classic && !member.is_classic() && member.epoch != LEAVES_FOR_A_TIME {
            return Err(ErrorCode::UnreleasedInstanceId);
        }
        turn.out.observe(Fact::Reached(Reach::StaticMemberReplaced));
        self.report_removed(owner, MemberRemoval::Replaced { by: id.clone() }, turn);
        let mut new = (**member).clone();
        (new.epoch, new.previous_epoch) = (0, 0);
        self.remove_member(owner, turn);
        let target = self.target_of(owner);
        for record in [
            ConsumerRecord::Member { member: id.clone(), value: Some(new.metadata.clone()) },
            ConsumerRecord::Target { member: id.clone(), value: Some(target) },
            ConsumerRecord::Current { member: id.clone(), value: Some(new.current()) },
        ] {
            turn.effects.records.push(self.record(record));
        }
        Ok(new)
    }

    /// Writes what a member says, if that is new. Its subscription, or a change of the topics of the group,
    /// raises the group epoch; `bump` raises it in any case. Returns the group epoch, and whether it has
    /// risen.
    pub(super) fn update_member(
        &self,
        update: &Update,
        bump: bool,
        turn: &mut Turn<'_>,
    ) -> (i32, bool) {
        let Update { id, before, after, .. } = update;
        let mut bump = bump;
        if before != after {
            let (member, value) = (id.clone(), Some(after.metadata.clone()));
            turn.effects.records.push(self.record(ConsumerRecord::Member { member, value }));
            bump |= before.metadata.topics != after.metadata.topics;
        }
        let hash = hash::of_topics(&self.topics_with(update), turn.image);
        if !bump && hash == self.hash {
            return (self.epoch, false);
        }
        turn.out.observe(Fact::Reached(Reach::GroupRebalanced));
        let epoch = self.epoch + 1;
        turn.effects.records.push(self.record(ConsumerRecord::Epoch(Some((epoch, hash)))));
        (epoch, true)
    }

    /// The topics with the number of their subscribers, when a member is as it is going to be.
    pub(super) fn topics_with(
        &self,
        update: &Update,
    ) -> std::collections::BTreeMap<Arc<str>, usize> {
        let replaced = self.replaced_by(update).cloned();
        let mut topics =
            self.topics_without(|id| *id == update.id || Some(id) == replaced.as_ref());
        for topic in &update.after.metadata.topics {
            *topics.entry(topic.clone()).or_default() += 1;
        }
        topics
    }

    /// The member whose place a member takes.
    pub(super) fn replaced_by(&self, update: &Update) -> Option<&MemberId> {
        let instance = update.after.metadata.instance.as_ref()?;
        self.static_member(instance).map(|(owner, _)| owner).filter(|owner| **owner != update.id)
    }

    /// The target of a member, computed for a group epoch if that has risen since the last time.
    pub(super) fn target_for(
        &self,
        epoch: i32,
        update: &Update,
        turn: &mut Turn<'_>,
    ) -> Result<(i32, Assignment), ErrorCode> {
        if epoch > self.target_epoch {
            return Ok((epoch, target::compute(self, epoch, update, turn)));
        }
        let owner = self.replaced_by(update).unwrap_or(&update.id);
        Ok((self.target_epoch, self.target_of(owner)))
    }

    /// Brings a member a step further, and writes what it is assigned if that has changed.
    pub(super) fn bring_further(
        &self,
        update: &mut Update,
        target_epoch: i32,
        target: &Assignment,
        turn: &mut Turn<'_>,
    ) {
        if update.after.is_reconciled_to(target_epoch) {
            return;
        }
        let target = Target {
            epoch: target_epoch,
            assignment: target,
            is_owned: &|topic, partition| self.is_owned(topic, partition),
            reported: update.owned.as_ref(),
        };
        let next = reconcile(&update.after, &target, turn.rules, turn.out);
        if next == update.after {
            return;
        }
        let (member, value) = (update.id.clone(), Some(next.current()));
        turn.effects.records.push(self.record(ConsumerRecord::Current { member, value }));
        if !next.is_classic() {
            match next.state {
                MemberState::UnrevokedPartitions => {
                    let timer = MemberTimer::Rebalance { epoch: next.epoch };
                    self.set_timer(&update.id, timer, timeout_of(&next), turn);
                }
                _ => self.cancel_timer(&update.id, MemberTimer::Rebalance { epoch: 0 }, turn),
            }
        }
        update.after = next;
    }

    pub(super) fn set_timer(
        &self,
        member: &MemberId,
        timer: MemberTimer,
        after: Span,
        turn: &mut Turn<'_>,
    ) {
        let (group, member) = (self.id.clone(), member.clone());
        turn.set_timer(Timeout::Member { group, member, timer }, after);
    }

    pub(super) fn cancel_timer(&self, member: &MemberId, timer: MemberTimer, turn: &mut Turn<'_>) {
        let (group, member) = (self.id.clone(), member.clone());
        turn.cancel_timer(Timeout::Member { group, member, timer }.key());
    }
}

/// Whether a heartbeat is of the present epoch of a member.
fn check_epoch(
    member: &Member,
    received: i32,
    owned: Option<&Assignment>,
    turn: &mut Turn<'_>,
) -> Result<(), ErrorCode> {
    let beat = Beat {
        received,
        present: member.epoch,
        previous: member.previous_epoch,
        owns_only_assigned: owned.is_some_and(|owned| is_within(owned, &member.assigned)),
    };
    let checked = turn.rules.check_member_epoch(turn.out, beat);
    if checked.is_err() {
        turn.out.observe(Fact::Reached(Reach::MemberEpochFenced));
    }
    checked
}

/// Whether all partitions of `owned` are assigned. Topics that are named without partitions have to be
/// assigned as well.
fn is_within(owned: &Assignment, assigned: &Assignment) -> bool {
    owned.iter().all(|(topic, partitions)| {
        assigned.get(topic).is_some_and(|assigned| partitions.is_subset(assigned))
    })
}

/// How long a member may take to give up partitions.
pub(super) fn timeout_of(member: &Member) -> Span {
    Span::millis(u64::try_from(member.metadata.rebalance_timeout_ms).unwrap_or(0))
}

/// Partitions as a request or response has them.
pub(super) fn partitions_of(assignment: &Assignment) -> Vec<OwnedPartitions> {
    let all = assignment.iter();
    all.map(|(topic, partitions)| (*topic, partitions.iter().copied().collect())).collect()
}

/// The partitions of a request or response.
pub(super) fn assignment_of(partitions: &[(TopicId, Vec<i32>)]) -> Assignment {
    let mut assignment = Assignment::new();
    for (topic, all) in partitions {
        assignment.entry(*topic).or_default().extend(all);
    }
    assignment
}

fn millis_of(span: Span) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}
