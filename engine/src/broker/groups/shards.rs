//! The partitions of `__consumer_offsets` that a broker coordinates (`CoordinatorRuntime`).

use super::shard::State;
use super::timers::Timers;
use super::writes::Writes;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, TopicPartition};
use std::collections::BTreeMap;

/// A partition that is coordinated here.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub(super) partition: TopicPartition,
    /// The coordinator epoch in which the log was read.
    pub(super) began: LeaderEpoch,
    /// The present one.
    pub(super) epoch: LeaderEpoch,
    pub(super) state: State,
    pub(super) writes: Writes,
    pub(super) timers: Timers,
}

/// A partition whose log is being read.
#[derive(Clone, Debug)]
pub(super) struct Loading {
    pub(super) partition: TopicPartition,
    /// The leader epoch in which reading has begun.
    pub(super) began: LeaderEpoch,
    /// The present one.
    pub(super) epoch: LeaderEpoch,
    /// What was in the log, once it is read.
    pub(super) read: Option<Read>,
}

/// What a log says.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) state: State,
    /// Where the log ended.
    pub(super) end: i64,
}

/// All partitions that this broker leads, by index.
#[derive(Clone, Debug, Default)]
pub(super) struct Shards {
    pub(super) loaded: BTreeMap<i32, Shard>,
    pub(super) loading: BTreeMap<i32, Loading>,
}

impl Shards {
    /// The groups of a partition.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CoordinatorLoadInProgress`] while its log is being read, and
    /// [`ErrorCode::NotCoordinator`] if this broker does not coordinate it.
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

    /// The partition with this index, if it is coordinated here.
    pub(super) fn partition(&self, index: i32) -> Option<TopicPartition> {
        self.get(index).ok().map(|shard| shard.partition)
    }

    /// The indexes of all partitions that are, or are going to be, coordinated.
    pub(super) fn indexes(&self) -> Vec<i32> {
        let mut all: Vec<i32> = self.loaded.keys().chain(self.loading.keys()).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        for (index, shard) in &self.loaded {
            assert_eq!(shard.partition.partition, *index, "a partition has its index");
            shard.state.invariants();
            shard.writes.invariants();
            shard.timers.invariants();
        }
    }
}
