//! What applications do in their transactions: fixed by the seed before the run begins.

use sim::Sample;

/// How an application sends in transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transactions {
    /// How many records a transaction has.
    pub records: u64,
    /// The share of transactions that it aborts on purpose, in parts per million.
    pub aborted_ppm: u32,
    /// The share of transactions that it leaves open, in parts per million: it drops its producer and
    /// goes on with another one, as after a crash.
    pub abandoned_ppm: u32,
    /// It ends when another producer has taken its transactional id, as the instance that was replaced
    /// should. Otherwise it begins anew after any error.
    pub ends_when_fenced: bool,
}

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is committed.
    Commit,
    /// It is aborted.
    Abort,
    /// It is left open.
    Abandon,
}

impl Transactions {
    /// What becomes of a transaction, by the seed and its number alone.
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

/// Where the application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits before it begins with another producer.
    Pausing,
    /// `initTransactions` has been called.
    Starting,
    /// No transaction is open.
    Idle,
    /// A transaction is open, with so many records so far.
    Open { transaction: u64, sent: u64 },
    /// All records of a transaction are sent that is not to be committed, and not all have an outcome.
    Flushing { transaction: u64, end: End },
    /// `commitTransaction` or `abortTransaction` has been called.
    Ending(Ending),
    /// It has ended for good.
    Over,
}

/// A transaction that is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Its number.
    pub(super) transaction: u64,
    /// By a commit, not by an abort.
    pub(super) commit: bool,
    /// A commit has been asked for, if only before the abort.
    pub(super) was_commit: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_transactions_are_aborted_and_left_as_their_shares_say() {
        let transactions = Transactions {
            records: 4,
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
