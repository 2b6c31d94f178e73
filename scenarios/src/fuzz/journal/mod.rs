//! The journal of a part: a line of JSON for each run, appended when the run ends. If the process
//! is killed, only the runs in flight are lost.
//!
//! ```text
//! {"header": …}            the plan and the parts, once
//! {"name": "crash"}        a name gets the next number
//! {"run": …}               the data of a run; names by number
//! {"end": …}               the number of runs and why each part ended, once
//! ```
//!
//! Each line ends in its seal ([`machine::Chain`]). Journals travel as artefacts of CI, so a
//! journal is checked like a scenario file when it is read.

mod reader;
mod writer;

pub use reader::{Damage, Reader};
pub use writer::Writer;

use super::latency::Waited;
use super::plan::{Part, Plan};
use crate::result::Outcome;
use judge::outcome::{Counts, GroupCounts, Transactions};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The version of this format.
const VERSION: u32 = 5;

/// The plan and the parts of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    version: u32,
    /// The plan.
    pub plan: Plan,
    /// The parts of the seeds; several after a merge.
    pub parts: Vec<Part>,
}

impl Header {
    /// The header of a new journal.
    pub fn new(plan: Plan, parts: Vec<Part>) -> Self {
        Self { version: VERSION, plan, parts }
    }

    /// Checks the consistency of the header, as far as it does not depend on this build; the error
    /// in words. Later arithmetic relies on it.
    fn check(&self) -> Result<(), String> {
        let Self { plan, parts, .. } = self;
        if plan.targets.is_empty() || parts.is_empty() {
            return Err("it has no runs".to_owned());
        }
        let mut names = BTreeSet::new();
        let mut targets = plan.targets.iter().map(|target| &target.scenario.name);
        if let Some(twice) = targets.find(|name| !names.insert(*name)) {
            return Err(format!("two scenarios are called `{twice}`"));
        }
        for target in &plan.targets {
            if let Some(wrong) = target.scenario.impossible() {
                let name = &target.scenario.name;
                return Err(format!("its scenario `{name}` is not possible: {}", wrong.message));
            }
        }
        for (i, part) in parts.iter().enumerate() {
            part.check()?;
            if let Some(other) = parts[..i].iter().find(|other| other.overlaps(part)) {
                return Err(format!("parts overlap: {} and {}", other.name(), part.name()));
            }
        }
        Ok(())
    }
}

/// Why a part ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Every run was made.
    Complete,
    /// The time limit was reached.
    Time,
    /// A run failed, and the first failure was to end the part.
    FailFast,
    /// The part was interrupted.
    Interrupted,
    /// The process was killed, or runs are missing.
    Incomplete,
}

impl Stop {
    /// The words after the number of runs in a sentence, if there are fewer than planned.
    pub fn why(self) -> &'static str {
        match self {
            Self::Complete => "",
            Self::Time => " in the time given",
            Self::FailFast => " up to the first failure",
            Self::Interrupted => " before the interrupt",
            Self::Incomplete => "; the others are missing",
        }
    }
}

/// The last line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The number of runs.
    pub runs: u64,
    /// The total duration on a real clock, in milliseconds.
    pub wall_ms: u64,
    /// Why each of the header's parts ended: parts may be merged in any order, and the result
    /// depends on each of these reasons.
    pub stops: Vec<Stop>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Header(Box<Header>),
    Name(Cow<'a, str>),
    Run(Box<Run<'a>>),
    End(End),
}

/// The form of a run in the journal: short, since there are many.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run<'a> {
    target: usize,
    seed: u64,
    outcome: Outcome,
    digest: Cow<'a, str>,
    events: u64,
    simulated_ns: u64,
    wall_us: u64,
    at_ms: u64,
    counts: Counts,
    #[serde(default, skip_serializing_if = "Transactions::is_none")]
    transactions: Transactions,
    #[serde(default, skip_serializing_if = "GroupCounts::is_none")]
    groups: GroupCounts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sum_held: Option<bool>,
    #[serde(default, skip_serializing_if = "is_zero")]
    unconfirmed_lost: u64,
    /// For failed records, records of unknown outcome, and resent batches: names and counts.
    #[serde(default, skip_serializing_if = "is_empty")]
    errors: [Vec<(usize, u64)>; 3],
    #[serde(default, skip_serializing_if = "Waited::is_none")]
    waited: Waited,
    /// Name, records, and the setting that permits them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hazards: Vec<(usize, u64, usize)>,
    exercised: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reached: Vec<bool>,
    /// Check, signature and summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<[Cow<'a, str>; 3]>,
}

fn is_empty(errors: &[Vec<(usize, u64)>; 3]) -> bool {
    errors.iter().all(Vec::is_empty)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
