//! The transactions of applications: size and end, which depend only on the seed.

use engine::error::ErrorCode;
use sim::Sample;

/// How an application sends in transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transactions {
    /// The number of records in a transaction.
    pub records: u64,
    /// Whether each two records are a transfer, which is not committed by half.
    pub transfer: bool,
    /// The share of transactions that the application aborts on purpose, in parts per million.
    pub aborted_ppm: u32,
    /// The share of transactions that the application abandons, in parts per million: it closes its
    /// producer with the transaction open, and continues with another producer, as after a crash.
    pub abandoned_ppm: u32,
    /// Whether the application ends after another one has taken over its transactional id, as a
    /// replaced instance should. Otherwise it continues with a new producer after any error.
    pub ends_when_fenced: bool,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is committed.
    Commit,
    /// It is aborted.
    Abort,
    /// It is abandoned while it is open.
    Abandon,
}

impl Transactions {
    /// How a transaction ends, which depends only on the seed and the number of the transaction.
    pub(super) fn end_of(&self, transaction: u64, seed: u64) -> End {
        let drawn = sim::stream(seed, "transactions", transaction).below(1_000_000);
        let abandoned = u64::from(self.abandoned_ppm);
        let aborted = u64::from(self.aborted_ppm);
        match drawn {
            _ if drawn < abandoned => End::Abandon,
            _ if drawn < abandoned + aborted => End::Abort,
            _ => End::Commit,
        }
    }
}

/// The state of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits before it calls `initTransactions`.
    Pausing,
    /// `initTransactions` has been called.
    Starting,
    /// No transaction is open.
    Idle,
    /// A transaction is open; `sent` records have been sent in it.
    Open { transaction: u64, sent: u64 },
    /// All records of a transaction that is not to be committed are sent, and not all have an
    /// outcome.
    Flushing { transaction: u64, end: End },
    /// `commitTransaction` or `abortTransaction` has been called.
    Ending(Ending),
    /// It has ended and does not restart.
    Over,
}

/// A transaction that is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// The number of the transaction.
    pub(super) transaction: u64,
    /// Whether by a commit; otherwise by an abort.
    pub(super) commit: bool,
    /// `commitTransaction` has been called, even if an abort followed.
    pub(super) was_commit: bool,
    /// The error because of which it is aborted.
    pub(super) error: Option<ErrorCode>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_aborted_and_abandoned_in_their_shares() {
        let transactions = Transactions {
            records: 4,
            transfer: false,
            aborted_ppm: 200_000,
            abandoned_ppm: 100_000,
            ends_when_fenced: false,
        };
        let ends: Vec<End> = (0..20_000).map(|number| transactions.end_of(number, 7)).collect();
        let count = |wanted: End| ends.iter().filter(|end| **end == wanted).count();
        assert!((3_800..4_200).contains(&count(End::Abort)), "{}", count(End::Abort));
        assert!((1_850..2_150).contains(&count(End::Abandon)), "{}", count(End::Abandon));
        let again: Vec<End> = (0..20_000).map(|number| transactions.end_of(number, 7)).collect();
        assert_eq!(ends, again);
    }
}
