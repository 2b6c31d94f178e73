//! A run from its first event to its verdict.
//!
//! ```text
//! set up -> load with faults -> heal everything -> converge (deadline) -> read back -> judge
//! ```

mod build;
mod caught;
mod converge;
mod deadline;
mod disks;
mod errors;
mod event_budget;
mod exercised;
mod fields;
mod history;
mod measure;
mod members;
mod notices;
mod observe;
mod panicked;
mod progress;
mod reads;
mod setup;
mod simulation;
mod verdict;
mod words;
mod writes;

#[cfg(test)]
mod tests;

pub use caught::{Caught, caught, message_of, note_place};
pub use deadline::{Written, converge_within};
pub use history::History;
pub use measure::{Measured, Outage};
pub use simulation::{Phase, Simulation};

use crate::plan::PlannedFault;
use crate::result::{Outcome, Verdict};
use engine::rules::Rules;
use judge::verdict::Lost;
use sim::TraceEvent;
pub use sim::host::NoThread;
use spec::{Fault, Resolved};
use std::collections::BTreeMap;

/// The results of a run. If a panic ended it, the verdict says so and has no more to say than that,
/// and the rest is as far as it came.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The verdict.
    pub verdict: Verdict,
    /// Trace and history; empty unless requested.
    pub account: Account,
    /// The fate of the fault plan.
    pub plan: Vec<PlannedFault>,
    /// The injected faults of those that the seed drew, with nodes in place of roles.
    pub struck: Vec<Fault>,
    /// Everything that was injected and took effect, as a plan by itself: the same nodes at the
    /// same moments. See [`crate::plan::frozen`].
    pub resolved: Vec<Fault>,
    /// Numbers about the run itself.
    pub stats: Stats,
    /// How often each rule decided otherwise than Kafka's, by name.
    pub differed: BTreeMap<&'static str, u64>,
    /// Records that the application took for written and that are gone, by reason.
    pub lost: Vec<Lost>,
    /// What clients waited for.
    pub measured: Measured,
}

/// What happened in a run, event by event.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The trace.
    pub trace: Vec<TraceEvent>,
    /// The facts that processes reported.
    pub history: History,
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

impl Stats {
    /// The end of the run in nanoseconds since the start of the load; of the run if there was none.
    pub fn since_load(&self) -> i64 {
        let setup = if self.setup_ns == self.simulated_ns { 0 } else { self.setup_ns };
        self.simulated_ns.cast_signed() - setup.cast_signed()
    }
}

/// Makes a run, on a fresh thread inside a madsim runtime of its own.
///
/// # Panics
///
/// If a process panics, which is a defect of Faultline. See [`attempt`].
pub fn run(resolved: &Resolved) -> RunOutcome {
    attempt(resolved).or_panic()
}

/// As [`run`]; a panic in it ends the run with [`Outcome::Panic`] and all that is known of it.
pub fn attempt(resolved: &Resolved) -> RunOutcome {
    caught(|| attempted(resolved))
        .unwrap_or_else(|panic| panicked::before_it_began(resolved, panic))
}

fn attempted(resolved: &Resolved) -> RunOutcome {
    // The settings were checked when they were read, so that this cannot fail.
    let Some(scenario) = resolved.scenario.paired().unwrap_or_default() else {
        return make(resolved, Faults::Own);
    };
    let reference = Resolved { scenario, bugs: Vec::new(), trace: false, ..*resolved };
    let made = make(&reference, Faults::Own);
    match made.has_panicked() {
        false => make(resolved, Faults::Of(&made.struck)),
        true => {
            let traced =
                resolved.trace.then(|| make(&Resolved { trace: true, ..reference }, Faults::Own));
            // If it does not fall again, it has another verdict than the one that counts.
            let panicked = traced.filter(RunOutcome::has_panicked).unwrap_or(made);
            panicked::in_the_reference(resolved, panicked)
        }
    }
}

/// Makes a run under other rules than Kafka's: what a change of the protocol would break. The
/// bugs of `resolved` do not count, and its faults are its own.
///
/// # Panics
///
/// If a process panics, which is a defect of Faultline.
pub fn under(resolved: &Resolved, rules: Rules) -> RunOutcome {
    hosted(resolved, || Simulation::under(resolved, rules)).or_panic()
}

/// Where the faults of a run come from.
#[derive(Clone, Copy, Debug)]
pub enum Faults<'a> {
    /// Its scenario and seed.
    Own,
    /// For those of the seed, another run of it.
    Of(&'a [Fault]),
}

/// Makes a run with these faults. A panic ends it as in [`attempt`].
pub fn make(resolved: &Resolved, faults: Faults<'_>) -> RunOutcome {
    hosted(resolved, || match faults {
        Faults::Own => Simulation::new(resolved),
        Faults::Of(struck) => Simulation::paired(resolved, struck),
    })
}

fn hosted(resolved: &Resolved, begin: impl FnOnce() -> Simulation + Send) -> RunOutcome {
    sim::host::run(resolved.seed, |clock| {
        let mut simulation = match caught(begin) {
            Ok(simulation) => simulation,
            Err(panic) => return panicked::before_it_began(resolved, panic),
        };
        match caught(|| simulation.run(clock)) {
            Ok(()) => simulation.finish(),
            Err(panic) => simulation.panicked(panic),
        }
    })
}

impl RunOutcome {
    /// Whether a panic ended it.
    pub fn has_panicked(&self) -> bool {
        self.verdict.outcome == Outcome::Panic
    }

    /// The outcome itself, unless a panic ended the run: then the panic continues.
    fn or_panic(self) -> Self {
        if let Some(panic) = self.verdict.panic {
            std::panic::resume_unwind(Box::new(panic.to_string()));
        }
        self
    }
}
