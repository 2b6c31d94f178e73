//! The arguments of `report`.

use clap::{Args, Subcommand};
use std::ops::Range;
use std::path::PathBuf;

// Each paragraph is one line, which is broken to the width of the terminal.
const ACKS_HELP: &str = "\
For acks 0, 1 and all, each with min.insync.replicas 1 and 2: losses, their reasons, and the latency \
of writes. Runs of a seed are paired: the same records at the same moments and the same faults on \
the same nodes, whatever the setting. The directory then holds index.html, report.json, each chart \
as PNG, SVG and CSV, and study.jsonl, from which `--from` makes the page again.

Exit codes are those of `scenario`.";

const DELIVERY_HELP: &str = "\
For each way in which members of a group commit (automatic, commitSync, commitAsync, in transactions; before, \
while and after they process), with both isolation levels, with and without idempotence: what was \
promised, which inputs have no result, and which have one more than once. Runs of a seed are paired: \
the same records at the same moments and the same faults of brokers and members. The directory then \
holds index.html, report.json, delivery.csv, each chart as PNG, SVG and CSV, and study.jsonl, from \
which `--from` makes the page again.

Exit codes are those of `scenario`.";

const RUN_HELP: &str = "\
Writes index.html into the directory: one file that loads nothing. It has the verdict with links to \
the events behind it, the chosen partition over time, the life of each record, the messages between \
nodes, and the state of the cluster at any moment. `scenario` writes the page of a run that does \
not pass, that lost records, or whose --out was given. A run without a trace is made again, and has \
to give the same digest.

Exit codes: 0 the page was written, 2 it was not.";

#[derive(Clone, Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(subcommand)]
    pub(crate) what: What,
}

/// The subjects of reports.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum What {
    /// Compare settings of acks and min.insync.replicas under the same faults
    Acks(AcksArgs),
    /// Compare ways to commit offsets under the same faults: what is skipped, what is repeated
    Delivery(DeliveryArgs),
    /// Make the page of a run: what happened, why, and every event of it
    Run(RunArgs),
}

impl ReportArgs {
    /// Whether standard output is for one JSON object only.
    pub(crate) fn json(&self) -> bool {
        match &self.what {
            What::Acks(args) => args.json,
            What::Delivery(args) => args.json,
            What::Run(args) => args.json,
        }
    }
}

#[derive(Clone, Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    /// A results directory, or the run.json in it
    #[arg(value_name = "DIR")]
    pub(crate) path: PathBuf,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = ACKS_HELP)]
pub(crate) struct AcksArgs {
    /// Seeds from A up to but not including B
    #[arg(
        long,
        value_name = "A..B",
        value_parser = crate::args::seeds,
        default_value = "0..1000",
        allow_hyphen_values = true
    )]
    pub(crate) seeds: Range<u64>,
    /// How many seeds at the same time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Set a Kafka property, or one of brokers, partitions, ... (see `list configs`)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Run nothing: make the page from an earlier report, or from its study.jsonl
    #[arg(long, value_name = "DIR|FILE", conflicts_with_all = ["seeds", "jobs", "set"])]
    pub(crate) from: Option<PathBuf>,
    /// Where the report is written, replacing an earlier report [default: a directory in results,
    /// the same for the same runs]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// Panic at this seed, to see how a panic is reported
    #[arg(long, hide = true, value_name = "SEED", conflicts_with = "from")]
    pub(crate) provoke_panic: Option<u64>,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = DELIVERY_HELP)]
pub(crate) struct DeliveryArgs {
    /// Seeds from A up to but not including B
    #[arg(
        long,
        value_name = "A..B",
        value_parser = crate::args::seeds,
        default_value = "0..100",
        allow_hyphen_values = true
    )]
    pub(crate) seeds: Range<u64>,
    /// How many seeds at the same time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Set a Kafka property, or one of brokers, partitions, ... (see `list configs`)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Run nothing: make the page from an earlier report, or from its study.jsonl
    #[arg(long, value_name = "DIR|FILE", conflicts_with_all = ["seeds", "jobs", "set"])]
    pub(crate) from: Option<PathBuf>,
    /// Where the report is written, replacing an earlier report [default: a directory in results,
    /// the same for the same runs]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}
