//! Studies: the same seeds measured under several settings.
//!
//! The runs of a seed are paired. The arrivals of records depend on the seed alone; the faults are
//! those of the run under the reference setting ([`spec::Swarm::paired_with`]), on the same nodes
//! at the same times.

mod acks;
pub mod delivery;
#[cfg(test)]
mod tests;

pub use acks::{ACKS, LONE_LEADER, REFERENCE, REPLACED, SCENARIO, SHRUNK, Under, stretch};

use crate::result::Verdict;
use crate::run::{Faults, Measured, RunOutcome, make};
use judge::verdict::Lost;
use spec::{Diagnostic, Resolved, Scenario};
use std::collections::BTreeMap;

/// A scenario under several settings, ready to run.
#[derive(Clone, Debug)]
pub struct Study {
    /// The scenario from whose run all runs of a seed take their faults.
    reference: Scenario,
    /// The scenario under each setting.
    variants: Vec<Scenario>,
}

/// One run of a study.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The verdict.
    pub verdict: Verdict,
    /// Losses of records that the application considered written, by reason.
    pub lost: Vec<Lost>,
    /// How many planned faults of each family took effect.
    pub faults: BTreeMap<&'static str, u64>,
    /// The measurements of clients.
    pub measured: Measured,
}

/// A run of a study that a panic ended.
#[derive(Clone, Debug)]
pub struct Panicked {
    /// The index of its setting.
    pub variant: usize,
    /// The verdict on the run until then.
    pub verdict: Verdict,
}

impl Study {
    /// A scenario under each of `settings`, which have the form of `--set`.
    ///
    /// # Errors
    ///
    /// If a setting does not exist, or gives no valid scenario.
    pub fn new(scenario: &Scenario, settings: &[Vec<String>]) -> Result<Self, Box<Diagnostic>> {
        let reference = scenario.paired()?.unwrap_or_else(|| scenario.clone());
        let variant = |settings: &Vec<String>| {
            let mut variant = scenario.clone();
            variant.set_all(settings)?;
            Ok(variant)
        };
        let variants = settings.iter().map(variant).collect::<Result<_, Box<Diagnostic>>>()?;
        Ok(Self { reference, variants })
    }

    /// The number of runs of a seed.
    pub fn variants(&self) -> usize {
        self.variants.len()
    }

    /// Makes the runs of a seed, one for each setting in order, all with these bugs.
    ///
    /// # Errors
    ///
    /// The first run that a panic ended, which is a defect of Faultline.
    pub fn runs(&self, seed: u64, bugs: &[String]) -> Result<Vec<Observed>, Box<Panicked>> {
        let resolved = |scenario: &Scenario| Resolved {
            scenario: scenario.clone(),
            seed,
            bugs: bugs.to_vec(),
            trace: false,
        };
        let is_reference = |variant: &Scenario| unpaired(variant) == unpaired(&self.reference);
        let has_own_faults = |variant: &Scenario| matches!(variant.paired(), Ok(None));
        let mut reference = make(&resolved(&self.reference), Faults::Own);
        if reference.has_panicked() {
            let variant = self.variants.iter().position(is_reference).unwrap_or_default();
            return Err(Box::new(Panicked { variant, verdict: reference.verdict }));
        }
        let struck = std::mem::take(&mut reference.struck);
        // The run under the reference setting is also the run of a variant.
        let mut reference = Some(reference);
        let mut run = |scenario: &Scenario| match reference.take_if(|_| is_reference(scenario)) {
            Some(outcome) => outcome,
            None if has_own_faults(scenario) => make(&resolved(scenario), Faults::Own),
            None => make(&resolved(scenario), Faults::Of(&struck)),
        };
        let observed = |(variant, scenario)| match run(scenario) {
            panicked if panicked.has_panicked() => {
                Err(Box::new(Panicked { variant, verdict: panicked.verdict }))
            }
            outcome => Ok(Observed::of(outcome)),
        };
        self.variants.iter().enumerate().map(observed).collect()
    }
}

/// A scenario without the settings of the scenario that it takes its faults from.
fn unpaired(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    if let Some(swarm) = &mut scenario.swarm {
        swarm.paired_with.clear();
    }
    scenario
}

impl Observed {
    fn of(outcome: RunOutcome) -> Self {
        let mut faults = BTreeMap::new();
        for planned in outcome.plan {
            if planned.fate.took_effect() {
                *faults.entry(planned.fault.kind.family().name()).or_default() += 1;
            }
        }
        Self {
            verdict: outcome.verdict,
            lost: merged(outcome.lost),
            faults,
            measured: outcome.measured,
        }
    }
}

/// Merges losses of several partitions that have the same reason.
fn merged(lost: Vec<Lost>) -> Vec<Lost> {
    let mut merged: Vec<Lost> = Vec::new();
    for lost in lost {
        let same = |other: &&mut Lost| (&other.reason, other.broken) == (&lost.reason, lost.broken);
        match merged.iter_mut().find(same) {
            Some(other) => other.count += lost.count,
            None => merged.push(lost),
        }
    }
    merged
}
