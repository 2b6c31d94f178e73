//! What a coordinator reports of a partition of `__consumer_offsets`: the groups that it has found in the
//! log, and those that it leaves behind, so that both can be compared with the log itself.
//!
//! A group of the classic protocol is in memory what no record says: it rebalances. Of its generation the
//! reports have what the last record has.

use super::consumer::{Assignment, ConsumerGroup, Member};
use super::group::Group;
use super::shard::State;
use super::shards::Shard;
use crate::fact::{ConsumerGroupState, ConsumerMemberState, GroupFact, GroupState};
use crate::ids::{GroupId, MemberId, TopicId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

impl Shard {
    /// The log has been read.
    pub(super) fn loaded(&self) -> GroupFact {
        GroupFact::Loaded {
            partition: self.partition,
            coordinator_epoch: self.began,
            to: self.writes.next_offset,
            groups: self.state.remembered(false),
        }
    }

    /// Another broker coordinates the groups, or the log is read again.
    pub(super) fn resigned(&self) -> GroupFact {
        GroupFact::Resigned {
            partition: self.partition,
            coordinator_epoch: self.began,
            to: self.state.committed_to,
            groups: self.state.remembered(true),
        }
    }
}

impl State {
    /// The groups in order of their names: with all changes, or as far as the records are committed.
    fn remembered(&self, committed: bool) -> Vec<GroupState> {
        let mut all: BTreeMap<GroupId, GroupState> = BTreeMap::new();
        let mut of = |group: &GroupId, change: &mut dyn FnMut(&mut GroupState)| {
            change(all.entry(group.clone()).or_insert_with(|| GroupState {
                group: group.clone(),
                generation: None,
                members: Vec::new(),
                consumer: None,
                offsets: Vec::new(),
                pending: Vec::new(),
            }));
        };
        let groups = match committed {
            true => self.generations.committed_keys(),
            false => self.generations.iter().map(|(group, _)| group.clone()).collect(),
        };
        for group in groups {
            let generation = match committed {
                true => self.generations.committed(&group),
                false => self.generations.get(&group),
            };
            of(&group, &mut |it| {
                it.generation = generation.map(|generation| generation.number);
                it.members = generation.map_or(Vec::new(), |it| it.members.clone());
            });
        }
        let groups = match committed {
            true => self.groups.committed_keys(),
            false => self.groups.iter().map(|(group, _)| group.clone()).collect(),
        };
        for id in groups {
            let group = match committed {
                true => self.groups.committed(&id),
                false => self.groups.get(&id),
            };
            if let Some(Group::Consumer(group)) = group {
                of(&id, &mut |it| it.consumer = Some(consumer_state(group)));
            }
        }
        let offsets = self.offsets.all(committed);
        let pending = self.offsets.all_pending(committed);
        for ((group, partition), offset) in offsets {
            of(&group, &mut |it| it.offsets.push((partition.clone(), offset)));
        }
        for ((group, partition), producer_id) in pending {
            of(&group, &mut |it| it.pending.push((partition.clone(), producer_id)));
        }
        all.into_values().collect()
    }
}

fn consumer_state(group: &ConsumerGroup) -> ConsumerGroupState {
    let member = |(id, member): (&MemberId, &Member)| ConsumerMemberState {
        member: id.clone(),
        epoch: member.epoch,
        previous_epoch: member.previous_epoch,
        assigned: all(&member.assigned),
        to_revoke: all(&member.to_revoke),
        target: all(&group.target_of(id)),
    };
    ConsumerGroupState {
        epoch: group.epoch(),
        target_epoch: group.target_epoch(),
        members: group.members().map(member).collect(),
    }
}

fn all(assignment: &Assignment) -> Vec<TopicPartition> {
    let of = |(topic, all): (&TopicId, &BTreeSet<i32>)| {
        all.iter().map(|index| TopicPartition::new(*topic, *index)).collect::<Vec<_>>()
    };
    assignment.iter().flat_map(of).collect()
}
