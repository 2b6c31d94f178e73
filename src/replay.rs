//! `faultline replay`: repeats a recorded run, and compares it with the record.

use crate::args::ReplayArgs;
use crate::execute;
use crate::exit::{self, Failure};
use crate::freeze;
use crate::scenario::{Told, known_bugs, load};
use crate::style::Style;
use crate::summary;
use scenarios::escape::shell;
use scenarios::result::files;
use scenarios::result::{Outcome, RunRecord, VERSION, Verdict, moment};
use scenarios::run::RunOutcome;
use spec::{Diagnostic, Kind, Time};
use std::path::{Path, PathBuf};

/// The number of events that are shown before the requested time.
const SHOWN: usize = 30;

/// Repeats a run.
pub(crate) fn command(args: &ReplayArgs) -> Result<u8, Failure> {
    let record = read(&args.path)?;
    check(&args.path, &record)?;
    args.freeze.as_deref().map_or(Ok(()), |path| freeze::check(path, &record))?;
    let folder = match args.path.is_dir() {
        true => args.path.clone(),
        false => args.path.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let Some(outcome) = made(args, &record) else {
        return Ok(exit::interrupted("nothing is known about it", args.json));
    };
    let again = format!("faultline replay {}", shell(&args.path.display().to_string()));
    let mut verdict = outcome.verdict.clone();
    (verdict.reproduce, verdict.replay) = (record.command(), again);
    verdict.out = folder.display().to_string();
    let mut notes = panic_differs(&record, &verdict);
    let is_same = verdict.digest == record.digest && notes.is_empty();
    if !is_same {
        let (otherwise, why) = match record.is_of_this_build() {
            true => (Outcome::Nondeterministic, differences(&folder, &record, &outcome)),
            false => (Outcome::Unknown, another_build(&record)),
        };
        notes.extend(why);
        if !outcome.has_panicked() {
            verdict.outcome = otherwise;
            verdict.unknown.clear();
        }
        verdict.unknown.extend_from_slice(&notes);
    } else if verdict.outcome != record.outcome {
        let (then, now) = (record.outcome.name(), verdict.outcome.name());
        let whose = if record.is_of_this_build() { "" } else { ", by another build of faultline" };
        notes.push(format!("its verdict differs: {now} now, {then} when it was recorded{whose}"));
    }
    let mut unwritten = None;
    if args.trace && is_same {
        match keep(&folder, &outcome) {
            Ok(()) => {
                let trace = folder.join(files::name::TRACE);
                notes.push(format!("the trace is in {}", trace.display()));
            }
            Err(failure) => unwritten = Some(failure),
        }
    }
    if let Some(path) = &args.freeze {
        match freeze::write(path, &record, &outcome, is_same) {
            Ok(note) => notes.push(note),
            Err(failure) => unwritten = Some(failure),
        }
    }
    notes.extend(source_differs(&record));
    if let Some(until) = args.until {
        notes.extend(last_events(&outcome, until));
    }
    let record = RunRecord { faults: outcome.plan, ..record };
    Ok(finish(args, verdict, is_same, record, &notes, unwritten))
}

/// Repeats the run. The events before a panic are known only with a trace.
fn made(args: &ReplayArgs, record: &RunRecord) -> Option<Box<RunOutcome>> {
    let trace = args.trace || args.until.is_some() || record.outcome == Outcome::Panic;
    let outcome = execute::one(record.resolved(trace))?;
    if !outcome.has_panicked() || trace {
        return Some(outcome);
    }
    let traced = execute::one(record.resolved(true))?;
    Some(if traced.has_panicked() { traced } else { outcome })
}

/// Notes for a run that ended in another panic than the recorded one, or if only one of the two
/// ended in a panic.
fn panic_differs(record: &RunRecord, verdict: &Verdict) -> Vec<String> {
    let now = verdict.panic.as_ref().map(ToString::to_string);
    match (&record.panic, now) {
        (Some(then), Some(now)) if *then != now => {
            vec![format!("it was recorded with another panic: {then}")]
        }
        (Some(then), None) => {
            vec![format!("it was recorded with a panic, which did not come again: {then}")]
        }
        (None, Some(_)) => {
            vec![format!("it was recorded without a panic: {}", record.outcome.name())]
        }
        _ => Vec::new(),
    }
}

fn finish(
    args: &ReplayArgs,
    verdict: Verdict,
    is_same: bool,
    record: RunRecord,
    notes: &[String],
    unwritten: Option<Failure>,
) -> u8 {
    let code = verdict.outcome.exit_code();
    if args.json {
        for note in notes {
            exit::say(note);
        }
        return exit::print_result(Some(&verdict), String::new, unwritten, code);
    }
    let same = match verdict.outcome {
        Outcome::Panic if is_same => format!("the same panic: digest {}", verdict.digest),
        Outcome::Panic => {
            "not reproduced: the run ended in a panic, and not as it was recorded".to_owned()
        }
        _ if is_same => format!("the same run: digest {}", verdict.digest),
        _ => "not reproduced: this is not the run that was recorded".to_owned(),
    };
    let told = Told { verdict, record, unwritten: None };
    let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
    let words = || format!("{same}\n{notes}\n{}", summary::of_run(&told, Style::of_stdout()));
    exit::print_result(None::<&Verdict>, words, unwritten, code)
}

/// Reads the record of a run.
pub(crate) fn read(path: &Path) -> Result<RunRecord, Failure> {
    files::read_record(path).map_err(|error| {
        if path.is_dir() && error.kind() == std::io::ErrorKind::NotFound {
            return no_run(path);
        }
        let file: PathBuf =
            if path.is_dir() { path.join(files::name::RUN) } else { path.to_owned() };
        if error.kind() != std::io::ErrorKind::InvalidData {
            return Failure::unreadable(&file, &error);
        }
        let hint = path
            .extension()
            .is_some_and(|extension| extension == "toml")
            .then(|| "a scenario file is run by `faultline scenario`".to_owned())
            .or_else(|| beside_a_record(path));
        let json = error.get_ref().and_then(|inner| inner.downcast_ref::<serde_json::Error>());
        let Some(json) = json else { return Failure::unreadable(&file, &error) };
        let what = match path.extension() {
            Some(extension) if extension == "toml" => "it is not JSON".to_owned(),
            _ => exit::json_in_words(json),
        };
        let number = |n: usize| u32::try_from(n).ok().filter(|n| *n > 0);
        let message = format!("not the record of a run: {what}");
        Failure::from(Diagnostic {
            file: Some(file.display().to_string()),
            line: number(json.line()),
            column: number(json.column()),
            ..Diagnostic::new(Kind::Malformed, message).with_hint(hint)
        })
    })
}

/// A hint, if another file of a results directory was given.
fn beside_a_record(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let is_record = path.file_name().is_some_and(|file| file == files::name::RUN);
    let hint = || format!("give the results directory, {}, or its run.json", folder.display());
    (!is_record && folder.join(files::name::RUN).is_file()).then(hint)
}

/// The error for a directory without a run; it may contain directories with runs.
fn no_run(folder: &Path) -> Failure {
    let name = folder.display();
    let message = format!("{name} holds no run: there is no {} in it", files::name::RUN);
    let runs = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> = runs
        .map(|entry| entry.path())
        .filter(|path| path.join(files::name::RUN).is_file())
        .collect();
    runs.sort();
    let hint = runs
        .last()
        .map(|run| format!("each run has a directory of its own in it, such as {}", run.display()));
    Diagnostic::new(Kind::Unreadable, message).with_hint(hint).into()
}

/// Checks the seal of a record, and then its scenario as that of a file.
pub(crate) fn check(path: &Path, record: &RunRecord) -> Result<(), Failure> {
    let file = Some(path.display().to_string());
    let wrong = if record.version != VERSION {
        let message = format!("format version {}; this program reads {VERSION}", record.version);
        Some(Diagnostic::new(Kind::Malformed, message))
    } else if !record.is_sealed() {
        let message = "the record was changed after it was written: it cannot be verified";
        let hint = "restore the file; to run something else, give `faultline scenario` a file or \
                    settings of your own";
        Some(Diagnostic::new(Kind::Malformed, message).with_hint(Some(hint.to_owned())))
    } else {
        record.scenario.impossible()
    };
    if let Some(diagnostic) = wrong {
        return Err(Diagnostic { file, ..diagnostic }.into());
    }
    known_bugs(&record.bugs).map(drop)
}

/// A note if the scenario differs from that of the record: its command gives another run, or none.
fn source_differs(record: &RunRecord) -> Option<String> {
    let source = &record.source;
    let why = match load(source, &record.overrides) {
        Ok((mut scenario, _)) => match scenario.set_all(&record.overrides) {
            Ok(_) if scenario == record.scenario => return None,
            _ => "has changed since: `faultline scenario` with it makes another run",
        },
        Err(_) => "can no longer be read here: `faultline scenario` with it makes no run",
    };
    Some(format!("{source} {why}; the record has the scenario as it was"))
}

/// Writes trace and history beside the record of the run.
fn keep(folder: &Path, outcome: &RunOutcome) -> Result<(), Failure> {
    let account = &outcome.account;
    files::add_trace(folder, Box::new(account.lines()), Box::new(account.history.lines()))
        .map_err(|error| Failure::unwritable(folder, &error))
}

/// Notes for a record of another build, if the digests differ.
fn another_build(record: &RunRecord) -> Vec<String> {
    let this = format!("{} (build {})", env!("CARGO_PKG_VERSION"), scenarios::BUILD);
    vec![
        format!(
            "it was recorded by faultline {} (build {}), and this is {this}: runs of different \
             builds may differ",
            record.faultline, record.build
        ),
        format!(
            "to verify the record, replay it with that build; for a new one: {}",
            record.command()
        ),
    ]
}

/// The differences between this run and a run recorded by the same build.
fn differences(folder: &Path, record: &RunRecord, outcome: &RunOutcome) -> Vec<String> {
    let mut notes = vec![
        "the record is unchanged and of this very build, so runs of one seed differ, which is a \
         defect of Faultline: please report it"
            .to_owned(),
        format!("recorded digest {}, this one {}", record.digest, outcome.verdict.digest),
    ];
    let traced = |outcome: Option<Box<RunOutcome>>| match outcome {
        Some(outcome) => outcome.account.lines().collect(),
        None => Vec::new(),
    };
    let mut now: Vec<String> = outcome.account.lines().collect();
    if now.is_empty() {
        now = traced(execute::one(record.resolved(true)));
    }
    // A damaged trace does not hide the difference: the readable part is compared.
    let recorded = files::read_trace(folder).map(|events| {
        events.map(|events| {
            let mut readable = Vec::new();
            for event in events {
                match event {
                    Ok(event) => readable.push(event),
                    Err(error) => return (readable, Some(error)),
                }
            }
            (readable, None)
        })
    });
    let (then, damage) = match recorded {
        Ok(Some((events, damage))) if !events.is_empty() => (Some(events), damage),
        Ok(Some((_, damage))) => (None, damage),
        Ok(None) => (None, None),
        Err(error) => (None, Some(error)),
    };
    let trace = folder.join(files::name::TRACE);
    if let Some(error) = damage {
        let events = then.as_ref().map_or(0, Vec::len);
        let path = trace.display();
        notes.push(format!("{path} can be read up to event {events} only: {error}"));
        now.truncate(events.max(1));
    }
    let then = then.unwrap_or_else(|| {
        notes.push("no trace was kept: two replays are compared instead".to_owned());
        now = traced(execute::one(record.resolved(true)));
        traced(execute::one(record.resolved(true)))
    });
    match first_difference(&then, &now) {
        Some((i, then, now)) => {
            notes.push(format!("the first event that differs is number {}:", i + 1));
            notes.push(format!("  then: {then}"));
            notes.push(format!("  now:  {now}"));
        }
        None => notes.push("their events are the same, as far as both are known".to_owned()),
    }
    notes
}

/// The index of the first line that differs.
fn first_difference<'a>(
    then: &'a [String],
    now: &'a [String],
) -> Option<(usize, &'a str, &'a str)> {
    let at = |lines: &'a [String], i: usize| lines.get(i).map_or("(it had ended)", String::as_str);
    let longest = then.len().max(now.len());
    (0..longest).find(|i| then.get(*i) != now.get(*i)).map(|i| (i, at(then, i), at(now, i)))
}

/// The last events up to a given time.
fn last_events(outcome: &RunOutcome, until: Time) -> Vec<String> {
    let account = &outcome.account;
    let until_ns = i64::try_from(until.nanos()).unwrap_or(i64::MAX);
    let end = account.events_until(until_ns);
    let start = end.saturating_sub(SHOWN);
    let shown = &account.trace[start..end];
    let last = outcome.stats.since_load();
    let head = match until_ns > last {
        true => {
            format!("the run ends {} into the load; the last of its {end} events:", moment(last))
        }
        false => format!("the last of {end} events up to {until} into the load:"),
    };
    let mut notes = vec![head];
    notes.extend(shown.iter().map(|event| account.in_words(event)));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_even_if_one_trace_ends_earlier() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(first_difference(&lines("a b"), &lines("a b")), None);
        assert_eq!(first_difference(&lines("a b"), &lines("a c")), Some((1, "b", "c")));
        assert_eq!(first_difference(&lines("a"), &lines("a b")), Some((1, "(it had ended)", "b")));
    }
}
