//! A plan as an artefact: what a run came to, written down so that another run meets the same,
//! whatever families of faults and stories there are by then. This is what the corpus is made of.

use super::settings;
use crate::result::Outcome;
use crate::run::RunOutcome;
use spec::{Expect, Expected, Resolved, Scenario};
use std::collections::BTreeSet;

/// The scenario of a run with the faults that it met ([`RunOutcome::resolved`]) in place of its own,
/// and the settings that its seed drew: nodes in place of roles, moments in place of conditions, and
/// no swarm. It expects what the run came to; `None` if that is nothing that a scenario can expect
/// ([`is_expectable`]).
pub fn frozen(run: &Resolved, outcome: &RunOutcome) -> Option<Scenario> {
    let expect = expected(run.seed, outcome)?;
    let (scenario, _) = settings::drawn(&run.scenario, run.seed);
    let faults = outcome.resolved.clone();
    Some(Scenario { swarm: None, faults, expect, ..scenario })
}

/// Whether a scenario can expect this of a run: a promise that was kept or broken. A run that does not
/// decide, or a defect of Faultline, is nothing to hold on to.
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
