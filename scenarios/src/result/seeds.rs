//! What many seeds of one scenario came to.

use super::series::Series;
use super::verdict::{Outcome, VERSION, Verdict};
use judge::outcome::Counts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// How many seeds that lost records are named.
const LOSSES: usize = 5;

/// What many seeds of one scenario came to; `--seeds A..B --json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "The verdicts on many Faultline runs")]
pub struct SeedsReport {
    /// The version of this format.
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The seeds, `A..B`, half open.
    pub seeds: String,
    /// How many that is.
    pub planned: u64,
    /// How many of them were run.
    pub ran: u64,
    /// There was an interrupt before all were run; the rest tells of those that were.
    pub interrupted: bool,
    /// What they come to together.
    pub outcome: Outcome,
    /// How many kept every promise.
    pub passed: u64,
    /// How many of those had anomalies that are permitted.
    pub permitted: u64,
    /// How many broke a promise.
    pub violations: u64,
    /// How many the judge cannot tell about.
    pub unknown: u64,
    /// How many exercised nothing.
    pub vacuous: u64,
    /// How many failed by our own mistake.
    pub panics: u64,
    /// How many went differently when they were run again.
    #[serde(default)]
    pub nondeterministic: u64,
    /// How many lost acknowledged records, permitted or not.
    pub with_loss: u64,
    /// The first of those: at most five.
    pub losses: Vec<SeedLoss>,
    /// Events of all runs.
    pub events: u64,
    /// Simulated time of all runs, in nanoseconds.
    pub simulated_ns: u64,
    /// Counts of all runs.
    pub counts: Counts,
    /// Permitted anomalies, by hazard.
    pub hazards: Vec<HazardSum>,
    /// Every seed that did not pass.
    pub failures: Vec<SeedFailure>,
    /// What was exercised in how many of the seeds.
    pub exercised: BTreeMap<String, u64>,
    /// What no seed exercised though one should have.
    pub not_exercised: Vec<String>,
    /// The museum bugs that were put in: in how many seeds each was reached.
    pub bugs: Vec<super::verdict::BugReached>,
    /// One line that makes the runs again.
    pub reproduce: String,
    /// Where the results of seeds that did not pass were written.
    pub out: String,
}

/// Permitted anomalies of one kind over many seeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HazardSum {
    /// The row of the permission table.
    pub hazard: String,
    /// In how many seeds.
    pub seeds: u64,
    /// How many records.
    pub records: u64,
    /// The smallest seed.
    pub smallest_seed: u64,
    /// What excuses it there.
    pub because: String,
}

/// A seed that lost acknowledged records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedLoss {
    /// The seed.
    pub seed: u64,
    /// How many records.
    pub lost: u64,
    /// One line that makes the run again.
    pub reproduce: String,
}

/// A seed that did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedFailure {
    /// The seed.
    pub seed: u64,
    /// What it came to.
    pub outcome: Outcome,
    /// The signature of the violation that was found first in time; empty without one.
    pub signature: String,
    /// What is wrong, in one line: the worst of it, which another check may have found.
    pub summary: String,
    /// One line that makes the run again.
    pub reproduce: String,
    /// The results directory; empty if none was written.
    pub out: String,
}

impl SeedsReport {
    /// Nothing has been run yet.
    pub fn new(scenario: &str, seeds: &Range<u64>, reproduce: String) -> Self {
        Self {
            version: VERSION,
            scenario: scenario.to_owned(),
            seeds: format!("{}..{}", seeds.start, seeds.end),
            planned: seeds.end - seeds.start,
            ran: 0,
            interrupted: false,
            outcome: Outcome::Vacuous,
            passed: 0,
            permitted: 0,
            violations: 0,
            unknown: 0,
            vacuous: 0,
            panics: 0,
            nondeterministic: 0,
            with_loss: 0,
            losses: Vec::new(),
            events: 0,
            simulated_ns: 0,
            counts: Counts::default(),
            hazards: Vec::new(),
            failures: Vec::new(),
            exercised: BTreeMap::new(),
            not_exercised: Vec::new(),
            bugs: Vec::new(),
            reproduce,
            out: String::new(),
        }
    }

    /// Adds the verdict on one seed. Seeds come in order.
    pub fn add(&mut self, verdict: &Verdict) {
        self.ran += 1;
        match verdict.outcome {
            Outcome::Pass => self.passed += 1,
            Outcome::Violation => self.violations += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Nondeterministic => self.nondeterministic += 1,
            Outcome::Vacuous => self.vacuous += 1,
            Outcome::Panic => self.panics += 1,
        }
        let excused = !verdict.permitted.is_empty() && verdict.outcome == Outcome::Pass;
        self.permitted += u64::from(excused);
        self.with_loss += u64::from(verdict.counts.lost > 0);
        if verdict.counts.lost > 0 && self.losses.len() < LOSSES {
            self.losses.push(SeedLoss {
                seed: verdict.seed,
                lost: verdict.counts.lost,
                reproduce: verdict.reproduce.clone(),
            });
        }
        self.events += verdict.events;
        self.simulated_ns += verdict.simulated_ns;
        self.counts.add(&verdict.counts);
        for name in verdict.exercised.keys() {
            *self.exercised.entry(name.clone()).or_default() += 1;
        }
        for bug in &verdict.bugs {
            let reached = u64::from(bug.reached > 0);
            match self.bugs.iter_mut().find(|known| known.id == bug.id) {
                Some(known) => known.reached += reached,
                None => self.bugs.push(super::verdict::BugReached { id: bug.id.clone(), reached }),
            }
        }
        self.add_hazards(verdict);
        if verdict.outcome != Outcome::Pass {
            self.failures.push(SeedFailure {
                seed: verdict.seed,
                outcome: verdict.outcome,
                signature: verdict.cause().map(|it| it.signature.clone()).unwrap_or_default(),
                summary: verdict.headline(),
                reproduce: verdict.reproduce.clone(),
                out: verdict.out.clone(),
            });
        }
    }

    fn add_hazards(&mut self, verdict: &Verdict) {
        let mut here: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        for permitted in &verdict.permitted {
            here.entry(&permitted.hazard).or_insert((0, &permitted.because)).0 += permitted.count;
        }
        for (hazard, (records, because)) in here {
            match self.hazards.iter_mut().find(|known| known.hazard == hazard) {
                Some(known) => {
                    known.seeds += 1;
                    known.records += records;
                }
                None => self.hazards.push(HazardSum {
                    hazard: hazard.to_owned(),
                    seeds: 1,
                    records,
                    smallest_seed: verdict.seed,
                    because: because.to_owned(),
                }),
            }
        }
    }

    /// All seeds have been added: what they come to, as a series. `wanted` is what at
    /// least one of them had to reach.
    pub fn finish<'a>(&mut self, wanted: impl IntoIterator<Item = &'a str>) {
        self.not_exercised = wanted
            .into_iter()
            .filter(|name| !self.exercised.contains_key(*name))
            .map(str::to_owned)
            .collect();
        self.outcome = Series {
            ran: self.ran,
            panics: self.panics,
            nondeterministic: self.nondeterministic,
            violations: self.violations,
            unknown: self.unknown,
            vacuous: self.vacuous,
            // What was left out might have reached it.
            never_reached: if self.interrupted { 0 } else { self.not_exercised.len() },
        }
        .outcome();
    }
}
