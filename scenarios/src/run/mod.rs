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
mod simulation;
mod verdict;

#[cfg(test)]
mod tests;

pub use deadline::converge_within;
pub use history::History;
pub use simulation::{Phase, Simulation};

use crate::plan::PlannedFault;
use crate::result::Verdict;
use crate::spec::Resolved;
use sim::TraceEvent;

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The verdict.
    pub verdict: Verdict,
    /// The trace; empty unless it was asked for.
    pub trace: Vec<TraceEvent>,
    /// What clients did and saw; empty unless it was asked for.
    pub history: History,
    /// What became of the fault plan.
    pub plan: Vec<PlannedFault>,
    /// Numbers about the run itself.
    pub stats: Stats,
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
    sim::host::run(resolved.seed, |clock| {
        let mut simulation = Simulation::new(resolved);
        simulation.run(clock);
        simulation.finish()
    })
}
