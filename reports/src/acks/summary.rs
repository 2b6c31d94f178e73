//! From the runs of a study to the numbers of a report. `report.json` holds them.

use super::confirm::Setting;
use super::pairs::{self, PairSummary};
use super::study::{Header, Run, Study};
use crate::stat::{Estimate, Rate, bootstrap, histogram, share};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of `report.json`.
pub const REPORT_VERSION: u32 = 5;

/// How many of the worst seeds are listed for each setting.
const WORST: usize = 3;

/// A comparison in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "The numbers of a Faultline report on acks")]
pub struct Summary {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// What the runs come to, if this was printed when they were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The directory of the report, if this was printed; empty if it could not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// What holds for all runs.
    pub study: Header,
    /// What was found for each setting.
    pub settings: Vec<SettingSummary>,
    /// What min.insync.replicas makes of each value of acks, within seeds.
    pub pairs: Vec<PairSummary>,
}

/// What was found for one setting.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SettingSummary {
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
    /// Runs, one for each seed.
    pub runs: u64,
    /// Runs that decide nothing: they could not be judged, or nothing was exercised. What is said of
    /// losses is said of the others, whatever was lost here: to choose by what was lost would make
    /// the share of losses larger than it is.
    pub runs_undecided: u64,
    /// Of the runs that decide something, those in which what the setting is about came about
    /// ([`Setting::subject`]). Without one the setting was not tested, and nothing lost says
    /// nothing.
    pub runs_tested: u64,
    /// Records that were found to be lost in the runs that decide nothing.
    pub lost_undecided: u64,
    /// Records given to producers.
    pub sent: u64,
    /// Records that the application took for written, confirmed or sent with acks=0, in the runs
    /// that decide something.
    pub at_stake: u64,
    /// Of those, records that were not readable at the end.
    pub lost: u64,
    /// Lost records per million at stake, with its bootstrap interval over seeds if enough of them
    /// lost any. See `share_with_loss` for what can be said if none was lost.
    pub lost_per_million: Option<Rate>,
    /// Runs with at least one lost record.
    pub runs_with_loss: u64,
    /// Their share of the runs that decide something, with its Wilson interval.
    pub share_with_loss: Option<Estimate>,
    /// Promises that were broken.
    pub violations: u64,
    /// Runs in which a promise was broken.
    pub runs_with_violation: u64,
    /// Records sent with acks=0.
    pub unconfirmed: u64,
    /// Records neither confirmed nor refused.
    pub unknown: u64,
    /// Records refused for certain.
    pub failed: u64,
    /// Records that readers saw more than once.
    pub duplicated: u64,
    /// Runs with such a record.
    pub runs_with_duplicates: u64,
    /// Records that readers saw in another order than sent.
    pub reordered: u64,
    /// Runs with such a record.
    pub runs_with_reorder: u64,
    /// How long producers waited for an answer.
    pub latency: LatencySummary,
    /// Records taken for written while records were offered, per simulated second of that time.
    pub throughput_per_s: Option<Estimate>,
    /// Share of the time in which records were offered during which a partition accepted no writes,
    /// over all partitions.
    pub unavailable_share: Option<Estimate>,
    /// Batches sent again per thousand batches.
    pub retries_per_thousand: Option<Estimate>,
    /// Batches given up per thousand batches.
    pub errors_per_thousand: Option<Estimate>,
    /// Losses by their reason, the largest first.
    pub hazards: Vec<HazardSummary>,
    /// Losses by whether a leader lost its power while it was alone in sync.
    pub lone_leader: [LoneSummary; 2],
    /// Losses by the faults of their runs.
    pub families: Vec<FamilySummary>,
    /// The seeds with most losses, the worst first.
    pub worst: Vec<Worst>,
}

impl SettingSummary {
    /// Runs that decide something.
    pub const fn runs_decided(&self) -> u64 {
        self.runs - self.runs_undecided
    }

    /// Whether what the setting is about came about in any run that decides something, or something
    /// was lost all the same.
    pub const fn is_tested(&self) -> bool {
        self.runs_tested > 0 || self.lost > 0 || self.violations > 0
    }
}

impl Summary {
    /// The settings of which this study says nothing.
    pub fn not_tested(&self) -> impl Iterator<Item = &SettingSummary> {
        self.settings.iter().filter(|setting| !setting.is_tested())
    }
}

/// How long producers waited for an answer, in simulated microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LatencySummary {
    /// Answers.
    pub count: u64,
    /// The median.
    pub p50_us: u64,
    /// 99 of 100 were faster.
    pub p99_us: u64,
    /// 999 of 1,000 were faster.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// Losses for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HazardSummary {
    /// The hazard, or the check that found the broken promise.
    pub hazard: String,
    /// Whether a promise was broken.
    pub broken: bool,
    /// Records.
    pub lost: u64,
    /// Runs.
    pub runs: u64,
    /// The setting and the event of one of them, from the smallest seed.
    pub example: String,
    /// The seed of the example.
    pub example_seed: u64,
}

/// Losses in runs that decide something and in which a fault of this family took effect.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FamilySummary {
    /// The family.
    pub family: String,
    /// Runs in which it took effect.
    pub runs: u64,
    /// Of those, runs with a lost record.
    pub runs_with_loss: u64,
    /// Records at stake in those runs.
    pub at_stake: u64,
    /// Records lost in those runs.
    pub lost: u64,
    /// Lost records per million at stake, with its bootstrap interval over seeds if enough of them
    /// lost any.
    pub lost_per_million: Option<Rate>,
}

/// Losses in runs in which a leader lost its power while it was alone in sync, or in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LoneSummary {
    /// Whether that came about.
    pub came_about: bool,
    /// Runs.
    pub runs: u64,
    /// Of those, runs with a lost record.
    pub runs_with_loss: u64,
    /// Records lost in those runs.
    pub lost: u64,
}

/// A seed that went badly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Worst {
    /// The seed.
    pub seed: u64,
    /// Records lost.
    pub lost: u64,
    /// Records at stake.
    pub at_stake: u64,
    /// Promises broken.
    pub violations: Vec<String>,
    /// The setting and the event of one loss.
    pub because: String,
    /// The digest of the run.
    pub digest: String,
    /// One line that makes the run again.
    pub reproduce: String,
}

/// The numbers of a study.
pub fn summarise(study: &Study) -> Summary {
    let families = families(study);
    let settings = study.header.settings.iter().map(|setting| {
        let runs: Vec<&Run> = study.of(*setting).collect();
        of_setting(*setting, &runs, study.header.partitions, &families)
    });
    Summary {
        version: REPORT_VERSION,
        outcome: None,
        out: None,
        settings: settings.collect(),
        pairs: pairs::pairs(study),
        study: study.header.clone(),
    }
}

fn of_setting(
    setting: Setting,
    runs: &[&Run],
    partitions: u32,
    families: &[String],
) -> SettingSummary {
    let total = |of: fn(&Run) -> u64| runs.iter().map(|run| of(run)).sum::<u64>();
    let number = |of: fn(&Run) -> bool| runs.iter().filter(|run| of(run)).count() as u64;
    let decided: Vec<&Run> = runs.iter().copied().filter(|run| is_decided(run)).collect();
    let lost = |runs: &[&Run]| runs.iter().map(|run| run.records.lost).sum::<u64>();
    let runs_with_loss = decided.iter().filter(|run| has_loss(run)).count() as u64;
    let tested = decided.iter().filter(|run| setting.is_tested_by(run));
    let runs_tested = tested.count() as u64;
    // Of runs in which nothing was put to the test an interval would be a claim.
    let says_something = runs_tested > 0 || runs_with_loss > 0;
    SettingSummary {
        setting,
        runs: runs.len() as u64,
        runs_undecided: number(|run| !is_decided(run)),
        sent: total(|run| run.records.sent),
        at_stake: decided.iter().map(|run| run.records.at_stake()).sum(),
        lost: lost(&decided),
        runs_tested,
        lost_undecided: lost(runs) - lost(&decided),
        lost_per_million: lost_per_million(decided.iter().copied()).filter(|_| says_something),
        runs_with_loss,
        share_with_loss: share::wilson(runs_with_loss, decided.len() as u64)
            .filter(|_| says_something),
        violations: total(|run| run.violations.len() as u64),
        runs_with_violation: number(|run| !run.violations.is_empty()),
        unconfirmed: total(|run| run.records.unconfirmed),
        unknown: total(|run| run.records.unknown),
        failed: total(|run| run.records.failed),
        duplicated: total(|run| run.records.duplicated),
        runs_with_duplicates: number(|run| run.records.duplicated > 0),
        reordered: total(|run| run.records.reordered),
        runs_with_reorder: number(|run| run.records.reordered > 0),
        latency: latency(runs),
        throughput_per_s: ratio(runs, |run| (run.written_meanwhile, run.offered_ns), 1e9),
        unavailable_share: ratio(
            runs,
            |run| (run.unavailable_ns, run.offered_ns),
            1.0 / f64::from(partitions.max(1)),
        ),
        retries_per_thousand: ratio(runs, |run| (run.produce.retries, run.produce.batches), 1e3),
        errors_per_thousand: ratio(runs, |run| (run.produce.errors, run.produce.batches), 1e3),
        hazards: hazards(&decided),
        lone_leader: [true, false].map(|came_about| of_lone_leader(came_about, &decided)),
        families: families.iter().map(|family| of_family(family, &decided)).collect(),
        worst: worst(runs),
    }
}

fn of_lone_leader(came_about: bool, runs: &[&Run]) -> LoneSummary {
    let such = || runs.iter().filter(|run| run.lone_leader == came_about);
    LoneSummary {
        came_about,
        runs: such().count() as u64,
        runs_with_loss: such().filter(|run| has_loss(run)).count() as u64,
        lost: such().map(|run| run.records.lost).sum(),
    }
}

fn has_loss(run: &Run) -> bool {
    run.records.lost > 0
}

/// Whether a run says anything about losses: it was judged to its end, and showed something.
pub(super) fn is_decided(run: &Run) -> bool {
    matches!(run.outcome.as_str(), "pass" | "violation")
}

fn ratio(runs: &[&Run], of: fn(&Run) -> (u64, u64), unit: f64) -> Option<Estimate> {
    let observations: Vec<_> = runs.iter().map(|run| of(run)).collect();
    bootstrap::ratio(&observations).map(|estimate| estimate.times(unit))
}

fn lost_per_million<'a>(runs: impl Iterator<Item = &'a Run>) -> Option<Rate> {
    let runs: Vec<&Run> = runs.collect();
    let lossy = runs.iter().filter(|run| has_loss(run)).count() as u64;
    let rate = ratio(&runs, |run| (run.records.lost, run.records.at_stake()), 1e6)?;
    Some(Rate::new(rate, lossy))
}

fn latency(runs: &[&Run]) -> LatencySummary {
    let all = histogram::merged(runs.iter().map(|run| run.latency.histogram()));
    if all.is_empty() {
        return LatencySummary::default();
    }
    LatencySummary {
        count: all.len(),
        p50_us: all.value_at_quantile(0.5),
        p99_us: all.value_at_quantile(0.99),
        p999_us: all.value_at_quantile(0.999),
        max_us: all.max(),
    }
}

fn hazards(runs: &[&Run]) -> Vec<HazardSummary> {
    let mut by_name: BTreeMap<(&str, bool), HazardSummary> = BTreeMap::new();
    for run in runs {
        let mut seen = Vec::new();
        for loss in &run.losses {
            let name = (loss.hazard.as_str(), loss.broken);
            let hazard = by_name.entry(name).or_insert_with(|| HazardSummary {
                hazard: loss.hazard.clone(),
                broken: loss.broken,
                lost: 0,
                runs: 0,
                example: loss.because.clone(),
                example_seed: run.seed,
            });
            hazard.lost += loss.count;
            if !seen.contains(&name) {
                seen.push(name);
                hazard.runs += 1;
            }
        }
    }
    let mut hazards: Vec<HazardSummary> = by_name.into_values().collect();
    hazards.sort_by_key(|hazard| std::cmp::Reverse((hazard.broken, hazard.lost)));
    hazards
}

/// The families of faults that took effect in any run, by name.
fn families(study: &Study) -> Vec<String> {
    let mut families: Vec<String> = study
        .runs
        .iter()
        .flat_map(|run| run.faults.iter().filter(|(_, count)| **count > 0))
        .map(|(family, _)| family.clone())
        .collect();
    families.sort_unstable();
    families.dedup();
    families
}

fn of_family(family: &str, runs: &[&Run]) -> FamilySummary {
    let of_family = || {
        let runs = runs.iter().copied();
        runs.filter(|run| run.faults.get(family).is_some_and(|count| *count > 0))
    };
    FamilySummary {
        family: family.to_owned(),
        runs: of_family().count() as u64,
        runs_with_loss: of_family().filter(|run| has_loss(run)).count() as u64,
        at_stake: of_family().map(|run| run.records.at_stake()).sum(),
        lost: of_family().map(|run| run.records.lost).sum(),
        lost_per_million: lost_per_million(of_family()),
    }
}

fn worst(runs: &[&Run]) -> Vec<Worst> {
    let mut bad: Vec<&Run> =
        runs.iter().copied().filter(|run| has_loss(run) || !run.violations.is_empty()).collect();
    bad.sort_by_key(|run| (std::cmp::Reverse((run.violations.len(), run.records.lost)), run.seed));
    let listed = bad.into_iter().take(WORST).map(|run| Worst {
        seed: run.seed,
        lost: run.records.lost,
        at_stake: run.records.at_stake(),
        violations: run.violations.iter().map(|violation| violation.summary.clone()).collect(),
        because: run
            .losses
            .iter()
            .max_by_key(|loss| (loss.broken, loss.count))
            .map_or_else(String::new, |loss| loss.because.clone()),
        digest: run.digest.clone(),
        reproduce: run.reproduce.clone(),
    });
    listed.collect()
}
