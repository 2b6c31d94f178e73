//! Anomalies that applications notice in a run, and in many: records lost, duplicated, reordered.

use judge::outcome::Counts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The worst harm to the records of a run, permitted or not; in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Harm {
    /// Every acknowledged record was read once and in order.
    None,
    /// A reader saw records in another order than sent.
    Reordered,
    /// A reader saw a record more than once.
    Duplicated,
    /// An acknowledged record was lost.
    Lost,
}

impl Harm {
    pub(super) fn of(counts: &Counts) -> Self {
        match counts {
            Counts { lost: 1.., .. } => Self::Lost,
            Counts { duplicated: 1.., .. } => Self::Duplicated,
            Counts { reordered: 1.., .. } => Self::Reordered,
            _ => Self::None,
        }
    }
}

/// The number of runs with anomalies of records, permitted or not. A run counts in each row that
/// applies to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Affected {
    /// Acknowledged records were lost.
    pub lost: u64,
    /// Records sent with acks=0 were lost. `lost` does not include them.
    pub unconfirmed_lost: u64,
    /// Readers saw records more than once.
    pub duplicated: u64,
    /// Readers saw records in another order than sent.
    pub reordered: u64,
}

impl Affected {
    /// Adds a run.
    pub(super) fn add(&mut self, counts: &Counts, unconfirmed_lost: u64) {
        self.lost += u64::from(counts.lost > 0);
        self.unconfirmed_lost += u64::from(unconfirmed_lost > 0);
        self.duplicated += u64::from(counts.duplicated > 0);
        self.reordered += u64::from(counts.reordered > 0);
    }

    /// The rows in words, without those that are zero: `23 runs lost acknowledged records, 1 run
    /// reordered records`; `None` if all are zero.
    pub fn in_words(&self) -> Option<String> {
        let rows = [
            (self.lost, "lost acknowledged records"),
            (self.unconfirmed_lost, "lost records sent with acks=0"),
            (self.duplicated, "duplicated records"),
            (self.reordered, "reordered records"),
        ];
        let rows = rows.iter().filter(|(count, _)| *count > 0);
        let runs = |count: u64| if count == 1 { "run" } else { "runs" };
        let words = rows.map(|(count, what)| format!("{count} {} {what}", runs(*count)));
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_ranks_before_duplication_before_reordering() {
        let counts = |lost, duplicated, reordered| Counts {
            lost,
            duplicated,
            reordered,
            ..Counts::default()
        };
        let all = [counts(0, 0, 0), counts(0, 0, 9), counts(0, 1, 9), counts(1, 0, 0)];
        let harms = all.each_ref().map(Harm::of);
        assert_eq!(harms, [Harm::None, Harm::Reordered, Harm::Duplicated, Harm::Lost]);
        let mut affected = Affected::default();
        assert_eq!(affected.in_words(), None);
        all.iter().for_each(|counts| affected.add(counts, 0));
        let words = "1 run lost acknowledged records, 1 run duplicated records, 2 runs reordered \
                     records";
        assert_eq!(affected.in_words().as_deref(), Some(words));
    }
}
