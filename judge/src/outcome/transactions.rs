//! The outcomes of transactions, as far as their applications know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Transactions of one outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The number of transactions.
    pub transactions: u64,
    /// The number of records that were sent in them.
    pub records: u64,
}

/// The outcomes of the transactions of a run, as far as their applications know. Each transaction
/// has one outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transactions {
    /// `commitTransaction` returned.
    pub committed: Share,
    /// Aborted on purpose: `abortTransaction` returned, and nothing had failed.
    pub aborted: Share,
    /// Aborted after an error, such as a time-out: `abortTransaction` returned.
    pub aborted_after_error: Share,
    /// Given up because another producer took over the transactional id, or the coordinator bumped
    /// the epoch.
    pub fenced: Share,
    /// `commitTransaction` was called, and had no result before the client was killed, the producer
    /// failed (not because it was fenced), or the run ended.
    pub unanswered: Share,
    /// Abandoned on purpose, as by an application that crashes.
    pub abandoned: Share,
    /// The client was killed, or the producer failed for another reason, before `commitTransaction`
    /// was called.
    pub cut_off: Share,
    /// The number of fenced and unanswered transactions of unknown outcome: their application had
    /// called `commitTransaction`.
    pub maybe: u64,
    /// How many of [`Self::maybe`] are committed by the logs.
    pub maybe_committed: u64,
    /// The errors because of which transactions were aborted, fenced, cut off or left without a
    /// result, by Kafka's names. Transactions that ended with their process are not counted.
    pub errors: BTreeMap<String, u64>,
}

impl Transactions {
    /// The outcomes with their names, in order of importance to users.
    pub fn rows(&self) -> [(&'static str, Share); 7] {
        [
            ("committed", self.committed),
            ("aborted on purpose", self.aborted),
            ("aborted after an error", self.aborted_after_error),
            ("fenced", self.fenced),
            ("unanswered", self.unanswered),
            ("abandoned", self.abandoned),
            ("cut off", self.cut_off),
        ]
    }

    /// The number of transactions that began.
    pub fn begun(&self) -> u64 {
        let all = self.rows().into_iter().map(|(_, share)| share.transactions);
        all.fold(0, u64::saturating_add)
    }

    /// Whether there were no transactions.
    pub fn is_none(&self) -> bool {
        self.begun() == 0
    }

    /// Adds the transactions of another run.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.committed, other.committed),
            (&mut self.aborted, other.aborted),
            (&mut self.aborted_after_error, other.aborted_after_error),
            (&mut self.fenced, other.fenced),
            (&mut self.unanswered, other.unanswered),
            (&mut self.abandoned, other.abandoned),
            (&mut self.cut_off, other.cut_off),
        ] {
            own.add(other);
        }
        self.maybe = self.maybe.saturating_add(other.maybe);
        self.maybe_committed = self.maybe_committed.saturating_add(other.maybe_committed);
        for (name, count) in &other.errors {
            let own = self.errors.entry(name.clone()).or_default();
            *own = own.saturating_add(*count);
        }
    }

    /// In one line: `2000 transactions: 1908 committed (3816 records), 92 aborted on purpose (184),
    /// 0 fenced`.
    pub fn in_words(&self) -> String {
        let always = ["committed", "aborted on purpose", "fenced"];
        let shown = self.rows().into_iter();
        let shown = shown.filter(|(name, it)| it.transactions > 0 || always.contains(name));
        let mut is_first = true;
        let parts = shown.map(|(name, Share { transactions, records })| {
            let unit = match (std::mem::take(&mut is_first), records) {
                (true, 1) => " record",
                (true, _) => " records",
                (false, _) => "",
            };
            match transactions {
                0 => format!("0 {name}"),
                _ => format!("{transactions} {name} ({records}{unit})"),
            }
        });
        let parts: Vec<String> = parts.collect();
        let maybe = match (self.maybe, self.maybe_committed) {
            (0, _) => String::new(),
            (maybe, committed) => {
                format!(
                    "; the outcome of {maybe} is unknown (maybe), {committed} of them committed"
                )
            }
        };
        let errors: Vec<String> =
            self.errors.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let errors = match errors.is_empty() {
            true => String::new(),
            false => format!("; errors: {}", errors.join(", ")),
        };
        let begun = self.begun();
        let s = if begun == 1 { "" } else { "s" };
        format!("{begun} transaction{s}: {}{maybe}{errors}", parts.join(", "))
    }
}

impl Share {
    /// Adds one transaction.
    pub fn count(&mut self, records: u64) {
        self.add(Self { transactions: 1, records });
    }

    fn add(&mut self, other: Self) {
        self.transactions = self.transactions.saturating_add(other.transactions);
        self.records = self.records.saturating_add(other.records);
    }
}

/// The sum over accounts between which transactions transfer amounts. Each account begins with 0,
/// and a transfer moves an amount from one account to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// The sum if every transfer is stored as a whole or not at all: 0.
    pub expected: i64,
    /// The sum of the records read back; `None` if a partition was not read to its end.
    pub read: Option<i64>,
    /// The number of transfers read, counted by the crediting records.
    pub transfers: u64,
    /// The total amount of these transfers.
    pub moved: u64,
}

impl Sum {
    /// Whether the sum is as expected; `None` if it is unknown.
    pub fn held(&self) -> Option<bool> {
        self.read.map(|read| read == self.expected)
    }

    /// In one line: `held: 0 expected, 0 read; 1908 transfers moved 95612`.
    pub fn in_words(&self) -> String {
        let Self { expected, transfers, moved, .. } = self;
        let s = if *transfers == 1 { "" } else { "s" };
        let moved = format!("{transfers} transfer{s} moved {moved}");
        match (self.read, self.held()) {
            (Some(read), Some(true)) => format!("held: {expected} expected, {read} read; {moved}"),
            (Some(read), _) => {
                format!(
                    "NOT held: {expected} expected, {read} read: some transfers are stored in part; {moved}"
                )
            }
            (None, _) => {
                format!("unknown: {expected} expected, and not all records were read back")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_transactions_add_up_and_resolve_unknown_ones() {
        let share = |transactions, records| Share { transactions, records };
        let one = Transactions {
            committed: share(2, 8),
            aborted: share(1, 1),
            unanswered: share(2, 6),
            maybe: 2,
            maybe_committed: 1,
            errors: [("PRODUCER_FENCED".to_owned(), 2)].into(),
            ..Transactions::default()
        };
        let expected = "5 transactions: 2 committed (8 records), 1 aborted on purpose (1), 0 fenced, \
                        2 unanswered (6); the outcome of 2 is unknown (maybe), 1 of them committed; \
                        errors: PRODUCER_FENCED 2";
        assert_eq!(one.in_words(), expected);
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!((sum.begun(), sum.committed, sum.maybe_committed), (10, share(4, 16), 2));
        assert_eq!(sum.errors["PRODUCER_FENCED"], 4);
        assert!(Transactions::default().is_none() && !sum.is_none());
        let nothing = Transactions { abandoned: share(1, 1), ..Transactions::default() };
        let expected =
            "1 transaction: 0 committed, 0 aborted on purpose, 0 fenced, 1 abandoned (1)";
        assert_eq!(nothing.in_words(), expected);
    }

    #[test]
    fn a_sum_says_whether_it_held() {
        let sum = |read| Sum { expected: 0, read, transfers: 3, moved: 90 };
        assert_eq!(sum(Some(0)).in_words(), "held: 0 expected, 0 read; 3 transfers moved 90");
        assert!(sum(Some(-7)).in_words().starts_with("NOT held: 0 expected, -7 read"));
        assert_eq!(sum(None).held(), None);
    }
}
