//! Indexes of partitions by broker and directory (`BrokersToIsrs`, `BrokersToElrs`,
//! `imbalancedPartitions`, `directoriesToPartitions`).
//!
//! A change of one broker must not visit every partition of the cluster. The index is soft state of
//! the active controller: it follows from the image, and is updated with every replay.

use crate::ids::{BrokerId, DirectoryId, TopicPartition};
use crate::metadata::{MetadataImage, PartitionRegistration};
use std::collections::{BTreeMap, BTreeSet};

type Partitions = BTreeSet<TopicPartition>;

/// The partitions of an image by broker and by directory, those without a leader, and those without
/// their preferred leader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PartitionIndex {
    in_isr: BTreeMap<BrokerId, Partitions>,
    in_elr: BTreeMap<BrokerId, Partitions>,
    led_by: BTreeMap<BrokerId, Partitions>,
    in_directory: BTreeMap<DirectoryId, Partitions>,
    leaderless: Partitions,
    imbalanced: Partitions,
}

impl PartitionIndex {
    /// The index of all partitions of an image.
    pub(super) fn of(image: &MetadataImage) -> Self {
        let mut index = Self::default();
        for (partition, state) in image.partitions() {
            index.insert(partition, state);
        }
        index
    }

    /// Adds a partition in this state.
    pub(super) fn insert(&mut self, partition: TopicPartition, state: &PartitionRegistration) {
        state.isr.iter().for_each(|broker| add(&mut self.in_isr, *broker, partition));
        state.elr.iter().for_each(|broker| add(&mut self.in_elr, *broker, partition));
        match state.leader {
            Some(leader) => add(&mut self.led_by, leader, partition),
            None => drop(self.leaderless.insert(partition)),
        }
        for directory in state.directories.iter().filter(|directory| !directory.is_reserved()) {
            add(&mut self.in_directory, *directory, partition);
        }
        if !state.has_preferred_leader() {
            self.imbalanced.insert(partition);
        }
    }

    /// Removes a partition that was inserted in this state.
    pub(super) fn remove(&mut self, partition: TopicPartition, state: &PartitionRegistration) {
        state.isr.iter().for_each(|broker| take(&mut self.in_isr, *broker, partition));
        state.elr.iter().for_each(|broker| take(&mut self.in_elr, *broker, partition));
        if let Some(leader) = state.leader {
            take(&mut self.led_by, leader, partition);
        }
        for directory in &state.directories {
            take(&mut self.in_directory, *directory, partition);
        }
        self.leaderless.remove(&partition);
        self.imbalanced.remove(&partition);
    }

    /// The partitions that have a broker in their ISR.
    pub(super) fn in_isr(&self, broker: BrokerId) -> impl Iterator<Item = TopicPartition> {
        self.in_isr.get(&broker).into_iter().flatten().copied()
    }

    /// The partitions that have a broker in their ELR.
    pub(super) fn in_elr(&self, broker: BrokerId) -> impl Iterator<Item = TopicPartition> {
        self.in_elr.get(&broker).into_iter().flatten().copied()
    }

    /// The partitions that have a replica in a log directory.
    pub(super) fn in_directory(&self, id: DirectoryId) -> impl Iterator<Item = TopicPartition> {
        self.in_directory.get(&id).into_iter().flatten().copied()
    }

    /// Whether a broker leads a partition.
    pub(super) fn has_leaderships(&self, broker: BrokerId) -> bool {
        self.led_by.contains_key(&broker)
    }

    /// The partitions without a leader.
    pub(super) fn leaderless(&self) -> impl Iterator<Item = TopicPartition> {
        self.leaderless.iter().copied()
    }

    /// The partitions that are not led by their first replica.
    pub(super) fn imbalanced(&self) -> impl Iterator<Item = TopicPartition> {
        self.imbalanced.iter().copied()
    }
}

fn add<K: Ord>(index: &mut BTreeMap<K, Partitions>, key: K, partition: TopicPartition) {
    index.entry(key).or_default().insert(partition);
}

fn take<K: Ord>(index: &mut BTreeMap<K, Partitions>, key: K, partition: TopicPartition) {
    if let Some(partitions) = index.get_mut(&key) {
        partitions.remove(&partition);
        if partitions.is_empty() {
            index.remove(&key);
        }
    }
}
