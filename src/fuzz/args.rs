//! The arguments of `fuzz`.

use clap::{Args, Subcommand};
use scenarios::fuzz::Shard;
use spec::Time;
use std::ops::Range;
use std::path::PathBuf;

/// The default number of seeds of each signature whose results are written, in addition to the
/// worst.
pub(super) const KEPT: u16 = 1;

// Each paragraph is one line, which is broken to the width of the terminal.
const AFTER_HELP: &str = "\
Failures are grouped by signature. For each signature, the smallest seed and the smallest of the \
worst seeds are run again with their traces; `faultline replay` repeats them from their results \
directories. Each run is in journal.jsonl as soon as it is finished: `faultline fuzz merge` merges \
the parts of several machines, or of a run that was killed.

Exit codes are those of `scenario`; 4 if more than 5 % of the seeds of a scenario exercised nothing.";

#[derive(Clone, Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = AFTER_HELP
)]
pub(crate) struct FuzzArgs {
    #[command(subcommand)]
    pub(crate) command: Option<FuzzCommand>,
    /// Scenarios of the catalogue, or files; by default the whole catalogue
    #[arg(value_name = "NAME|FILE.toml")]
    pub(crate) scenarios: Vec<String>,
    /// Seeds from A up to but not including B; every scenario is run with each
    #[arg(long, value_name = "A..B", value_parser = crate::args::seeds, required = true, allow_hyphen_values = true)]
    pub(crate) seeds: Option<Range<u64>>,
    /// How many runs at the same time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Set a Kafka property, or one of brokers, partitions, ... (see `list configs`)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Replace a rule by one that was once wrong, or by the canary (see `list bugs`)
    #[arg(long = "bug", value_name = "ID")]
    pub(crate) bugs: Vec<String>,
    /// Run only every N-th seed, starting at the I-th; I counts from 1
    #[arg(long, value_name = "I/N", value_parser = Shard::parse)]
    pub(crate) shard: Option<Shard>,
    /// Begin no more runs after this time on a real clock, such as 10m
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    pub(crate) time: Option<Time>,
    /// Begin no more runs after the first failure
    #[arg(long)]
    pub(crate) fail_fast: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Panic in each run, to see how a panic is reported
    #[arg(long, hide = true)]
    pub(crate) provoke_panic: bool,
}

/// The subcommands of `fuzz`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FuzzCommand {
    /// Merge the parts of a run: shards, and interrupted or killed runs
    Merge(MergeArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct MergeArgs {
    /// The results directories of the parts, or the journals in them
    #[arg(value_name = "DIR", required = true)]
    pub(crate) parts: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// For how many seeds of each signature results are written, the smallest first; those of the
    /// worst seed are written in any case
    #[arg(long, value_name = "N", default_value_t = KEPT, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_per_signature: u16,
    /// Where results are written [default: a new directory in results]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a JUnit report, a case for each scenario
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

impl FuzzArgs {
    /// Whether standard output is for one JSON object only.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Some(FuzzCommand::Merge(args)) => args.output.json,
            None => self.output.json,
        }
    }
}

fn some_time(text: &str) -> Result<Time, String> {
    match Time::parse(text)? {
        time if time.nanos() == 0 => Err("no run fits into no time".to_owned()),
        time => Ok(time),
    }
}
