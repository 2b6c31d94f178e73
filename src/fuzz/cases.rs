//! The kept seeds of each signature are run again with their traces, which also shows whether they
//! are reproduced.

use crate::args::ScenarioArgs;
use crate::execute::{guarded, is_interrupted};
use crate::exit::Failure;
use crate::scenario::Job;
use scenarios::fuzz::{FuzzReport, Plan, Stop};
use scenarios::result::Outcome;
use scenarios::run::RunOutcome;
use std::path::Path;

/// Writes a results directory into `folder` for each case of `report`, and records its path there.
/// Returns the error of the first directory that could not be written, after which none is tried,
/// and the number that an interrupt left out. An interrupt that ended the runs does not count here.
pub(super) fn write(plan: &Plan, folder: &Path, report: &mut FuzzReport) -> (Option<Failure>, u64) {
    let (mut unwritten, mut left_out) = (None, 0);
    let to_the_end = report.stopped == Stop::Interrupted;
    for group in 0..report.signatures.len() {
        for i in 0..report.signatures[group].cases.len() {
            if is_interrupted() && !to_the_end {
                left_out += 1;
                continue;
            }
            let case = report.signatures[group].cases[i].clone();
            let target = plan.targets.iter().find(|it| it.scenario.name == case.scenario);
            let Some(target) = target else { continue };
            let args = ScenarioArgs {
                scenario: target.source.clone(),
                seed: case.seed,
                seeds: None,
                set: plan.overrides.clone(),
                bugs: plan.bugs.clone(),
                out: Some(folder.to_owned()),
                json: false,
                trace: true,
                print: false,
                provoke_panic: false,
            };
            let job =
                Job { args: &args, scenario: target.scenario.clone(), bugs: plan.bugs.clone() };
            let mut ran = guarded(&job.resolve(case.seed, true));
            let same = mark_if_different(&mut ran, &case.digest);
            let concluded = job.conclude(case.seed, ran, unwritten.is_none());
            unwritten = unwritten.or(concluded.unwritten);
            report.written(group, i, &concluded.verdict.out);
            if !same {
                report.differs(group, i);
            }
        }
    }
    (unwritten, left_out)
}

/// Whether a run has this digest. If not, its outcome becomes nondeterministic, unless it is a
/// panic.
fn mark_if_different(ran: &mut RunOutcome, digest: &str) -> bool {
    let same = ran.verdict.digest == digest;
    if !same && !ran.has_panicked() {
        ran.verdict.outcome = Outcome::Nondeterministic;
    }
    same
}
