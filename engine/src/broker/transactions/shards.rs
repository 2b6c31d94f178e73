//! The transactional ids that a broker coordinates, by partition of `__transaction_state`
//! (`transactionMetadataCache`, `loadingPartitions`).

use super::state::Entry;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, TopicPartition, TransactionalId};
use std::collections::BTreeMap;

/// The ids of one partition.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub(super) partition: TopicPartition,
    /// The coordinator epoch.
    pub(super) epoch: LeaderEpoch,
    pub(super) entries: BTreeMap<TransactionalId, Entry>,
}

/// A partition whose log is being read.
#[derive(Clone, Debug)]
pub(super) struct Loading {
    pub(super) partition: TopicPartition,
    /// The leader epoch in which it is read.
    pub(super) epoch: LeaderEpoch,
    /// The ids in the log, once it is read.
    pub(super) read: Option<BTreeMap<TransactionalId, Entry>>,
}

/// All partitions of `__transaction_state` that this broker leads, by index.
#[derive(Clone, Debug, Default)]
pub(super) struct Shards {
    loaded: BTreeMap<i32, Shard>,
    pub(super) loading: BTreeMap<i32, Loading>,
    /// The ids that were known when a partition was given up, as no coordinator should know them.
    pub(super) kept: BTreeMap<i32, BTreeMap<TransactionalId, Entry>>,
}

impl Shards {
    /// The ids of a partition.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CoordinatorLoadInProgress`] while the log is being read, and
    /// [`ErrorCode::NotCoordinator`] if this broker does not coordinate the partition.
    pub(super) fn get(&self, index: i32) -> Result<&Shard, ErrorCode> {
        if self.loading.contains_key(&index) {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        self.loaded.get(&index).ok_or(ErrorCode::NotCoordinator)
    }

    /// As [`Shards::get`].
    pub(super) fn get_mut(&mut self, index: i32) -> Result<&mut Shard, ErrorCode> {
        if self.loading.contains_key(&index) {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        self.loaded.get_mut(&index).ok_or(ErrorCode::NotCoordinator)
    }

    /// The state of a transactional id; `None` if `is_epoch` rejects the present coordinator epoch,
    /// or the id is not known.
    pub(super) fn entry_in(
        &mut self,
        index: i32,
        id: &str,
        is_epoch: impl FnOnce(LeaderEpoch) -> bool,
    ) -> Result<Option<&mut Entry>, ErrorCode> {
        let shard = self.get_mut(index)?;
        if is_epoch(shard.epoch) { Ok(shard.entries.get_mut(id)) } else { Ok(None) }
    }

    /// The partition with this index, if it is coordinated here.
    pub(super) fn partition(&self, index: i32) -> Option<TopicPartition> {
        self.get(index).ok().map(|shard| shard.partition)
    }

    /// All partitions that are coordinated here.
    pub(super) fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        self.loaded.values().map(|shard| shard.partition)
    }

    /// The ids of all partitions that are loaded.
    pub(super) fn all(&self) -> impl Iterator<Item = (i32, &Shard)> {
        let is_readable = |(index, _): &(&i32, &Shard)| !self.loading.contains_key(*index);
        self.loaded.iter().filter(is_readable).map(|(index, shard)| (*index, shard))
    }

    /// The leader epoch in which a partition is, or is going to be, coordinated.
    pub(super) fn epoch(&self, index: i32) -> Option<LeaderEpoch> {
        let loading = self.loading.get(&index).map(|loading| loading.epoch);
        loading.or_else(|| self.loaded.get(&index).map(|shard| shard.epoch))
    }

    /// The indexes of all partitions that are, or are going to be, coordinated.
    pub(super) fn indexes(&self) -> Vec<i32> {
        let mut all: Vec<i32> = self.loaded.keys().chain(self.loading.keys()).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn insert(&mut self, index: i32, shard: Shard) {
        self.loaded.insert(index, shard);
    }

    /// Forgets a partition, and returns it.
    pub(super) fn remove(&mut self, index: i32) -> Option<Shard> {
        self.loaded.remove(&index)
    }

    /// Panics if the state contradicts itself, which no rule can cause.
    pub(super) fn invariants(&self) {
        self.loaded.values().flat_map(|shard| shard.entries.values()).for_each(Entry::invariants);
    }
}
