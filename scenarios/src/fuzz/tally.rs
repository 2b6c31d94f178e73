//! Sums over runs. They do not depend on the order in which runs come, and take the same memory
//! however many come: besides sums, only the smallest seeds of each signature are kept.

use super::plan::Plan;
use super::record::SeedRecord;
use super::report::{BugSeeds, Case, InScenario, Ran, ScenarioRow, SignatureGroup, Vacuous};
use crate::result::Outcome;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Sums over the runs of a plan.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many seeds of each signature are kept.
    keep: usize,
    ran: Ran,
    rows: Vec<Row>,
    bugs: Vec<BugSeeds>,
    groups: BTreeMap<String, Group>,
}

/// Sums over the runs of a scenario.
#[derive(Clone, Debug, Default)]
struct Row {
    name: String,
    ran: Ran,
    wall_us: u64,
    exercised: BTreeMap<String, u64>,
    missing: BTreeMap<String, u64>,
    smallest_vacuous: Option<u64>,
    signatures: BTreeMap<String, u64>,
}

/// Failures of one signature.
#[derive(Clone, Debug)]
struct Group {
    check: String,
    outcome: Outcome,
    count: u64,
    /// The smallest seeds, with the index of the scenario.
    cases: BTreeMap<(u64, usize), Kept>,
    /// By the index of the scenario its smallest seed, and what is wrong there.
    first: BTreeMap<usize, (u64, String)>,
}

#[derive(Clone, Debug)]
struct Kept {
    outcome: Outcome,
    summary: String,
    digest: String,
}

impl Tally {
    /// Nothing has been run yet. `keep` seeds of each signature will be kept, at least one.
    pub fn new(plan: &Plan, keep: usize) -> Self {
        let row = |name: &String| Row { name: name.clone(), ..Row::default() };
        let bug = |id: &String| BugSeeds { id: id.clone(), reached: 0, caught: 0 };
        Self {
            keep: keep.max(1),
            ran: Ran::default(),
            rows: plan.targets.iter().map(|target| row(&target.scenario.name)).collect(),
            bugs: plan.bugs.iter().map(bug).collect(),
            groups: BTreeMap::new(),
        }
    }

    /// Adds a run, and answers whether its signature is a new one.
    pub fn add(&mut self, record: &SeedRecord) -> bool {
        let row = &mut self.rows[record.target];
        self.ran.add(record);
        row.ran.add(record);
        row.wall_us = record.wall_us.saturating_add(row.wall_us);
        count(&mut row.exercised, &record.exercised);
        if record.outcome == Outcome::Vacuous {
            count(&mut row.missing, &record.missing);
            let smallest = row.smallest_vacuous.get_or_insert(record.seed);
            *smallest = record.seed.min(*smallest);
        }
        for (i, bug) in self.bugs.iter_mut().enumerate() {
            bug.reached += u64::from(record.reached.get(i) == Some(&true));
            bug.caught += u64::from(record.caught(i));
        }
        self.add_failure(record)
    }

    fn add_failure(&mut self, record: &SeedRecord) -> bool {
        let Some(failure) = &record.failure else { return false };
        *self.rows[record.target].signatures.entry(failure.signature.clone()).or_default() += 1;
        let new = !self.groups.contains_key(&failure.signature);
        let group = self.groups.entry(failure.signature.clone()).or_insert_with(|| Group {
            check: failure.check.clone(),
            outcome: record.outcome,
            count: 0,
            cases: BTreeMap::new(),
            first: BTreeMap::new(),
        });
        group.count += 1;
        let first = group.first.get(&record.target);
        if first.is_none_or(|(seed, _)| record.seed < *seed) {
            group.first.insert(record.target, (record.seed, failure.summary.clone()));
        }
        let kept = Kept {
            outcome: record.outcome,
            summary: failure.summary.clone(),
            digest: record.digest.clone(),
        };
        group.cases.insert((record.seed, record.target), kept);
        if group.cases.len() > self.keep {
            group.cases.pop_last();
        }
        new
    }

    /// What came of the runs so far.
    pub fn ran(&self) -> &Ran {
        &self.ran
    }

    /// How many runs there are of each signature, the most frequent first.
    pub fn signatures(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self
            .groups
            .iter()
            .map(|(signature, group)| (signature.as_str(), group.count))
            .collect();
        all.sort_by_key(|(_, count)| Reverse(*count));
        all
    }

    /// The failures by signature, the worst and then the most frequent first.
    pub(super) fn groups(&self, plan: &Plan) -> Vec<SignatureGroup> {
        let mut groups: Vec<_> =
            self.groups.iter().map(|(name, group)| self.group(plan, name, group)).collect();
        // Stable: equals stay in the order of their names.
        groups.sort_by_key(|group| Reverse((group.outcome.weight(), group.count)));
        groups
    }

    fn group(&self, plan: &Plan, signature: &str, group: &Group) -> SignatureGroup {
        let cases = group.cases.iter().map(|((seed, target), kept)| Case {
            scenario: self.rows[*target].name.clone(),
            seed: *seed,
            outcome: kept.outcome,
            digest: kept.digest.clone(),
            summary: kept.summary.clone(),
            reproduce: plan.command(*target, *seed),
            out: String::new(),
        });
        let cases: Vec<Case> = cases.collect();
        let smallest = cases[0].clone();
        let by_scenario = group.first.iter().map(|(target, (seed, summary))| {
            let row = &self.rows[*target];
            let there = InScenario {
                count: row.signatures[signature],
                smallest_seed: *seed,
                summary: summary.clone(),
                reproduce: plan.command(*target, *seed),
            };
            (row.name.clone(), there)
        });
        SignatureGroup {
            signature: signature.to_owned(),
            check: group.check.clone(),
            outcome: group.outcome,
            count: group.count,
            smallest_seed: smallest.seed,
            scenario: smallest.scenario,
            summary: smallest.summary,
            by_scenario: by_scenario.collect(),
            reproduce: smallest.reproduce,
            out: String::new(),
            cases,
        }
    }

    /// What each scenario came to.
    pub(super) fn rows(&self, plan: &Plan) -> Vec<ScenarioRow> {
        let rows = self.rows.iter().zip(&plan.targets).map(|(row, target)| {
            let wanted = target.scenario.must_reach_here().map(|(name, _)| name);
            let never = wanted.filter(|name| !row.exercised.contains_key(*name));
            let never: Vec<String> = never.map(str::to_owned).collect();
            ScenarioRow {
                scenario: row.name.clone(),
                outcome: row.ran.series(never.len()).outcome(),
                ran: row.ran,
                wall_s: row.wall_us as f64 / 1e6,
                signatures: row.signatures.clone(),
                vacuous_seeds: row.smallest_vacuous.map(|smallest_seed| Vacuous {
                    smallest_seed,
                    not_exercised: row.missing.clone(),
                }),
                never_reached: never,
            }
        });
        rows.collect()
    }

    /// What was exercised in how many runs.
    pub(super) fn exercised(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (name, count) in self.rows.iter().flat_map(|row| &row.exercised) {
            *all.entry(name.clone()).or_default() += count;
        }
        all
    }

    pub(super) fn bugs(&self) -> &[BugSeeds] {
        &self.bugs
    }
}

fn count(counts: &mut BTreeMap<String, u64>, names: &[String]) {
    for name in names {
        match counts.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                counts.insert(name.clone(), 1);
            }
        }
    }
}
