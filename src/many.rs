//! Many seeds of one scenario.

use crate::execute::{self, is_interrupted};
use crate::exit::{self, Failure, print_json};
use crate::scenario::Job;
use crate::style::Style;
use crate::summary;
use scenarios::result::{Outcome, SeedsReport, command};
use std::ops::Range;

/// For how many seeds that did not pass results are written.
const KEPT: usize = 20;

/// Runs all `seeds`, and tells what they come to.
pub(crate) fn run(job: &Job<'_>, seeds: Range<u64>) -> Result<u8, Failure> {
    let args = job.args;
    let range = format!("{}..{}", seeds.start, seeds.end);
    let again = command(&args.scenario, &format!("--seeds {range}"), &args.set, &job.bugs);
    let mut report = SeedsReport::new(&job.scenario.name, &range, again);
    let mut kept = 0;
    let mut failure = None;
    execute::many(
        seeds,
        |seed| job.resolve(seed, args.trace),
        args.provoke_panic,
        |seed, ran| {
            let passed = matches!(&ran, Ok(ran) if ran.verdict.outcome == Outcome::Pass);
            let keep = args.trace || (!passed && kept < KEPT);
            kept += usize::from(keep && !passed);
            match job.tell(seed, ran, keep && failure.is_none()) {
                Ok(told) => report.add(&told.verdict),
                Err(error) => failure = Some(error),
            }
        },
    );
    if let Some(failure) = failure {
        return Err(failure);
    }
    report.finish(job.scenario.must_reach_here().map(|(name, _)| name));
    if kept > 0 || args.trace {
        report.out = args.out.display().to_string();
    }
    if args.json {
        print_json(&report);
    } else {
        exit::print(&summary::of_seeds(&report, &job.scenario, Style::of_stdout()));
    }
    if is_interrupted() {
        crate::exit::tell(&format!("interrupted after {} of the seeds {range}", report.ran));
        return Ok(exit::INTERRUPTED);
    }
    Ok(report.outcome.exit_code())
}
