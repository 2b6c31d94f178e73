//! Computes the numbers of a report from the runs of a study. `report.json` holds these numbers.

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
    /// The outcome of the study; only in the output of `--json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The directory of the report, empty if it could not be written; only in the output of
    /// `--json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// What holds for all runs.
    pub study: Header,
    /// The numbers of each setting.
    pub settings: Vec<SettingSummary>,
    /// The effect of min.insync.replicas under each value of acks, compared seed by seed.
    pub pairs: Vec<PairSummary>,
}

/// The numbers of one setting.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SettingSummary {
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
    /// Runs, one for each seed.
    pub runs: u64,
    /// Undecided runs: they could not be judged, or exercised nothing. Except for `lost_undecided`
    /// and `worst`, no number about losses includes them. Counting only the undecided runs that
    /// lost records would bias the share upwards.
    pub runs_undecided: u64,
    /// Decided runs that tested the setting: the event that it is about came about
    /// ([`Setting::subject`]). If there is none, and nothing was lost or violated, the setting was
    /// not tested: that no record was lost then means nothing.
    pub runs_tested: u64,
    /// Lost records in undecided runs.
    pub lost_undecided: u64,
    /// Records given to producers.
    pub sent: u64,
    /// Records that the application considered written (acknowledged, or sent with acks=0), in
    /// decided runs.
    pub at_stake: u64,
    /// Records at stake that were not readable at the end.
    pub lost: u64,
    /// Lost records per million at stake, with a bootstrap interval over seeds if enough seeds lost
    /// any. If none was lost, `share_with_loss` bounds the share of such runs.
    pub lost_per_million: Option<Rate>,
    /// Decided runs with at least one lost record.
    pub runs_with_loss: u64,
    /// `runs_with_loss` as a share of decided runs, with its Wilson interval.
    pub share_with_loss: Option<Estimate>,
    /// Promises that were broken.
    pub violations: u64,
    /// Runs in which a promise was broken.
    pub runs_with_violation: u64,
    /// Records sent with acks=0.
    pub unconfirmed: u64,
    /// Records neither acknowledged nor refused.
    pub unknown: u64,
    /// Records definitely refused.
    pub failed: u64,
    /// Records that readers saw more than once.
    pub duplicated: u64,
    /// Runs with such a record.
    pub runs_with_duplicates: u64,
    /// Records that readers saw in another order than sent.
    pub reordered: u64,
    /// Runs with such a record.
    pub runs_with_reorder: u64,
    /// Time from `send` to the callback of a record.
    pub latency: LatencySummary,
    /// Records at stake that were written during the load, per simulated second of the load.
    pub throughput_per_s: Option<Estimate>,
    /// Share of the load time in which a partition accepted no writes, averaged over partitions.
    pub unavailable_share: Option<Estimate>,
    /// Resends per thousand batches.
    pub retries_per_thousand: Option<Estimate>,
    /// Batches given up per thousand batches.
    pub errors_per_thousand: Option<Estimate>,
    /// Losses by their reason: broken promises first, then the largest loss first.
    pub hazards: Vec<HazardSummary>,
    /// Losses by whether a leader lost power while it was the only in-sync replica.
    pub lone_leader: [LoneSummary; 2],
    /// Losses by the families of faults that took effect in their runs.
    pub families: Vec<FamilySummary>,
    /// The worst seeds: most violations first, then most lost records. Undecided runs are included.
    pub worst: Vec<Worst>,
}

impl SettingSummary {
    /// Decided runs.
    pub const fn runs_decided(&self) -> u64 {
        self.runs - self.runs_undecided
    }

    /// Whether a decided run tested the setting, or a record was lost or a promise broken all the
    /// same.
    pub const fn is_tested(&self) -> bool {
        self.runs_tested > 0 || self.lost > 0 || self.violations > 0
    }
}

impl Summary {
    /// The settings about which this study says nothing.
    pub fn not_tested(&self) -> impl Iterator<Item = &SettingSummary> {
        self.settings.iter().filter(|setting| !setting.is_tested())
    }
}

/// Time from `send` to the callback of a record, in simulated microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LatencySummary {
    /// Records.
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

/// Losses for one reason, in decided runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HazardSummary {
    /// The hazard that permits the loss, or the check that found the broken promise.
    pub hazard: String,
    /// Whether a promise was broken.
    pub broken: bool,
    /// Lost records.
    pub lost: u64,
    /// Runs with such a loss.
    pub runs: u64,
    /// The setting and the event of one such loss, from the smallest seed.
    pub example: String,
    /// The seed of `example`.
    pub example_seed: u64,
}

/// Losses in decided runs in which a fault of this family took effect.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FamilySummary {
    /// The family.
    pub family: String,
    /// Decided runs in which a fault of the family took effect.
    pub runs: u64,
    /// The number of those runs with a lost record.
    pub runs_with_loss: u64,
    /// Records at stake in those runs.
    pub at_stake: u64,
    /// Records lost in those runs.
    pub lost: u64,
    /// Lost records per million at stake, with a bootstrap interval over seeds if enough seeds lost
    /// any.
    pub lost_per_million: Option<Rate>,
}

/// Losses in decided runs in which a leader lost power while it was the only in-sync replica, or in
/// the other decided runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LoneSummary {
    /// Whether a leader lost power while it was the only in-sync replica.
    pub came_about: bool,
    /// Runs.
    pub runs: u64,
    /// The number of those runs with a lost record.
    pub runs_with_loss: u64,
    /// Records lost in those runs.
    pub lost: u64,
}

/// A seed that lost records or broke a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Worst {
    /// The seed.
    pub seed: u64,
    /// Records lost.
    pub lost: u64,
    /// Records at stake.
    pub at_stake: u64,
    /// The broken promises, one line each.
    pub violations: Vec<String>,
    /// The setting and the event of the largest loss; a broken promise comes first.
    pub because: String,
    /// The digest of the run.
    pub digest: String,
    /// A command that repeats the run.
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
    // If nothing was put to the test, an interval would claim too much.
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

/// Whether a run says anything about losses: it was judged to its end and exercised something.
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
