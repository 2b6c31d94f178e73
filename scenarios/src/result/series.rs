//! The combined outcome of many runs of one scenario.

use super::verdict::Outcome;

/// The runs of a scenario, counted by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Series {
    /// Runs that were made.
    pub(crate) ran: u64,
    /// Runs that ended in a panic.
    pub(crate) panics: u64,
    /// Runs that differed when they were repeated.
    pub(crate) nondeterministic: u64,
    /// Runs that broke a promise.
    pub(crate) violations: u64,
    /// Undecided runs.
    pub(crate) unknown: u64,
    /// Runs that exercised nothing.
    pub(crate) vacuous: u64,
    /// The number of wanted steps that no run has reached.
    pub(crate) never_reached: usize,
}

impl Series {
    /// One seed in this many may exercise nothing, which is normal for seeds. Fewer seeds than this
    /// do not show what is rarely reached.
    pub(crate) const ONE_IN: u64 = 20;

    /// Whether too many of the runs exercised nothing.
    pub(crate) fn too_many_vacuous(&self) -> bool {
        self.ran == 0 || self.vacuous.saturating_mul(Self::ONE_IN) > self.ran
    }

    /// Whether there were enough runs, and yet a wanted step was never reached.
    pub(crate) fn misses_something(&self) -> bool {
        self.never_reached > 0 && self.ran >= Self::ONE_IN
    }

    /// The outcome of the runs: the worst of them, where vacuous runs count if they are more than
    /// one in twenty. The outcome is also vacuous if at least twenty runs have never reached a
    /// wanted step: with `seldom` a single run need not reach it, but a series has to.
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
    fn the_worst_run_decides_and_a_few_vacuous_runs_do_not_count() {
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
    fn a_rare_step_has_to_be_reached_by_one_of_many_runs() {
        let reached = |ran, never_reached| Series { ran, never_reached, ..Series::default() };
        assert_eq!(reached(1_000, 0).outcome(), Outcome::Pass);
        assert_eq!(reached(1_000, 1).outcome(), Outcome::Vacuous);
        assert_eq!(reached(20, 1).outcome(), Outcome::Vacuous);
        assert_eq!(reached(19, 1).outcome(), Outcome::Pass, "too few");
    }
}
