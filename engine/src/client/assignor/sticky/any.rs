//! Members with different topics (`GeneralAssignmentBuilder`): partitions go to the member with the
//! fewest, and move as long as that makes the assignment more even.

use super::movements::Movements;
use super::{Owned, partitions_of};
use crate::client::assignor::{Assignments, Counts, Subscriptions};
use crate::ids::MemberId;
use crate::protocol::NamedPartition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An assignment in the making.
struct Builder<'a> {
    counts: &'a Counts,
    subscriptions: &'a Subscriptions,
    /// The members that may have the partitions of a topic.
    candidates: BTreeMap<&'a Arc<str>, Vec<&'a MemberId>>,
    assignments: Assignments,
    owners: BTreeMap<NamedPartition, MemberId>,
    /// The members that take part, by how many partitions they have.
    by_load: BTreeSet<(usize, MemberId)>,
    movements: Movements,
    /// The owners in a generation that is over.
    before: BTreeMap<NamedPartition, (MemberId, i32)>,
}

pub(super) fn assign(counts: &Counts, subscriptions: &Subscriptions, owned: Owned) -> Assignments {
    let mut candidates: BTreeMap<&Arc<str>, Vec<&MemberId>> =
        counts.keys().map(|topic| (topic, Vec::new())).collect();
    for (id, subscription) in subscriptions {
        for topic in &subscription.topics {
            if let Some(all) = candidates.get_mut(topic) {
                all.push(id);
            }
        }
    }
    let before = owners_before(subscriptions, owned.latest);
    let mut builder = Builder {
        counts,
        subscriptions,
        candidates,
        assignments: owned.by_member,
        owners: BTreeMap::new(),
        by_load: BTreeSet::new(),
        movements: Movements::default(),
        before,
    };
    builder.balance();
    builder.assignments
}

/// The owners of partitions in the latest generation before `latest` that a member was in.
fn owners_before(
    subscriptions: &Subscriptions,
    latest: i32,
) -> BTreeMap<NamedPartition, (MemberId, i32)> {
    let mut owners: BTreeMap<NamedPartition, (MemberId, i32)> = BTreeMap::new();
    for (id, subscription) in subscriptions {
        let generation = subscription.generation.unwrap_or(-1);
        if generation >= latest {
            continue;
        }
        for partition in &subscription.owned {
            let known = owners.get(partition).map(|(_, generation)| *generation);
            if known.is_none_or(|known| generation > known) {
                owners.insert(partition.clone(), (id.clone(), generation));
            }
        }
    }
    owners
}

impl Builder<'_> {
    fn balance(&mut self) {
        let must_revoke = self.drop_lost();
        let mut topics: Vec<&Arc<str>> = self.candidates.keys().copied().collect();
        topics.sort_by_key(|topic| (self.candidates[topic].len(), *topic));
        let all = partitions_of(topics.into_iter(), self.counts);
        let unassigned: Vec<NamedPartition> =
            all.iter().filter(|it| !self.owners.contains_key(*it)).cloned().collect();
        self.by_load =
            self.assignments.iter().map(|(id, assigned)| (assigned.len(), id.clone())).collect();
        let is_first = self.by_load.last().is_none_or(|(most, _)| *most == 0);
        for partition in &unassigned {
            self.give_to_least(partition);
        }
        let movable = |it: &&NamedPartition| self.candidates[&it.0].len() >= 2;
        let movable_unassigned: Vec<_> = unassigned.iter().filter(movable).cloned().collect();
        let movable: Vec<_> = all.iter().filter(movable).cloned().collect();
        let fixed = self.set_fixed_aside();
        let (assignments, owners) = (self.assignments.clone(), self.owners.clone());
        if !must_revoke {
            self.reassign(&movable_unassigned);
        }
        let has_moved = self.reassign(&movable);
        if !is_first && has_moved && spread(&self.assignments) >= spread(&assignments) {
            (self.assignments, self.owners) = (assignments, owners);
        }
        self.assignments.extend(fixed);
    }

    /// Members lose partitions of topics that they have no more. Returns whether any did.
    fn drop_lost(&mut self) -> bool {
        let mut has_lost = false;
        for (id, assigned) in &mut self.assignments {
            let before = assigned.len();
            assigned.retain(|(topic, _)| self.subscriptions[id].has(topic));
            has_lost |= assigned.len() < before;
            self.owners.extend(assigned.iter().map(|it| (it.clone(), id.clone())));
        }
        has_lost
    }

    fn give_to_least(&mut self, partition: &NamedPartition) {
        let subscribed = |(_, id): &&(usize, MemberId)| self.subscriptions[id].has(&partition.0);
        let Some((load, id)) = self.by_load.iter().find(subscribed).cloned() else { return };
        self.by_load.remove(&(load, id.clone()));
        self.assignments.entry(id.clone()).or_default().push(partition.clone());
        self.owners.insert(partition.clone(), id.clone());
        self.by_load.insert((load + 1, id));
    }

    /// The members that neither give nor get anything leave the game, with what they have.
    fn set_fixed_aside(&mut self) -> Assignments {
        let mut fixed = Assignments::new();
        for id in self.subscriptions.keys() {
            let assigned = &self.assignments[id];
            let is_full = assigned.len() >= self.capacity(id);
            let may_give = assigned.iter().any(|it| self.candidates[&it.0].len() >= 2);
            if is_full && !may_give {
                self.by_load.remove(&(assigned.len(), id.clone()));
                fixed.extend(self.assignments.remove_entry(id));
            }
        }
        fixed
    }

    /// How many partitions a member may have.
    fn capacity(&self, id: &MemberId) -> usize {
        let counts =
            self.subscriptions[id].topics.iter().filter_map(|topic| self.counts.get(topic));
        counts.map(|count| usize::try_from(*count).unwrap_or(0)).sum()
    }

    /// Moves partitions until nothing becomes more even. Returns whether any has moved.
    fn reassign(&mut self, partitions: &[NamedPartition]) -> bool {
        let mut has_moved = false;
        loop {
            let mut goes_on = false;
            for partition in partitions {
                if self.is_balanced() {
                    break;
                }
                goes_on |= self.maybe_move(partition);
            }
            if !goes_on {
                return has_moved;
            }
            has_moved = true;
        }
    }

    fn maybe_move(&mut self, partition: &NamedPartition) -> bool {
        let Some(owner) = self.owners.get(partition).cloned() else { return false };
        let Some(load) = self.load(&owner) else { return false };
        if let Some((before, _)) = self.before.get(partition).cloned()
            && self.load(&before).is_some_and(|other| load > other + 1)
        {
            self.move_to(partition, &before);
            return true;
        }
        let has_less = |id: &&MemberId| self.load(id).is_some_and(|other| load > other + 1);
        if !self.candidates[&partition.0].iter().any(has_less) {
            return false;
        }
        let subscribed = |(_, id): &&(usize, MemberId)| self.subscriptions[id].has(&partition.0);
        match self.by_load.iter().find(subscribed).cloned() {
            Some((_, id)) => {
                self.move_to(partition, &id);
                true
            }
            None => false,
        }
    }

    /// How many partitions a member has that takes part.
    fn load(&self, id: &MemberId) -> Option<usize> {
        self.assignments.get(id).map(Vec::len)
    }

    fn move_to(&mut self, partition: &NamedPartition, to: &MemberId) {
        let from = self.owners[partition].clone();
        let partition = self.movements.instead_of(partition, &from, to);
        let from = self.owners[&partition].clone();
        self.movements.add(&partition, &from, to);
        for (id, is_source) in [(&from, true), (to, false)] {
            let assigned = self.assignments.entry(id.clone()).or_default();
            self.by_load.remove(&(assigned.len(), id.clone()));
            match is_source {
                true => assigned.retain(|it| *it != partition),
                false => assigned.push(partition.clone()),
            }
            self.by_load.insert((assigned.len(), id.clone()));
        }
        self.owners.insert(partition, to.clone());
    }

    /// Whether no member may get a partition from one that has at least two more.
    fn is_balanced(&self) -> bool {
        let (Some((least, _)), Some((most, _))) = (self.by_load.first(), self.by_load.last())
        else {
            return true;
        };
        if least + 1 >= *most {
            return true;
        }
        self.by_load.iter().all(|(load, id)| {
            let topics = self.subscriptions[id].topics.iter();
            let known = topics.filter(|topic| self.counts.contains_key(*topic));
            partitions_of(known, self.counts).iter().all(|partition| {
                let owner = self.owners.get(partition).filter(|owner| *owner != id);
                owner.and_then(|owner| self.load(owner)).is_none_or(|other| load + 1 >= other)
            })
        })
    }
}

/// How uneven an assignment is: the differences between all pairs of members.
fn spread(assignments: &Assignments) -> usize {
    let sizes: Vec<usize> = assignments.values().map(Vec::len).collect();
    let pairs =
        sizes.iter().enumerate().flat_map(|(at, a)| sizes[at + 1..].iter().map(move |b| (a, b)));
    pairs.map(|(a, b)| a.abs_diff(*b)).sum()
}
