//! `faultline report delivery`.

use super::acks::unfinished;
use super::args::DeliveryArgs;
use super::out::Out;
use crate::execute::is_interrupted;
use crate::exit::{self, Failure};
use crate::pool;
use crate::progress::{Progress, plural};
use crate::style::Style;
use crate::summary::badge;
use machine::Digest;
use reports::acks::{CutShort, NotDefault, Seeds, Why};
use reports::delivery::{self, Counts, Header, Mode, Reason, Run, Setting, Study, Summary};
use reports::page::text::rounded;
use scenarios::catalog;
use scenarios::escape::shell;
use scenarios::result::files as results;
use scenarios::result::{Outcome, command as line_of, where_in_run};
use scenarios::study::delivery::{GROUP, SCENARIO, Under, all};
use scenarios::study::{self, Observed, Panicked};
use spec::{Diagnostic, Kind, Scenario};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// What the settings of the report set.
const COMPARED: [&str; 6] = [
    "commit",
    "commit.kind",
    "pipeline.transactions",
    "enable.auto.commit",
    "isolation.level",
    "enable.idempotence",
];

/// Compares the ways to commit.
pub(super) fn command(args: &DeliveryArgs) -> Result<u8, Failure> {
    let (out, study, outcome, interrupted) = match &args.from {
        Some(path) => {
            let study = read(path)?;
            let outcome = worst(&study);
            (Out::new(args.out.as_deref(), delivery::OWN)?, Some(study), outcome, false)
        }
        None => {
            let job = Job::new(args)?;
            let out = Out::new(args.out.as_deref(), delivery::OWN)?;
            let (study, outcome, interrupted) = job.run(args);
            (out, study, outcome, interrupted)
        }
    };
    let Some(study) = study else {
        let message = "no seed was finished, and nothing was written";
        let failure = Failure::from(Diagnostic::new(unfinished(interrupted), message));
        let _ = failure.report(args.json);
        return Ok(if interrupted { exit::INTERRUPTED } else { outcome.exit_code() });
    };
    let (mut summary, files) = delivery::files(&study);
    let untested = summary.not_tested().next().map(|_| Outcome::Vacuous);
    // What the numbers contradict is broken, whatever checks have found.
    let broken = summary.rows.iter().any(|row| !row.is_kept()).then_some(Outcome::Violation);
    let outcome = Outcome::worst(std::iter::once(outcome).chain(untested).chain(broken));
    let code = if interrupted { exit::INTERRUPTED } else { outcome.exit_code() };
    let (folder, unwritten) = match out.write(|| directory_name(&study), &files) {
        Ok(folder) => (folder, None),
        Err(failure) => (String::new(), Some(failure)),
    };
    summary.outcome = Some(outcome.name().to_owned());
    summary.out = Some(folder.clone());
    let json = args.json.then_some(&summary);
    let words = || in_words(&summary, outcome, &folder, Style::of_stdout());
    Ok(exit::print_result(json, words, unwritten, code))
}

/// The study at a path, which may be the directory of a report.
fn read(path: &Path) -> Result<Study, Failure> {
    let file = if path.is_dir() { path.join(delivery::STUDY_FILE) } else { path.to_owned() };
    let text = results::open(&file).and_then(io::read_to_string);
    let text = text.map_err(|error| Failure::unreadable(&file, &error))?;
    let study = delivery::read(&text).map_err(|error| {
        let place = |number: usize| u32::try_from(number).ok().filter(|number| *number > 0);
        Diagnostic {
            line: place(error.line),
            file: Some(file.display().to_string()),
            ..Diagnostic::new(Kind::Unreadable, format!("no delivery table: {}", error.message))
        }
    })?;
    Ok(study)
}

/// Runs to be made.
struct Job {
    study: study::Study,
    header: Header,
}

impl Job {
    fn new(args: &DeliveryArgs) -> Result<Self, Failure> {
        for setting in &args.set {
            let name = setting.split('=').next().unwrap_or_default().trim();
            if COMPARED.contains(&name) {
                let message = format!("--set {setting}: {name} is what the report compares");
                return Err(Diagnostic::new(Kind::Usage, message).into());
            }
        }
        let (mut scenario, mut warnings) = catalog::scenario(SCENARIO)?;
        warnings.extend(scenario.set_all(&args.set)?);
        exit::warn(&warnings);
        let settings: Vec<Vec<String>> = all().into_iter().map(|it| it.settings(&[])).collect();
        let study = study::Study::new(&scenario, &settings)?;
        Ok(Self { study, header: header(&scenario, args) })
    }

    /// The study, the worst outcome, and whether an interrupt left out seeds.
    fn run(self, args: &DeliveryArgs) -> (Option<Study>, Outcome, bool) {
        let Self { study, mut header } = self;
        let seeds = args.seeds.clone();
        let jobs = args.jobs.map_or_else(pool::processors, usize::from);
        let (mut runs, mut panicked, mut done) = (BTreeMap::new(), false, 0);
        let count = header.seeds.count();
        let mut progress = Progress::new(count, "seeds");
        let work = |nth| of_seed(&study, args, seeds.start + nth);
        pool::run(count, jobs, work, |event| {
            match event {
                Some((nth, Ok(of_seed))) => {
                    done += 1;
                    runs.insert(seeds.start + nth, of_seed);
                }
                Some((nth, Err(message))) => {
                    progress.clear();
                    exit::say(&format!("seed {}: {message}", seeds.start + nth));
                    panicked = true;
                }
                None => {}
            }
            progress.show_if_due(done, |_| format!("{} settings each", study.variants()));
            !panicked
        });
        progress.clear();
        let done = seeds.clone().take_while(|seed| runs.contains_key(seed)).count() as u64;
        let why = match (panicked, is_interrupted()) {
            (true, _) => Some(Why::Panicked),
            (false, true) if done < count => Some(Why::Interrupted),
            _ => None,
        };
        let interrupted = why == Some(Why::Interrupted);
        header.cut_short = why.map(|why| CutShort { asked: header.seeds, why });
        header.seeds.to = header.seeds.from + done;
        header.command = line(header.seeds, &args.set);
        let to = header.seeds.to;
        let runs = runs.into_iter().take_while(|(seed, _)| *seed < to);
        let runs: Vec<Run> = runs.flat_map(|(_, of_seed)| of_seed).collect();
        if done == 0 {
            let outcome = if panicked { Outcome::Panic } else { Outcome::Vacuous };
            return (None, outcome, interrupted);
        }
        let study = Study::new(header, runs);
        let outcome = if panicked { Outcome::Panic } else { worst(&study) };
        (Some(study), outcome, interrupted)
    }
}

/// The runs of one seed, or the message of a panic.
fn of_seed(study: &study::Study, args: &DeliveryArgs, seed: u64) -> Result<Vec<Run>, String> {
    let panicked = |panicked: Box<Panicked>| {
        let Panicked { variant, verdict } = &*panicked;
        let settings = all()[*variant].settings(&args.set);
        let alone = line_of(SCENARIO, &format!("--seed {seed}"), &settings, &[]);
        let at = verdict.panic.as_ref().map(where_in_run).unwrap_or_default();
        format!("{}, {at}\nto see what led there: {alone}", verdict.headline())
    };
    let observed = all().into_iter().zip(study.runs(seed, &[]).map_err(panicked)?);
    Ok(observed.map(|(under, seen)| run(under, &args.set, seen)).collect())
}

fn setting(under: Under) -> Setting {
    let commit = Mode::ALL.into_iter().find(|mode| mode.name() == under.mode.name);
    Setting {
        commit: commit.unwrap_or(Mode::Auto),
        read_committed: under.read_committed,
        idempotence: under.idempotence,
    }
}

fn run(under: Under, by_hand: &[String], observed: Observed) -> Run {
    let verdict = observed.verdict;
    let group = verdict.groups.get(GROUP).cloned().unwrap_or_default();
    let reason = |broken: bool, name: &str, count: u64, because: &str| Reason {
        name: name.to_owned(),
        broken,
        count,
        because: because.to_owned(),
    };
    let mut reasons: Vec<Reason> = Vec::new();
    for it in &verdict.violations {
        reasons.push(reason(true, &it.check, 1, &it.summary));
    }
    for it in &verdict.permitted {
        match reasons.iter_mut().find(|other| !other.broken && other.name == it.hazard) {
            Some(other) => other.count += it.count,
            None => reasons.push(reason(false, &it.hazard, it.count, &it.because)),
        }
    }
    Run {
        setting: setting(under),
        seed: verdict.seed,
        outcome: verdict.outcome.name().to_owned(),
        counts: Counts {
            inputs: group.processed.saturating_sub(group.uncommitted) + group.skipped,
            skipped: group.skipped,
            reprocessed: group.reprocessed,
            results_again: group.reflected_again,
            results_lacking: group.not_reflected,
            uncommitted: group.uncommitted,
            duplicated: verdict.counts.duplicated,
            rebalances: group.rebalances,
            expelled: group.expelled,
        },
        reasons,
        reproduce: line_of(
            SCENARIO,
            &format!("--seed {}", verdict.seed),
            &under.settings(by_hand),
            &[],
        ),
        digest: verdict.digest,
    }
}

fn header(scenario: &Scenario, args: &DeliveryArgs) -> Header {
    let seeds = Seeds { from: args.seeds.start, to: args.seeds.end };
    let pair = |set: &String| {
        let (key, value) = set.split_once('=').unwrap_or((set, ""));
        (key.trim().to_owned(), value.trim().to_owned())
    };
    let others = scenario.not_default().into_iter();
    let others = others.filter(|it| !COMPARED.contains(&it.property.as_str()));
    let not_default = others.map(|it| NotDefault {
        of: it.of,
        property: it.property,
        value: it.value,
        default: it.default,
    });
    let faults = scenario.faults.iter().map(|fault| {
        let at = fault.at.map_or_else(String::new, |at| format!(" at {at}"));
        let lasts = fault.lasts.map_or_else(String::new, |lasts| format!(" for {lasts}"));
        format!("{}{at}{lasts}", fault.kind.in_words(&|target| target.to_string()))
    });
    let families = scenario.swarm.as_ref().map_or(&[][..], |swarm| &swarm.families);
    Header {
        kind: Header::kind(),
        version: delivery::FORMAT,
        faultline: env!("CARGO_PKG_VERSION").to_owned(),
        build: scenarios::BUILD.to_owned(),
        scenario: scenario.name.clone(),
        seeds,
        cut_short: None,
        settings: all().into_iter().map(setting).collect(),
        protocol: "classic".to_owned(),
        replication_factor: scenario
            .topics
            .iter()
            .map(|it| it.replication_factor)
            .max()
            .unwrap_or(0),
        members: scenario.consumers.iter().map(|it| it.count).sum(),
        member_faults: faults.collect(),
        families: families.iter().map(|family| family.name().to_owned()).collect(),
        not_default: not_default.collect(),
        overrides: args.set.iter().map(pair).collect(),
        command: line(seeds, &args.set),
    }
}

/// The command that makes the runs of these seeds.
fn line(seeds: Seeds, by_hand: &[String]) -> String {
    let mut line = format!("faultline report delivery --seeds {}", seeds.text());
    for set in by_hand {
        let _ = write!(line, " --set {}", shell(set));
    }
    line
}

/// The worst outcome of the runs of a study.
fn worst(study: &Study) -> Outcome {
    let all = [Outcome::Violation, Outcome::Unknown, Outcome::Vacuous, Outcome::Pass];
    let of = |run: &Run| all.into_iter().find(|outcome| outcome.name() == run.outcome);
    Outcome::worst(study.runs.iter().map(|run| of(run).unwrap_or(Outcome::Unknown)))
}

/// The name of a report's directory: the same for the same runs.
fn directory_name(study: &Study) -> String {
    let mut digest = Digest::default();
    digest.fold_bytes(study.header.faultline.as_bytes());
    study.runs.iter().for_each(|run| digest.fold_bytes(run.digest.as_bytes()));
    let Seeds { from, to } = study.header.seeds;
    format!("delivery-{from}-{to}-{}", &digest.hex()[..8])
}

/// The table on the terminal: the ways to commit, with `read_committed` and idempotence.
fn in_words(summary: &Summary, outcome: Outcome, out: &str, style: Style) -> String {
    let study = &summary.study;
    let mut text = format!(
        "{}  {} settings of commits, isolation and idempotence, seeds {} of {} each\n\n",
        badge(outcome, style),
        study.settings.len(),
        study.seeds.text(),
        study.scenario
    );
    let rate = |it: &delivery::Measure| {
        let rate = it.per_million.map_or("-".to_owned(), |rate| rounded(rate.value));
        format!("{rate} ({})", plural(it.runs, "run"))
    };
    let head = ["commit", "order", "promised", "kept", "skipped/million", "repeated/million"];
    let mut rows = vec![head.map(str::to_owned)];
    for row in summary.of_modes() {
        rows.push([
            row.setting.commit.commit().to_owned(),
            row.setting.commit.order().to_owned(),
            row.promise.name().to_owned(),
            if row.is_kept() { "yes" } else { "NO" }.to_owned(),
            rate(&row.skipped),
            rate(&row.results_again),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    if !out.is_empty() {
        let _ = write!(text, "\npage        {out}/index.html\nagain       {}\n", study.command);
    }
    text
}
