//! The result of many seeds. The field names and their meaning are a published format:
//! `fuzz --json` and `scenario --seeds --json` print it, and `fuzz.json` holds it.

use super::harm::Affected;
use super::journal::Stop;
use super::latency::{LongestRead, LongestWaits};
use super::plan::{Part, Plan, joined, seeds};
use super::ran::Ran;
use super::sums::Sums;
use super::tally::Tally;
use crate::result::{Errors, Outcome, VERSION};
use judge::outcome::{Counts, GroupCounts, Transactions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The result of many seeds of many scenarios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "The result of many seeds run by Faultline")]
pub struct FuzzReport {
    /// The version of this format.
    pub version: u32,
    /// The seeds, `A..B`, half open; several ranges after a merge of ranges with a gap.
    pub seeds: String,
    /// The part of the seeds, `I/N`, unless it is all seeds.
    pub shard: Option<String>,
    /// The combined outcome of all runs.
    pub outcome: Outcome,
    /// Why it ended.
    pub stopped: Stop,
    /// The number of planned runs: every scenario with every seed.
    pub planned: u64,
    /// The number of runs, by outcome.
    #[serde(flatten)]
    pub ran: Ran,
    /// The duration in seconds on a real clock; those of merged parts are added up.
    pub wall_s: f64,
    /// Runs per second of that duration.
    pub runs_per_s: f64,
    /// The records of all runs, by outcome.
    pub counts: Counts,
    /// The outcomes of the transactions of all runs; `None` if none began.
    #[serde(default)]
    pub transactions: Option<Transactions>,
    /// What the members of the groups of consumers of all runs did; `None` if there were none.
    #[serde(default)]
    pub groups: Option<GroupCounts>,
    /// In how many runs the sum over accounts held; `None` unless transactions are transfers.
    #[serde(default)]
    pub sums: Option<Sums>,
    /// The number of lost records sent with acks=0; `counts.lost` does not include them.
    pub unconfirmed_lost: u64,
    /// Why records of all runs were not acknowledged.
    pub errors: Errors,
    /// The longest waits of clients in any run; `None` if nothing was written.
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
    /// The result of each scenario.
    pub scenarios: Vec<ScenarioRow>,
    /// The number of runs in which the seed drew each setting, by its name. Empty unless a scenario
    /// lets the seed draw its settings.
    pub drawn: BTreeMap<String, u64>,
    /// The number of runs that exercised each step or effect.
    pub exercised: BTreeMap<String, u64>,
    /// The steps (`list reaches`) that no run has reached.
    pub not_reached: Vec<String>,
    /// The museum bugs in force.
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
    /// The number of lost records.
    pub lost: u64,
    /// A command that repeats the run.
    pub reproduce: String,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureGroup {
    /// The signature, which failures of one kind share.
    pub signature: String,
    /// The check; `panic`, `unknown` or `nondeterministic` if no check found it.
    pub check: String,
    /// The outcome of these runs.
    pub outcome: Outcome,
    /// The number of runs. A run counts once, by the violation that was found first in time.
    pub count: u64,
    /// In how many of them something happened to the records.
    pub affected: Affected,
    /// The settings that the seeds of all these runs drew.
    pub drawn: Vec<String>,
    /// The smallest seed.
    pub smallest_seed: u64,
    /// The scenario with that seed.
    pub scenario: String,
    /// Its worst violation in one line. Another check may have found it.
    pub summary: String,
    /// Among the runs with the worst harm, the one with the smallest seed: lost records are worse
    /// than duplicated ones, and those are worse than reordered ones.
    pub worst: Case,
    /// The failures in each scenario.
    pub by_scenario: BTreeMap<String, InScenario>,
    /// A command that repeats the run with the smallest seed.
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
    /// Among the runs with the worst harm, the one with the smallest seed.
    pub worst: FailingRun,
}

/// A failed run of one signature and scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailingRun {
    /// The seed.
    pub seed: u64,
    /// The worst violation in one line. Another check may have found it.
    pub summary: String,
    /// A command that repeats the run.
    pub reproduce: String,
}

/// A failed run.
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
    /// The worst violation in one line. Another check may have found it.
    pub summary: String,
    /// A command that repeats the run.
    pub reproduce: String,
    /// The results directory.
    pub out: String,
}

/// The result of the seeds of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioRow {
    /// The scenario.
    pub scenario: String,
    /// The combined outcome of its runs.
    pub outcome: Outcome,
    /// The number of runs, by outcome.
    #[serde(flatten)]
    pub ran: Ran,
    /// In how many runs something happened to the records, permitted or not.
    pub affected: Affected,
    /// The total duration of its runs in seconds on a real clock, over all threads.
    pub wall_s: f64,
    /// The number of runs of each signature.
    pub signatures: BTreeMap<String, u64>,
    /// The seeds that exercised nothing, if any.
    pub vacuous_seeds: Option<Vacuous>,
    /// The steps that the scenario has to reach and no seed reached.
    pub never_reached: Vec<String>,
}

/// Seeds that exercised nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vacuous {
    /// The smallest.
    pub smallest_seed: u64,
    /// For each missing step, the number of these seeds that did not reach it.
    pub not_exercised: BTreeMap<String, u64>,
}

/// A museum bug in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BugSeeds {
    /// Its id.
    pub id: String,
    /// The number of runs in which its rule decided differently from Kafka's.
    pub reached: u64,
    /// The number of those runs in which a check found a broken promise.
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
    /// The run with the worst harm, unless it has the smallest seed.
    pub fn worse(&self) -> Option<&Case> {
        let is_smallest = |case: &Case| {
            (case.seed, case.scenario.as_str()) == (self.smallest_seed, self.scenario.as_str())
        };
        Some(&self.worst).filter(|worst| !is_smallest(worst))
    }
}

impl ScenarioRow {
    /// Why its runs show too little, in words; empty if they show enough.
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
    /// The result of the runs of `parts`.
    pub fn new(plan: &Plan, parts: &[Part], tally: &Tally, stopped: Stop, wall_s: f64) -> Self {
        let scenarios = tally.rows(plan);
        let ran = *tally.ran();
        let lacking = match stopped {
            // Missing seeds were not requested: whether they pass is unknown.
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
            transactions: tally.transactions(),
            groups: tally.members(),
            sums: tally.sums(),
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

    /// Records that the results of a case are in the directory `out`.
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

    /// Records that the run of a case was not reproduced: that is its outcome now.
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

    /// Why runs are missing, in words, unless that was requested.
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

/// The number of runs of the parts.
pub(super) fn planned(plan: &Plan, parts: &[Part]) -> u64 {
    seeds(parts).saturating_mul(plan.targets.len() as u64)
}

/// The part of a range, if there is only one part and it is not the whole.
fn shard(parts: &[Part]) -> Option<String> {
    match parts {
        [part] if part.shard.of > 1 => Some(part.shard.to_string()),
        _ => None,
    }
}

/// The ranges of the parts, joined if they touch.
fn ranges(parts: &[Part]) -> String {
    let all = joined(parts.iter().map(|part| part.seeds));
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
