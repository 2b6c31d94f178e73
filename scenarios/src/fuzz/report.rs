//! The result of many seeds. The field names and their meaning are a published format:
//! `fuzz --json` and `scenario --seeds --json` print it, and `fuzz.json` holds it.

use super::harm::Affected;
use super::journal::Stop;
use super::latency::{LongestRead, LongestWaits};
use super::plan::{Part, Plan, joined, seeds};
use super::ran::Ran;
use super::tally::Tally;
use crate::result::{Errors, Outcome, VERSION};
use judge::outcome::Counts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What many seeds of many scenarios came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "The result of many seeds run by Faultline")]
pub struct FuzzReport {
    /// The version of this format.
    pub version: u32,
    /// The seeds, `A..B`, half open; several ranges after a merge of ranges with a gap.
    pub seeds: String,
    /// The part of the seeds, `I/N`, unless it is all of them.
    pub shard: Option<String>,
    /// What they come to together.
    pub outcome: Outcome,
    /// Why it ended.
    pub stopped: Stop,
    /// How many runs there are: every scenario with every seed.
    pub planned: u64,
    /// How many were made, and what they came to.
    #[serde(flatten)]
    pub ran: Ran,
    /// How long it took, in seconds on a real clock; parts that were joined are added up.
    pub wall_s: f64,
    /// How many runs a second: with every seed there is one of each scenario.
    pub runs_per_s: f64,
    /// What became of the records of all runs.
    pub counts: Counts,
    /// How many records sent with acks=0 are gone; `counts.lost` does not include them.
    pub unconfirmed_lost: u64,
    /// Why records of all runs were not confirmed.
    pub errors: Errors,
    /// The longest that clients waited in any run; none if nothing was written.
    pub waits: Option<LongestWaits>,
    /// The longest that a consumer waited for records that it could read; none if none waited.
    pub longest_read: Option<LongestRead>,
    /// In how many runs something happened to the records, permitted or not.
    pub affected: Affected,
    /// Runs that lost acknowledged records, permitted or not: the five smallest seeds.
    pub losses: Vec<Loss>,
    /// Permitted anomalies, by hazard.
    pub hazards: Vec<HazardSum>,
    /// Failures by signature, the worst first.
    pub signatures: Vec<SignatureGroup>,
    /// Each scenario.
    pub scenarios: Vec<ScenarioRow>,
    /// In how many runs the seed drew each setting, by its name. Empty unless a
    /// scenario has its settings drawn.
    pub drawn: BTreeMap<String, u64>,
    /// What was exercised in how many runs.
    pub exercised: BTreeMap<String, u64>,
    /// What can be reached (`list reaches`) and was reached in no run.
    pub not_reached: Vec<String>,
    /// The museum bugs that were put in.
    pub bugs: Vec<BugSeeds>,
    /// The directory of the results; empty if none were written.
    pub out: String,
}

/// Permitted anomalies of one kind over many runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HazardSum {
    /// The row of the permission table.
    pub hazard: String,
    /// In how many runs.
    pub runs: u64,
    /// The number of records.
    pub records: u64,
    /// The smallest seed.
    pub smallest_seed: u64,
    /// The scenario with that seed.
    pub scenario: String,
    /// The setting that permits them there.
    pub because: String,
}

/// A run that lost acknowledged records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The number of records that were lost.
    pub lost: u64,
    /// One line that makes the run again.
    pub reproduce: String,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureGroup {
    /// What they have in common.
    pub signature: String,
    /// The check; `panic`, `unknown` or `nondeterministic` where no check found it.
    pub check: String,
    /// The outcome of these runs.
    pub outcome: Outcome,
    /// In how many runs. A run counts once, by the violation that was found first in time.
    pub count: u64,
    /// In how many of them something happened to the records.
    pub affected: Affected,
    /// The settings that the seeds of all of them drew.
    pub drawn: Vec<String>,
    /// The smallest seed.
    pub smallest_seed: u64,
    /// The scenario with that seed.
    pub scenario: String,
    /// The worst of what is wrong there, in one line. Another check may have found it.
    pub summary: String,
    /// Of the runs with the worst harm the one with the smallest seed: lost records are worse than
    /// duplicated ones, and those worse than reordered ones.
    pub worst: Case,
    /// Each scenario that has some.
    pub by_scenario: BTreeMap<String, InScenario>,
    /// One line that makes the run with the smallest seed again.
    pub reproduce: String,
    /// Its results directory.
    pub out: String,
    /// The runs with the smallest seeds, the smallest first, and then the worst.
    pub cases: Vec<Case>,
}

/// Failures of one kind in one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InScenario {
    /// In how many runs.
    pub count: u64,
    /// In how many of them something happened to the records.
    pub affected: Affected,
    /// The run with the smallest seed.
    pub smallest: FailingRun,
    /// Of the runs with the worst harm the one with the smallest seed.
    pub worst: FailingRun,
}

/// A run that failed, among those of one signature and scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailingRun {
    /// The seed.
    pub seed: u64,
    /// The worst of what is wrong, in one line. Another check may have found it.
    pub summary: String,
    /// One line that makes the run again.
    pub reproduce: String,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The outcome of the run.
    pub outcome: Outcome,
    /// The settings that the seed drew.
    pub drawn: Vec<String>,
    /// The digest of its trace; after a panic of the trace until then.
    pub digest: String,
    /// The worst of what is wrong, in one line. Another check may have found it.
    pub summary: String,
    /// One line that makes the run again.
    pub reproduce: String,
    /// The results directory.
    pub out: String,
}

/// What the seeds of one scenario came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioRow {
    /// The scenario.
    pub scenario: String,
    /// What its runs come to together.
    pub outcome: Outcome,
    /// How many were made, and what they came to.
    #[serde(flatten)]
    pub ran: Ran,
    /// In how many runs something happened to the records, permitted or not.
    pub affected: Affected,
    /// How long they took, in seconds on a real clock, all threads added up.
    pub wall_s: f64,
    /// How many runs of each signature.
    pub signatures: BTreeMap<String, u64>,
    /// The seeds that exercised nothing, if there are any.
    pub vacuous_seeds: Option<Vacuous>,
    /// What no seed reached though the scenario is there to reach it.
    pub never_reached: Vec<String>,
}

/// Seeds that exercised nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vacuous {
    /// The smallest.
    pub smallest_seed: u64,
    /// In how many of them what was missing.
    pub not_exercised: BTreeMap<String, u64>,
}

/// A museum bug that was put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BugSeeds {
    /// Its id.
    pub id: String,
    /// In how many runs its rule decided otherwise than Kafka's.
    pub reached: u64,
    /// In how many of those a check found a broken promise.
    pub caught: u64,
}

impl SignatureGroup {
    /// The scenarios with this signature other than that of the smallest seed, in words.
    pub fn elsewhere(&self) -> Option<String> {
        let others = self.by_scenario.iter().filter(|(name, _)| **name != self.scenario);
        let others = others.map(|(name, InScenario { count, smallest, .. })| {
            format!("{name} ({count}, smallest seed {})", smallest.seed)
        });
        let others: Vec<String> = others.collect();
        (!others.is_empty()).then(|| format!("also in {}", others.join(", ")))
    }
}

impl SignatureGroup {
    /// The run with the worst harm, unless it is the one with the smallest seed.
    pub fn worse(&self) -> Option<&Case> {
        let is_smallest = |case: &Case| {
            (case.seed, case.scenario.as_str()) == (self.smallest_seed, self.scenario.as_str())
        };
        Some(&self.worst).filter(|worst| !is_smallest(worst))
    }
}

impl ScenarioRow {
    /// Why its runs show too little, in words; nothing if they show enough.
    pub fn shows_too_little(&self) -> Vec<String> {
        let series = self.ran.series(self.never_reached.len());
        let mut why = Vec::new();
        match (self.ran.ran, self.ran.vacuous) {
            (0, _) => why.push("no run was made".to_owned()),
            (ran, vacuous) if series.too_many_vacuous() => {
                why.push(format!("{vacuous} of {ran} runs exercised nothing"));
            }
            _ => {}
        }
        if series.misses_something() {
            let (ran, names) = (self.ran.ran, self.never_reached.join(", "));
            why.push(format!("none of {ran} runs reached {names}"));
        }
        why
    }
}

impl FuzzReport {
    /// What the runs of `parts` come to.
    pub fn new(plan: &Plan, parts: &[Part], tally: &Tally, stopped: Stop, wall_s: f64) -> Self {
        let scenarios = tally.rows(plan);
        let ran = *tally.ran();
        let lacking = match stopped {
            // It was not asked for that seeds are left out: whether they pass is unknown.
            Stop::Incomplete => Outcome::Unknown,
            _ if ran.ran == 0 => Outcome::Vacuous,
            _ => Outcome::Pass,
        };
        let outcomes = scenarios.iter().map(|row| row.outcome);
        Self {
            version: VERSION,
            seeds: ranges(parts),
            shard: shard(parts),
            outcome: Outcome::worst(outcomes.chain([lacking])),
            stopped,
            planned: planned(plan, parts),
            ran,
            wall_s: (wall_s * 1e3).round() / 1e3,
            runs_per_s: if wall_s > 0.0 { (ran.ran as f64 / wall_s).round() } else { 0.0 },
            counts: tally.counts().clone(),
            unconfirmed_lost: tally.unconfirmed_lost(),
            errors: tally.errors().clone(),
            waits: tally.waits(),
            longest_read: tally.longest_read(),
            affected: *tally.affected(),
            losses: tally.losses(plan),
            hazards: tally.hazards(),
            signatures: tally.groups(plan),
            scenarios,
            drawn: tally.drawn().clone(),
            exercised: tally.exercised(),
            not_reached: tally.not_reached(),
            bugs: tally.bugs().to_vec(),
            out: String::new(),
        }
    }

    /// The results of a case are in the directory `out`.
    pub fn written(&mut self, group: usize, case: usize, out: &str) {
        let group = &mut self.signatures[group];
        group.cases[case].out = out.to_owned();
        if case == 0 {
            group.out = out.to_owned();
        }
        let case = &group.cases[case];
        if (case.seed, &case.scenario) == (group.worst.seed, &group.worst.scenario) {
            group.worst.out = out.to_owned();
        }
    }

    /// The run of a case went differently when it was made again: that is what it comes to now.
    pub fn differs(&mut self, group: usize, case: usize) {
        let group = &mut self.signatures[group];
        let case = &mut group.cases[case];
        self.ran.differs(case.outcome);
        for row in self.scenarios.iter_mut().filter(|row| row.scenario == case.scenario) {
            row.ran.differs(case.outcome);
            row.outcome = row.ran.series(row.never_reached.len()).outcome();
        }
        case.outcome = Outcome::Nondeterministic;
        if (case.seed, &case.scenario) == (group.worst.seed, &group.worst.scenario) {
            group.worst.outcome = Outcome::Nondeterministic;
        }
        group.outcome = Outcome::worst([group.outcome, Outcome::Nondeterministic]);
        self.outcome = Outcome::worst([self.outcome, Outcome::Nondeterministic]);
    }

    /// Why runs are missing, in words, if that is no part of what was asked for.
    pub fn lacks(&self) -> Option<String> {
        let (ran, planned) = (self.ran.ran, self.planned);
        let missing = planned.saturating_sub(ran);
        match self.stopped {
            Stop::Incomplete => {
                Some(format!("{missing} of {planned} runs are missing: their outcome is unknown"))
            }
            Stop::Interrupted => Some(format!("interrupted after {ran} of {planned} runs")),
            Stop::Complete | Stop::Time | Stop::FailFast => None,
        }
    }

    /// The failures of one scenario, by signature.
    pub fn failures_of<'a>(
        &'a self,
        row: &'a ScenarioRow,
    ) -> impl Iterator<Item = (&'a str, &'a InScenario)> {
        let there = |group: &'a SignatureGroup| {
            Some((group.signature.as_str(), group.by_scenario.get(&row.scenario)?))
        };
        self.signatures.iter().filter_map(there)
    }
}

/// How many runs the parts have.
pub(super) fn planned(plan: &Plan, parts: &[Part]) -> u64 {
    seeds(parts).saturating_mul(plan.targets.len() as u64)
}

/// The part of a range, if there is only one and it is not the whole.
fn shard(parts: &[Part]) -> Option<String> {
    match parts {
        [part] if part.shard.of > 1 => Some(part.shard.to_string()),
        _ => None,
    }
}

/// The ranges of the parts, joined where they touch.
fn ranges(parts: &[Part]) -> String {
    let all = joined(parts.iter().map(|part| part.seeds));
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
