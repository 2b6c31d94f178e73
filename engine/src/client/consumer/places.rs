//! Indexes of an assignment: its partitions by name, id and leader, and those with requests to
//! send, so that an event of one partition does not visit all others.

use super::position::Assigned;
use crate::ids::TopicPartition;
use machine::{Mono, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// The places of partitions in an assignment: their indexes in its list.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// By topic name and index.
    by_name: BTreeMap<String, BTreeMap<i32, usize>>,
    /// The partitions of topics that are known.
    by_id: BTreeMap<TopicPartition, usize>,
    /// The partitions that have a leader.
    by_leader: BTreeMap<NodeId, Vec<usize>>,
    /// Whether a partition of a known topic has no leader.
    is_leaderless: bool,
    /// The partitions that may have a request for a leader.
    questions: BTreeSet<usize>,
    /// The partitions that may wait after a failure.
    delayed: BTreeSet<usize>,
}

impl Places {
    /// Adds the next partition of the assignment.
    pub(super) fn add(&mut self, topic: &str, index: i32, place: usize) {
        if !self.by_name.contains_key(topic) {
            self.by_name.insert(topic.to_owned(), BTreeMap::new());
        }
        if let Some(indexes) = self.by_name.get_mut(topic) {
            indexes.entry(index).or_insert(place);
        }
    }

    /// The place of a partition, by topic name and index.
    pub(super) fn of_name(&self, topic: &str, index: i32) -> Option<usize> {
        self.by_name.get(topic)?.get(&index).copied()
    }

    /// The place of a partition, if its topic is known.
    pub(super) fn of(&self, partition: TopicPartition) -> Option<usize> {
        self.by_id.get(&partition).copied()
    }

    /// The topic of a partition has become known.
    pub(super) fn resolve(&mut self, partition: TopicPartition, place: usize) {
        self.by_id.entry(partition).or_insert(place);
    }

    /// Takes over the leaders, after the metadata has changed.
    pub(super) fn set_leaders(&mut self, partitions: &[Assigned]) {
        self.by_leader.clear();
        self.is_leaderless = false;
        for (place, assigned) in partitions.iter().enumerate() {
            match assigned.leader {
                Some((node, _)) => self.by_leader.entry(node).or_default().push(place),
                None => self.is_leaderless |= assigned.is_resolved(),
            }
        }
    }

    /// The leaders, each with the places of its partitions, in order.
    pub(super) fn by_leader(&self) -> &BTreeMap<NodeId, Vec<usize>> {
        &self.by_leader
    }

    /// Whether a partition of a known topic has no leader.
    pub(super) fn is_leaderless(&self) -> bool {
        self.is_leaderless
    }

    /// Records that a partition may have a request for its leader.
    pub(super) fn ask(&mut self, place: usize) {
        self.questions.insert(place);
    }

    /// The places of the partitions with a request for a known leader, in order.
    pub(super) fn questions(&mut self, partitions: &[Assigned]) -> Vec<usize> {
        if self.questions.is_empty() || self.by_leader.is_empty() {
            return Vec::new();
        }
        self.questions.retain(|place| partitions[*place].has_question());
        self.questions.iter().copied().collect()
    }

    /// Records that a partition waits after a failure.
    pub(super) fn delay(&mut self, place: usize) {
        self.delayed.insert(place);
    }

    /// The time at which the next waiting partition is ready; `None` if none waits.
    pub(super) fn next_ready(&mut self, partitions: &[Assigned], now: Mono) -> Option<Mono> {
        if self.delayed.is_empty() {
            return None;
        }
        self.delayed.retain(|place| partitions[*place].not_before > now);
        self.delayed.iter().map(|place| partitions[*place].not_before).min()
    }
}
