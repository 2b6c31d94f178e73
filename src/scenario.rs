//! `faultline scenario`: one run, or many.

use crate::args::ScenarioArgs;
use crate::execute;
use crate::exit::{self, Failure};
use crate::style::Style;
use crate::{fuzz, list, near_path, report, summary};
use scenarios::escape::shell;
use scenarios::result::files::{self, Artefacts};
use scenarios::result::{Outcome, RunRecord, Verdict};
use scenarios::run::RunOutcome;
use scenarios::{catalog, museum};
use spec::{Diagnostic, Kind, Resolved, Scenario, nearest};
use std::path::Path;

/// A scenario that is ready to run, with its arguments.
pub(crate) struct Job<'a> {
    pub(crate) args: &'a ScenarioArgs,
    pub(crate) scenario: Scenario,
    pub(crate) bugs: Vec<String>,
}

/// The maximum size of a scenario file in bytes: far more than people write.
const LONGEST_FILE: u64 = 16 << 20;

/// Runs a scenario.
pub(crate) fn command(args: &ScenarioArgs) -> Result<u8, Failure> {
    let (mut scenario, mut warnings) = load(&args.scenario, &args.set)?;
    warnings.extend(scenario.set_all(&args.set)?);
    if args.print {
        exit::warn(&warnings);
        // A scenario of the catalogue without changes is printed with its comments.
        let is_named = !is_file(&args.scenario) && args.set.is_empty();
        let written =
            if is_named { catalog::text(&args.scenario)?.to_owned() } else { scenario.to_toml() };
        exit::print(&written);
        return Ok(0);
    }
    let bugs = bugs(&args.bugs, args.provoke_panic)?;
    let out = args.folder();
    files::probe(out).map_err(|error| Failure::unwritable(out, &error))?;
    exit::warn(&warnings);
    match &args.seeds {
        Some(seeds) => fuzz::series(args, scenario, bugs, seeds),
        None => Job { args, scenario, bugs }.single(),
    }
}

/// Whether a scenario is given by a path, not by its name in the catalogue.
fn is_file(source: &str) -> bool {
    let is_toml = Path::new(source).extension().is_some_and(|extension| extension == "toml");
    is_toml || source.contains(std::path::MAIN_SEPARATOR)
}

/// Reads a scenario: a file if the name looks like one, otherwise from the catalogue. Of `settings` only
/// `beyond.kafka` matters here: it allows values that a file has.
pub(crate) fn load(
    source: &str,
    settings: &[String],
) -> Result<(Scenario, Vec<Diagnostic>), Failure> {
    let path = Path::new(source);
    if !is_file(source) {
        return Ok(catalog::scenario(source)?);
    }
    let bytes = files::read(path, LONGEST_FILE)
        .map_err(|error| Failure::unreadable(path, &error).with_hint(of_catalogue(source)))?;
    let text = String::from_utf8(bytes).map_err(|error| not_text(source, &error))?;
    let pairs = settings.iter().rev().filter_map(|it| it.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim() == "beyond.kafka");
    let is_beyond = values.next().is_some_and(|(_, value)| value.trim() == "true");
    Ok(catalog::parse_beyond((source, &text), &extended, is_beyond)?)
}

/// The hint for a file that does not exist, if the catalogue has a scenario of its name.
fn of_catalogue(source: &str) -> Option<String> {
    let name = source.strip_suffix(".toml")?;
    let is_absent = !Path::new(source).exists() && catalog::text(name).is_ok();
    is_absent.then(|| format!("`faultline scenario {name}` runs the scenario of the catalogue"))
}

/// Reads a file that the scenario file `from` extends; its path is relative to `from`.
fn extended(from: &str, name: &str) -> Result<(String, String), String> {
    let path = Path::new(from).parent().unwrap_or(Path::new("")).join(name);
    let bytes = files::read(&path, LONGEST_FILE).map_err(|error| {
        let near = if path.exists() { None } else { near_path::hint(&path) };
        near.map_or_else(|| error.to_string(), |near| format!("{error}; {near}"))
    })?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok((path.display().to_string(), text))
}

/// A file that is not UTF-8, with the place of the first byte that is not.
fn not_text(source: &str, error: &std::string::FromUtf8Error) -> Failure {
    let good = error.utf8_error().valid_up_to();
    let before = String::from_utf8_lossy(&error.as_bytes()[..good]);
    let byte = error.as_bytes().get(good).copied().unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Failure::from(Diagnostic {
        file: Some(source.to_owned()),
        line: u32::try_from(line).ok(),
        column: u32::try_from(column).ok(),
        ..Diagnostic::new(Kind::Malformed, format!("the file is not UTF-8: byte {byte:#04x}"))
    })
}

/// The requested ids of the museum, and the provoked panic if requested.
pub(crate) fn bugs(ids: &[String], provoke_panic: bool) -> Result<Vec<String>, Failure> {
    let mut bugs = known_bugs(ids)?;
    if provoke_panic && !museum::provoked::is_in(&bugs) {
        bugs.push(museum::provoked::ID.to_owned());
    }
    Ok(bugs)
}

/// The ids of the museum that `ids` name, in any case of letters; each once.
pub(crate) fn known_bugs(ids: &[String]) -> Result<Vec<String>, Failure> {
    let known = |id: &String| {
        museum::find(id).map(|bug| bug.id.to_owned()).ok_or_else(|| {
            let names: Vec<&str> = list::bugs().iter().map(|bug| bug.id).collect();
            let message = format!("there is no bug `{id}`; there is {}", names.join(", "));
            let hint = nearest(id, names).map(|near| format!("did you mean `{near}`?"));
            Failure::from(Diagnostic::new(Kind::UnknownBug, message).with_hint(hint))
        })
    };
    let mut bugs = Vec::new();
    for bug in ids.iter().map(known) {
        let bug = bug?;
        if !bugs.contains(&bug) {
            bugs.push(bug);
        }
    }
    Ok(bugs)
}

/// A run, with its verdict and record.
pub(crate) struct Told {
    pub(crate) verdict: Verdict,
    pub(crate) record: RunRecord,
    /// The error if its results directory could not be written.
    pub(crate) unwritten: Option<Failure>,
}

impl Job<'_> {
    /// The run of `seed`.
    pub(crate) fn resolve(&self, seed: u64, trace: bool) -> Resolved {
        Resolved { scenario: self.scenario.clone(), seed, bugs: self.bugs.clone(), trace }
    }

    fn single(&self) -> Result<u8, Failure> {
        let (seed, trace) = (self.args.seed, self.args.trace);
        let resolved = self.resolve(seed, trace);
        let Some(ran) = execute::one(resolved) else {
            return Ok(exit::interrupted("nothing was written", self.args.json));
        };
        let mut told = self.conclude(seed, ran, true);
        let unwritten = told.unwritten.take();
        let json = self.args.json.then_some(&told.verdict);
        let words = || summary::of_run(&told, Style::of_stdout());
        Ok(exit::print_result(json, words, unwritten, told.verdict.outcome.exit_code()))
    }

    /// The verdict and record of a run; with `keep` a results directory is written. A run that did
    /// not pass is repeated with its trace, which also shows whether it is reproduced. A run that
    /// gets a page only is repeated as well.
    pub(crate) fn conclude(&self, seed: u64, mut ran: Box<RunOutcome>, keep: bool) -> Told {
        let passed = ran.verdict.outcome == Outcome::Pass;
        let has_page = !passed || ran.verdict.has_losses() || self.args.out.is_some();
        if keep && has_page && !self.args.trace {
            ran = self.again_with_trace(seed, ran);
        }
        let resolved = self.resolve(seed, false);
        let (source, set) = (&self.args.scenario, &self.args.set);
        let mut verdict = ran.verdict.clone();
        let record = RunRecord::new(&resolved, source, set, ran.plan.clone(), &verdict);
        verdict.reproduce = record.command();
        if !keep {
            return Told { verdict, record, unwritten: None };
        }
        let out = self.args.folder();
        let name = match files::free_name(out, &record) {
            Ok(name) => name,
            Err(error) => {
                let unwritten = Some(Failure::unwritable(out, &error));
                return Told { verdict, record, unwritten };
            }
        };
        let folder = out.join(&name).display().to_string();
        verdict.replay = format!("faultline replay {}", shell(&folder));
        verdict.out = folder;
        let traced = Some(&ran.account).filter(|account| !account.trace.is_empty());
        // A run that passes keeps its trace only if asked to.
        let kept = traced.filter(|_| !passed || self.args.trace);
        let artefacts = Artefacts {
            verdict: &verdict,
            record: &record,
            trace: kept.map(|account| Box::new(account.lines()) as _),
            history: kept.map(|account| Box::new(account.history.lines()) as _),
            page: traced.map(|account| {
                let lines = account.lines().map(Ok::<_, String>);
                report::run::of(&record, &verdict, lines).expect("the trace is that of a run")
            }),
        };
        let unwritten = files::write(out, &name, artefacts).err();
        let unwritten = unwritten.map(|error| Failure::unwritable(out, &error));
        match unwritten {
            Some(_) => (verdict.replay, verdict.out) = (String::new(), String::new()),
            None => exit::point_latest_at(out, &name),
        }
        Told { verdict, record, unwritten }
    }

    fn again_with_trace(&self, seed: u64, first: Box<RunOutcome>) -> Box<RunOutcome> {
        match execute::one(self.resolve(seed, true)) {
            Some(again) => compared(first, again),
            None => first,
        }
    }
}

/// Of a run that was made twice, the second, which has its trace, if both are the same. Otherwise
/// the outcome is that they differ; but a panic has priority.
fn compared(mut first: Box<RunOutcome>, mut again: Box<RunOutcome>) -> Box<RunOutcome> {
    let panic = |ran: &RunOutcome| ran.verdict.panic.as_ref().map(ToString::to_string);
    let (then, now) = (panic(&first), panic(&again));
    if first.verdict.digest == again.verdict.digest && then == now {
        return again;
    }
    let (once, other) = match (&then, &now) {
        (None, None) => {
            again.verdict.outcome = Outcome::Nondeterministic;
            return again;
        }
        (Some(_), None) => (&mut first, &again.verdict),
        (_, Some(_)) => (&mut again, &first.verdict),
    };
    let what = other.panic.as_ref().map_or_else(
        || format!("without a panic: {}", other.outcome.name()),
        |panic| format!("in a panic: {panic}"),
    );
    let digest = &other.digest;
    let note = format!("made twice, the run once ended {what}, with digest {digest}");
    once.verdict.unknown.push(note);
    if now.is_some() { again } else { first }
}
