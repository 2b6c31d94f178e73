//! `faultline fuzz` and `scenario --seeds`: many seeds of scenarios on several threads. Both make,
//! count and print their runs in the same way; `fuzz` also keeps a journal.

mod annotations;
mod args;
mod cases;
mod folder;
mod junit;
mod merge;
mod progress;
mod runs;
mod step_summary;
mod summary;

pub(crate) use args::FuzzArgs;

use crate::args::ScenarioArgs;
use crate::exit::{self, Failure};
use crate::pool;
use crate::progress::plural;
use crate::scenario::{bugs, load};
use crate::style::Style;
use args::{FuzzCommand, OutputArgs};
use folder::Folder;
use runs::Order;
use scenarios::catalog;
use scenarios::fuzz::{FuzzReport, Part, Plan, SeedRange, Shard, Stop, Target};
use scenarios::result::{Outcome, files};
use spec::{Diagnostic, Kind, Scenario};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// Fuzzes, or merges parts.
pub(crate) fn command(args: &FuzzArgs) -> Result<u8, Failure> {
    match &args.command {
        Some(FuzzCommand::Merge(args)) => merge::command(args),
        None => fuzz(args),
    }
}

fn fuzz(args: &FuzzArgs) -> Result<u8, Failure> {
    let (plan, warnings) = plan(args)?;
    let Some(seeds) = &args.seeds else {
        return Err(Diagnostic::new(Kind::Usage, "--seeds A..B is missing").into());
    };
    let part = part(seeds, args.shard.unwrap_or(Shard::WHOLE));
    if part.count() == 0 {
        let message = format!("there is no seed in part {}", part.name());
        return Err(Diagnostic::new(Kind::Usage, message).into());
    }
    probe_junit(&args.output)?;
    let folder = Folder::new(args.output.out.as_deref(), &label(args, &plan, part))?;
    exit::warn(&warnings);
    let order = Order {
        plan: &plan,
        part,
        jobs: args.jobs.map_or_else(pool::processors, usize::from),
        time: args.time.map(|time| Duration::from_nanos(time.nanos())),
        fail_fast: args.fail_fast,
    };
    let keep = usize::from(args.output.max_per_signature);
    let (report, unwritten) = runs::make(&order, Some(&folder), keep)?;
    Ok(finish(&args.output, &plan, &folder, report, unwritten))
}

/// Makes the runs of `scenario --seeds`. Only the results of failures are written, into `--out`.
pub(crate) fn series(
    args: &ScenarioArgs,
    scenario: Scenario,
    bugs: Vec<String>,
    seeds: &Range<u64>,
) -> Result<u8, Failure> {
    let target = Target { source: args.scenario.clone(), scenario };
    let plan = Plan::new(vec![target], args.set.clone(), bugs);
    let order = Order {
        plan: &plan,
        part: part(seeds, Shard::WHOLE),
        jobs: pool::processors(),
        time: None,
        fail_fast: false,
    };
    let (mut report, _) = runs::make(&order, None, args::KEPT.into())?;
    let (unwritten, left_out) = cases::write(&plan, args.folder(), &mut report);
    if report.signatures.iter().any(|group| !group.out.is_empty()) {
        report.out = args.folder().display().to_string();
    }
    let code = exit_code(&report, false);
    Ok(print(args.json, &plan, &report, unwritten, code, left_out))
}

fn part(seeds: &Range<u64>, shard: Shard) -> Part {
    Part { seeds: SeedRange { start: seeds.start, end: seeds.end }, shard }
}

/// Writes the results of failures and the report, and prints the report.
fn finish(
    args: &OutputArgs,
    plan: &Plan,
    folder: &Folder,
    mut report: FuzzReport,
    mut unwritten: Option<Failure>,
) -> u8 {
    report.out = folder.path().display().to_string();
    let stopped_by_disk = unwritten.is_some();
    // The cases may take a while; after an interrupt the report is still written.
    unwritten = unwritten.or(write(args, folder, &report));
    let (failure, left_out) = cases::write(plan, folder.path(), &mut report);
    unwritten = unwritten.or(failure).or(write(args, folder, &report));
    let code = exit_code(&report, stopped_by_disk);
    print(args.json, plan, &report, unwritten, code, left_out)
}

/// Prints a report, for people or programs and for GitHub. Returns the exit code. The results of
/// `left_out` failures were not written because of an interrupt.
fn print(
    json: bool,
    plan: &Plan,
    report: &FuzzReport,
    unwritten: Option<Failure>,
    code: u8,
    left_out: u64,
) -> u8 {
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| !value.is_empty()) {
        for line in annotations::lines(report) {
            exit::say_as_it_is(&line);
        }
    }
    step_summary::append(report);
    let words = || summary::summary(report, plan, Style::of_stdout());
    let code = exit::print_result(json.then_some(report), words, unwritten, code);
    if report.stopped == Stop::Interrupted {
        let (ran, planned) = (report.ran.ran, report.planned);
        exit::say(&format!("interrupted after {ran} of {planned} runs"));
    }
    if left_out > 0 {
        let left_out = plural(left_out, "failure");
        exit::say(&format!("interrupted: the results of {left_out} were not written"));
    }
    code
}

/// Writes the report into its files; returns the error if one cannot be written.
fn write(args: &OutputArgs, folder: &Folder, report: &FuzzReport) -> Option<Failure> {
    let unwritten = folder.write_json("fuzz.json", report).err();
    let Some(path) = &args.junit else { return unwritten };
    unwritten.or(folder::replace(path, &junit::document(report)).err())
}

/// The exit code of a report. An interrupt after the last run does not change it. Runs that are
/// missing because the disk was full are an error of writing, not an undecided result.
fn exit_code(report: &FuzzReport, stopped_by_disk: bool) -> u8 {
    if report.stopped == Stop::Interrupted {
        return exit::INTERRUPTED;
    }
    match report.outcome {
        Outcome::Unknown if stopped_by_disk && report.ran.unknown == 0 => exit::USAGE,
        outcome => outcome.exit_code(),
    }
}

/// The scenarios to run, with warnings about them.
fn plan(args: &FuzzArgs) -> Result<(Plan, Vec<Diagnostic>), Failure> {
    let bugs = bugs(&args.bugs, args.provoke_panic)?;
    let all = catalog::FILES.iter().map(|(name, _)| (*name).to_owned());
    let sources = if args.scenarios.is_empty() { all.collect() } else { args.scenarios.clone() };
    let mut targets: Vec<Target> = Vec::new();
    let mut warnings = Vec::new();
    for source in sources {
        let (mut scenario, found) = load(&source, &args.set)?;
        warnings.extend(found);
        for warning in scenario.set_all(&args.set)? {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        if let Some(other) = targets.iter().find(|other| other.scenario.name == scenario.name) {
            let (name, first) = (&scenario.name, &other.source);
            let message = format!("two scenarios are called `{name}`: {first} and {source}");
            return Err(Diagnostic::new(Kind::Usage, message).into());
        }
        targets.push(Target { source, scenario });
    }
    Ok((Plan::new(targets, args.set.clone(), bugs), warnings))
}

/// The name of the results directory, unless `--out` gives it.
fn label(args: &FuzzArgs, plan: &Plan, part: Part) -> String {
    let what = match plan.targets.as_slice() {
        [only] => only.scenario.name.clone(),
        _ if args.scenarios.is_empty() => "catalog".to_owned(),
        several => format!("{}-scenarios", several.len()),
    };
    let Part { seeds, shard } = part;
    let shard = match shard.of {
        1 => String::new(),
        of => format!("-{}of{of}", shard.index),
    };
    format!("fuzz-{what}-{}-{}{shard}", seeds.start, seeds.end)
}

/// Checked before the runs, so that hours of fuzzing do not end in a report that cannot be written.
fn probe_junit(args: &OutputArgs) -> Result<(), Failure> {
    let Some(path) = &args.junit else { return Ok(()) };
    if path.is_dir() {
        let message = format!("--junit {} is a directory, not a file", path.display());
        return Err(Diagnostic::new(Kind::Unwritable, message).into());
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.exists() {
        let message =
            format!("--junit {}: there is no directory {}", path.display(), folder.display());
        return Err(Diagnostic::new(Kind::Unwritable, message).into());
    }
    files::probe(folder).map_err(|error| Failure::unwritable(folder, &error))
}
