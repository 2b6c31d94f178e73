//! The partitions of a fetch session that its next fetch has to read, in the order of the session.
//!
//! There are few at a time, and most are added at the end: a sorted list costs less than a tree.

use crate::protocol::FetchPartition;

/// Partitions by their position in the session, each with its request.
#[derive(Clone, Debug, Default)]
pub(super) struct Due(Vec<(u64, FetchPartition)>);

impl Due {
    /// Adds the partition at `place`, or replaces its request. Returns whether it is new.
    pub(super) fn insert(&mut self, place: u64, request: FetchPartition) -> bool {
        if self.0.last().is_none_or(|(last, _)| *last < place) {
            self.0.push((place, request));
            return true;
        }
        match self.find(place) {
            Ok(index) => {
                self.0[index].1 = request;
                false
            }
            Err(index) => {
                self.0.insert(index, (place, request));
                true
            }
        }
    }

    /// Removes the partition at `place`, if it is there.
    pub(super) fn remove(&mut self, place: u64) {
        if let Ok(index) = self.find(place) {
            self.0.remove(index);
        }
    }

    /// All positions, in order.
    pub(super) fn places(&self) -> &[(u64, FetchPartition)] {
        &self.0
    }

    fn find(&self, place: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&place, |(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{TopicId, TopicPartition};

    fn request(index: i32) -> FetchPartition {
        FetchPartition {
            partition: TopicPartition::new(TopicId(7), index),
            current_leader_epoch: None,
            fetch_offset: 0,
            last_fetched_epoch: None,
            log_start_offset: -1,
            partition_max_bytes: 1,
            high_watermark: None,
        }
    }

    #[test]
    fn due_partitions_stay_in_the_order_of_their_positions() {
        let mut due = Due::default();
        assert!(
            due.insert(3, request(3)) && due.insert(9, request(9)) && due.insert(5, request(5))
        );
        assert!(!due.insert(3, request(30)), "it was due already");
        due.remove(9);
        due.remove(4);
        let indexes: Vec<i32> =
            due.places().iter().map(|(_, read)| read.partition.partition).collect();
        assert_eq!(indexes, [30, 5]);
    }
}
