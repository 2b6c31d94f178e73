//! A run from its first event to its verdict.
//!
//! ```text
//! set up -> load with faults -> heal everything -> converge (deadline) -> read back -> judge
//! ```

mod build;
mod converge;
mod deadline;
mod disks;
mod exercised;
mod history;
mod measure;
mod observe;
mod simulation;
mod verdict;
mod words;

#[cfg(test)]
mod tests;

pub use deadline::converge_within;
pub use history::History;
pub use measure::Measured;
pub use simulation::{Phase, Simulation};

use crate::judge::Lost;
use crate::plan::PlannedFault;
use crate::result::Verdict;
use crate::spec::{Fault, Resolved};
use engine::rules::Rules;
use sim::TraceEvent;
use std::collections::BTreeMap;

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The verdict.
    pub verdict: Verdict,
    /// The trace; empty unless it was asked for.
    pub trace: Vec<TraceEvent>,
    /// What processes told; empty unless it was asked for.
    pub history: History,
    /// What became of the fault plan.
    pub plan: Vec<PlannedFault>,
    /// What was injected for the faults that the seed made, with nodes in place of roles.
    pub struck: Vec<Fault>,
    /// Numbers about the run itself.
    pub stats: Stats,
    /// How often each rule decided otherwise than Kafka's, by name.
    pub differed: BTreeMap<&'static str, u64>,
    /// Records that the application took for written and that are gone, by reason.
    pub lost: Vec<Lost>,
    /// What clients waited for, if that was measured.
    pub measured: Option<Measured>,
}

/// Numbers about a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events of the world.
    pub events: u64,
    /// Simulated time from the first event to the last, in nanoseconds.
    pub simulated_ns: u64,
    /// Simulated time of setting up, in nanoseconds.
    pub setup_ns: u64,
    /// Simulated time of the load, in nanoseconds.
    pub load_ns: u64,
    /// Simulated time from the healing to convergence, in nanoseconds.
    pub converge_ns: u64,
}

/// Makes a run, on a fresh thread inside a madsim runtime of its own.
///
/// # Panics
///
/// If a process does, which is our own mistake.
pub fn run(resolved: &Resolved) -> RunOutcome {
    // What was checked when it was read is not wrong now; then it is paired with nothing.
    match resolved.scenario.paired().unwrap_or_default() {
        None => make(resolved, Faults::Own, false),
        Some(scenario) => {
            let reference = Resolved { scenario, bugs: Vec::new(), trace: false, ..*resolved };
            let struck = make(&reference, Faults::Own, false).struck;
            make(resolved, Faults::Of(&struck), false)
        }
    }
}

/// Makes a run under other rules than Kafka's: what a change of the protocol would break. The
/// bugs of `resolved` do not count, and its faults are its own.
///
/// # Panics
///
/// If a process does, which is our own mistake.
pub fn under(resolved: &Resolved, rules: Rules) -> RunOutcome {
    sim::host::run(resolved.seed, |clock| {
        let mut simulation = Simulation::under(resolved, rules);
        simulation.run(clock);
        simulation.finish()
    })
}

/// Where the faults of a run come from.
#[derive(Clone, Copy, Debug)]
pub enum Faults<'a> {
    /// Its scenario and seed.
    Own,
    /// For those of the seed, another run of it.
    Of(&'a [Fault]),
}

/// Makes a run with these faults; with `measure` it tells what clients waited for.
///
/// # Panics
///
/// If a process does, which is our own mistake.
pub fn make(resolved: &Resolved, faults: Faults<'_>, measure: bool) -> RunOutcome {
    sim::host::run(resolved.seed, |clock| {
        let mut simulation = match faults {
            Faults::Own => Simulation::new(resolved),
            Faults::Of(struck) => Simulation::paired(resolved, struck),
        };
        if measure {
            simulation.measure();
        }
        simulation.run(clock);
        simulation.finish()
    })
}
