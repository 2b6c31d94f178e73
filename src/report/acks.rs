//! `faultline report acks`.

use super::args::AcksArgs;
use super::convert::{self, COMPARED};
use super::make::{self, Made};
use super::out::Out;
use super::summary;
use crate::exit::{self, Failure};
use crate::pool;
use crate::style::Style;
use reports::acks::{self, Study};
use scenarios::catalog;
use scenarios::result::Outcome;
use scenarios::result::files as results;
use scenarios::study::{self, ACKS, SCENARIO};
use spec::{Diagnostic, Kind, Scenario};
use std::io;
use std::path::{Path, PathBuf};

/// Compares the settings.
pub(super) fn command(args: &AcksArgs) -> Result<u8, Failure> {
    // Mistakes in the input are reported before anything is run.
    let (out, made) = match &args.from {
        Some(path) => {
            let (study, file) = read(path)?;
            warn_of_another_build(&study, &file);
            (Out::new(args.out.as_deref(), acks::OWN)?, Made::of(study))
        }
        None => {
            let job = Job::new(args)?;
            (Out::new(args.out.as_deref(), acks::OWN)?, job.run(args))
        }
    };
    let Made { study, outcome, interrupted } = made;
    let Some(study) = study else {
        let message = "no seed was finished, and nothing was written";
        let failure = Failure::from(Diagnostic::new(unfinished(interrupted), message));
        let _ = failure.report(args.json);
        return Ok(if interrupted { exit::INTERRUPTED } else { outcome.exit_code() });
    };
    let (mut summary, files) = acks::files(&study);
    // A setting that no run put to the test has shown nothing, whatever the others have.
    let untested = summary.not_tested().next().map(|_| Outcome::Vacuous);
    let outcome = Outcome::worst(std::iter::once(outcome).chain(untested));
    let code = if interrupted { exit::INTERRUPTED } else { outcome.exit_code() };
    // Numbers that took minutes are printed whether or not there is room for the pages.
    let (folder, unwritten) = match out.write(|| convert::directory_name(&study), &files) {
        Ok(folder) => (folder, None),
        Err(failure) => (String::new(), Some(failure)),
    };
    summary.outcome = Some(outcome.name().to_owned());
    summary.out = Some(folder.clone());
    let json = args.json.then_some(&summary);
    let words = || summary::of(&summary, outcome, &folder, Style::of_stdout());
    Ok(exit::print_result(json, words, unwritten, code))
}

/// Warns of a study of another build, which is reported unchanged: only its runs may differ with
/// this build.
fn warn_of_another_build(study: &Study, file: &Path) {
    let header = &study.header;
    let this = (env!("CARGO_PKG_VERSION"), scenarios::BUILD);
    if (header.faultline.as_str(), header.build.as_str()) != this {
        exit::say(&format!(
            "warning: the runs in {} were made by Faultline {}, and this is {} (build {}): the \
             lines that make them again may give others here",
            file.display(),
            header.made_by(),
            this.0,
            this.1
        ));
    }
}

/// The kind of error if no seed was finished.
pub(super) fn unfinished(interrupted: bool) -> Kind {
    if interrupted { Kind::Interrupted } else { Kind::Panic }
}

/// The study at a path, which may be the directory of a report, and the path of its file.
fn read(path: &Path) -> Result<(Study, PathBuf), Failure> {
    let of_report = path.is_dir();
    let file = if of_report { path.join(acks::STUDY_FILE) } else { path.to_owned() };
    let text = results::open(&file).and_then(io::read_to_string);
    let text = text.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if of_report => no_study(path),
        _ => Failure::unreadable(&file, &error),
    })?;
    let study = acks::read(&text).map_err(|error| {
        let place = |number: usize| u32::try_from(number).ok().filter(|number| *number > 0);
        Diagnostic {
            line: place(error.line),
            column: place(error.column),
            file: Some(file.display().to_string()),
            ..Diagnostic::new(Kind::Unreadable, format!("no study: {}", error.message))
        }
    })?;
    Ok((study, file))
}

fn no_study(folder: &Path) -> Failure {
    let (name, file) = (folder.display(), acks::STUDY_FILE);
    let message = format!("{name} holds no report: there is no {file} in it");
    Diagnostic::new(Kind::Unreadable, message).into()
}

/// Runs to be made.
struct Job {
    scenario: Scenario,
    study: study::Study,
    /// The settings made by hand, and those that follow from them.
    by_hand: Vec<String>,
}

impl Job {
    fn new(args: &AcksArgs) -> Result<Self, Failure> {
        for setting in &args.set {
            let name = setting.split('=').next().unwrap_or_default().trim();
            if COMPARED.contains(&name) {
                let message = format!("--set {setting}: {name} is what the report compares");
                return Err(Diagnostic::new(Kind::Usage, message).into());
            }
        }
        let (mut scenario, by) = scenario(&args.set)?;
        let mut by_hand = args.set.clone();
        if by > 1 && !is_set(&args.set, "stretch") {
            let longer = format!("stretch={by}");
            exit::say(&format!(
                "the longest time-out is {by} times that of {SCENARIO}: load and faults are made as \
                 much longer (--set {longer})"
            ));
            scenario.set_all(std::slice::from_ref(&longer))?;
            by_hand.push(longer);
        }
        let settings = ACKS.map(|under| under.settings(&[]));
        let study = study::Study::new(&scenario, &settings)?;
        Ok(Self { scenario, study, by_hand })
    }

    fn run(&self, args: &AcksArgs) -> Made {
        let args = &AcksArgs { set: self.by_hand.clone(), ..args.clone() };
        let header = convert::header(&self.scenario, args);
        let jobs = args.jobs.map_or_else(pool::processors, usize::from);
        make::make(&self.study, header, args, jobs)
    }
}

/// The scenario with these settings, and the factor by which its load and faults should be longer
/// for them.
fn scenario(set: &[String]) -> Result<(Scenario, u64), Failure> {
    let (mut scenario, mut warnings) = catalog::scenario(SCENARIO)?;
    let base = scenario.clone();
    warnings.extend(scenario.set_all(set)?);
    exit::warn(&warnings);
    let by = study::stretch(&base, &scenario);
    Ok((scenario, by))
}

fn is_set(set: &[String], name: &str) -> bool {
    set.iter().any(|setting| setting.split('=').next().map(str::trim) == Some(name))
}
