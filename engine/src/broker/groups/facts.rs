//! What a coordinator reports of a partition of `__consumer_offsets`: the groups that it has found in the
//! log, and those that it leaves behind, so that both can be compared with the log itself.
//!
//! A group of the classic protocol is in memory what no record says: it rebalances. Of its generation the
//! reports have what the last record has.

use super::shard::State;
use super::shards::Shard;
use crate::fact::{GroupFact, GroupState};
use crate::ids::GroupId;
use std::collections::BTreeMap;

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
