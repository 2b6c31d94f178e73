//! A group of the consumer protocol (`ConsumerGroup`, `GroupMetadataManager`; KIP-848): the coordinator
//! assigns, and each member comes to its target assignment in steps of its own, without a barrier.
//!
//! | number | what raises it |
//! |---|---|
//! | group epoch | a member comes, leaves, or subscribes to other topics; a topic of the group changes |
//! | epoch of the target assignment | the target is computed for the group epoch, at the next heartbeat of any member |
//! | member epoch | the member has given up what its next target takes from it |
//!
//! | state of the group | what it means |
//! |---|---|
//! | Empty | no members |
//! | Assigning | the target is of an older epoch than the group |
//! | Reconciling | some member has not come to its target |
//! | Stable | all have |
//!
//! | input | what it does |
//! |---|---|
//! | ConsumerGroupHeartbeat, epoch 0 | a member comes, or comes again; the group is created, or converted |
//! | ConsumerGroupHeartbeat of a member | keeps its session, takes over what it says, brings it a step further |
//! | ConsumerGroupHeartbeat, epoch -1 | a member leaves; with -2 a static member keeps its place |
//! | a session ends, or partitions are not given up in time | the member loses its place |
//! | JoinGroup, SyncGroup, Heartbeat, LeaveGroup | the same for members of the classic protocol (`classic_members.rs`) |
//! | the last member of the consumer protocol leaves | the group becomes one of the classic protocol (`convert.rs`) |
//!
//! What must stay true, and what holds it:
//!
//! - A group changes by replaying its records only, so that the next coordinator has the same group.
//! - A partition is assigned to a member when no other member owns it or has still to give it up
//!   ([`reconcile`]).
//! - The epoch of a member is not above that of the target, which is not above that of the group.
//! - A request with another epoch than the member's is fenced. The previous epoch is accepted, because the
//!   response with the present one may have been lost.
//!
//! Not modelled: subscription by pattern, and with it records of type 16.
//!
//! | file | idea |
//! |---|---|
//! | `member.rs`, `record.rs` | a member, and the records of a group |
//! | `heartbeat.rs`, `leave.rs` | ConsumerGroupHeartbeat, and members that lose their place |
//! | `target.rs`, `assignor/` | the target assignment |
//! | `reconcile.rs` | from the present to the target assignment |
//! | `classic_members.rs`, `convert.rs` | members of the classic protocol; from one protocol to the other |
//! | `hash.rs` | whether topics have changed |

mod assignor;
mod classic_members;
mod convert;
mod hash;
mod heartbeat;
mod leave;
mod member;
mod reconcile;
mod record;
mod target;

pub(super) use classic_members::Joined;
pub(super) use member::{Assignment, Member};
pub(super) use record::ConsumerRecord;

use super::record::Record;
use super::shard::Replay;
use crate::error::ErrorCode;
use crate::ids::{GroupId, GroupInstanceId, MemberId, TopicId};
use crate::protocol::GroupState;
use crate::rules::group::{Kept, MemberCommit};
use member::LEAVES;
use record::CurrentValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A group.
#[derive(Clone, Debug)]
pub(in crate::broker) struct ConsumerGroup {
    id: GroupId,
    epoch: i32,
    /// The hash of the topics that the group is subscribed to.
    hash: i64,
    /// The epoch of the target assignment.
    target_epoch: i32,
    members: BTreeMap<MemberId, Arc<Member>>,
    targets: BTreeMap<MemberId, Arc<Assignment>>,
    /// The partitions that a member owns or has still to give up, with its id
    /// (`ConsumerGroup.currentPartitionEpoch`).
    owners: BTreeMap<(TopicId, i32), MemberId>,
}

impl ConsumerGroup {
    /// A group without members.
    pub(super) fn new(id: GroupId) -> Self {
        Self {
            id,
            epoch: 0,
            hash: 0,
            target_epoch: 0,
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }

    /// Replays a record. Returns whether the group is still there.
    pub(super) fn replay(&mut self, record: ConsumerRecord, with: &mut Replay<'_>) -> bool {
        match record {
            ConsumerRecord::Epoch(Some((epoch, hash))) => (self.epoch, self.hash) = (epoch, hash),
            ConsumerRecord::Epoch(None) => return false,
            ConsumerRecord::NoTopicMetadata => {}
            ConsumerRecord::TargetEpoch(epoch) => self.target_epoch = epoch.unwrap_or(-1),
            ConsumerRecord::Target { member, value: Some(target) } => {
                self.targets.insert(member, Arc::new(target));
            }
            ConsumerRecord::Target { member, value: None } => {
                self.targets.remove(&member);
            }
            ConsumerRecord::Member { member, value: Some(metadata) } => {
                Arc::make_mut(self.member_or_new(member)).metadata = metadata;
            }
            ConsumerRecord::Member { member, value: None } => {
                if let Some(before) = self.members.remove(&member) {
                    self.set_owner(&member, &before, None, with);
                }
            }
            ConsumerRecord::Current { member, value } => {
                if value.is_some() || self.members.contains_key(&member) {
                    self.replay_current(member, value, with);
                }
            }
        }
        true
    }

    fn member_or_new(&mut self, member: MemberId) -> &mut Arc<Member> {
        self.members.entry(member).or_insert_with(|| Arc::new(Member::new()))
    }

    fn replay_current(&mut self, id: MemberId, value: Option<CurrentValue>, with: &mut Replay<'_>) {
        let member = self.member_or_new(id.clone());
        let before = Arc::clone(member);
        let after = Arc::make_mut(member);
        match value {
            Some(value) => after.set_current(value),
            None => {
                (after.epoch, after.previous_epoch) = (LEAVES, LEAVES);
                after.assigned.clear();
                after.to_revoke.clear();
            }
        }
        let after = Arc::clone(member);
        self.set_owner(&id, &before, Some(&after), with);
    }

    /// A member has other partitions than before; what it no longer owns is free.
    fn set_owner(
        &mut self,
        id: &MemberId,
        before: &Member,
        after: Option<&Member>,
        with: &mut Replay<'_>,
    ) {
        for (topic, index) in before.owned() {
            let kept = Kept {
                is_kept: after.is_some_and(|after| after.owns(topic, index)),
                had_to_go: member::contains(&before.to_revoke, topic, index),
            };
            let is_own = self.owners.get(&(topic, index)) == Some(id);
            if is_own && !with.rules.keeps_owner(with.out, kept) {
                self.owners.remove(&(topic, index));
            }
        }
        let came = after.into_iter().flat_map(Member::owned);
        let came = came.filter(|(topic, index)| !before.owns(*topic, *index));
        self.owners.extend(came.map(|partition| (partition, id.clone())));
    }

    /// The group epoch.
    pub(super) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The epoch of the target assignment.
    pub(super) fn target_epoch(&self) -> i32 {
        self.target_epoch
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&MemberId, &Member)> {
        self.members.iter().map(|(id, member)| (id, &**member))
    }

    /// What a member is to be assigned.
    pub(super) fn target_of(&self, member: &MemberId) -> Assignment {
        self.targets.get(member).map_or_else(Assignment::new, |target| (**target).clone())
    }

    pub(super) fn state(&self) -> GroupState {
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.epoch > self.target_epoch {
            GroupState::Assigning
        } else if self.members.values().any(|it| !it.is_reconciled_to(self.target_epoch)) {
            GroupState::Reconciling
        } else {
            GroupState::Stable
        }
    }

    /// The assignor that most members prefer; `default` if none prefers one.
    pub(super) fn assignor<'a>(&'a self, default: &'a str) -> &'a str {
        let preferred = self.members.values().filter_map(|it| it.metadata.assignor.as_deref());
        preferred_of(preferred).unwrap_or(default)
    }

    /// Whether a member is subscribed to a topic.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members.values().any(|it| it.metadata.topics.contains(topic))
    }

    /// The member that has a group instance id.
    fn static_member(&self, instance: &GroupInstanceId) -> Option<(&MemberId, &Arc<Member>)> {
        self.members.iter().find(|(_, it)| it.metadata.instance.as_ref() == Some(instance))
    }

    /// Whether a member owns a partition, or has still to give it up.
    fn is_owned(&self, topic: TopicId, partition: i32) -> bool {
        self.owners.contains_key(&(topic, partition))
    }

    /// How many members speak the classic protocol.
    fn classic_count(&self) -> usize {
        self.members.values().filter(|member| member.is_classic()).count()
    }

    /// The topics with the number of their subscribers, without the members for which `except` is true.
    fn topics_without(&self, except: impl Fn(&MemberId) -> bool) -> BTreeMap<Arc<str>, usize> {
        let mut topics = BTreeMap::new();
        for (_, member) in self.members.iter().filter(|(id, _)| !except(id)) {
            for topic in &member.metadata.topics {
                *topics.entry(topic.clone()).or_default() += 1;
            }
        }
        topics
    }

    /// A record of the group.
    fn record(&self, record: ConsumerRecord) -> Record {
        Record::Consumer { group: self.id.clone(), record }
    }

    /// Tombstones for all records of the group.
    pub(super) fn tombstones(&self) -> Vec<Record> {
        self.tombstones_of(self.members.keys())
    }

    /// Tombstones for all records of a group with these members.
    fn tombstones_of<'a>(
        &self,
        members: impl Iterator<Item = &'a MemberId> + Clone,
    ) -> Vec<Record> {
        let current =
            |member: &MemberId| ConsumerRecord::Current { member: member.clone(), value: None };
        let target =
            |member: &MemberId| ConsumerRecord::Target { member: member.clone(), value: None };
        let said =
            |member: &MemberId| ConsumerRecord::Member { member: member.clone(), value: None };
        let mut records: Vec<ConsumerRecord> = members.clone().map(current).collect();
        records.extend(members.clone().map(target));
        records.push(ConsumerRecord::TargetEpoch(None));
        records.extend(members.map(said));
        records.push(ConsumerRecord::NoTopicMetadata);
        records.push(ConsumerRecord::Epoch(None));
        records.into_iter().map(|record| self.record(record)).collect()
    }

    /// A commit of offsets beside what the group knows of the member.
    pub(super) fn commit_of(&self, member: &MemberId, commit: MemberCommit) -> MemberCommit {
        let known = self.members.get(member);
        MemberCommit {
            has_members: !self.members.is_empty(),
            present: known.map(|member| member.epoch),
            is_classic: known.is_some_and(|member| member.is_classic()),
            ..commit
        }
    }

    /// Whether a member may see the offsets of the group. Requests that name neither a member nor an epoch
    /// may.
    ///
    /// # Errors
    ///
    /// The error of the whole request.
    pub(super) fn check_fetch(
        &self,
        member: Option<&MemberId>,
        epoch: i32,
    ) -> Result<(), ErrorCode> {
        let Some(id) = member else {
            // Kafka's coordinator fails with an exception at an epoch without a member.
            return if epoch < 0 { Ok(()) } else { Err(ErrorCode::UnknownServerError) };
        };
        let member = self.members.get(id).ok_or(ErrorCode::UnknownMemberId)?;
        match member.epoch == epoch {
            true => Ok(()),
            false if member.is_classic() => Err(ErrorCode::IllegalGeneration),
            false => Err(ErrorCode::StaleMemberEpoch),
        }
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        assert!(self.target_epoch <= self.epoch, "the target is of an epoch of the group");
        for member in self.members.values() {
            assert!(member.epoch <= self.target_epoch, "a member comes to a target that there is");
            let has_to = !member.to_revoke.is_empty();
            let is_unrevoked = member.state == member::MemberState::UnrevokedPartitions;
            assert!(!has_to || is_unrevoked, "who has to give up partitions is in that state");
        }
    }
}

/// The assignor that most have named, by name if several are equal.
fn preferred_of<'a>(named: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in named {
        *counts.entry(name).or_default() += 1;
    }
    let most = counts.values().max()?;
    counts.iter().find(|(_, count)| *count == most).map(|(name, _)| *name)
}
