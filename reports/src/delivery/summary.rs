//! The numbers of a delivery table, which `report.json` holds.

use super::promise::{self, Delivery};
use super::study::{Header, Run, Setting, Study};
use crate::stat::{Estimate, Rate, bootstrap, share};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of `report.json`.
pub const REPORT_VERSION: u32 = 1;

/// The numbers of all settings.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "The numbers of a Faultline delivery table")]
pub struct Summary {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// The outcome of the study; only in the output of `--json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The directory of the report; only in the output of `--json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// What holds for all runs.
    pub study: Header,
    /// The numbers of each setting.
    pub rows: Vec<Row>,
}

/// How many inputs something happened to, in decided runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Measure {
    /// Inputs.
    pub count: u64,
    /// Runs with such an input.
    pub runs: u64,
    /// Inputs per million, with a bootstrap interval over seeds if enough seeds had any.
    pub per_million: Option<Rate>,
    /// `runs` as a share of decided runs, with its Wilson interval: it bounds what was never seen.
    pub share: Option<Estimate>,
}

/// Why something was permitted, or which promise was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Because {
    /// The hazard, or the check.
    pub name: String,
    /// Whether a promise was broken.
    pub broken: bool,
    /// Runs with such a finding.
    pub runs: u64,
    /// Findings.
    pub count: u64,
    /// One of them, from the smallest seed.
    pub example: String,
    /// A command that repeats that run.
    pub reproduce: String,
}

/// The numbers of one setting.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
    /// What is promised about inputs.
    pub promise: Delivery,
    /// Runs, one for each seed.
    pub runs: u64,
    /// Runs that could not be judged, or exercised nothing; no other number includes them.
    pub runs_undecided: u64,
    /// Decided runs in which a member was removed, which put the setting to the test.
    pub runs_tested: u64,
    /// Committed inputs that the group passed.
    pub inputs: u64,
    /// Inputs that no member processed.
    pub skipped: Measure,
    /// Inputs that members processed more than once.
    pub reprocessed: Measure,
    /// Inputs with a result that is there more than once.
    pub results_again: Measure,
    /// Inputs without a result.
    pub results_lacking: Measure,
    /// Inputs of transactions that did not commit, and that members processed.
    pub uncommitted: Measure,
    /// Records that stand in a log more than once.
    pub duplicated: Measure,
    /// Broken promises, as the judge found them.
    pub violations: u64,
    /// What permits what was found: broken promises first.
    pub reasons: Vec<Because>,
}

impl Row {
    /// Decided runs.
    pub const fn runs_decided(&self) -> u64 {
        self.runs - self.runs_undecided
    }

    /// Whether all that is promised was kept. The numbers and the judge have to agree on it.
    pub const fn is_kept(&self) -> bool {
        let skips = self.skipped.count + self.results_lacking.count;
        let is_broken = (self.promise.skips_nothing() && skips > 0)
            || (self.promise.repeats_nothing() && self.results_again.count > 0)
            || (self.setting.read_committed && self.uncommitted.count > 0)
            || self.violations > 0;
        !is_broken
    }
}

impl Summary {
    /// The rows with `read_committed` and idempotence, which differ only in how members commit.
    pub fn of_modes(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| promise::of_inputs(row.setting) == (true, true))
    }

    /// The rows that no run put to the test.
    pub fn not_tested(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.runs_tested == 0)
    }
}

/// The numbers of a study.
pub fn summarise(study: &Study) -> Summary {
    let rows = study.header.settings.iter().map(|setting| {
        let runs: Vec<&Run> = study.runs.iter().filter(|run| run.setting == *setting).collect();
        of_setting(*setting, &runs)
    });
    Summary {
        version: REPORT_VERSION,
        outcome: None,
        out: None,
        rows: rows.collect(),
        study: study.header.clone(),
    }
}

fn of_setting(setting: Setting, runs: &[&Run]) -> Row {
    let decided: Vec<&Run> = runs.iter().copied().filter(|run| run.is_decided()).collect();
    let measure = |of: fn(&Run) -> u64| measure(&decided, of);
    let reasons = reasons(&decided);
    Row {
        setting,
        promise: promise::of(setting.commit),
        runs: runs.len() as u64,
        runs_undecided: (runs.len() - decided.len()) as u64,
        runs_tested: decided.iter().filter(|run| run.is_tested()).count() as u64,
        inputs: decided.iter().map(|run| run.counts.inputs).sum(),
        skipped: measure(|run| run.counts.skipped),
        reprocessed: measure(|run| run.counts.reprocessed),
        results_again: measure(|run| run.counts.results_again),
        results_lacking: measure(|run| run.counts.results_lacking),
        uncommitted: measure(|run| run.counts.uncommitted),
        duplicated: measure(|run| run.counts.duplicated),
        violations: reasons.iter().filter(|it| it.broken).map(|it| it.count).sum(),
        reasons,
    }
}

fn measure(runs: &[&Run], of: fn(&Run) -> u64) -> Measure {
    let observations: Vec<(u64, u64)> =
        runs.iter().map(|run| (of(run), run.counts.inputs)).collect();
    let with = runs.iter().filter(|run| of(run) > 0).count() as u64;
    let rate = bootstrap::ratio(&observations).map(|rate| Rate::new(rate.times(1e6), with));
    Measure {
        count: observations.iter().map(|(count, _)| count).sum(),
        runs: with,
        per_million: rate,
        share: share::wilson(with, runs.len() as u64),
    }
}

fn reasons(runs: &[&Run]) -> Vec<Because> {
    let mut all: BTreeMap<(bool, &str), Because> = BTreeMap::new();
    for run in runs {
        for reason in &run.reasons {
            let key = (!reason.broken, reason.name.as_str());
            let because = all.entry(key).or_insert_with(|| Because {
                name: reason.name.clone(),
                broken: reason.broken,
                runs: 0,
                count: 0,
                example: reason.because.clone(),
                reproduce: run.reproduce.clone(),
            });
            because.runs += 1;
            because.count += reason.count;
        }
    }
    all.into_values().collect()
}
