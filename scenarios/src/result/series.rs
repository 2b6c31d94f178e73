//! What many runs of one scenario come to together.

use super::verdict::Outcome;

/// How many runs of a scenario came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Series {
    /// How many were made.
    pub(crate) ran: u64,
    /// How many ended in a panic.
    pub(crate) panics: u64,
    /// How many went differently when they were made again.
    pub(crate) nondeterministic: u64,
    /// How many broke a promise.
    pub(crate) violations: u64,
    /// How many are undecided.
    pub(crate) unknown: u64,
    /// How many exercised nothing.
    pub(crate) vacuous: u64,
    /// How many of the things that the scenario is there to reach no run has reached.
    pub(crate) never_reached: usize,
}

impl Series {
    /// One seed in so many may come to nothing: that is the nature of seeds. And fewer seeds than
    /// this say nothing about what is reached seldom.
    pub(crate) const ONE_IN: u64 = 20;

    /// Whether more of the runs exercised nothing than may.
    pub(crate) fn too_many_vacuous(&self) -> bool {
        self.ran == 0 || self.vacuous.saturating_mul(Self::ONE_IN) > self.ran
    }

    /// Whether enough runs were made to miss what none of them has reached.
    pub(crate) fn misses_something(&self) -> bool {
        self.never_reached > 0 && self.ran >= Self::ONE_IN
    }

    /// What the runs come to: the worst of them, where vacuous ones count from one in twenty on.
    /// What the scenario has to reach and none of at least twenty runs has reached makes them
    /// vacuous, too: with `seldom` a run of its own need not reach it, but a series has to.
    pub(crate) fn outcome(&self) -> Outcome {
        let seen = |is: bool, outcome| if is { outcome } else { Outcome::Pass };
        let vacuous = self.too_many_vacuous() || self.misses_something();
        Outcome::worst([
            seen(self.panics > 0, Outcome::Panic),
            seen(self.nondeterministic > 0, Outcome::Nondeterministic),
            seen(self.violations > 0, Outcome::Violation),
            seen(self.unknown > 0, Outcome::Unknown),
            seen(vacuous, Outcome::Vacuous),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_run_counts_and_a_few_vacuous_ones_do_not() {
        let good = Series { ran: 40, ..Series::default() };
        let of = |change: &dyn Fn(&mut Series)| {
            let mut series = good;
            change(&mut series);
            series.outcome()
        };
        assert_eq!(good.outcome(), Outcome::Pass);
        assert_eq!(of(&|it| it.vacuous = 2), Outcome::Pass);
        assert_eq!(of(&|it| it.vacuous = 3), Outcome::Vacuous);
        assert_eq!(of(&|it| (it.vacuous, it.unknown) = (3, 1)), Outcome::Unknown);
        assert_eq!(of(&|it| (it.unknown, it.violations) = (1, 1)), Outcome::Violation);
        let differs = |it: &mut Series| (it.violations, it.nondeterministic) = (1, 1);
        assert_eq!(of(&differs), Outcome::Nondeterministic);
        assert_eq!(of(&|it| (it.nondeterministic, it.panics) = (1, 1)), Outcome::Panic);
        assert_eq!(Series::default().outcome(), Outcome::Vacuous);
    }

    #[test]
    fn what_is_reached_seldom_has_to_be_reached_by_one_of_many() {
        let reached = |ran, never_reached| Series { ran, never_reached, ..Series::default() };
        assert_eq!(reached(1_000, 0).outcome(), Outcome::Pass);
        assert_eq!(reached(1_000, 1).outcome(), Outcome::Vacuous);
        assert_eq!(reached(20, 1).outcome(), Outcome::Vacuous);
        assert_eq!(reached(19, 1).outcome(), Outcome::Pass, "too few");
    }
}
