//! As even as possible, for members with different subscriptions: partitions without an owner go to the subscribers
//! with the fewest partitions, and then partitions move from those with the most to those with the
//! fewest, topic by topic (`UniformHeterogeneousAssignmentBuilder`).

use super::{Assignment, Spec, add, remove};
use crate::ids::{MemberId, TopicId};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// How often all topics are visited at most.
const ROUNDS: usize = 16;

pub(super) fn uniform(spec: &Spec) -> BTreeMap<MemberId, Assignment> {
    let mut builder = Builder::new(spec);
    builder.assign_the_rest();
    builder.balance();
    spec.members.keys().cloned().zip(builder.assignments).collect()
}

/// Members are numbered in order of their ids.
struct Builder {
    counts: BTreeMap<TopicId, i32>,
    /// The members that are subscribed to a topic, in order.
    subscribers: BTreeMap<TopicId, Vec<usize>>,
    /// The owner of each partition of a topic.
    owners: BTreeMap<TopicId, Vec<Option<usize>>>,
    assignments: Vec<Assignment>,
    /// How many partitions each member has.
    sizes: Vec<usize>,
}

impl Builder {
    fn new(spec: &Spec) -> Self {
        let count = spec.members.len();
        let mut it = Self {
            counts: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            owners: BTreeMap::new(),
            assignments: vec![Assignment::new(); count],
            sizes: vec![0; count],
        };
        for (index, member) in spec.members.values().enumerate() {
            for topic in &member.topics {
                let count = spec.counts.get(topic).copied().unwrap_or(0);
                it.counts.insert(*topic, count);
                it.subscribers.entry(*topic).or_default().push(index);
                it.owners.entry(*topic).or_insert_with(|| vec![None; count as usize]);
            }
        }
        for (index, member) in spec.members.values().enumerate() {
            for (topic, partitions) in &member.assigned {
                let is_subscribed = member.topics.contains(topic);
                for partition in partitions.iter().filter(|_| is_subscribed) {
                    it.assign(*topic, *partition, index);
                }
            }
        }
        it
    }

    /// Gives a partition to a member, which has it instead of its owner.
    fn assign(&mut self, topic: TopicId, partition: i32, member: usize) {
        let owner = self.owners.get_mut(&topic).and_then(|all| all.get_mut(partition as usize));
        if let Some(before) = owner.and_then(|owner| owner.replace(member)) {
            remove(&mut self.assignments[before], topic, partition);
            self.sizes[before] -= 1;
        }
        add(&mut self.assignments[member], topic, partition);
        self.sizes[member] += 1;
    }

    /// Topics with the most partitions for each subscriber come first, then those with the fewest
    /// subscribers, and then in order of their ids.
    fn sorted(&self, mut topics: Vec<TopicId>) -> Vec<TopicId> {
        topics.sort_by(|a, b| {
            let count = |topic: &TopicId| self.counts[topic] as usize;
            let subscribers = |topic: &TopicId| self.subscribers[topic].len();
            let by_load = (count(b) * subscribers(a)).cmp(&(count(a) * subscribers(b)));
            let by_subscribers = || subscribers(a).cmp(&subscribers(b));
            by_load.then_with(by_subscribers).then_with(|| by_id(*a, *b))
        });
        topics
    }

    fn assign_the_rest(&mut self) {
        for topic in self.sorted(self.subscribers.keys().copied().collect()) {
            let mut levels = Levels::new(&self.subscribers[&topic], &self.sizes);
            for partition in 0..self.counts[&topic] {
                if self.owners[&topic][partition as usize].is_none() {
                    let member = levels.least_loaded(&self.sizes);
                    self.assign(topic, partition, member);
                }
            }
        }
    }

    fn balance(&mut self) {
        let shared = self.subscribers.iter().filter(|(_, all)| all.len() >= 2);
        let topics = self.sorted(shared.map(|(topic, _)| *topic).collect());
        let mut last_changed = None;
        for _ in 0..ROUNDS {
            for (place, topic) in topics.iter().enumerate() {
                if last_changed == Some(place) {
                    // All topics have been visited since, and nothing has moved.
                    return;
                }
                if self.balance_topic(*topic) || last_changed.is_none() {
                    last_changed = Some(place);
                }
            }
        }
    }

    /// Moves partitions of a topic from the subscribers with the most partitions to those with the
    /// fewest. Returns whether any has moved.
    fn balance_topic(&mut self, topic: TopicId) -> bool {
        let mut levels = Levels::new(&self.subscribers[&topic], &self.sizes);
        if levels.imbalance(&self.sizes) <= 1 {
            return false;
        }
        // The partitions of each member, of which the last one moves first.
        let mut owned: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
        for (partition, owner) in (0..).zip(&self.owners[&topic]) {
            if let Some(owner) = owner {
                owned.entry(*owner).or_default().push(partition);
            }
        }
        let mut has_moved = false;
        while !levels.is_balanced() {
            let partition = loop {
                let Some(member) = levels.most_loaded(&self.sizes) else { return has_moved };
                match owned.get_mut(&member).and_then(Vec::pop) {
                    Some(partition) => break partition,
                    None => levels.exclude_most_loaded(),
                }
            };
            let member = levels.least_loaded(&self.sizes);
            if levels.is_balanced() {
                break;
            }
            self.assign(topic, partition, member);
            has_moved = true;
        }
        has_moved
    }
}

/// Kafka compares both halves of an id as signed numbers.
fn by_id(a: TopicId, b: TopicId) -> Ordering {
    let halves = |id: TopicId| ((id.0 >> 64) as i64, id.0 as i64);
    halves(a).cmp(&halves(b))
}

/// The subscribers of a topic by the number of their partitions: those with the fewest are filled up
/// level by level from below, and those with the most are emptied level by level from above.
struct Levels {
    /// In order of their sizes at first.
    members: Vec<usize>,
    /// The members below this place have the fewest partitions.
    low_end: usize,
    /// How many that was.
    low_level: isize,
    next_low: usize,
    /// The members from `high_start` to `high_end` have the most partitions.
    high_start: usize,
    high_end: usize,
    high_level: isize,
    /// One more than the place of the next member.
    next_high: usize,
}

impl Levels {
    fn new(members: &[usize], sizes: &[usize]) -> Self {
        let mut members = members.to_vec();
        members.sort_by_key(|member| (sizes[*member], *member));
        let level = |member: Option<&usize>| member.map_or(0, |member| sizes[*member] as isize);
        let (low, high) = (level(members.first()), level(members.last()));
        let count = members.len();
        Self {
            members,
            low_end: 0,
            low_level: low - 1,
            next_low: 0,
            high_start: count,
            high_end: count,
            high_level: high + 1,
            next_high: count,
        }
    }

    /// By how many partitions the members differ at most, at first.
    fn imbalance(&self, sizes: &[usize]) -> usize {
        let size = |member: Option<&usize>| member.map_or(0, |member| sizes[*member]);
        size(self.members.last()) - size(self.members.first())
    }

    fn is_balanced(&self) -> bool {
        self.high_level - self.low_level <= 1
    }

    fn size_at(&self, place: usize, sizes: &[usize]) -> isize {
        sizes[self.members[place]] as isize
    }

    /// The member that gets the next partition.
    fn least_loaded(&mut self, sizes: &[usize]) -> usize {
        if self.next_low >= self.low_end {
            self.low_level += 1;
            while self.low_end < self.members.len()
                && self.size_at(self.low_end, sizes) == self.low_level
            {
                self.low_end += 1;
            }
            self.next_low = 0;
        }
        self.next_low += 1;
        self.members[self.next_low - 1]
    }

    /// The member that gives up the next partition.
    fn most_loaded(&mut self, sizes: &[usize]) -> Option<usize> {
        if self.next_high <= self.high_start {
            if self.high_end <= self.high_start && self.high_start > 0 {
                // All of this level have been excluded.
                self.high_level = self.size_at(self.high_start - 1, sizes);
            } else {
                self.high_level -= 1;
            }
            while self.high_start > 0 && self.size_at(self.high_start - 1, sizes) == self.high_level
            {
                self.high_start -= 1;
            }
            self.next_high = self.high_end;
        }
        self.next_high = self.next_high.checked_sub(1)?;
        Some(self.members[self.next_high])
    }

    /// The last member that was returned has nothing to give up.
    fn exclude_most_loaded(&mut self) {
        self.high_end -= 1;
        self.members.swap(self.next_high, self.high_end);
    }
}
