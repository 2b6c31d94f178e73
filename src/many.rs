//! Many seeds of one scenario.

use crate::execute::{self, is_interrupted};
use crate::exit::{self, Failure};
use crate::progress::{Progress, plural};
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
    let mut report = SeedsReport::new(&job.scenario.name, &seeds, again);
    let mut progress = Progress::new(report.planned, "seeds");
    let mut kept = 0;
    let mut unwritten = None;
    execute::many(
        seeds,
        |seed| job.resolve(seed, args.trace),
        |event| {
            if let Some((seed, ran)) = event {
                let passed = ran.verdict.outcome == Outcome::Pass;
                let keep = args.trace || (!passed && kept < KEPT);
                kept += usize::from(keep && !passed);
                let told = job.tell(seed, ran, keep && unwritten.is_none());
                report.add(&told.verdict);
                unwritten = unwritten.take().or(told.unwritten);
            }
            progress.glance(report.ran, |seconds| words(&report, seconds));
        },
    );
    progress.clear();
    report.interrupted = is_interrupted() && report.ran < report.planned;
    report.finish(job.scenario.must_reach_here().map(|(name, _)| name));
    if kept > 0 || args.trace {
        report.out = args.out.display().to_string();
    }
    let json = args.json.then_some(&report);
    let words = || summary::of_seeds(&report, &job.scenario, &args.set, Style::of_stdout());
    let code = match report.interrupted {
        true => exit::INTERRUPTED,
        false => report.outcome.exit_code(),
    };
    let code = exit::print_result(json, words, unwritten, code);
    if report.interrupted {
        let (ran, planned) = (report.ran, report.planned);
        exit::tell(&format!("interrupted after {ran} of {planned} seeds"));
    }
    Ok(code)
}

/// What is told while they run.
fn words(report: &SeedsReport, seconds: f64) -> String {
    let rate = report.ran as f64 / seconds.max(0.001);
    let failed = report.ran - report.passed;
    let mut words = format!("{rate:.0} seeds/s, {failed} did not pass");
    if report.with_loss > 0 {
        words.push_str(&format!(", {} lost records", plural(report.with_loss, "seed")));
    }
    words
}
