//! Transactions of a log, as readers of committed records need them: the start of those that are
//! undecided, and the aborted ones that overlap a read (`UnifiedLog.lastStableOffset`,
//! `LocalLog.addAbortedTransactions`, `collectAbortedTransactions`; KIP-98).

use super::read::{Read, Start};
use super::{Log, LogError};
use crate::protocol::AbortedTransaction;
use machine::Disk;

/// The start of the oldest undecided transactions of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    /// The first offset of the oldest open transaction.
    pub open: Option<i64>,
    /// The first offset of the oldest transaction whose marker is not replicated.
    pub unreplicated: Option<i64>,
}

impl Log {
    /// The start of the undecided transactions. A transaction that started below the log start
    /// counts from the batch that contains the log start.
    pub fn undecided(&self) -> Undecided {
        let within = |first: i64| if first < self.log_start { self.start_batch } else { first };
        Undecided {
            open: self.producers.first_open_transaction().map(within),
            unreplicated: self.producers.first_unreplicated_transaction().map(within),
        }
    }

    /// Takes the high watermark: transactions with a marker below `offset` are decided.
    pub fn on_replicated(&mut self, offset: i64) {
        self.producers.on_replicated(offset);
    }

    /// The aborted transactions that may overlap `read`, which started at `from` with a limit of
    /// `max_bytes`, in the order of their markers. The list may have more than those in the
    /// batches, because the search ends at an entry of the offset index, and there is one for every
    /// 4096 bytes.
    pub fn aborted_transactions(
        &self,
        from: i64,
        read: &Read,
        max_bytes: u64,
    ) -> Vec<AbortedTransaction> {
        let mut aborted = Vec::new();
        let Some(Start { segment: first, position }) = read.start else { return aborted };
        // Kafka's read ends exactly at the limit, within a batch.
        let bytes = if read.is_cut { read.size.max(max_bytes) } else { read.size };
        let next = || self.segments.get(first + 1).map_or(self.log_end, |next| next.base_offset);
        let until = self.segments[first].bound_behind(position, bytes).unwrap_or_else(next);
        for entry in self.segments[first..].iter().flat_map(|segment| segment.aborted.entries()) {
            if entry.last_offset >= from && entry.first_offset < until {
                let (producer_id, first_offset) = (entry.producer_id, entry.first_offset);
                aborted.push(AbortedTransaction { producer_id, first_offset });
            }
            if entry.last_stable_offset >= until {
                break;
            }
        }
        aborted
    }

    /// Finds the batch that contains the log start, if an undecided transaction begins before it.
    pub(super) fn find_start_batch(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.start_batch = self.log_start;
        let Undecided { open, unreplicated } = self.undecided();
        // A transaction that began before the log start counts from `start_batch`, which is the log
        // start here.
        let first = open.into_iter().chain(unreplicated).min();
        if first.is_none_or(|first| first > self.log_start) {
            return Ok(());
        }
        if let Some(placed) =
            self.segments[self.segment_of(self.log_start)].find(self.log_start, disk)?
        {
            self.start_batch = placed.base_offset.min(self.log_start);
        }
        Ok(())
    }
}
