//! The verdict on one run. The field names and their meaning are a published format: `--json`
//! prints it and `verdict.json` holds it.

use super::clients::{Errors, Notice, Reads, Writes};
use super::panic::Panic;
pub use judge::outcome::GroupCounts;
use judge::outcome::{Counts, Permitted, Sum, Transactions, Violation};
use judge::verdict::stopped::HAZARDS;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the formats of verdicts, records and errors.
pub const VERSION: u32 = 1;

/// The rows of the permission table about lost acknowledged records.
const LOSSES: [&str; 9] = [
    "acks1-unreplicated",
    "unclean-election",
    "isr-of-one",
    "min-isr-1",
    "correlated-power-loss",
    "last-replica-standing",
    "lost-disk",
    "corrupted-disk",
    "lost-voter",
];

/// The rows of the permission table about lost records sent with acks=0, for which nothing is
/// promised.
const UNCONFIRMED: [&str; 4] =
    ["acks0-unwritten", "acks0-unreplicated", "acks0-power-lost", "acks0-unread"];

/// The verdict on one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "The verdict on a Faultline run")]
pub struct Verdict {
    /// The version of this format.
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The outcome.
    pub outcome: Outcome,
    /// The digest of the whole trace, in hexadecimal; after a panic, of the trace until then.
    pub digest: String,
    /// The simulated duration in nanoseconds.
    pub simulated_ns: u64,
    /// The number of events.
    pub events: u64,
    /// The records, counted by outcome.
    pub counts: Counts,
    /// The outcomes of transactions; `None` if none began.
    #[serde(default)]
    pub transactions: Option<Transactions>,
    /// The sum over accounts; `None` unless transactions are transfers (`transfer = true`).
    #[serde(default)]
    pub sum: Option<Sum>,
    /// Why records were not acknowledged.
    #[serde(default)]
    pub errors: Errors,
    /// How long writes took; `None` if no record was written.
    #[serde(default)]
    pub writes: Option<Writes>,
    /// How long consumers waited for available records; `None` if they received none.
    #[serde(default)]
    pub reads: Option<Reads>,
    /// Processes that ended, or made no further progress, as Kafka's would.
    #[serde(default)]
    pub notices: Vec<Notice>,
    /// Consumer groups by name.
    pub groups: BTreeMap<String, GroupCounts>,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// Anomalies that a setting permits after the events of the run.
    pub permitted: Vec<Permitted>,
    /// The effects and steps that were exercised, with their counts. Scheduling a fault does not
    /// count. Of errors in responses and branches of rules only that they were reached is known: 1.
    pub exercised: BTreeMap<String, u64>,
    /// Steps that should have been exercised and were not.
    pub not_exercised: Vec<String>,
    /// The museum bugs in force.
    pub bugs: Vec<BugReached>,
    /// Why the run does not decide, or the message of a panic; empty otherwise.
    pub unknown: Vec<String>,
    /// The partitions that were not read back to their end, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_read_back: Vec<String>,
    /// The panic that ended the run, if one did.
    #[serde(default)]
    pub panic: Option<Panic>,
    /// A command that repeats the run from its scenario, settings and seed.
    pub reproduce: String,
    /// A command that repeats the run from its results directory and verifies that it is
    /// reproduced; empty if there is none.
    pub replay: String,
    /// The results directory; empty if none was written.
    pub out: String,
}

impl Verdict {
    /// The outcome in one line.
    pub fn headline(&self) -> String {
        match self.outcome {
            Outcome::Pass => self.passed(),
            Outcome::Violation => match self.violations.as_slice() {
                [] => "a promise was broken".to_owned(),
                [only] => only.summary.clone(),
                [first, _] => format!("{}; and 1 more violation", first.summary),
                [first, rest @ ..] => {
                    format!("{}; and {} more violations", first.summary, rest.len())
                }
            },
            Outcome::Unknown => match self.unknown.first() {
                Some(why) => format!("the run does not decide: {why}"),
                None => "the run does not decide".to_owned(),
            },
            Outcome::Vacuous => match self.not_exercised.as_slice() {
                [] => "nothing was exercised".to_owned(),
                missing => {
                    format!("the run shows nothing: it did not reach {}", missing.join(", "))
                }
            },
            Outcome::Panic => match self.unknown.first() {
                Some(message) => format!("the program failed: {message}"),
                None => "the program failed".to_owned(),
            },
            Outcome::Nondeterministic => "runs of one seed differ".to_owned(),
        }
    }

    /// The violation that identifies a failing run: the first in time, which usually caused the
    /// others. The number of violations that one defect causes differs from seed to seed.
    pub fn cause(&self) -> Option<&Violation> {
        self.violations.iter().min_by_key(|violation| violation.at_ns)
    }

    fn passed(&self) -> String {
        match self.stop() {
            Some(stop) => format!("{}; {stop}", self.kept()),
            None => self.kept(),
        }
    }

    /// Why a node stopped as Kafka's would, if one did.
    fn stop(&self) -> Option<&str> {
        let stops = |it: &&Permitted| HAZARDS.iter().any(|(hazard, _)| *hazard == it.hazard);
        self.permitted.iter().find(stops).map(|it| it.because.as_str())
    }

    fn kept(&self) -> String {
        let counts = &self.counts;
        let records = |count: u64| if count == 1 { "record" } else { "records" };
        let mut lost = Vec::new();
        if counts.lost > 0 {
            lost.push(format!("{} acknowledged {}", counts.lost, records(counts.lost)));
        }
        if let unconfirmed @ 1.. = self.unconfirmed_lost() {
            lost.push(format!("{unconfirmed} {} sent with acks=0", records(unconfirmed)));
        }
        if !lost.is_empty() {
            return format!(
                "every promise held; {} lost, permitted: {}{}{}",
                lost.join(" and "),
                self.settings_behind_losses().join("; and "),
                self.disordered(),
                self.refused().map_or_else(String::new, |refused| format!("; {refused}")),
            );
        }
        let taken = match (counts.acked, counts.unconfirmed) {
            (acked, 0) => format!("{acked} records acknowledged"),
            (0, sent) => format!("{sent} records sent with acks=0"),
            (acked, sent) => format!("{acked} records acknowledged and {sent} sent with acks=0"),
        };
        let refused = self.refused().map_or_else(String::new, |refused| format!("{refused}, "));
        let aborted = match counts.aborted {
            0 => String::new(),
            aborted => format!("{aborted} of them in aborted transactions, "),
        };
        let (read, disordered) = (counts.read, self.disordered());
        match self.not_read_back.is_empty() {
            true => format!(
                "every promise held: {taken}, {aborted}{refused}{read} read back, none lost{disordered}"
            ),
            false => format!(
                "every promise held: {taken}, {aborted}{refused}{read} read; {} could not be read \
                 back{disordered}",
                self.not_read_back.join(", ")
            ),
        }
    }

    /// The records that are in the logs twice or out of order, and those that groups of consumers
    /// skipped or processed again, in words; empty if none. In a run that passes, the configuration
    /// permits them.
    fn disordered(&self) -> String {
        let of_groups = |count: fn(&GroupCounts) -> u64| self.groups.values().map(count).sum();
        let kinds = [
            (self.counts.duplicated, "duplicated"),
            (self.counts.reordered, "reordered"),
            (of_groups(|group| group.skipped - group.sought_past), "skipped by a group"),
            (of_groups(|group| group.reprocessed - group.rewound), "processed again by a group"),
            (of_groups(|group| group.reflected_again), "reflected more than once by a pipeline"),
        ];
        let found = kinds.iter().filter(|(count, _)| *count > 0);
        match found.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>() {
            none if none.is_empty() => String::new(),
            found => format!("; {}, as permitted", found.join(" and ")),
        }
    }

    /// The number of records that were certainly not written, since their producers received an
    /// error, in words; `None` if none.
    fn refused(&self) -> Option<String> {
        match self.counts.failed {
            0 => None,
            1 => Some("1 record refused with an error".to_owned()),
            failed => Some(format!("{failed} records refused with an error")),
        }
    }

    /// Whether records are lost that an application considered written, permitted or not.
    pub fn has_losses(&self) -> bool {
        self.counts.lost > 0 || self.unconfirmed_lost() > 0
    }

    /// The number of lost records that were sent with acks=0. [`Counts::lost`] counts only
    /// acknowledged records.
    pub fn unconfirmed_lost(&self) -> u64 {
        let of_acks_0 =
            self.permitted.iter().filter(|it| UNCONFIRMED.contains(&it.hazard.as_str()));
        of_acks_0.map(|it| it.count).sum()
    }

    /// The settings that permit losses, with the most records first: the part of a reason before
    /// its first comma.
    fn settings_behind_losses(&self) -> Vec<String> {
        let of = |rows: &[&str], it: &Permitted| rows.contains(&it.hazard.as_str());
        let is_loss = |it: &&Permitted| of(&LOSSES, it) || of(&UNCONFIRMED, it);
        let mut settings: BTreeMap<&str, u64> = BTreeMap::new();
        for it in self.permitted.iter().filter(is_loss) {
            *settings.entry(it.because.split(", ").next().unwrap_or_default()).or_default() +=
                it.count;
        }
        let mut settings: Vec<_> = settings.into_iter().collect();
        settings.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        settings.into_iter().map(|(setting, _)| setting.to_owned()).collect()
    }

    /// The verdict on a run in which Faultline panicked before the first event.
    pub fn of_panic(scenario: &str, seed: u64, bugs: &[String], panic: Panic) -> Self {
        Self {
            version: VERSION,
            scenario: scenario.to_owned(),
            seed,
            outcome: Outcome::Panic,
            digest: String::new(),
            simulated_ns: 0,
            events: 0,
            counts: Counts::default(),
            transactions: None,
            sum: None,
            errors: Errors::default(),
            writes: None,
            reads: None,
            notices: Vec::new(),
            groups: BTreeMap::new(),
            violations: Vec::new(),
            permitted: Vec::new(),
            exercised: BTreeMap::new(),
            not_exercised: Vec::new(),
            bugs: bugs.iter().map(|id| BugReached { id: id.clone(), reached: 0 }).collect(),
            unknown: vec![panic.to_string()],
            not_read_back: Vec::new(),
            panic: Some(panic),
            reproduce: String::new(),
            replay: String::new(),
            out: String::new(),
        }
    }
}

/// The outcome of a run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every promise was kept.
    Pass,
    /// A promise was broken.
    Violation,
    /// The run does not decide.
    Unknown,
    /// The steps that the run is about were not exercised.
    Vacuous,
    /// Faultline panicked, which is a defect of Faultline.
    Panic,
    /// Two runs of one seed differ.
    Nondeterministic,
}

impl Outcome {
    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Violation => "violation",
            Self::Unknown => "unknown",
            Self::Vacuous => "vacuous",
            Self::Panic => "panic",
            Self::Nondeterministic => "nondeterministic",
        }
    }

    /// The exit code of the command line.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Violation => 1,
            Self::Unknown => 3,
            Self::Vacuous => 4,
            Self::Nondeterministic => 5,
            Self::Panic => 70,
        }
    }

    /// The outcome of several runs: the first of panic, nondeterministic, violation, unknown and
    /// vacuous that occurs, otherwise pass.
    pub fn worst(outcomes: impl IntoIterator<Item = Self>) -> Self {
        outcomes.into_iter().max_by_key(|outcome| outcome.weight()).unwrap_or(Self::Pass)
    }

    pub(crate) const fn weight(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Vacuous => 1,
            Self::Unknown => 2,
            Self::Violation => 3,
            Self::Nondeterministic => 4,
            Self::Panic => 5,
        }
    }
}

/// A museum bug in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BugReached {
    /// Its id.
    pub id: String,
    /// How often its rule decided differently from Kafka's.
    pub reached: u64,
}

#[cfg(test)]
mod tests;
