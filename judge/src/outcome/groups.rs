//! The counts of a group of consumers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the members of a group of consumers did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupCounts {
    /// Distinct records that were processed.
    #[serde(default)]
    pub processed: u64,
    /// Records that no member processed, though the group has gone beyond them.
    pub skipped: u64,
    /// Records that were processed more than once.
    pub reprocessed: u64,
    /// Those of them that an application meant: it had sought back each time.
    #[serde(default)]
    pub rewound: u64,
    /// Those of the skipped records that an application meant: it had sought beyond them.
    #[serde(default)]
    pub sought_past: u64,
    /// Records of its partitions that it neither processed nor skipped: those before where it began, and
    /// those that it had not reached when its members ended.
    #[serde(default)]
    pub not_reached: u64,
    /// Generations after the first one, or target assignments of the consumer protocol.
    #[serde(default)]
    pub rebalances: u64,
    /// Members that the coordinator removed: their session ended, or they did not come back, or did not
    /// give up partitions, in time.
    #[serde(default)]
    pub expelled: u64,
    /// Commits that were acknowledged.
    #[serde(default)]
    pub committed: u64,
    /// Commits that were refused because they came from a former member or generation.
    #[serde(default)]
    pub fenced: u64,
    /// Commits that failed for another reason.
    #[serde(default)]
    pub failed: u64,
    /// Inputs of a pipeline that have each of their results once, and are committed.
    #[serde(default)]
    pub reflected: u64,
    /// Inputs of a pipeline that have results more than once.
    #[serde(default)]
    pub reflected_again: u64,
    /// Inputs of a pipeline that are committed and lack results.
    #[serde(default)]
    pub not_reflected: u64,
    /// The errors of commits that were not acknowledged, by name.
    #[serde(default)]
    pub commit_errors: BTreeMap<String, u64>,
    /// Processed records of transactions that did not commit, which `read_uncommitted` shows.
    #[serde(default)]
    pub uncommitted: u64,
    /// Distinct inputs whose results are in the group's own store.
    #[serde(default)]
    pub stored: u64,
    /// Results that were written to it once more.
    #[serde(default)]
    pub stored_again: u64,
    /// Transactions that it refused, because another member had claimed the partition.
    #[serde(default)]
    pub store_refused: u64,
}

impl GroupCounts {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.processed, other.processed),
            (&mut self.skipped, other.skipped),
            (&mut self.reprocessed, other.reprocessed),
            (&mut self.rewound, other.rewound),
            (&mut self.sought_past, other.sought_past),
            (&mut self.not_reached, other.not_reached),
            (&mut self.rebalances, other.rebalances),
            (&mut self.expelled, other.expelled),
            (&mut self.committed, other.committed),
            (&mut self.fenced, other.fenced),
            (&mut self.failed, other.failed),
            (&mut self.reflected, other.reflected),
            (&mut self.reflected_again, other.reflected_again),
            (&mut self.not_reflected, other.not_reflected),
            (&mut self.uncommitted, other.uncommitted),
            (&mut self.stored, other.stored),
            (&mut self.stored_again, other.stored_again),
            (&mut self.store_refused, other.store_refused),
        ] {
            *own = own.saturating_add(other);
        }
        for (error, count) in &other.commit_errors {
            *self.commit_errors.entry(error.clone()).or_default() += count;
        }
    }

    /// Whether there was no group.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What became of the inputs of a pipeline: `200 inputs reflected once, 3 more than once`; `None`
    /// without a pipeline.
    pub fn reflected_in_words(&self) -> Option<String> {
        if (self.reflected, self.reflected_again, self.not_reflected) == (0, 0, 0) {
            return None;
        }
        let mut words = match self.reflected {
            1 => "1 input reflected once".to_owned(),
            once => format!("{once} inputs reflected once"),
        };
        for (count, what) in
            [(self.reflected_again, "more than once"), (self.not_reflected, "not or in part")]
        {
            if count > 0 {
                words.push_str(&format!(", {count} {what}"));
            }
        }
        Some(words)
    }

    /// In one line: `200 records processed, 3 skipped, 12 processed again; 4 rebalances, 1 member
    /// expelled; 40 commits acknowledged, 1 fenced`.
    pub fn in_words(&self) -> String {
        let plural = |count: u64, one: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {one}s"),
        };
        let not_reached = match self.not_reached {
            0 => String::new(),
            not_reached => format!(", {not_reached} not reached"),
        };
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let reflected = self.reflected_in_words().map(|it| format!("; {it}"));
        let meant = |count: u64| match count {
            0 => String::new(),
            count => format!(" ({count} meant)"),
        };
        let errors: Vec<String> =
            self.commit_errors.iter().map(|(error, count)| format!("{error} {count}")).collect();
        let errors = match errors.is_empty() {
            true => String::new(),
            false => format!(" ({})", errors.join(", ")),
        };
        let uncommitted = match self.uncommitted {
            0 => String::new(),
            uncommitted => format!(", {uncommitted} of transactions that did not commit"),
        };
        let stored = match self.stored {
            0 => String::new(),
            stored => format!(
                "; {} stored, {} again, {} refused",
                plural(stored, "result"),
                self.stored_again,
                plural(self.store_refused, "transaction"),
            ),
        };
        format!(
            "{} processed, {} skipped{}, {} processed again{}{uncommitted}{not_reached}; {}, {} expelled; {} acknowledged, {} \
             fenced{failed}{errors}{stored}{}",
            plural(self.processed, "record"),
            self.skipped,
            meant(self.sought_past),
            self.reprocessed,
            meant(self.rewound),
            plural(self.rebalances, "rebalance"),
            plural(self.expelled, "member"),
            plural(self.committed, "commit"),
            self.fenced,
            reflected.unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::GroupCounts;

    #[test]
    fn the_counts_of_a_group_are_one_line() {
        let mut one = GroupCounts {
            processed: 200,
            skipped: 3,
            reprocessed: 12,
            not_reached: 0,
            rebalances: 4,
            expelled: 1,
            committed: 40,
            fenced: 1,
            failed: 0,
            ..GroupCounts::default()
        };
        let words = "200 records processed, 3 skipped, 12 processed again; 4 rebalances, 1 member \
                     expelled; 40 commits acknowledged, 1 fenced";
        assert_eq!(one.in_words(), words);
        one.add(&one.clone());
        assert_eq!((one.skipped, one.fenced, one.failed), (6, 2, 0));
        one.commit_errors.insert("ILLEGAL_GENERATION".to_owned(), 2);
        assert!(one.in_words().ends_with("2 fenced (ILLEGAL_GENERATION 2)"), "{}", one.in_words());
        (one.stored, one.stored_again, one.store_refused) = (7, 1, 2);
        let stored = "; 7 results stored, 1 again, 2 transactions refused";
        assert!(one.in_words().ends_with(stored), "{}", one.in_words());
        let pipeline = GroupCounts { reflected: 200, reflected_again: 3, ..GroupCounts::default() };
        let words = pipeline.in_words();
        assert!(words.ends_with("; 200 inputs reflected once, 3 more than once"), "{words}");
    }
}
