//! The offsets of all groups of one partition of `__consumer_offsets` (`OffsetMetadataManager`).
//!
//! Only replaying records and markers changes them. An offset of a transaction is pending until its
//! marker (KIP-447); then it takes the place of a committed one, unless that was written later.

use super::record::OffsetValue;
use super::timeline::Timeline;
use crate::Outbox;
use crate::ids::{GroupId, Offset};
use crate::protocol::NamedPartition;
use crate::rules::Rulebook;
use crate::rules::group::Finished;
use std::sync::Arc;

/// A partition of a group.
pub(super) type Key = (GroupId, NamedPartition);

/// An offset with the place of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) at: Offset,
    pub(super) value: OffsetValue,
}

/// The offsets of one partition of `__consumer_offsets`.
#[derive(Clone, Debug)]
pub(super) struct Offsets {
    committed: Timeline<Key, Written>,
    /// The offsets of open transactions, by producer id.
    pending: Timeline<(Key, i64), Written>,
}

impl Offsets {
    pub(super) fn new() -> Self {
        Self { committed: Timeline::new(), pending: Timeline::new() }
    }

    /// Replays a record at offset `at`. `producer_id` is that of the transaction which it belongs to.
    pub(super) fn replay(
        &mut self,
        at: Offset,
        producer_id: Option<i64>,
        key: Key,
        value: Option<OffsetValue>,
    ) {
        match (value, producer_id) {
            (Some(value), None) => self.committed.put(at, key, Some(Written { at, value })),
            (Some(value), Some(producer_id)) => {
                self.pending.put(at, (key, producer_id), Some(Written { at, value }));
            }
            (None, _) => {
                for producer_id in self.producers_of(&key) {
                    self.pending.put(at, (key.clone(), producer_id), None);
                }
                if self.committed.get(&key).is_some() {
                    self.committed.put(at, key, None);
                }
            }
        }
    }

    /// Replays the marker of a producer's transaction, at offset `at`.
    pub(super) fn replay_marker(
        &mut self,
        at: Offset,
        producer_id: i64,
        committed: bool,
        rules: &Rulebook,
        out: &mut Outbox,
    ) {
        let of_producer = self.pending.iter().filter(|((_, owner), _)| *owner == producer_id);
        let ended: Vec<_> =
            of_producer.map(|((key, _), written)| (key.clone(), written.clone())).collect();
        for (key, written) in ended {
            self.pending.put(at, (key.clone(), producer_id), None);
            let present = self.committed.get(&key).map(|it| it.at);
            let finished = Finished { committed, pending: written.at, present };
            if rules.takes_over_offset(out, finished) {
                self.committed.put(at, key, Some(written));
            }
        }
    }

    /// The committed offset of a partition, with all changes.
    pub(super) fn get(&self, key: &Key) -> Option<&Written> {
        self.committed.get(key)
    }

    /// The committed offset of a partition, as far as the records are committed.
    pub(super) fn committed(&self, key: &Key) -> Option<&Written> {
        self.committed.committed(key)
    }

    /// Whether an open transaction has an offset of a partition.
    pub(super) fn has_pending(&self, key: &Key) -> bool {
        !self.producers_of(key).is_empty()
    }

    /// Whether an open transaction has an offset of a group.
    pub(super) fn has_pending_of(&self, group: &GroupId) -> bool {
        let first = (first_of(group), i64::MIN);
        self.pending.from(&first).next().is_some_and(|(((of, _), _), _)| of == group)
    }

    /// The partitions of a group that have a committed offset, with all changes.
    pub(super) fn of_group(&self, group: &GroupId) -> Vec<Key> {
        let all = self.committed.from(&first_of(group)).map(|(key, _)| key);
        all.take_while(|(of, _)| of == group).cloned().collect()
    }

    /// The same, as far as the records are committed.
    pub(super) fn committed_of_group(&self, group: &GroupId) -> Vec<Key> {
        let mut keys = self.committed.committed_keys();
        keys.retain(|(of, _)| of == group);
        keys
    }

    /// The partitions of a group that have a committed or a pending offset.
    pub(super) fn all_of_group(&self, group: &GroupId) -> Vec<Key> {
        let mut keys = self.of_group(group);
        let first = (first_of(group), i64::MIN);
        let pending = self.pending.from(&first).map(|((key, _), _)| key);
        keys.extend(pending.take_while(|(of, _)| of == group).cloned());
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The committed offsets of all groups: with all changes, or as far as the records are committed.
    pub(super) fn all(&self, committed: bool) -> Vec<(Key, Offset)> {
        if !committed {
            return self.committed.iter().map(|(key, it)| (key.clone(), it.value.offset)).collect();
        }
        let keys = self.committed.committed_keys().into_iter();
        let of = |key: Key| self.committed.committed(&key).map(|it| (key.clone(), it.value.offset));
        keys.filter_map(of).collect()
    }

    /// The offsets that wait for the marker of a producer: with all changes, or as far as the records are
    /// committed.
    pub(super) fn all_pending(&self, committed: bool) -> Vec<(Key, i64)> {
        if committed {
            self.pending.committed_keys()
        } else {
            self.pending.iter().map(|(key, _)| key.clone()).collect()
        }
    }

    pub(super) fn commit(&mut self, offset: Offset) {
        self.committed.commit(offset);
        self.pending.commit(offset);
    }

    pub(super) fn revert(&mut self, offset: Offset) {
        self.committed.revert(offset);
        self.pending.revert(offset);
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        self.committed.invariants();
        self.pending.invariants();
    }

    fn producers_of(&self, key: &Key) -> Vec<i64> {
        let all = self.pending.from(&(key.clone(), i64::MIN)).map(|(key, _)| key);
        all.take_while(|(of, _)| of == key).map(|(_, producer_id)| *producer_id).collect()
    }
}

/// What no key of a group comes before.
fn first_of(group: &GroupId) -> Key {
    (group.clone(), (Arc::from(""), i32::MIN))
}
