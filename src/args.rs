//! The arguments.

use clap::{Args, Parser, Subcommand, ValueEnum};
use spec::Time;
use std::ops::Range;
use std::path::{Path, PathBuf};

// Each paragraph is one line, which is broken to the width of the terminal.
const AFTER_HELP: &str = "\
Exit codes: 0 every promise held, 1 a promise was broken, 2 wrong input and nothing was run (or \
the results could not be written), 3 undecided, 4 nothing was exercised, 5 the run was not \
deterministic, 70 a panic, which is a defect of Faultline, 71 the operating system refused a thread \
or memory, 130 interrupted.";

/// Runs whole Kafka clusters in virtual time, breaks things on purpose, and checks what was
/// promised. The same seed always gives the same run.
#[derive(Debug, Parser)]
#[command(name = "faultline", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario with one seed or many
    Scenario(ScenarioArgs),
    /// Run scenarios with many seeds, and group what fails
    Fuzz(crate::fuzz::FuzzArgs),
    /// Make a page to decide from
    Report(crate::report::ReportArgs),
    /// List scenarios, faults, targets, measures, reaches, checks, rules, bugs or configs
    List(ListArgs),
    /// Run again from a results directory, and verify that the run is the same
    Replay(ReplayArgs),
    /// Print the JSON Schema of a file format
    Schema(SchemaArgs),
}

impl ScenarioArgs {
    /// Where results are written.
    pub(crate) fn folder(&self) -> &Path {
        self.out.as_deref().unwrap_or(Path::new("results"))
    }
}

impl Command {
    /// Whether standard output is for one JSON object only.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Scenario(args) => args.json,
            Self::Fuzz(args) => args.json(),
            Self::Report(args) => args.json(),
            Self::List(args) => args.json,
            Self::Replay(args) => args.json,
            Self::Schema(_) => false,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ScenarioArgs {
    /// A scenario of the catalogue (see `list scenarios`), or a file
    #[arg(value_name = "NAME|FILE.toml")]
    pub(crate) scenario: String,
    /// The seed
    #[arg(
        long,
        default_value_t = 1,
        conflicts_with = "seeds",
        value_parser = seed,
        allow_hyphen_values = true
    )]
    pub(crate) seed: u64,
    /// Seeds from A up to but not including B
    #[arg(long, value_name = "A..B", value_parser = seeds, allow_hyphen_values = true)]
    pub(crate) seeds: Option<Range<u64>>,
    /// Set a Kafka property, or one of brokers, partitions, ... (see `list configs`)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Replace a rule by one that was once wrong (see `list bugs`)
    #[arg(long = "bug", value_name = "ID")]
    pub(crate) bugs: Vec<String>,
    /// Where results are written; with it, a page of the run is made even if the run passes
    /// [default: results]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep the whole trace, even if the run passes
    #[arg(long, conflicts_with = "seeds")]
    pub(crate) trace: bool,
    /// Print the scenario as a file, and run nothing; with --set, or for a file, all settings
    /// merged
    #[arg(long, conflicts_with_all = ["seeds", "json", "trace", "bugs"])]
    pub(crate) print: bool,
    /// Panic in each run, to see how a panic is reported
    #[arg(long, hide = true)]
    pub(crate) provoke_panic: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    /// What to show; everything by default
    pub(crate) what: Option<What>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

/// The kinds of things that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    Scenarios,
    Faults,
    Checks,
    Rules,
    Bugs,
    Configs,
    Reaches,
    Targets,
    Measures,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A results directory, or the run.json in it
    #[arg(value_name = "FILE|DIR")]
    pub(crate) path: PathBuf,
    /// Show the last events up to this moment after the start of the load, such as 3.2s
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    pub(crate) until: Option<Time>,
    /// Write the whole trace and the history beside run.json
    #[arg(long)]
    pub(crate) trace: bool,
    /// Write the run as a scenario file: its settings, and each fault at its time
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) freeze: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which format
    pub(crate) format: Format,
}

/// The formats that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Scenario files
    Scenario,
    /// run.json
    Run,
    /// verdict.json, and the output of `scenario --json` for one seed
    Verdict,
    /// The output of `fuzz --json` and `scenario --seeds --json`, and fuzz.json
    Fuzz,
    /// report.json of `report acks`
    Report,
    /// The output of `list --json`
    List,
    /// The output of --json when the input is wrong
    Error,
}

pub(crate) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let expected = "expected two numbers A..B with A below B, such as 0..200";
    let (first, end) = text.split_once("..").ok_or(expected)?;
    let number = |text: &str| match text.replace('_', "") {
        text if text.starts_with('-') => Err(format!("seeds are not negative; {expected}")),
        text => text.parse::<u64>().map_err(|_| expected.to_owned()),
    };
    let range = number(first)?..number(end)?;
    if range.is_empty() { Err(format!("the range has no seed; {expected}")) } else { Ok(range) }
}

/// One seed.
fn seed(text: &str) -> Result<u64, String> {
    let expected = "expected a whole number from 0";
    match text.replace('_', "").parse() {
        Ok(seed) => Ok(seed),
        Err(_) if text.contains("..") => Err(format!("{expected}; for several there is --seeds")),
        Err(_) => Err(expected.to_owned()),
    }
}
