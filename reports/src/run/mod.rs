//! The page of a run: what happened, why, and every event of it, in one HTML file.
//!
//! The page contains the compressed trace. Its texts are written here; its pictures are drawn in
//! the browser by the modules in `js/`.

mod bundle;
mod events;
mod pack;
mod page;
mod states;

#[cfg(test)]
mod tests;

pub use events::BadTrace;
use events::Event;
use std::collections::BTreeMap;

/// The largest number of events in a page.
pub const MOST_EVENTS: usize = 200_000;

/// The outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Every promise held.
    Good,
    /// Every promise held, but records were lost; or the run does not decide.
    Caution,
    /// A promise was broken.
    Bad,
}

/// A run, without its events.
#[derive(Clone, Debug)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The scenario's description.
    pub description: String,
    /// The seed.
    pub seed: u64,
    /// The outcome.
    pub tone: Tone,
    /// The verdict in a word or two.
    pub verdict: String,
    /// The verdict in a sentence.
    pub headline: String,
    /// Promises that were broken, and anomalies that the configuration permits.
    pub findings: Vec<Finding>,
    /// The reasons why the run does not decide, and the clients that made no further progress.
    pub notes: Vec<String>,
    /// The records, counted by outcome.
    pub counts: Vec<(String, u64)>,
    /// The waits of clients, each with its name.
    pub waits: Vec<(String, String)>,
    /// The settings of the command line, such as `acks=1`.
    pub overrides: Vec<String>,
    /// The planned faults, each with its fate.
    pub faults: Vec<String>,
    /// The steps and effects that were exercised, with their counts.
    pub exercised: Vec<(String, u64)>,
    /// The steps that should have been exercised and were not.
    pub not_exercised: Vec<String>,
    /// The properties that differ from Kafka's defaults: owner, property, value, default.
    pub not_default: Vec<[String; 4]>,
    /// The settings that the seed drew.
    pub drawn: Vec<String>,
    /// `min.insync.replicas` by topic; the empty name stands for all other topics.
    pub min_isr: BTreeMap<String, u64>,
    /// The command that repeats the run.
    pub command: String,
    /// The command that repeats it from its results.
    pub replay: String,
    /// The digest of the trace.
    pub digest: String,
    /// The number of events.
    pub events: u64,
    /// The simulated duration in nanoseconds.
    pub simulated_ns: u64,
    /// The version and the build of Faultline.
    pub faultline: String,
}

/// A promise that was broken, or an anomaly that the configuration permits.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Whether a promise was broken.
    pub broken: bool,
    /// The check, or the row of the permission table.
    pub name: String,
    /// The finding in one line.
    pub summary: String,
    /// The setting and the event that permit it; empty if a promise was broken.
    pub because: String,
    /// The partition; empty if the finding concerns none.
    pub partition: String,
    /// The explanation.
    pub lines: Vec<Line>,
    /// The events that show the finding.
    pub events: Vec<u64>,
}

/// A line of an explanation.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// The event to which it links; 0 for none.
    pub event: u64,
}

/// The page of a run, from the lines of its trace.
///
/// # Errors
///
/// If a line is not an event.
pub fn page<E: ToString>(
    run: &Run,
    lines: impl Iterator<Item = Result<String, E>>,
) -> Result<String, BadTrace> {
    let trace = events::read(run, lines)?;
    Ok(page::render(run, &pack::pack(run, &trace)))
}
