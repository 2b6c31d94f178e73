//! How many runs came to what.

use super::record::SeedRecord;
use crate::result::{Outcome, Series};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many runs were made, and what they came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ran {
    /// How many were made.
    pub ran: u64,
    /// How many kept every promise.
    pub passed: u64,
    /// How many of those had anomalies that are permitted.
    pub permitted: u64,
    /// How many broke a promise.
    pub violations: u64,
    /// How many are undecided.
    pub unknown: u64,
    /// How many exercised nothing.
    pub vacuous: u64,
    /// How many ended in a panic, which is a defect of Faultline.
    pub panics: u64,
    /// How many went differently when they were made again.
    pub nondeterministic: u64,
    /// Events of all of them.
    pub events: u64,
    /// Simulated time of all of them, in nanoseconds.
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
        // The numbers of a journal may be any.
        self.events = record.events.saturating_add(self.events);
        self.simulated_ns = record.simulated_ns.saturating_add(self.simulated_ns);
    }

    /// As a series of runs of one scenario, none of which has reached so many of the things that
    /// were wanted.
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

    /// A run that had come to `outcome` was not the same when it was made again.
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
