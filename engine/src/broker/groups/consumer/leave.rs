//! Members that leave, and members that lose their place (`GroupMetadataManager.consumerGroupLeave`,
//! `consumerGroupFenceMembers`).

use super::heartbeat::timeout_of;
use super::member::{LEAVES_FOR_A_TIME, Member, MemberState};
use super::{ConsumerGroup, ConsumerRecord, hash};
use crate::broker::groups::effects::Turn;
use crate::broker::groups::group::Group;
use crate::broker::groups::shard::State;
use crate::broker::groups::timers::MemberTimer;
use crate::error::ErrorCode;
use crate::fact::{Fact, GroupFact, MemberRemoval};
use crate::ids::{GroupId, MemberId};
use crate::protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::reach::Reach;
use std::collections::BTreeSet;

impl State {
    pub(super) fn leave_consumer_group(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        turn: &mut Turn<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, ErrorCode> {
        let Some(Group::Consumer(group)) = self.groups.get(&request.group) else {
            return Err(ErrorCode::GroupIdNotFound);
        };
        let id = &request.member;
        let member = match &request.instance {
            None => group.dynamic_member(id, false)?,
            Some(instance) => group.static_member_for(id, instance, false, false, turn)?,
        };
        if request.instance.is_some() && request.epoch == LEAVES_FOR_A_TIME {
            let away =
                Member { epoch: LEAVES_FOR_A_TIME, to_revoke: super::Assignment::new(), ..member };
            let (member, value) = (id.clone(), Some(away.current()));
            let record = group.record(ConsumerRecord::Current { member, value });
            turn.effects.records.push(record);
        } else {
            group.report_removed(id, MemberRemoval::Left, turn);
            self.fence_members(&request.group, &BTreeSet::from([id.clone()]), turn);
        }
        Ok(ConsumerGroupHeartbeatResponse {
            error: ErrorCode::None,
            member: Some(id.clone()),
            epoch: request.epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        })
    }

    /// Removes members. If only members of the classic protocol are left, the group becomes one of it.
    pub(super) fn fence_members(
        &mut self,
        id: &GroupId,
        members: &BTreeSet<MemberId>,
        turn: &mut Turn<'_>,
    ) {
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return };
        if members.is_empty() {
            return;
        }
        if group.may_downgrade_without(members, turn) {
            let group = group.clone();
            return self.downgrade_without(&group, members, turn);
        }
        for member in members {
            group.remove_member(member, turn);
        }
        let topics = group.topics_without(|id| members.contains(id));
        let hash = hash::of_topics(&topics, turn.image);
        let epoch = ConsumerRecord::Epoch(Some((group.epoch + 1, hash)));
        turn.effects.records.push(group.record(epoch));
        for member in members {
            for timer in MemberTimer::ALL {
                group.cancel_timer(member, timer, turn);
            }
        }
    }

    /// A timer of a member is due.
    pub(in crate::broker::groups) fn on_member_timeout(
        &mut self,
        id: &GroupId,
        member: &MemberId,
        timer: MemberTimer,
        turn: &mut Turn<'_>,
    ) {
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return };
        let Some(known) = group.members.get(member) else { return };
        let why = match timer {
            MemberTimer::Rebalance { epoch } if known.epoch != epoch => return,
            MemberTimer::Rebalance { .. } => MemberRemoval::DidNotRevoke,
            MemberTimer::Session => {
                turn.out.observe(Fact::Reached(Reach::GroupSessionEnded));
                MemberRemoval::SessionEnded
            }
            MemberTimer::Join => MemberRemoval::DidNotRejoin,
            MemberTimer::Sync => MemberRemoval::DidNotSync,
        };
        group.report_removed(member, why, turn);
        self.fence_members(id, &BTreeSet::from([member.clone()]), turn);
    }
}

impl ConsumerGroup {
    /// Reports a member that is going to be removed.
    pub(super) fn report_removed(&self, id: &MemberId, why: MemberRemoval, turn: &mut Turn<'_>) {
        let instance = self.members.get(id).and_then(|member| member.metadata.instance.clone());
        turn.report(GroupFact::MemberRemoved {
            group: self.id.clone(),
            generation: self.epoch,
            member: id.clone(),
            instance,
            why,
        });
    }

    /// Writes the tombstones of a member. Their order matters when they are replayed.
    pub(super) fn remove_member(&self, id: &MemberId, turn: &mut Turn<'_>) {
        for record in [
            ConsumerRecord::Current { member: id.clone(), value: None },
            ConsumerRecord::Target { member: id.clone(), value: None },
            ConsumerRecord::Member { member: id.clone(), value: None },
        ] {
            turn.effects.records.push(self.record(record));
        }
    }

    /// The coordinator has loaded the group: sessions begin anew.
    pub(in crate::broker::groups) fn on_loaded(&self, turn: &mut Turn<'_>) {
        for (id, member) in self.members() {
            let session = turn.config.consumer_session_timeout;
            self.set_timer(id, MemberTimer::Session, session, turn);
            if member.state == MemberState::UnrevokedPartitions {
                let timer = MemberTimer::Rebalance { epoch: member.epoch };
                self.set_timer(id, timer, timeout_of(member), turn);
            }
        }
    }
}
