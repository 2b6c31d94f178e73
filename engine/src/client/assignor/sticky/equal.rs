//! Members that all have the same topics: each gets the same number of partitions, or one more
//! (`ConstrainedAssignmentBuilder`).

use super::{Balanced, Owned, partitions_of};
use crate::client::assignor::{Assignments, Counts};
use crate::ids::MemberId;
use crate::protocol::NamedPartition;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An assignment in the making.
struct Builder {
    /// What each member gets at least, and at most.
    least: usize,
    most: usize,
    /// How many members get the most, and how many do so far.
    with_most: usize,
    have_most: usize,
    assignments: Assignments,
    /// Members that have less than the least, in order.
    below: Vec<MemberId>,
    /// Members that have the least and may get one more.
    at_least: VecDeque<MemberId>,
    /// Partitions that their owners may lose.
    given_up: BTreeMap<NamedPartition, MemberId>,
    contested: BTreeSet<NamedPartition>,
    moving: BTreeMap<NamedPartition, MemberId>,
}

pub(super) fn assign(counts: &Counts, owned: Owned) -> Balanced {
    let all = partitions_of(counts.keys(), counts);
    let Owned { by_member, contested, .. } = owned;
    if by_member.is_empty() {
        return Balanced { assignments: by_member, moving: Some(BTreeMap::new()) };
    }
    let members = by_member.len();
    let mut builder = Builder {
        least: all.len() / members,
        most: all.len().div_ceil(members),
        with_most: all.len() % members,
        have_most: 0,
        assignments: BTreeMap::new(),
        below: Vec::new(),
        at_least: VecDeque::new(),
        given_up: BTreeMap::new(),
        contested,
        moving: BTreeMap::new(),
    };
    for (id, owned) in by_member {
        builder.keep(id, owned);
    }
    let kept: BTreeSet<NamedPartition> = builder.assignments.values().flatten().cloned().collect();
    builder.below.sort_unstable();
    builder.at_least.make_contiguous().sort_unstable();
    builder.share(all.into_iter().filter(|it| !kept.contains(it)));
    Balanced { assignments: builder.assignments, moving: Some(builder.moving) }
}

impl Builder {
    /// A member keeps as much as it may of what it has owned.
    fn keep(&mut self, id: MemberId, mut owned: Vec<NamedPartition>) {
        owned.retain(|partition| !self.contested.contains(partition));
        owned.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        let kept = if owned.len() < self.least {
            self.below.push(id.clone());
            owned.len()
        } else if owned.len() >= self.most && self.have_most < self.with_most {
            self.have_most += 1;
            if self.have_most == self.with_most {
                self.at_least.clear();
            }
            self.most
        } else {
            if self.have_most < self.with_most {
                self.at_least.push_back(id.clone());
            }
            self.least
        };
        let lost = owned.split_off(kept);
        self.given_up.extend(lost.into_iter().map(|partition| (partition, id.clone())));
        self.assignments.insert(id, owned);
    }

    /// Gives what is left to those that have less than the least, in turns, and then to some of those
    /// that have it.
    fn share(&mut self, left: impl Iterator<Item = NamedPartition>) {
        let mut turn = 0;
        for partition in left {
            if turn >= self.below.len() {
                turn = 0;
            }
            let from_below = self.below.get(turn).cloned();
            let Some(id) = from_below.clone().or_else(|| self.at_least.pop_front()) else { return };
            let count = self.give(partition, &id);
            if from_below.is_none() {
                self.have_most += 1;
            } else if count == self.least {
                self.below.remove(turn);
                self.at_least.push_back(id);
            } else {
                turn += 1;
            }
        }
    }

    fn give(&mut self, partition: NamedPartition, id: &MemberId) -> usize {
        let is_lost_by_another = self.given_up.get(&partition).is_some_and(|owner| owner != id);
        if is_lost_by_another || self.contested.contains(&partition) {
            self.moving.insert(partition.clone(), id.clone());
        }
        let assigned = self.assignments.entry(id.clone()).or_default();
        assigned.push(partition);
        assigned.len()
    }
}
