//! A plan as an artefact: what a run came to, written down so that another run meets the same,
//! whatever families of faults and stories there are by then. This is what the corpus is made of.

use super::settings;
use crate::result::Outcome;
use crate::run::RunOutcome;
use spec::{Expect, Expected, Resolved, Scenario};
use std::collections::BTreeSet;

/// The scenario of a run with the faults that it met ([`RunOutcome::resolved`]) in place of its own,
/// and the settings that its seed drew: nodes in place of roles, moments in place of conditions, and
/// no swarm. It expects what the run came to.
pub fn frozen(run: &Resolved, outcome: &RunOutcome) -> Scenario {
    let (scenario, _) = settings::drawn(&run.scenario, run.seed);
    let faults = outcome.resolved.clone();
    Scenario { swarm: None, faults, expect: expected(run.seed, outcome), ..scenario }
}

fn expected(seed: u64, outcome: &RunOutcome) -> Expect {
    let verdict = &outcome.verdict;
    let hazards: BTreeSet<_> = verdict.permitted.iter().map(|it| it.hazard.clone()).collect();
    Expect {
        outcome: match verdict.outcome {
            Outcome::Violation => Expected::Violation,
            _ => Expected::Pass,
        },
        check: verdict.cause().map(|violation| violation.check.clone()),
        permitted: hazards.into_iter().collect(),
        seeds: vec![seed],
    }
}
