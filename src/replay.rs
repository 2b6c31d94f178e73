//! `faultline replay`: the same run again, and whether it is the same.

use crate::args::ReplayArgs;
use crate::execute;
use crate::exit::{self, Failure, print_json};
use crate::scenario::{Told, known_bugs, lines};
use crate::style::Style;
use crate::summary;
use scenarios::result::files::{self, Artefacts};
use scenarios::result::{Outcome, RunRecord, VERSION, Verdict, quoted};
use scenarios::run::RunOutcome;
use scenarios::spec::{Diagnostic, Kind, Time};
use std::path::{Path, PathBuf};

/// How many events are shown before the moment that was asked for.
const SHOWN: usize = 30;

/// Makes a run again.
pub(crate) fn command(args: &ReplayArgs) -> Result<u8, Failure> {
    let record = read(&args.path)?;
    check(&args.path, &record)?;
    let folder = match args.path.is_dir() {
        true => args.path.clone(),
        false => args.path.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let trace = args.trace || args.until.is_some();
    let Some(ran) = execute::one(record.resolved(trace), false) else {
        return Ok(exit::interrupted("nothing is known about it", args.json));
    };
    let again = format!("faultline replay {}", quoted(&args.path.display().to_string()));
    let outcome = match ran {
        Ok(outcome) => outcome,
        Err(message) => {
            let name = &record.scenario.name;
            let mut verdict = Verdict::of_panic(name, record.seed, &record.bugs, message);
            verdict.reproduce = again;
            return Ok(finish(args, verdict, record, &[]));
        }
    };
    let mut verdict = outcome.verdict.clone();
    verdict.reproduce = again;
    verdict.out = folder.display().to_string();
    let mut notes = Vec::new();
    if outcome.verdict.digest != record.digest {
        verdict.outcome = Outcome::Nondeterministic;
        let this = env!("CARGO_PKG_VERSION");
        if record.faultline != this {
            notes.push(format!("it was recorded by version {}; this is {this}", record.faultline));
        }
        notes.extend(differences(&folder, &record, &outcome)?);
        verdict.unknown.clone_from(&notes);
    } else if verdict.outcome != record.outcome || verdict.events != record.events {
        notes.push(format!(
            "the record says {} after {} events, which is not what this run came to",
            record.outcome.name(),
            record.events
        ));
    }
    if args.trace && verdict.outcome != Outcome::Nondeterministic {
        keep(&folder, &verdict, &record, &outcome)?;
        notes.push(format!("the trace is in {}", folder.join(files::name::TRACE).display()));
    }
    if let Some(until) = args.until {
        notes.extend(last_events(&outcome, until));
    }
    let record = RunRecord { faults: outcome.plan, ..record };
    Ok(finish(args, verdict, record, &notes))
}

fn finish(args: &ReplayArgs, verdict: Verdict, record: RunRecord, notes: &[String]) -> u8 {
    let code = verdict.outcome.exit_code();
    if args.json {
        for note in notes {
            crate::exit::tell(note);
        }
        print_json(&verdict);
        return code;
    }
    let same = match verdict.outcome {
        Outcome::Nondeterministic => "this is not the run that was recorded".to_owned(),
        Outcome::Panic => "the run ended in a panic".to_owned(),
        _ => format!("the same run: digest {}", verdict.digest),
    };
    let summary = summary::of_run(&Told { verdict, record }, Style::of_stdout());
    exit::print(&format!("{same}\n{}\n{summary}", notes.join("\n")));
    code
}

fn read(path: &Path) -> Result<RunRecord, Failure> {
    files::read_record(path).map_err(|error| {
        if error.kind() != std::io::ErrorKind::InvalidData {
            return Failure::unreadable(path, &error);
        }
        let json = error.get_ref().and_then(|inner| inner.downcast_ref::<serde_json::Error>());
        let number = |n: usize| u32::try_from(n).ok().filter(|n| *n > 0);
        let file: PathBuf =
            if path.is_dir() { path.join(files::name::RUN) } else { path.to_owned() };
        let hint = path
            .extension()
            .is_some_and(|extension| extension == "toml")
            .then(|| "a scenario file is run by `faultline scenario`".to_owned());
        let message = format!("not a record of a run: {error}");
        Failure::from(Diagnostic {
            file: Some(file.display().to_string()),
            line: json.and_then(|json| number(json.line())),
            column: json.and_then(|json| number(json.column())),
            ..Diagnostic::new(Kind::Malformed, message).with_hint(hint)
        })
    })
}

/// What cannot have been recorded is not run.
fn check(path: &Path, record: &RunRecord) -> Result<(), Failure> {
    let file = Some(path.display().to_string());
    let wrong = if record.version != VERSION {
        let message = format!("format version {}; this program reads {VERSION}", record.version);
        Some(Diagnostic::new(Kind::Malformed, message))
    } else {
        record.scenario.impossible()
    };
    if let Some(diagnostic) = wrong {
        return Err(Diagnostic { file, ..diagnostic }.into());
    }
    known_bugs(&record.bugs).map(drop)
}

/// Writes trace and history beside the record of the run.
fn keep(
    folder: &Path,
    verdict: &Verdict,
    record: &RunRecord,
    outcome: &RunOutcome,
) -> Result<(), Failure> {
    let base = folder.parent().unwrap_or(Path::new("."));
    let artefacts = Artefacts {
        verdict,
        record,
        trace: Some(Box::new(lines(&outcome.trace))),
        history: Some(Box::new(outcome.history.lines())),
    };
    files::write_into(folder, artefacts).map_err(|error| Failure::unwritable(base, &error))
}

/// The first event in which this run is not the recorded one.
fn differences(
    folder: &Path,
    record: &RunRecord,
    outcome: &RunOutcome,
) -> Result<Vec<String>, Failure> {
    let mut notes =
        vec![format!("recorded digest {}, this one {}", record.digest, outcome.verdict.digest)];
    if record.faultline != env!("CARGO_PKG_VERSION") {
        let (then, now) = (&record.faultline, env!("CARGO_PKG_VERSION"));
        notes.push(format!("it was recorded by version {then}, and this is {now}"));
    }
    let traced = |outcome: Option<execute::Ran>| match outcome {
        Some(Ok(outcome)) => lines(&outcome.trace).collect(),
        _ => Vec::new(),
    };
    let mut now: Vec<String> = lines(&outcome.trace).collect();
    if now.is_empty() {
        now = traced(execute::one(record.resolved(true), false));
    }
    let recorded =
        files::read_trace(folder).map_err(|error| Failure::unreadable(folder, &error))?;
    let then: Vec<String> = match recorded {
        Some(events) => {
            events.collect::<Result<_, _>>().map_err(|error| Failure::unreadable(folder, &error))?
        }
        None => {
            notes.push("no trace was kept; compared with a second replay instead".to_owned());
            traced(execute::one(record.resolved(true), false))
        }
    };
    match first_difference(&then, &now) {
        Some((i, then, now)) => {
            notes.push(format!("the first event that differs is number {}:", i + 1));
            notes.push(format!("  then: {then}"));
            notes.push(format!("  now:  {now}"));
        }
        None => notes.push("every event in the traces is the same".to_owned()),
    }
    Ok(notes)
}

/// The index of the first line that is not the same in both.
fn first_difference<'a>(
    then: &'a [String],
    now: &'a [String],
) -> Option<(usize, &'a str, &'a str)> {
    let at = |lines: &'a [String], i: usize| lines.get(i).map_or("(it had ended)", String::as_str);
    let longest = then.len().max(now.len());
    (0..longest).find(|i| then.get(*i) != now.get(*i)).map(|i| (i, at(then, i), at(now, i)))
}

/// The last events up to a moment.
fn last_events(outcome: &RunOutcome, until: Time) -> Vec<String> {
    let end = outcome.trace.partition_point(|event| event.time.0 <= until.nanos());
    let start = end.saturating_sub(SHOWN);
    let shown = &outcome.trace[start..end];
    let mut notes = vec![format!("the last of {end} events up to {until}:")];
    notes.extend(lines(shown));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_even_where_one_ends() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(first_difference(&lines("a b"), &lines("a b")), None);
        assert_eq!(first_difference(&lines("a b"), &lines("a c")), Some((1, "b", "c")));
        assert_eq!(first_difference(&lines("a"), &lines("a b")), Some((1, "(it had ended)", "b")));
    }
}
