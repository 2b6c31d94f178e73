//! The number of runs in which the sum over accounts held.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The numbers of runs in which the sum over accounts is known, and in which it held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Runs in which the sum is known.
    pub runs: u64,
    /// Runs in which the sum held.
    pub held: u64,
}

impl Sums {
    /// Adds a run.
    pub(super) fn add(&mut self, held: Option<bool>) {
        self.runs += u64::from(held.is_some());
        self.held += u64::from(held == Some(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_in_which_the_sum_is_not_known_do_not_count() {
        let mut sums = Sums::default();
        for held in [None, Some(true), Some(false), Some(true)] {
            sums.add(held);
        }
        assert_eq!((sums.runs, sums.held), (3, 2));
    }
}
