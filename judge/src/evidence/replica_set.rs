//! A set of replicas of a partition, of any size.

use std::ops::{BitAnd, BitOr, Sub};

/// A set of replicas, by their index in [`super::Partition::replicas`].
///
/// The first 64 are one word, so that clusters of usual size need no allocation; in a metadata log
/// every broker is a replica, so that there may be hundreds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaSet {
    /// Replicas 0 to 63, a bit each.
    low: u64,
    /// The replicas from 64 onwards, 64 in a word. The last word is never zero, so that equal sets
    /// compare as equal.
    high: Vec<u64>,
}

impl ReplicaSet {
    /// The empty set.
    pub const EMPTY: Self = Self { low: 0, high: Vec::new() };

    /// The set of one replica.
    pub fn of(replica: usize) -> Self {
        let mut set = Self::EMPTY;
        set.insert(replica);
        set
    }

    /// The first `count` replicas.
    pub fn first_of(count: usize) -> Self {
        (0..count).collect()
    }

    /// Adds a replica.
    #[inline]
    pub fn insert(&mut self, replica: usize) {
        if replica < 64 {
            self.low |= 1 << replica;
            return;
        }
        let word = replica / 64 - 1;
        if self.high.len() <= word {
            self.high.resize(word + 1, 0);
        }
        self.high[word] |= 1 << (replica % 64);
    }

    /// Removes a replica.
    #[inline]
    pub fn remove(&mut self, replica: usize) {
        if replica < 64 {
            self.low &= !(1 << replica);
        } else if let Some(word) = self.high.get_mut(replica / 64 - 1) {
            *word &= !(1 << (replica % 64));
            self.normalise();
        }
    }

    /// Whether a replica is in the set.
    #[inline]
    pub fn contains(&self, replica: usize) -> bool {
        let word = match replica.checked_sub(64) {
            None => self.low,
            Some(beyond) => self.high.get(beyond / 64).copied().unwrap_or(0),
        };
        word >> (replica % 64) & 1 != 0
    }

    /// Whether the set is empty.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.low == 0 && self.high.is_empty()
    }

    /// The number of replicas in the set.
    #[inline]
    pub fn len(&self) -> usize {
        let high: u32 = self.high.iter().map(|word| word.count_ones()).sum();
        (self.low.count_ones() + high) as usize
    }

    /// Whether both sets have a replica in common.
    #[inline]
    pub fn meets(&self, other: &Self) -> bool {
        let high = || self.high.iter().zip(&other.high).any(|(a, b)| a & b != 0);
        self.low & other.low != 0 || high()
    }

    /// Whether all its replicas are in `other`.
    #[inline]
    pub fn is_within(&self, other: &Self) -> bool {
        let of_other = other.high.iter().copied().chain(std::iter::repeat(0));
        self.low & !other.low == 0 && self.high.iter().zip(of_other).all(|(a, b)| a & !b == 0)
    }

    /// The replicas of the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let words = std::iter::once(&self.low).chain(&self.high);
        (0..).zip(words).flat_map(|(place, word)| {
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit: usize| place * 64 + bit)
        })
    }

    /// The replica with the lowest index.
    pub fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    fn normalise(&mut self) {
        while self.high.last() == Some(&0) {
            self.high.pop();
        }
    }
}

impl FromIterator<usize> for ReplicaSet {
    fn from_iter<I: IntoIterator<Item = usize>>(replicas: I) -> Self {
        let mut set = Self::EMPTY;
        replicas.into_iter().for_each(|replica| set.insert(replica));
        set
    }
}

/// The intersection.
impl BitAnd for &ReplicaSet {
    type Output = ReplicaSet;

    #[inline]
    fn bitand(self, other: Self) -> ReplicaSet {
        let high = self.high.iter().zip(&other.high).map(|(a, b)| a & b).collect();
        let mut set = ReplicaSet { low: self.low & other.low, high };
        set.normalise();
        set
    }
}

/// The union.
impl BitOr for &ReplicaSet {
    type Output = ReplicaSet;

    #[inline]
    fn bitor(self, other: Self) -> ReplicaSet {
        let (long, short) = match self.high.len() < other.high.len() {
            true => (other, self),
            false => (self, other),
        };
        let mut set = ReplicaSet { low: self.low | other.low, high: long.high.clone() };
        set.high.iter_mut().zip(&short.high).for_each(|(word, other)| *word |= other);
        set
    }
}

/// The difference.
impl Sub for &ReplicaSet {
    type Output = ReplicaSet;

    #[inline]
    fn sub(self, other: Self) -> ReplicaSet {
        let mut set = ReplicaSet { low: self.low & !other.low, high: self.high.clone() };
        set.high.iter_mut().zip(&other.high).for_each(|(word, other)| *word &= !other);
        set.normalise();
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn some() -> impl Strategy<Value = BTreeSet<usize>> {
        prop::collection::btree_set(0..300_usize, 0..12)
    }

    fn set(of: &BTreeSet<usize>) -> ReplicaSet {
        of.iter().copied().collect()
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_any_width(a in some(), b in some(), one in 0..300_usize) {
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(&x & &y, set(&(&a & &b)));
            prop_assert_eq!(&x | &y, set(&(&a | &b)));
            prop_assert_eq!(&x - &y, set(&(&a - &b)));
            prop_assert_eq!(x.is_within(&y), a.is_subset(&b));
            prop_assert_eq!(x.meets(&y), !a.is_disjoint(&b));
            prop_assert_eq!((x.len(), x.is_empty()), (a.len(), a.is_empty()));
            prop_assert_eq!(x.contains(one), a.contains(&one));
            prop_assert_eq!(x.iter().collect::<Vec<_>>(), a.iter().copied().collect::<Vec<_>>());
            let (mut with, mut without) = (x.clone(), x.clone());
            with.insert(one);
            without.remove(one);
            prop_assert_eq!(&with, &(&x | &ReplicaSet::of(one)));
            prop_assert_eq!(&without, &(&x - &ReplicaSet::of(one)));
        }
    }
}
