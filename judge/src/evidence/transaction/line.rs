//! Transactions in the line of leaders of a partition, from its batches and markers.

use crate::evidence::batch::{Batch, NONE};
use crate::evidence::end::HeldBy;
use crate::evidence::partition::Partition;
use crate::evidence::view::View;
use engine::ids::Offset;
use machine::Span;
use std::collections::BTreeMap;

/// The outcome of the transaction that a batch belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// No marker of its producer follows.
    Open,
    /// A COMMIT marker follows.
    Committed,
    /// An ABORT marker follows.
    Aborted,
}

/// The open transactions in the line of leaders, and the one that the last marker ended.
#[derive(Clone, Debug, Default)]
pub struct LineTransactions {
    /// The batches of each producer's open transaction, in order; no list is empty.
    open: BTreeMap<i64, Vec<u32>>,
    /// The batches that the last marker of the line ended.
    ended: Vec<u32>,
    /// All markers that any replica has shown, in the order in which they were first seen.
    markers: Vec<u32>,
    /// Some batch that any replica or reader has shown is transactional.
    any: bool,
}

impl LineTransactions {
    /// Whether any batch of the partition is transactional.
    pub fn any(&self) -> bool {
        self.any
    }

    /// The batches of the open transactions, by producer id.
    pub fn open(&self) -> impl Iterator<Item = (i64, &[u32])> {
        self.open.iter().map(|(producer, batches)| (*producer, batches.as_slice()))
    }

    /// The batches that the last marker ended.
    pub fn ended(&self) -> &[u32] {
        &self.ended
    }

    /// All markers that any replica has shown, in the order in which they were first seen.
    pub fn markers(&self) -> &[u32] {
        &self.markers
    }
}

/// The longest time from a decision to its last marker in a healed cluster.
const SLACK: Span = Span::secs(10);

impl View {
    /// Whether a transaction that begins with `batch` should have ended by `now`, in nanoseconds,
    /// even by a slow clock. Its time counts from its first batch, or from the last change of the
    /// partition's leader or ISR if that came later.
    pub fn is_time_over(&self, partition: &Partition, batch: u32, now: u64) -> bool {
        self.is_past(partition, partition.batches.get(batch).at, now)
    }

    /// Whether that time has ended by `now` for what happened in a partition at `at`, both in
    /// nanoseconds.
    pub fn is_past(&self, partition: &Partition, at: u64, now: u64) -> bool {
        let waited = self.setup.transaction_timeout.0.saturating_add(SLACK.0);
        let drift = waited / 1_000_000 * u64::from(self.setup.drift_ppm);
        let led = partition.states.last().map_or(0, |state| state.at);
        now.saturating_sub(at.max(led)) > waited.saturating_add(drift)
    }

    /// The oldest transaction that is open in a partition, of which no reader of `read_committed`
    /// gets past, if its time has ended at `now`, in nanoseconds: its first offset, and what it
    /// holds up.
    pub fn held_up(&self, partition: usize, now: u64) -> Option<(Offset, HeldBy)> {
        let it = &self.partitions[partition];
        let (offset, batch) = it.first_open()?;
        let producer_id = it.batches.get(batch).producer_id()?;
        let is_over = self.is_time_over(it, batch, now);
        is_over.then_some((offset, HeldBy { partition, producer_id }))
    }
}

impl Partition {
    /// The outcome of the transaction of a batch in the line; `None` if the batch belongs to none.
    pub fn fate(&self, batch: u32) -> Option<Fate> {
        let it = self.batches.get(batch);
        if !it.is_transactional || it.is_control {
            return None;
        }
        if it.ended_by == NONE {
            return Some(Fate::Open);
        }
        let marker = self.batches.get(it.ended_by).marker;
        Some(match marker.is_some_and(|marker| marker.committed) {
            true => Fate::Committed,
            false => Fate::Aborted,
        })
    }

    /// The first offset of the oldest open transaction of the line, and its batch.
    pub fn first_open(&self) -> Option<(Offset, u32)> {
        let firsts = self.transactions.open.values().filter_map(|batches| batches.first());
        firsts.map(|batch| (self.batches.get(*batch).base, *batch)).min()
    }

    /// Records whether a batch that was seen for the first time is a marker, or transactional.
    pub(in crate::evidence) fn note_marker(&mut self, batch: u32) {
        let it = self.batches.get(batch);
        self.transactions.any |= it.is_transactional;
        if it.marker.is_some() {
            self.transactions.markers.push(batch);
        }
    }

    /// Extends the line by a batch.
    pub(in crate::evidence) fn extend_transactions(&mut self, batch: u32) {
        let it: &Batch = self.batches.get(batch);
        let Some(producer) = it.producer_id().filter(|_| it.is_transactional) else { return };
        if it.marker.is_some() {
            let ended = self.transactions.open.remove(&producer).unwrap_or_default();
            for other in &ended {
                self.batches.get_mut(*other).ended_by = batch;
            }
            self.transactions.ended = ended;
        } else if !it.is_control {
            self.batches.get_mut(batch).ended_by = NONE;
            self.transactions.open.entry(producer).or_default().push(batch);
        }
    }

    /// Derives the open transactions again, after the line has changed to that of another leader.
    pub(in crate::evidence) fn follow_transactions(&mut self) {
        if !self.transactions.any {
            return;
        }
        self.transactions.open.clear();
        for place in 0..self.line.len() {
            self.extend_transactions(self.line[place]);
        }
        self.transactions.ended.clear();
    }
}
