//! Values by key that change with records, and go back to what they were if the records are not written
//! (`TimelineHashMap`, `SnapshotRegistry`).
//!
//! A record changes a value before it is appended. Until the high watermark has passed the record, what
//! the change has replaced is kept: for readers of committed state, and for a batch that fails.

use crate::ids::Offset;
use std::collections::{BTreeMap, VecDeque};

/// Values by key, with the history of those that are not committed.
#[derive(Clone, Debug)]
pub(super) struct Timeline<K, V> {
    present: BTreeMap<K, V>,
    /// What a change at an offset has replaced, in order of offset.
    replaced: VecDeque<(Offset, K, Option<V>)>,
}

impl<K: Clone + Ord, V: Clone> Timeline<K, V> {
    pub(super) fn new() -> Self {
        Self { present: BTreeMap::new(), replaced: VecDeque::new() }
    }

    /// Replaces the value of a key with the record at `offset`; `None` removes it.
    pub(super) fn put(&mut self, offset: Offset, key: K, value: Option<V>) {
        let before = match value {
            Some(value) => self.present.insert(key.clone(), value),
            None => self.present.remove(&key),
        };
        self.replaced.push_back((offset, key, before));
    }

    /// The value with all changes.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.present.get(key)
    }

    /// The value with all changes, to change it in a way that has no record.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.present.get_mut(key)
    }

    /// The value with the committed changes only.
    pub(super) fn committed(&self, key: &K) -> Option<&V> {
        match self.replaced.iter().find(|(_, changed, _)| changed == key) {
            Some((_, _, before)) => before.as_ref(),
            None => self.present.get(key),
        }
    }

    /// The keys from `first` on, with all changes.
    pub(super) fn from<'a>(
        &'a self,
        first: &K,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        self.present.range(first.clone()..)
    }

    /// All keys, with all changes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.present.iter()
    }

    /// All keys that have a value with the committed changes only, in order.
    pub(super) fn committed_keys(&self) -> Vec<K> {
        let changed = self.replaced.iter().map(|(_, key, _)| key);
        let mut keys: Vec<&K> = self.present.keys().chain(changed).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().filter(|key| self.committed(key).is_some()).cloned().collect()
    }

    /// The changes below `offset` are committed.
    pub(super) fn commit(&mut self, offset: Offset) {
        while self.replaced.front().is_some_and(|(at, ..)| *at < offset) {
            self.replaced.pop_front();
        }
    }

    /// The changes from `offset` on have not been written: takes them back.
    pub(super) fn revert(&mut self, offset: Offset) {
        while self.replaced.back().is_some_and(|(at, ..)| *at >= offset) {
            let Some((_, key, before)) = self.replaced.pop_back() else { return };
            match before {
                Some(value) => self.present.insert(key, value),
                None => self.present.remove(&key),
            };
        }
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        let offsets = self.replaced.iter().map(|(at, ..)| *at);
        assert!(offsets.is_sorted(), "changes come in order of offset");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_of_committed_state_see_no_change_before_it_is_committed() {
        let mut values: Timeline<&str, i32> = Timeline::new();
        values.put(3, "a", Some(1));
        values.put(4, "a", Some(2));
        values.put(5, "b", Some(7));
        assert_eq!((values.get(&"a"), values.committed(&"a")), (Some(&2), None));
        assert!(values.committed_keys().is_empty());

        values.commit(4);
        assert_eq!(values.committed(&"a"), Some(&1), "the record at 3 is below 4");
        values.commit(6);
        assert_eq!(values.committed_keys(), ["a", "b"]);
        assert_eq!(values.committed(&"a"), Some(&2));

        values.put(6, "a", None);
        assert_eq!((values.get(&"a"), values.committed(&"a")), (None, Some(&2)));
        assert_eq!(values.committed_keys(), ["a", "b"]);
    }

    #[test]
    fn what_is_not_written_is_taken_back() {
        let mut values: Timeline<&str, i32> = Timeline::new();
        values.put(0, "a", Some(1));
        values.put(1, "a", Some(2));
        values.put(2, "b", Some(3));
        values.put(3, "a", None);
        values.revert(2);
        assert_eq!((values.get(&"a"), values.get(&"b")), (Some(&2), None));
        values.commit(2);
        values.revert(0);
        assert_eq!(values.get(&"a"), Some(&2), "what is committed stays");
        values.invariants();
    }
}
