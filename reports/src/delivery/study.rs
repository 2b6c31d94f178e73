//! `study.jsonl` of a delivery table: first a [`Header`], then one [`Run`] for each seed and setting. Each
//! line is sealed ([`machine::Chain`]).

use crate::acks::{CutShort, NotDefault, ReadError, Seeds};
use machine::{Chain, unsealed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// The version of this format.
pub const FORMAT: u32 = 1;

/// The kind of these files, in their first line.
pub(super) const KIND: &str = "faultline delivery study";

/// How members commit, and when.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// `enable.auto.commit`
    Auto,
    /// `commitSync` before processing.
    SyncBefore,
    /// `commitSync` halfway through processing.
    SyncDuring,
    /// `commitSync` after processing.
    SyncAfter,
    /// `commitAsync` before processing.
    AsyncBefore,
    /// `commitAsync` halfway through processing.
    AsyncDuring,
    /// `commitAsync` after processing.
    AsyncAfter,
    /// Offsets are committed in the transactions of the results.
    Transaction,
}

impl Mode {
    /// All modes, in the order of the page.
    pub const ALL: [Self; 8] = [
        Self::Auto,
        Self::SyncBefore,
        Self::SyncDuring,
        Self::SyncAfter,
        Self::AsyncBefore,
        Self::AsyncDuring,
        Self::AsyncAfter,
        Self::Transaction,
    ];

    /// The name in `study.jsonl`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::SyncBefore => "sync-before",
            Self::SyncDuring => "sync-during",
            Self::SyncAfter => "sync-after",
            Self::AsyncBefore => "async-before",
            Self::AsyncDuring => "async-during",
            Self::AsyncAfter => "async-after",
            Self::Transaction => "transaction",
        }
    }

    /// The commit, in words.
    pub const fn commit(self) -> &'static str {
        match self {
            Self::Auto => "enable.auto.commit",
            Self::SyncBefore | Self::SyncDuring | Self::SyncAfter => "commitSync",
            Self::AsyncBefore | Self::AsyncDuring | Self::AsyncAfter => "commitAsync",
            Self::Transaction => "in transactions",
        }
    }

    /// The order of commit and processing, in words.
    pub const fn order(self) -> &'static str {
        match self {
            Self::Auto => "in later polls",
            Self::SyncBefore | Self::AsyncBefore => "before processing",
            Self::SyncDuring | Self::AsyncDuring => "while processing",
            Self::SyncAfter | Self::AsyncAfter => "after processing",
            Self::Transaction => "with the results",
        }
    }
}

/// A setting.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// How members commit, and when.
    pub commit: Mode,
    /// `isolation.level` of the members is `read_committed`.
    pub read_committed: bool,
    /// `enable.idempotence` of all producers that have no `transactional.id`.
    pub idempotence: bool,
}

impl Setting {
    /// `isolation.level`
    pub const fn isolation(self) -> &'static str {
        if self.read_committed { "read_committed" } else { "read_uncommitted" }
    }
}

/// The common part of all runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What the file is.
    pub kind: String,
    /// [`FORMAT`].
    pub version: u32,
    /// The version of Faultline that made the runs.
    pub faultline: String,
    /// The build of Faultline.
    pub build: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seeds.
    pub seeds: Seeds,
    /// The requested seeds, if the study ended before all of them had run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<CutShort>,
    /// The settings that are compared.
    pub settings: Vec<Setting>,
    /// The group's protocol.
    pub protocol: String,
    /// Replicas of each partition.
    pub replication_factor: u16,
    /// Members of the group.
    pub members: u16,
    /// The faults of members, which are those of the scenario.
    pub member_faults: Vec<String>,
    /// The families of faults of brokers that plans were drawn from.
    pub families: Vec<String>,
    /// Every property that does not have Kafka's default, except the compared properties.
    pub not_default: Vec<NotDefault>,
    /// Properties set by hand for all runs.
    pub overrides: BTreeMap<String, String>,
    /// The command that made the study.
    pub command: String,
}

impl Header {
    /// The value of `kind`, which identifies a study.
    pub fn kind() -> String {
        KIND.to_owned()
    }

    /// The version and the build that made the runs.
    pub fn made_by(&self) -> String {
        format!("{} (build {})", self.faultline, self.build)
    }
}

/// What the group did with its inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Committed inputs that the group has passed: processed or skipped.
    pub inputs: u64,
    /// Inputs that no member processed.
    pub skipped: u64,
    /// Inputs that members processed more than once.
    pub reprocessed: u64,
    /// Inputs with a result that readers of committed records find more than once.
    pub results_again: u64,
    /// Inputs without a result.
    pub results_lacking: u64,
    /// Inputs of transactions that did not commit, and that members processed.
    pub uncommitted: u64,
    /// Records that stand in a log more than once, inputs and results.
    pub duplicated: u64,
    /// Generations after the first one.
    pub rebalances: u64,
    /// Members that the coordinator removed.
    pub expelled: u64,
}

/// A hazard that permits what was found, or a check that found a broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The hazard, or the check.
    pub name: String,
    /// Whether a promise was broken.
    pub broken: bool,
    /// How many findings it permits.
    pub count: u64,
    /// The setting and the event of one of them, or the broken promise.
    pub because: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The setting.
    pub setting: Setting,
    /// The seed.
    pub seed: u64,
    /// The verdict's outcome.
    pub outcome: String,
    /// The digest of the run.
    pub digest: String,
    /// What the group did.
    pub counts: Counts,
    /// What permits it.
    pub reasons: Vec<Reason>,
    /// A command that repeats the run.
    pub reproduce: String,
}

impl Run {
    /// Whether a run says anything: it was judged to its end and exercised something.
    pub fn is_decided(&self) -> bool {
        matches!(self.outcome.as_str(), "pass" | "violation")
    }

    /// Whether the run put a way to commit to the test: a member was removed.
    pub fn is_tested(&self) -> bool {
        self.is_decided() && self.counts.expelled > 0
    }
}

/// A whole study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Study {
    /// The common part of all runs.
    pub header: Header,
    /// The runs, seed by seed, each in the order of the settings.
    pub runs: Vec<Run>,
}

impl Study {
    /// A study of these runs, which may come in any order.
    pub fn new(header: Header, mut runs: Vec<Run>) -> Self {
        let place = |run: &Run| header.settings.iter().position(|setting| *setting == run.setting);
        runs.sort_by_key(|run| (run.seed, place(run)));
        Self { header, runs }
    }
}

/// Writes the lines of a study.
///
/// # Errors
///
/// Any error of `out`.
pub fn write(study: &Study, out: &mut impl io::Write) -> io::Result<()> {
    let mut chain = Chain::default();
    out.write_all(chain.seal(&serde_json::to_string(&study.header)?).as_bytes())?;
    for run in &study.runs {
        out.write_all(chain.seal(&serde_json::to_string(run)?).as_bytes())?;
    }
    Ok(())
}

/// Reads a study.
///
/// # Errors
///
/// The first line that is not what was written, and why.
pub fn read(text: &str) -> Result<Study, ReadError> {
    let at = |line: usize, message: String| ReadError { line, column: 0, message };
    let mut chain = Chain::default();
    let mut lines: Vec<String> = Vec::new();
    for (place, line) in text.split_inclusive('\n').enumerate() {
        let object = unsealed(line).filter(|_| chain.follows(line));
        let changed =
            || at(place + 1, "the line was changed, or a line before it lacks".to_owned());
        lines.push(object.ok_or_else(changed)?);
    }
    let (first, rest) = lines.split_first().ok_or_else(|| at(0, "it is empty".to_owned()))?;
    let head: Header =
        serde_json::from_str(first).map_err(|error| at(1, format!("no header: {error}")))?;
    if head.kind != KIND || head.version != FORMAT {
        let message =
            format!("`{}` of version {} is not read by this build", head.kind, head.version);
        return Err(at(1, message));
    }
    let mut runs: Vec<Run> = Vec::new();
    for (place, line) in rest.iter().enumerate() {
        let run: Run =
            serde_json::from_str(line).map_err(|error| at(place + 2, error.to_string()))?;
        let count = head.settings.len().max(1);
        let seed = head.seeds.from + (place / count) as u64;
        if run.seed != seed || Some(&run.setting) != head.settings.get(place % count) {
            return Err(at(
                place + 2,
                format!("a run of seed {seed} under another setting belongs here"),
            ));
        }
        runs.push(run);
    }
    let expected = head.seeds.count().saturating_mul(head.settings.len() as u64);
    if runs.len() as u64 != expected {
        let message = format!("{expected} runs were written, and {} are there", runs.len());
        return Err(at(0, message));
    }
    Ok(Study { header: head, runs })
}
