//! `faultline replay --freeze`: writes a run as a scenario file, which keeps a failing seed. A seed
//! gives another run as soon as a swarm draws something new; the file does not.

use crate::execute;
use crate::exit::Failure;
use crate::summary::pasteable;
use scenarios::escape;
use scenarios::plan::{frozen, is_expectable};
use scenarios::result::{Outcome, RunRecord, command};
use scenarios::run::RunOutcome;
use spec::{Diagnostic, Kind, Resolved, Scenario, reach};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// The width of the comment at the top of a file.
const WIDTH: usize = 100;

/// Checks that the plan of a run can be written to `path` before anything is run.
pub(crate) fn check(path: &Path, record: &RunRecord) -> Result<(), Failure> {
    let file = Some(path.display().to_string());
    let wrong = |kind, message: &str| Diagnostic { file, ..Diagnostic::new(kind, message) };
    if name(path).is_none() {
        let message = "`--freeze` expects a file such as late-leader.toml: lower-case letters, \
                       digits and dashes, which become the name of the scenario";
        return Err(wrong(Kind::Usage, message).into());
    }
    if !is_expectable(record.outcome) {
        return Err(wrong(Kind::Usage, &unexpectable(record.outcome)).into());
    }
    match path.try_exists() {
        Ok(true) => {
            let message = "the file of `--freeze` is there already, and is not replaced";
            Err(wrong(Kind::Unwritable, message).into())
        }
        Ok(false) => Ok(()),
        Err(error) => Err(Failure::unwritable(path, &error)),
    }
}

fn unexpectable(outcome: Outcome) -> String {
    format!(
        "the run came to `{}`, and a scenario file expects `pass` or `violation`: `--freeze` keeps \
         only runs that decide",
        outcome.name()
    )
}

/// The name of a file's scenario.
fn name(path: &Path) -> Option<&str> {
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let stem = path.file_stem()?.to_str().filter(|_| is_toml)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (!stem.is_empty() && stem.len() <= 64 && stem.chars().all(fits)).then_some(stem)
}

/// Writes the recorded run to `path`, and returns a note with the outcome of a run of that file.
pub(crate) fn write(
    path: &Path,
    record: &RunRecord,
    outcome: &RunOutcome,
    is_same: bool,
) -> Result<String, Failure> {
    let shown = path.display();
    if !is_same {
        return Ok(format!("{shown} was not written: this is not the run that was recorded"));
    }
    // The same run may get another verdict in another build.
    let Some(plan) = frozen(&record.resolved(false), outcome) else {
        let file = Some(shown.to_string());
        let message = unexpectable(outcome.verdict.outcome);
        return Err(Diagnostic { file, ..Diagnostic::new(Kind::Usage, message) }.into());
    };
    let scenario = Scenario { name: name(path).unwrap_or_default().to_owned(), ..plan };
    let text = format!("{}\n{}", comment(record, outcome), scenario.to_toml());
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::unwritable(path, &error))?;
    let faults = match scenario.faults.len() {
        0 => "no fault".to_owned(),
        1 => "1 fault at its moment".to_owned(),
        faults => format!("{faults} faults at their moments"),
    };
    let again = execute::one(Resolved { scenario, ..record.resolved(false) });
    let comes_to = again.map_or_else(|| "it was not run".to_owned(), |it| same(outcome, &it));
    let run = command(&shown.to_string(), &format!("--seed {}", record.seed), &[], &record.bugs);
    Ok(format!("{shown} has what the run met, {faults}; {comes_to}\nrun it: {}", pasteable(&run)))
}

/// The outcome of a run of the file, compared with the original.
fn same(original: &RunOutcome, again: &RunOutcome) -> String {
    let what = |run: &RunOutcome| {
        let signatures = run.verdict.violations.iter().map(|it| it.signature.clone());
        let panic = run.verdict.panic.as_ref().map(ToString::to_string);
        (run.verdict.outcome, signatures.collect::<Vec<_>>(), run.verdict.counts.clone(), panic)
    };
    let (then, now) = (&original.verdict, &again.verdict);
    match (then.digest == now.digest, what(original) == what(again)) {
        (true, _) => "a run of it is the same run".to_owned(),
        (false, true) => {
            format!("a run of it has another digest and the same verdict: {}", now.outcome.name())
        }
        (false, false) => {
            format!("a run of it differs: {} in place of {}", now.headline(), then.headline())
        }
    }
}

/// The comment at the top: the origin of the file, and the steps that the run reached.
fn comment(record: &RunRecord, outcome: &RunOutcome) -> String {
    let verdict = &outcome.verdict;
    let mut text = format!(
        "What `{}` met, by faultline {} (build {}): {}.",
        record.command(),
        record.faultline,
        record.build,
        verdict.headline()
    );
    let steps = verdict.exercised.keys().map(String::as_str).filter(|name| reach::is_step(name));
    let reached: Vec<&str> = steps.collect();
    if !reached.is_empty() {
        text.push_str(&format!(" It reached {}.", reached.join(", ")));
    }
    if !record.bugs.is_empty() {
        text.push_str(&format!(" It takes --bug {}.", record.bugs.join(" --bug ")));
    }
    let mut lines = vec!["#".to_owned()];
    for word in escape::line(&text).split(' ') {
        if lines.last().is_some_and(|line| line.len() + 1 + word.len() > WIDTH) {
            lines.push("#".to_owned());
        }
        let Some(line) = lines.last_mut() else { break };
        line.push(' ');
        line.push_str(word);
    }
    lines.join("\n") + "\n"
}
