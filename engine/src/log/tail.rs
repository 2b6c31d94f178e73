//! The positions of the last batches of the active segment. Reads at the end of a log, where
//! followers and most consumers read, need neither index nor scan.

use std::collections::VecDeque;

/// How many batches are kept. A follower that keeps up lags by a few batches.
const REMEMBERED: usize = 64;

/// The offsets of a batch, and its position and size in bytes in the segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    pub(super) position: u32,
    pub(super) size: u32,
}

/// The last batches of the active segment, each of which starts where the previous one ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    batches: VecDeque<Placed>,
}

impl Tail {
    pub(super) fn push(&mut self, batch: Placed) {
        if self.batches.len() == REMEMBERED {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
    }

    pub(super) fn clear(&mut self) {
        self.batches.clear();
    }

    /// The kept batches, from the one that contains `offset` or follows it; `None` if an earlier
    /// batch, which is not kept, may contain it.
    pub(super) fn starting_at(&self, offset: i64) -> Option<impl Iterator<Item = Placed> + '_> {
        let oldest = self.batches.front()?;
        if offset < oldest.base_offset {
            return None;
        }
        let first = self.batches.partition_point(|batch| batch.last_offset < offset);
        Some(self.batches.range(first..).copied())
    }
}
