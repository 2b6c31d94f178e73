//! The event heap.
//!
//! Ordered by (time, order), where the order of an event packs the seeded priority of its source
//! and the counter of that source. So seeds explore different orders of ties between sources, an
//! unrelated event does not change the order of the others, and the events of one source stay in
//! the order in which they were scheduled.
//!
//! Four children per element: half as deep as a binary heap, and the children of one element
//! lie next to each other. Only small keys move; the events stay where they are.

use crate::SimTime;

#[derive(Clone, Copy, Debug)]
struct Key {
    time: u64,
    order: u64,
    slot: u32,
}

impl Key {
    #[inline]
    fn rank(self) -> u128 {
        (u128::from(self.time) << 64) | u128::from(self.order)
    }
}

/// A source of events: its priority among simultaneous events, and its counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    priority: u32,
    count: u32,
}

impl Source {
    pub(crate) fn new(priority: u32) -> Self {
        Self { priority, count: 0 }
    }

    /// The order of the source's next event.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        let order = (u64::from(self.priority) << 32) | u64::from(self.count);
        self.count = self.count.wrapping_add(1);
        order
    }

    /// The number of orders given out.
    #[inline]
    pub(crate) fn count(self) -> u32 {
        self.count
    }
}

#[derive(Clone, Debug)]
pub(crate) struct EventHeap<E> {
    keys: Vec<Key>,
    events: Vec<Option<E>>,
    free: Vec<u32>,
}

impl<E> Default for EventHeap<E> {
    fn default() -> Self {
        Self { keys: Vec::new(), events: Vec::new(), free: Vec::new() }
    }
}

impl<E> EventHeap<E> {
    /// The time of the next event.
    #[inline]
    pub(crate) fn next_at(&self) -> Option<SimTime> {
        self.keys.first().map(|key| SimTime(key.time))
    }

    /// The next event.
    pub(crate) fn next(&self) -> Option<&E> {
        self.keys.first().and_then(|key| self.events[key.slot as usize].as_ref())
    }

    #[inline]
    pub(crate) fn push(&mut self, at: SimTime, order: u64, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.events[slot as usize] = Some(event);
                slot
            }
            None => {
                self.events.push(Some(event));
                u32::try_from(self.events.len() - 1).expect("fewer than 2^32 pending events")
            }
        };
        let key = Key { time: at.0, order, slot };
        let mut hole = self.keys.len();
        self.keys.push(key);
        let rank = key.rank();
        while hole > 0 {
            let parent = (hole - 1) / 4;
            let above = self.keys[parent];
            if above.rank() <= rank {
                break;
            }
            self.keys[hole] = above;
            hole = parent;
        }
        self.keys[hole] = key;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(SimTime, E)> {
        let top = *self.keys.first()?;
        let last = self.keys.pop().expect("not empty");
        if !self.keys.is_empty() {
            self.sink(last);
        }
        self.free.push(top.slot);
        let event = self.events[top.slot as usize].take().expect("a key has its event");
        Some((SimTime(top.time), event))
    }

    /// Replaces the first element by `key` and lets it sink.
    #[inline]
    fn sink(&mut self, key: Key) {
        let keys = &mut self.keys[..];
        let rank = key.rank();
        let mut hole = 0;
        loop {
            let first = hole * 4 + 1;
            let least = match keys.get(first..first + 4) {
                // All levels except the last are unrolled.
                Some([a, b, c, d]) => {
                    let (i, left) = if b.rank() < a.rank() { (1, b) } else { (0, a) };
                    let (j, right) = if d.rank() < c.rank() { (3, d) } else { (2, c) };
                    first + if right.rank() < left.rank() { j } else { i }
                }
                _ => match (first..keys.len()).min_by_key(|child| keys[*child].rank()) {
                    Some(least) => least,
                    None => break,
                },
            };
            let below = keys[least];
            if rank <= below.rank() {
                break;
            }
            keys[hole] = below;
            hole = least;
        }
        keys[hole] = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Sample};

    #[test]
    fn pops_in_the_order_of_time_then_source_then_counter() {
        let key = Key::new(3, "heap", 0);
        let mut heap = EventHeap::default();
        let mut expected = Vec::new();
        for i in 0..5_000 {
            let mut draw = key.draw(i, 0);
            let (at, order) = (draw.below(300), (draw.below(3) << 32) | i);
            heap.push(SimTime(at), order, (at, order));
            expected.push((at, order));
            if draw.chance(300_000) {
                expected.sort_unstable();
                assert_eq!(heap.next(), expected.first());
                let (at, event) = heap.pop().expect("the heap holds as many events as the model");
                assert_eq!((at.0, event), (expected[0].0, expected[0]));
                expected.remove(0);
            }
        }
        expected.sort_unstable();
        let rest: Vec<_> = std::iter::from_fn(|| heap.pop()).map(|(_, event)| event).collect();
        assert_eq!(rest, expected);
        assert_eq!(heap.next_at(), None);
    }
}
