//! `faultline report run`: the page of one run, from its results.

use super::args::RunArgs;
use crate::execute;
use crate::exit::{self, Failure};
use crate::replay::{check, read};
use reports::run::{BadTrace, Finding, Line, Run, Tone};
use scenarios::escape::shell;
use scenarios::result::files::{self, name};
use scenarios::result::{Outcome, RunRecord, Verdict, describe, fate};
use serde::Serialize;
use spec::{Diagnostic, Kind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The maximum size of a verdict that is read, in bytes: far more than is ever written.
const LONGEST_VERDICT: u64 = 64 << 20;

/// The output of `--json`.
#[derive(Serialize)]
struct Made<'a> {
    version: u32,
    page: &'a str,
}

/// Makes the page of a run.
pub(super) fn command(args: &RunArgs) -> Result<u8, Failure> {
    let record = read(&args.path)?;
    check(&args.path, &record)?;
    let folder = match args.path.is_dir() {
        true => args.path.clone(),
        false => args.path.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let verdict = verdict(&folder, &record)?;
    let trace = folder.join(name::TRACE);
    let recorded = files::read_trace(&folder).map_err(|it| Failure::unreadable(&trace, &it))?;
    let page = match recorded {
        Some(lines) => of(&record, &verdict, complete(lines, &record))
            .map_err(|bad| malformed(&trace, &bad, &folder))?,
        None => match replayed(&record, &verdict, &folder)? {
            Some(page) => page,
            None => return Ok(exit::interrupted("nothing was written", args.json)),
        },
    };
    files::write_page(&folder, page.as_bytes()).map_err(|it| Failure::unwritable(&folder, &it))?;
    let path = folder.join(name::PAGE).display().to_string();
    let made = Made { version: scenarios::result::VERSION, page: &path };
    let words = || format!("the page is {path}\n");
    Ok(exit::print_result(args.json.then_some(&made), words, None, 0))
}

/// The page of a run, from its record, its verdict and the lines of its trace.
pub(crate) fn of<E: ToString>(
    record: &RunRecord,
    verdict: &Verdict,
    lines: impl Iterator<Item = Result<String, E>>,
) -> Result<String, BadTrace> {
    reports::run::page(&run(record, verdict), lines)
}

/// The verdict beside the record. A verdict of another run is an error.
fn verdict(folder: &Path, record: &RunRecord) -> Result<Verdict, Failure> {
    let path = folder.join(name::VERDICT);
    let hint = || Some(format!("to make the run and its results again: {}", record.command()));
    let bytes = files::read(&path, LONGEST_VERDICT)
        .map_err(|it| Failure::unreadable(&path, &it).with_hint(hint()))?;
    let verdict: Verdict = serde_json::from_slice(&bytes).map_err(|error| {
        let what = exit::json_in_words(&error);
        wrong(&path, format!("not the verdict of a run: {what}"), hint())
    })?;
    if verdict.digest != record.digest || verdict.seed != record.seed {
        let message = format!("it is the verdict of another run than {}", name::RUN);
        return Err(wrong(&path, message, hint()));
    }
    Ok(verdict)
}

/// The lines of a trace that was kept, and an error if they are fewer or more than the run's.
fn complete(
    lines: impl Iterator<Item = std::io::Result<String>>,
    record: &RunRecord,
) -> impl Iterator<Item = Result<String, String>> {
    let (mut seen, all) = (0, record.events);
    let mut lines = lines.map(|line| line.map_err(|error| error.to_string()));
    std::iter::from_fn(move || match lines.next() {
        Some(_) if seen == all => Some(Err(format!("the run has {all} events, the trace more"))),
        Some(line) => {
            seen += 1;
            Some(line)
        }
        None if seen < all => {
            let short = format!("the trace ends after {seen} of {all} events");
            seen = all;
            Some(Err(short))
        }
        None => None,
    })
}

/// The page from a replay, whose digest has to be that of the record.
fn replayed(
    record: &RunRecord,
    verdict: &Verdict,
    folder: &Path,
) -> Result<Option<String>, Failure> {
    let Some(again) = execute::one(record.resolved(true)) else { return Ok(None) };
    let trace = folder.join(name::TRACE);
    if again.verdict.digest != record.digest {
        let message = format!(
            "there is no trace, and a replay gives another run: digest {}, recorded {} by faultline \
             {} (build {})",
            again.verdict.digest, record.digest, record.faultline, record.build
        );
        let hint = format!("for a new run: {}", record.command());
        return Err(wrong(&trace, message, Some(hint)));
    }
    let lines = again.account.lines().map(Ok::<_, String>);
    of(record, verdict, lines).map(Some).map_err(|bad| malformed(&trace, &bad, folder))
}

fn malformed(trace: &Path, bad: &BadTrace, folder: &Path) -> Failure {
    let hint = shell(&folder.display().to_string());
    let hint = format!("`faultline replay {hint} --trace` writes the trace of the run again");
    wrong(trace, format!("not the trace of this run: {bad}"), Some(hint))
}

fn wrong(path: &Path, message: String, hint: Option<String>) -> Failure {
    let file = Some(path.display().to_string());
    Diagnostic { file, ..Diagnostic::new(Kind::Malformed, message).with_hint(hint) }.into()
}

/// The page in a results directory, if there is one.
pub(crate) fn beside(out: &str) -> Option<PathBuf> {
    let page = Path::new(out).join(name::PAGE);
    (!out.is_empty() && page.is_file()).then_some(page)
}

/// A run in the form of the crate `reports`.
fn run(record: &RunRecord, verdict: &Verdict) -> Run {
    let scenario = &record.scenario;
    let (tone, word) = match verdict.outcome {
        Outcome::Pass if verdict.has_losses() => (Tone::Caution, "PASS, with permitted losses"),
        Outcome::Pass => (Tone::Good, "PASS"),
        Outcome::Violation => (Tone::Bad, "VIOLATION"),
        Outcome::Unknown => (Tone::Caution, "UNKNOWN"),
        Outcome::Vacuous => (Tone::Caution, "VACUOUS"),
        Outcome::Panic => (Tone::Bad, "PANIC"),
        Outcome::Nondeterministic => (Tone::Bad, "DIFFERS"),
    };
    let notices = verdict.notices.iter().map(|it| format!("{}: {}", it.node, it.what));
    let bugs = verdict.bugs.iter().map(|bug| format!("bug {}", bug.id));
    let counts = verdict.counts.rows();
    Run {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        description: scenario.description.clone(),
        seed: record.seed,
        tone,
        verdict: word.to_owned(),
        headline: verdict.headline(),
        findings: findings(verdict),
        notes: verdict.unknown.iter().cloned().chain(notices).collect(),
        counts: counts.map(|(name, count)| (name.to_owned(), count)).to_vec(),
        waits: waits(verdict),
        overrides: record.overrides.iter().cloned().chain(bugs).collect(),
        faults: record
            .faults
            .iter()
            .map(|it| format!("{}: {}", describe(&it.fault), fate(&it.fate)))
            .collect(),
        exercised: verdict.exercised.iter().map(|(name, count)| (name.clone(), *count)).collect(),
        not_exercised: verdict.not_exercised.clone(),
        not_default: record
            .not_default
            .iter()
            .map(|it| [&it.of, &it.property, &it.value, &it.default].map(Clone::clone))
            .collect(),
        drawn: record.drawn.clone(),
        min_isr: min_isr(record),
        command: record.command(),
        replay: verdict.replay.clone(),
        digest: record.digest.clone(),
        events: record.events,
        simulated_ns: record.simulated_ns,
        faultline: format!("{} (build {})", record.faultline, record.build),
    }
}

fn waits(verdict: &Verdict) -> Vec<(String, String)> {
    let writes = verdict.writes.iter().map(|it| ("writes".to_owned(), it.in_words()));
    let reads = verdict.reads.iter().map(|it| ("reads".to_owned(), it.in_words()));
    writes.chain(reads).collect()
}

fn findings(verdict: &Verdict) -> Vec<Finding> {
    let lines = |texts: &[String], events: &[u64]| {
        let events = events.iter().copied().chain(std::iter::repeat(0));
        let lines = texts.iter().zip(events);
        lines.map(|(text, event)| Line { text: text.clone(), event }).collect()
    };
    let violations = verdict.violations.iter().map(|it| Finding {
        broken: true,
        name: it.check.clone(),
        summary: it.summary.clone(),
        because: String::new(),
        partition: it.partition.clone(),
        lines: lines(&it.explanation, &it.explanation_events),
        events: it.events.clone(),
    });
    let permitted = verdict.permitted.iter().map(|it| Finding {
        broken: false,
        name: it.hazard.clone(),
        summary: it.summary.clone(),
        because: it.because.clone(),
        partition: it.partition.clone(),
        lines: lines(&it.explanation, &it.explanation_events),
        events: it.events.clone(),
    });
    violations.chain(permitted).collect()
}

/// `min.insync.replicas` by topic; the empty name has the default of the first cluster, or Kafka's.
fn min_isr(record: &RunRecord) -> BTreeMap<String, u64> {
    const KEY: &str = "min.insync.replicas";
    let scenario = serde_json::to_value(&record.scenario).unwrap_or_default();
    let value = |of: &serde_json::Value| of[KEY].as_str()?.parse().ok();
    let default = value(&scenario["clusters"][0]["topic"]).unwrap_or(1);
    let topics = scenario["topics"].as_array().into_iter().flatten();
    let topics = topics.filter_map(|topic| {
        Some((topic["name"].as_str()?.to_owned(), value(&topic["properties"])?))
    });
    std::iter::once((String::new(), default)).chain(topics).collect()
}
