//! Runs of a seed are paired, so two settings are compared within seeds: the part of a difference
//! that is due to individual seeds cancels out.

use super::confirm::{Acks, Setting};
use super::study::{Run, Study};
use super::summary::{SettingSummary, Summary, is_decided};
use crate::stat::{Rate, bootstrap, sign};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The effect of min.insync.replicas under one value of acks.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PairSummary {
    /// `acks` of both settings.
    pub acks: Acks,
    /// The two values of `min.insync.replicas`.
    pub min_isr: [u16; 2],
    /// Seeds in which the in-sync replicas shrank under at least one of the values. If there is no
    /// such seed, the pair was not tested.
    pub seeds_tested: u64,
    /// Records lost per million at stake with the second value, minus the same with the first, with
    /// its bootstrap interval over seeds if enough of them differ; `None` if neither value lost any.
    pub lost_per_million: Option<Rate>,
    /// Seeds in which the first value lost more records.
    pub more_with_first: u64,
    /// Seeds in which the second value lost more records.
    pub more_with_second: u64,
    /// The p-value of the exact two-sided sign test on these counts: the probability of a split at
    /// least this uneven if a coin toss decided which value loses more in each differing seed.
    /// `None` if no seed differs.
    pub sign_test_p: Option<f64>,
}

/// The result of a study for a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The in-sync replicas never shrank, so the pair was not tested.
    NotTested,
    /// No significant difference.
    NoDifference,
    /// Significantly more seeds lose more records with this value of min.insync.replicas.
    WorseWith(u16),
}

impl PairSummary {
    /// The result of the sign test at the 5 % level.
    pub(super) fn shown(&self) -> Shown {
        let [first, second] = self.min_isr;
        match self.sign_test_p {
            None if self.seeds_tested == 0 => Shown::NotTested,
            Some(p) if p < 0.05 && self.more_with_first > self.more_with_second => {
                Shown::WorseWith(first)
            }
            Some(p) if p < 0.05 => Shown::WorseWith(second),
            _ => Shown::NoDifference,
        }
    }
}

impl Summary {
    /// The settings with Kafka's default of `enable.idempotence`; only these are compared for
    /// losses.
    pub fn as_in_kafka(&self) -> impl Iterator<Item = &SettingSummary> {
        self.settings.iter().filter(|setting| setting.setting.idempotence)
    }

    /// A setting with idempotent producers, and the same setting without idempotence.
    pub fn idempotence(&self) -> Option<[&SettingSummary; 2]> {
        let off = self.settings.iter().find(|setting| !setting.setting.idempotence)?;
        let same = Setting { idempotence: true, ..off.setting };
        Some([self.settings.iter().find(|setting| setting.setting == same)?, off])
    }
}

/// Adjacent settings of a study that differ only in min.insync.replicas.
pub(super) fn pairs(study: &Study) -> Vec<PairSummary> {
    let settings = &study.header.settings;
    let pairs = settings.iter().zip(settings.iter().skip(1));
    let differ = |a: &Setting, b: &Setting| {
        a.min_isr != b.min_isr && *a == Setting { min_isr: a.min_isr, ..*b }
    };
    pairs.filter(|(a, b)| differ(a, b)).map(|(a, b)| pair(study, *a, *b)).collect()
}

fn pair(study: &Study, first: Setting, second: Setting) -> PairSummary {
    let decided = |setting| study.of(setting).filter(|run| is_decided(run));
    let second_runs: BTreeMap<u64, &Run> = decided(second).map(|run| (run.seed, run)).collect();
    let paired: Vec<(&Run, &Run)> = decided(first)
        .filter_map(|run| second_runs.get(&run.seed).map(|other| (run, *other)))
        .collect();
    let of = |run: &Run| (run.records.lost, run.records.at_stake());
    let observations: Vec<_> = paired.iter().map(|(a, b)| (of(a), of(b))).collect();
    let any = paired.iter().any(|(a, b)| a.records.lost + b.records.lost > 0);
    let count = |more: fn(u64, u64) -> bool| {
        paired.iter().filter(|(a, b)| more(a.records.lost, b.records.lost)).count() as u64
    };
    let (more_with_first, more_with_second) = (count(|a, b| a > b), count(|a, b| b > a));
    let tested = paired.iter().filter(|(a, b)| a.isr_shrunk || b.isr_shrunk);
    PairSummary {
        seeds_tested: tested.count() as u64,
        acks: first.acks,
        min_isr: [first.min_isr, second.min_isr],
        lost_per_million: bootstrap::difference(&observations)
            .filter(|_| any)
            .map(|estimate| Rate::new(estimate.times(1e6), more_with_first + more_with_second)),
        more_with_first,
        more_with_second,
        sign_test_p: sign::p_value(more_with_first, more_with_second),
    }
}
