//! How much of each transaction the logs hold at the end.

use super::line::Fate;
use crate::evidence::records::Outcome;
use crate::evidence::view::View;
use engine::ids::Offset;

/// The place of a record of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The index of its partition.
    pub partition: usize,
    /// Its offset.
    pub offset: Offset,
    /// Its number.
    pub record: u64,
    /// Its batch.
    pub batch: u32,
}

/// How much of a transaction the lines of leaders hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of records whose transaction is committed in their partition, and the first such
    /// record.
    pub committed: (u32, Option<Stored>),
    /// The number of records whose transaction is aborted in their partition, and the first such
    /// record.
    pub aborted: (u32, Option<Stored>),
    /// The number of records whose transaction is open in their partition, and the first such
    /// record.
    pub open: (u32, Option<Stored>),
    /// The number of records that were not acknowledged and are not stored, and the first record
    /// that was not acknowledged.
    pub failed: (u32, Option<u64>),
}

impl Tally {
    fn add(&mut self, fate: Fate, stored: Stored) {
        let (count, first) = match fate {
            Fate::Committed => &mut self.committed,
            Fate::Aborted => &mut self.aborted,
            Fate::Open => &mut self.open,
        };
        *count += 1;
        first.get_or_insert(stored);
    }
}

/// Whether a record should have been acknowledged and was not; with acks=0 none is.
fn is_unconfirmed(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Acked | Outcome::Unconfirmed)
}

/// The tally of each transaction, by its index.
pub(in crate::evidence) fn tallies(view: &View) -> Vec<Tally> {
    let mut tallies = vec![Tally::default(); view.transactions.all().len()];
    if tallies.is_empty() {
        return tallies;
    }
    for (number, record) in view.records.iter() {
        let Some(tally) = tallies.get_mut(record.transaction as usize) else { continue };
        if is_unconfirmed(record.outcome) {
            tally.failed.0 += 1;
            tally.failed.1.get_or_insert(number);
        }
    }
    for (partition, it) in view.partitions.iter().enumerate() {
        if it.topic.is_none() {
            continue;
        }
        for batch in &it.line {
            let of = it.batches.get(*batch);
            if of.is_control {
                continue;
            }
            // A batch outside transactions is visible to every reader.
            let fate = it.fate(*batch).unwrap_or(Fate::Committed);
            let numbers = it.batches.numbers(*batch, of.base, of.next);
            for (offset, record) in (of.base..).zip(numbers) {
                let Some(own) = view.records.get(*record) else { continue };
                let Some(tally) = tallies.get_mut(own.transaction as usize) else { continue };
                tally.add(fate, Stored { partition, offset, record: *record, batch: *batch });
                if is_unconfirmed(own.outcome) {
                    tally.failed.0 = tally.failed.0.saturating_sub(1);
                }
            }
        }
    }
    tallies
}
