//! A plan as an artefact: the settings and faults of a run, written down so that another run has
//! the same ones, whatever faults and stories a later version draws. The corpus consists of such
//! files.

use super::settings;
use crate::result::Outcome;
use crate::run::RunOutcome;
use spec::{Expect, Expected, Resolved, Scenario};
use std::collections::BTreeSet;

/// The scenario of a run with the faults that it met ([`RunOutcome::resolved`]) in place of its
/// own, and the settings that its seed drew: nodes in place of roles, times in place of conditions,
/// and no swarm. It expects the outcome of the run; `None` if a scenario cannot expect that outcome
/// ([`is_expectable`]).
pub fn frozen(run: &Resolved, outcome: &RunOutcome) -> Option<Scenario> {
    let expect = expected(run.seed, outcome)?;
    let (scenario, _) = settings::drawn(&run.scenario, run.seed);
    let faults = outcome.resolved.clone();
    Some(Scenario { swarm: None, faults, expect, ..scenario })
}

/// Whether a scenario can expect the outcome of a run: a promise was kept or broken. An undecided
/// run, or a defect of Faultline, cannot be expected.
pub fn is_expectable(outcome: Outcome) -> bool {
    of(outcome).is_some()
}

fn of(outcome: Outcome) -> Option<Expected> {
    match outcome {
        Outcome::Pass => Some(Expected::Pass),
        Outcome::Violation => Some(Expected::Violation),
        Outcome::Unknown | Outcome::Vacuous | Outcome::Panic | Outcome::Nondeterministic => None,
    }
}

fn expected(seed: u64, outcome: &RunOutcome) -> Option<Expect> {
    let verdict = &outcome.verdict;
    let hazards: BTreeSet<_> = verdict.permitted.iter().map(|it| it.hazard.clone()).collect();
    Some(Expect {
        outcome: of(verdict.outcome)?,
        check: verdict.cause().map(|violation| violation.check.clone()),
        permitted: hazards.into_iter().collect(),
        seeds: vec![seed],
    })
}
