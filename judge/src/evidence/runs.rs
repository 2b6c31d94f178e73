//! Values by offset, with holes, as in a log after retention and compaction.

use engine::ids::Offset;

/// Values by offset, in order. Offsets without a value take no space; adjacent offsets share a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs<T> {
    /// The first offset of each run, and the position of its value in `values`.
    runs: Vec<(Offset, usize)>,
    values: Vec<T>,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { runs: Vec::new(), values: Vec::new() }
    }
}

impl<T: Copy> Runs<T> {
    /// The value at an offset.
    pub fn get(&self, offset: Offset) -> Option<T> {
        self.place(offset).ok().map(|place| self.values[place])
    }

    /// Puts a value at an offset, in place of an existing one.
    pub fn put(&mut self, offset: Offset, value: T) {
        let next = self.end();
        if next == Some(offset) {
            self.values.push(value);
        } else if next.is_none_or(|next| next < offset) {
            self.runs.push((offset, self.values.len()));
            self.values.push(value);
        } else {
            match self.place(offset) {
                Ok(place) => self.values[place] = value,
                Err(_) => self.insert(offset, value),
            }
        }
    }

    /// The offset after the last value.
    pub fn end(&self) -> Option<Offset> {
        let (offset, place) = self.runs.last()?;
        Some(offset + (self.values.len() - place) as Offset)
    }

    /// The number of offsets with a value.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no offset has a value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The offsets that have a value, in order, and their values.
    pub fn iter(&self) -> impl Iterator<Item = (Offset, T)> + '_ {
        let ends = self.runs.iter().skip(1).map(|(_, place)| *place);
        let ends = ends.chain(std::iter::once(self.values.len()));
        let of_run = |((offset, place), end): (&(Offset, usize), usize)| {
            (*offset..).zip(self.values[*place..end].iter().copied())
        };
        self.runs.iter().zip(ends).flat_map(of_run)
    }

    /// The values without their offsets.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    fn place(&self, offset: Offset) -> Result<usize, usize> {
        let run = self.runs.partition_point(|(first, _)| *first <= offset);
        let Some((first, place)) = run.checked_sub(1).map(|run| self.runs[run]) else {
            return Err(0);
        };
        let end = self.runs.get(run).map_or(self.values.len(), |(_, place)| *place);
        let at = usize::try_from(offset - first).unwrap_or(usize::MAX).saturating_add(place);
        if at < end { Ok(at) } else { Err(end) }
    }

    /// Puts a value in a hole, which is rare: logs are read in the order of their offsets.
    fn insert(&mut self, offset: Offset, value: T) {
        let mut all: Vec<(Offset, T)> = self.iter().collect();
        let place = all.partition_point(|(other, _)| *other < offset);
        all.insert(place, (offset, value));
        *self = Self::default();
        all.into_iter().for_each(|(offset, value)| self.put(offset, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn runs_behave_like_a_map_from_offsets(puts in prop::collection::vec((0..40_i64, 0..9_u64), 0..60)) {
            let (mut runs, mut map) = (Runs::default(), BTreeMap::new());
            for (offset, value) in puts {
                runs.put(offset, value);
                map.insert(offset, value);
            }
            prop_assert!(runs.iter().eq(map.iter().map(|(offset, value)| (*offset, *value))));
            for offset in -1..41 {
                prop_assert_eq!(runs.get(offset), map.get(&offset).copied());
            }
            prop_assert_eq!(runs.end(), map.keys().last().map(|last| last + 1));
        }
    }
}
