//! Runs, counted by outcome.

use super::record::SeedRecord;
use crate::result::{Outcome, Series};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of runs, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ran {
    /// Runs that were made.
    pub ran: u64,
    /// Runs that kept every promise.
    pub passed: u64,
    /// The number of those with permitted anomalies.
    pub permitted: u64,
    /// Runs that broke a promise.
    pub violations: u64,
    /// Undecided runs.
    pub unknown: u64,
    /// Runs that exercised nothing.
    pub vacuous: u64,
    /// Runs that ended in a panic, which is a defect of Faultline.
    pub panics: u64,
    /// Runs that differed when they were repeated.
    pub nondeterministic: u64,
    /// The events of all runs.
    pub events: u64,
    /// The simulated time of all runs, in nanoseconds.
    pub simulated_ns: u64,
}

impl Ran {
    /// Adds a run.
    pub(super) fn add(&mut self, record: &SeedRecord) {
        self.ran += 1;
        match record.outcome {
            Outcome::Pass => self.passed += 1,
            Outcome::Violation => self.violations += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Vacuous => self.vacuous += 1,
            Outcome::Panic => self.panics += 1,
            Outcome::Nondeterministic => self.nondeterministic += 1,
        }
        let permitted = record.outcome == Outcome::Pass && !record.hazards.is_empty();
        self.permitted += u64::from(permitted);
        // The numbers in a journal may be arbitrary.
        self.events = record.events.saturating_add(self.events);
        self.simulated_ns = record.simulated_ns.saturating_add(self.simulated_ns);
    }

    /// The runs as a series of one scenario, of whose wanted steps this many were never reached.
    pub(super) fn series(&self, never_reached: usize) -> Series {
        Series {
            ran: self.ran,
            panics: self.panics,
            nondeterministic: self.nondeterministic,
            violations: self.violations,
            unknown: self.unknown,
            vacuous: self.vacuous,
            never_reached,
        }
    }

    /// A run with this `outcome` was not reproduced when it was repeated.
    pub(super) fn differs(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Pass => &mut self.passed,
            Outcome::Violation => &mut self.violations,
            Outcome::Unknown => &mut self.unknown,
            Outcome::Vacuous => &mut self.vacuous,
            Outcome::Panic => &mut self.panics,
            Outcome::Nondeterministic => return,
        };
        *count = count.saturating_sub(1);
        self.nondeterministic += 1;
    }
}
