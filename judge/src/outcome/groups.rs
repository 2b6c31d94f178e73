//! The counts of a group of consumers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

impl GroupCounts {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.processed, other.processed),
            (&mut self.skipped, other.skipped),
            (&mut self.reprocessed, other.reprocessed),
            (&mut self.not_reached, other.not_reached),
            (&mut self.rebalances, other.rebalances),
            (&mut self.expelled, other.expelled),
            (&mut self.committed, other.committed),
            (&mut self.fenced, other.fenced),
            (&mut self.failed, other.failed),
            (&mut self.reflected, other.reflected),
            (&mut self.reflected_again, other.reflected_again),
            (&mut self.not_reflected, other.not_reflected),
        ] {
            *own = own.saturating_add(other);
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
        format!(
            "{} processed, {} skipped, {} processed again{not_reached}; {}, {} expelled; {} acknowledged, {} \
             fenced{failed}{}",
            plural(self.processed, "record"),
            self.skipped,
            self.reprocessed,
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
        let pipeline = GroupCounts { reflected: 200, reflected_again: 3, ..one };
        let words = pipeline.in_words();
        assert!(words.ends_with("; 200 inputs reflected once, 3 more than once"), "{words}");
    }
}
