//! Transactions, by the batches and markers in the line of leaders.

use super::batch::Batch;
use super::partition::Partition;
use std::collections::BTreeMap;

/// What became of the transaction that a batch belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// No marker of its producer follows.
    Open,
    /// A COMMIT marker follows.
    Committed,
    /// An ABORT marker follows.
    Aborted,
}

impl Partition {
    /// What became of each transactional batch in the line of leaders: the first marker of its
    /// producer that follows it decides.
    pub fn transactions(&self) -> BTreeMap<u32, Transaction> {
        let mut following: BTreeMap<i64, Transaction> = BTreeMap::new();
        let mut transactions = BTreeMap::new();
        for number in self.line.iter().rev() {
            let batch: &Batch = self.batches.get(*number);
            let Some(producer) = batch.producer_id().filter(|_| batch.is_transactional) else {
                continue;
            };
            if let Some(committed) = batch.marker {
                let end = if committed { Transaction::Committed } else { Transaction::Aborted };
                following.insert(producer, end);
            } else if !batch.is_control {
                let end = following.get(&producer).copied().unwrap_or(Transaction::Open);
                transactions.insert(*number, end);
            }
        }
        transactions
    }
}
