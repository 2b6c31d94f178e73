//! The journal of a part: a line of JSON for each run, appended as it ends. Whatever kills the
//! process costs the runs in flight and no others.
//!
//! ```text
//! {"header": …}            the plan and the parts, once
//! {"name": "crash"}        a name gets the next number
//! {"run": …}               what is kept of a run; names by number
//! {"end": …}               how many runs there are and why no part has more, once
//! ```
//!
//! Each line ends in its seal ([`machine::Chain`]). Journals travel as artefacts of CI, so what is
//! read from one is checked as a scenario file is.

mod reader;
mod writer;

pub use reader::{Damage, Reader};
pub use writer::Writer;

use super::latency::Waited;
use super::plan::{Part, Plan};
use crate::result::Outcome;
use judge::outcome::Counts;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The version of this format.
const VERSION: u32 = 4;

/// What a journal is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    version: u32,
    /// What is run.
    pub plan: Plan,
    /// With which seeds. Several parts after a merge.
    pub parts: Vec<Part>,
}

impl Header {
    /// The header of a new journal.
    pub fn new(plan: Plan, parts: Vec<Part>) -> Self {
        Self { version: VERSION, plan, parts }
    }

    /// Checks that there can be such a journal, as far as it does not depend on this build; what is
    /// wrong, in words. Sums and remainders below rest on it.
    fn check(&self) -> Result<(), String> {
        let Self { plan, parts, .. } = self;
        if plan.targets.is_empty() || parts.is_empty() {
            return Err("it is about no run".to_owned());
        }
        let mut names = BTreeSet::new();
        let mut targets = plan.targets.iter().map(|target| &target.scenario.name);
        if let Some(twice) = targets.find(|name| !names.insert(*name)) {
            return Err(format!("two scenarios are called `{twice}`"));
        }
        for target in &plan.targets {
            if let Some(wrong) = target.scenario.impossible() {
                let name = &target.scenario.name;
                return Err(format!("its scenario `{name}` cannot be: {}", wrong.message));
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
    /// Every run has been made.
    Complete,
    /// The time given was over.
    Time,
    /// A run failed, and that was to be the end.
    FailFast,
    /// There was an interrupt.
    Interrupted,
    /// The process was killed, or runs are missing.
    Incomplete,
}

impl Stop {
    /// What follows the number of runs in a sentence, if there are fewer than planned.
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
    /// How many runs it holds.
    pub runs: u64,
    /// How long they took together on a real clock, in milliseconds.
    pub wall_ms: u64,
    /// Why there are no more, for each of the header's parts: parts may be joined in any order, and
    /// what they come to depends on why each of them ended.
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

/// A run as it is written: short, since there are many.
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
    #[serde(default, skip_serializing_if = "is_zero")]
    unconfirmed_lost: u64,
    /// Of records that failed, of those that are unknown, of batches that were sent again: names and
    /// how many.
    #[serde(default, skip_serializing_if = "is_empty")]
    errors: [Vec<(usize, u64)>; 3],
    #[serde(default, skip_serializing_if = "Waited::is_none")]
    waited: Waited,
    /// Name, records, and what permits them.
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
