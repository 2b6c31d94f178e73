//! The record of a run, `run.json`: everything that decided the run, resolved, so that it can be
//! repeated even if the scenario file has changed; and the fates of its faults.

use super::verdict::{Outcome, VERSION, Verdict};
use crate::escape::shell;
use crate::plan::{PlannedFault, settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spec::{NotDefault, Resolved, Scenario};

/// The record of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "The record of a Faultline run")]
pub struct RunRecord {
    /// The version of this format.
    pub version: u32,
    /// The version of the program.
    pub faultline: String,
    /// Its build: [`crate::BUILD`].
    pub build: String,
    /// The origin of the scenario: a name of the catalogue, or a file.
    pub source: String,
    /// The settings of the command line, such as `acks=1`.
    pub overrides: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The museum bugs in force, by id.
    pub bugs: Vec<String>,
    /// The rules that the bugs replaced, by name.
    pub rules: Vec<String>,
    /// The scenario with all overrides in place.
    pub scenario: Scenario,
    /// The settings that the seed drew, if the scenario lets it draw settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drawn: Vec<String>,
    /// The properties that do not have Kafka's default.
    pub not_default: Vec<NotDefault>,
    /// The planned faults and the fate of each.
    pub faults: Vec<PlannedFault>,
    /// The outcome of the run.
    pub outcome: Outcome,
    /// The message and place of the panic that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panic: Option<String>,
    /// The digest of the whole trace, in hexadecimal; after a panic, of the trace until then.
    pub digest: String,
    /// The number of events.
    pub events: u64,
    /// The simulated duration in nanoseconds.
    pub simulated_ns: u64,
    /// The digest of all other fields, which reveals a later change of the record.
    pub seal: String,
}

impl RunRecord {
    /// The record of the run of `resolved`.
    pub fn new(
        resolved: &Resolved,
        source: &str,
        overrides: &[String],
        faults: Vec<PlannedFault>,
        verdict: &Verdict,
    ) -> Self {
        let swapped = |id: &String| crate::museum::BUGS.iter().find(|bug| bug.id == id);
        let rules = resolved.bugs.iter().filter_map(swapped).flat_map(|bug| bug.rules);
        let (settled, drawn) = settings::drawn(&resolved.scenario, resolved.seed);
        let mut record = Self {
            version: VERSION,
            faultline: env!("CARGO_PKG_VERSION").to_owned(),
            build: crate::BUILD.to_owned(),
            source: source.to_owned(),
            overrides: overrides.to_vec(),
            seed: resolved.seed,
            bugs: resolved.bugs.clone(),
            rules: rules.map(|rule| (*rule).to_owned()).collect(),
            scenario: resolved.scenario.clone(),
            drawn,
            not_default: settled.not_default(),
            faults,
            outcome: verdict.outcome,
            panic: verdict.panic.as_ref().map(ToString::to_string),
            digest: verdict.digest.clone(),
            events: verdict.events,
            simulated_ns: verdict.simulated_ns,
            seal: String::new(),
        };
        record.seal();
        record
    }

    /// Seals the record in its present state.
    pub fn seal(&mut self) {
        self.seal = self.content();
    }

    /// Whether the record is unchanged since it was sealed.
    pub fn is_sealed(&self) -> bool {
        self.seal == self.content()
    }

    /// Whether the other record is of the same scenario, seed, bugs and settings; its results may
    /// differ, for example by another build.
    pub fn is_of_the_same_run(&self, other: &Self) -> bool {
        (&self.scenario, self.seed, &self.bugs) == (&other.scenario, other.seed, &other.bugs)
            && (&self.source, &self.overrides) == (&other.source, &other.overrides)
    }

    /// Whether this build made the record.
    pub fn is_of_this_build(&self) -> bool {
        self.faultline == env!("CARGO_PKG_VERSION") && self.build == crate::BUILD
    }

    fn content(&self) -> String {
        let unsealed = Self { seal: String::new(), ..self.clone() };
        let text = serde_json::to_string(&unsealed).expect("a record is plain data");
        let mut digest = machine::Digest::default();
        digest.fold_bytes(text.as_bytes());
        digest.hex().to_string()
    }

    /// The run to make in order to repeat this one.
    pub fn resolved(&self, trace: bool) -> Resolved {
        Resolved {
            scenario: self.scenario.clone(),
            seed: self.seed,
            bugs: self.bugs.clone(),
            trace,
        }
    }

    /// The command that repeats the run from its scenario, settings and seed.
    pub fn command(&self) -> String {
        command(&self.source, &format!("--seed {}", self.seed), &self.overrides, &self.bugs)
    }
}

/// The command that runs a scenario.
pub fn command(source: &str, seeds: &str, overrides: &[String], bugs: &[String]) -> String {
    let mut line = format!("faultline scenario {} {seeds}", shell(source));
    for setting in overrides {
        line.push_str(&format!(" --set {}", shell(setting)));
    }
    for bug in bugs {
        line.push_str(&format!(" --bug {}", shell(bug)));
    }
    line
}
