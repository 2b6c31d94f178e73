//! Sums over runs. They do not depend on the order of the runs, and their memory does not grow with
//! the number of runs: besides sums, only a few seeds of each signature are kept.

use super::harm::{Affected, Harm};
use super::latency::{LongestRead, LongestWaits, Waits};
use super::plan::Plan;
use super::ran::Ran;
use super::record::SeedRecord;
use super::report::{
    BugSeeds, Case, FailingRun, HazardSum, InScenario, Loss, ScenarioRow, SignatureGroup, Vacuous,
};
use super::sums::Sums;
use crate::plan::settings;
use crate::result::{Errors, Outcome};
use judge::outcome::{Counts, GroupCounts, Transactions};
use spec::{MustReach, Scenario};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The number of runs with lost acknowledged records that are named.
const LOSSES: usize = 5;

/// Sums over the runs of a plan.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The number of seeds of each signature that are kept.
    keep: usize,
    ran: Ran,
    counts: Counts,
    transactions: Transactions,
    /// What the members of groups of consumers did.
    members: GroupCounts,
    sums: Sums,
    unconfirmed_lost: u64,
    errors: Errors,
    waits: Waits,
    affected: Affected,
    /// Runs that lost acknowledged records: the smallest seeds, with the index of the scenario.
    losses: BTreeMap<(u64, usize), u64>,
    hazards: BTreeMap<String, HazardRow>,
    rows: Vec<Row>,
    /// The number of runs in which the seed drew each setting, by its name.
    drawn: BTreeMap<String, u64>,
    bugs: Vec<BugSeeds>,
    groups: BTreeMap<String, Group>,
}

/// Permitted anomalies of one kind.
#[derive(Clone, Debug)]
struct HazardRow {
    runs: u64,
    records: u64,
    /// The smallest seed, with the index of the scenario and the setting that permits the anomalies
    /// there.
    first: (u64, usize, String),
}

/// Sums over the runs of a scenario.
#[derive(Clone, Debug, Default)]
struct Row {
    name: String,
    /// The scenario, if the seed draws its settings.
    draws: Option<Scenario>,
    ran: Ran,
    affected: Affected,
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
    affected: Affected,
    /// The settings that the seeds of all its runs drew.
    drawn: BTreeSet<String>,
    /// The smallest seeds, with the index of the scenario.
    cases: BTreeMap<(u64, usize), Kept>,
    /// By the index of the scenario.
    by_scenario: BTreeMap<usize, There>,
}

/// Failures of one signature in one scenario.
#[derive(Clone, Debug)]
struct There {
    affected: Affected,
    smallest: (u64, Kept),
    /// The smallest seed among those with the worst harm.
    worst: (Harm, u64, Kept),
}

#[derive(Clone, Debug)]
struct Kept {
    outcome: Outcome,
    drawn: Vec<String>,
    summary: String,
    digest: String,
}

impl There {
    fn new(record: &SeedRecord, kept: &Kept) -> Self {
        Self {
            affected: Affected::default(),
            smallest: (record.seed, kept.clone()),
            worst: (record.harm(), record.seed, kept.clone()),
        }
    }

    fn add(&mut self, record: &SeedRecord, kept: &Kept) {
        self.affected.add(&record.counts, record.unconfirmed_lost);
        if record.seed < self.smallest.0 {
            self.smallest = (record.seed, kept.clone());
        }
        let (harm, seed, _) = self.worst;
        if (Reverse(record.harm()), record.seed) < (Reverse(harm), seed) {
            self.worst = (record.harm(), record.seed, kept.clone());
        }
    }
}

impl Tally {
    /// An empty tally. `keep` seeds of each signature will be kept, at least one.
    pub fn new(plan: &Plan, keep: usize) -> Self {
        let row = |scenario: &Scenario| Row {
            name: scenario.name.clone(),
            draws: scenario
                .swarm
                .as_ref()
                .filter(|swarm| swarm.draw_settings)
                .map(|_| scenario.clone()),
            ..Row::default()
        };
        let bug = |id: &String| BugSeeds { id: id.clone(), reached: 0, caught: 0 };
        Self {
            keep: keep.max(1),
            ran: Ran::default(),
            counts: Counts::default(),
            transactions: Transactions::default(),
            members: GroupCounts::default(),
            sums: Sums::default(),
            unconfirmed_lost: 0,
            errors: Errors::default(),
            waits: Waits::default(),
            affected: Affected::default(),
            losses: BTreeMap::new(),
            hazards: BTreeMap::new(),
            rows: plan.targets.iter().map(|target| row(&target.scenario)).collect(),
            drawn: BTreeMap::new(),
            bugs: plan.bugs.iter().map(bug).collect(),
            groups: BTreeMap::new(),
        }
    }

    /// Adds a run, and returns whether its signature is new.
    pub fn add(&mut self, record: &SeedRecord) -> bool {
        let row = &mut self.rows[record.target];
        self.ran.add(record);
        row.ran.add(record);
        row.wall_us = record.wall_us.saturating_add(row.wall_us);
        row.affected.add(&record.counts, record.unconfirmed_lost);
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
        self.add_records(record);
        let drawn = self.add_drawn(record);
        self.add_failure(record, drawn)
    }

    /// Adds the settings that the seed of a run drew, and returns them. They follow from the
    /// scenario and the seed, so that the journal need not contain them.
    fn add_drawn(&mut self, record: &SeedRecord) -> Vec<String> {
        let Some(scenario) = &self.rows[record.target].draws else { return Vec::new() };
        let (_, drawn) = settings::drawn(scenario, record.seed);
        let names: BTreeSet<String> =
            drawn.iter().map(|setting| settings::name(setting).to_owned()).collect();
        for name in names {
            *self.drawn.entry(name).or_default() += 1;
        }
        drawn
    }

    /// Adds the counts and anomalies of the records of a run.
    fn add_records(&mut self, record: &SeedRecord) {
        self.counts.add(&record.counts);
        self.transactions.add(&record.transactions);
        self.members.add(&record.groups);
        self.sums.add(record.sum_held);
        self.unconfirmed_lost = record.unconfirmed_lost.saturating_add(self.unconfirmed_lost);
        self.affected.add(&record.counts, record.unconfirmed_lost);
        self.errors.add(&record.errors);
        let place = (record.seed, record.target);
        self.waits.add(place, &record.waited);
        if record.counts.lost > 0 {
            self.losses.insert(place, record.counts.lost);
            if self.losses.len() > LOSSES {
                self.losses.pop_last();
            }
        }
        for hazard in &record.hazards {
            let first = || (record.seed, record.target, hazard.because.clone());
            let row = self.hazards.entry(hazard.name.clone()).or_insert_with(|| HazardRow {
                runs: 0,
                records: 0,
                first: first(),
            });
            row.runs += 1;
            row.records = hazard.records.saturating_add(row.records);
            if place < (row.first.0, row.first.1) {
                row.first = first();
            }
        }
    }

    fn add_failure(&mut self, record: &SeedRecord, drawn: Vec<String>) -> bool {
        let Some(failure) = &record.failure else { return false };
        *self.rows[record.target].signatures.entry(failure.signature.clone()).or_default() += 1;
        let new = !self.groups.contains_key(&failure.signature);
        let group = self.groups.entry(failure.signature.clone()).or_insert_with(|| Group {
            check: failure.check.clone(),
            outcome: record.outcome,
            count: 0,
            affected: Affected::default(),
            drawn: drawn.iter().cloned().collect(),
            cases: BTreeMap::new(),
            by_scenario: BTreeMap::new(),
        });
        group.count += 1;
        group.affected.add(&record.counts, record.unconfirmed_lost);
        group.drawn.retain(|setting| drawn.contains(setting));
        let kept = Kept {
            outcome: record.outcome,
            drawn,
            summary: failure.summary.clone(),
            digest: record.digest.clone(),
        };
        let there = group.by_scenario.entry(record.target);
        there.or_insert_with(|| There::new(record, &kept)).add(record, &kept);
        group.cases.insert((record.seed, record.target), kept);
        if group.cases.len() > self.keep {
            group.cases.pop_last();
        }
        new
    }

    /// The counts of runs so far, by outcome.
    pub fn ran(&self) -> &Ran {
        &self.ran
    }

    /// The records of all runs so far, by outcome.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The outcomes of the transactions of all runs; `None` if none began.
    pub(super) fn transactions(&self) -> Option<Transactions> {
        Some(&self.transactions).filter(|it| !it.is_none()).cloned()
    }

    /// What the members of the groups of all runs did; `None` if there were none.
    pub(super) fn members(&self) -> Option<GroupCounts> {
        Some(&self.members).filter(|it| !it.is_none()).cloned()
    }

    /// The number of runs in which the sum over accounts held; `None` if no run had a sum.
    pub(super) fn sums(&self) -> Option<Sums> {
        Some(self.sums).filter(|it| it.runs > 0)
    }

    /// The number of lost records sent with acks=0. The `lost` of [`Tally::counts`] does not
    /// include them.
    pub fn unconfirmed_lost(&self) -> u64 {
        self.unconfirmed_lost
    }

    /// The errors of records that were not acknowledged, in all runs.
    pub(super) fn errors(&self) -> &Errors {
        &self.errors
    }

    /// The longest waits of clients in any run.
    pub(super) fn waits(&self) -> Option<LongestWaits> {
        self.waits.longest(&|target| self.rows[target].name.clone())
    }

    /// The longest wait of a consumer in any run.
    pub(super) fn longest_read(&self) -> Option<LongestRead> {
        self.waits.longest_read(&|target| self.rows[target].name.clone())
    }

    /// The number of runs so far with anomalies of records.
    pub fn affected(&self) -> &Affected {
        &self.affected
    }

    /// The number of runs of each signature, the most frequent first.
    pub fn signatures(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self
            .groups
            .iter()
            .map(|(signature, group)| (signature.as_str(), group.count))
            .collect();
        all.sort_by_key(|(_, count)| Reverse(*count));
        all
    }

    /// The failures by signature: the worst first, then the most frequent.
    pub(super) fn groups(&self, plan: &Plan) -> Vec<SignatureGroup> {
        let mut groups: Vec<_> =
            self.groups.iter().map(|(name, group)| self.group(plan, name, group)).collect();
        // A stable sort keeps equals in the order of their names.
        groups.sort_by_key(|group| Reverse((group.outcome.weight(), group.count)));
        groups
    }

    fn group(&self, plan: &Plan, signature: &str, group: &Group) -> SignatureGroup {
        let case = |seed: u64, target: usize, kept: &Kept| Case {
            scenario: self.rows[target].name.clone(),
            seed,
            outcome: kept.outcome,
            drawn: kept.drawn.clone(),
            digest: kept.digest.clone(),
            summary: kept.summary.clone(),
            reproduce: plan.command(target, seed),
            out: String::new(),
        };
        let mut cases: Vec<Case> =
            group.cases.iter().map(|((seed, target), kept)| case(*seed, *target, kept)).collect();
        let smallest = cases[0].clone();
        let worst = group.by_scenario.iter().min_by_key(|(target, there)| {
            let (harm, seed, _) = there.worst;
            (Reverse(harm), seed, **target)
        });
        let (target, There { worst: (_, seed, kept), .. }) = worst.expect("one at least");
        let worst = case(*seed, *target, kept);
        if !cases.contains(&worst) {
            cases.push(worst.clone());
        }
        let by_scenario = group.by_scenario.iter().map(|(target, there)| {
            let row = &self.rows[*target];
            let run = |seed: u64, kept: &Kept| FailingRun {
                seed,
                summary: kept.summary.clone(),
                reproduce: plan.command(*target, seed),
            };
            let there = InScenario {
                count: row.signatures[signature],
                affected: there.affected,
                smallest: run(there.smallest.0, &there.smallest.1),
                worst: run(there.worst.1, &there.worst.2),
            };
            (row.name.clone(), there)
        });
        SignatureGroup {
            signature: signature.to_owned(),
            check: group.check.clone(),
            outcome: group.outcome,
            count: group.count,
            affected: group.affected,
            drawn: group.drawn.iter().cloned().collect(),
            smallest_seed: smallest.seed,
            scenario: smallest.scenario,
            summary: smallest.summary,
            worst,
            by_scenario: by_scenario.collect(),
            reproduce: smallest.reproduce,
            out: String::new(),
            cases,
        }
    }

    /// The result of each scenario.
    pub(super) fn rows(&self, plan: &Plan) -> Vec<ScenarioRow> {
        let rows = self.rows.iter().zip(&plan.targets).map(|(row, target)| {
            let reached =
                |must: &&MustReach| must.names().any(|name| row.exercised.contains_key(name));
            let never = target.scenario.must_reach_here().filter(|must| !reached(must));
            let never: Vec<String> = never.map(|must| must.reach.clone()).collect();
            ScenarioRow {
                scenario: row.name.clone(),
                outcome: row.ran.series(never.len()).outcome(),
                ran: row.ran,
                affected: row.affected,
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

    /// The number of runs that exercised each step or effect.
    pub(super) fn exercised(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (name, count) in self.rows.iter().flat_map(|row| &row.exercised) {
            *all.entry(name.clone()).or_default() += count;
        }
        all
    }

    /// The steps that no run has reached, in the order of the list.
    pub(super) fn not_reached(&self) -> Vec<String> {
        let reached: BTreeSet<&str> =
            self.rows.iter().flat_map(|row| row.exercised.keys().map(String::as_str)).collect();
        let all = spec::reach::names().filter(|name| !reached.contains(name));
        all.map(str::to_owned).collect()
    }

    /// The number of runs in which the seed drew each setting, by its name.
    pub(super) fn drawn(&self) -> &BTreeMap<String, u64> {
        &self.drawn
    }

    pub(super) fn bugs(&self) -> &[BugSeeds] {
        &self.bugs
    }

    /// The smallest seeds that lost acknowledged records.
    pub(super) fn losses(&self, plan: &Plan) -> Vec<Loss> {
        let loss = |(&(seed, target), &lost): (&(u64, usize), &u64)| Loss {
            scenario: self.rows[target].name.clone(),
            seed,
            lost,
            reproduce: plan.command(target, seed),
        };
        self.losses.iter().map(loss).collect()
    }

    /// Permitted anomalies by hazard.
    pub(super) fn hazards(&self) -> Vec<HazardSum> {
        let sum = |(hazard, row): (&String, &HazardRow)| {
            let (smallest_seed, target, because) = row.first.clone();
            HazardSum {
                hazard: hazard.clone(),
                runs: row.runs,
                records: row.records,
                smallest_seed,
                scenario: self.rows[target].name.clone(),
                because,
            }
        };
        self.hazards.iter().map(sum).collect()
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
