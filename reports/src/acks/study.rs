//! `study.jsonl`: what the runs of a comparison left behind.
//!
//! One JSON object on each line: first a [`Header`], then one [`Run`] for each seed and setting,
//! seed by seed and within a seed in the header's order of settings. Each line is sealed
//! ([`machine::Chain`]). Nothing in it depends on the machine, on the number of threads or on the time
//! of day.

use super::confirm::Setting;
use crate::stat::histogram::{self, BadHistogram};
use hdrhistogram::Histogram;
use machine::Chain;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// The version of this format.
pub const FORMAT: u32 = 6;

/// The mark by which such a file is known.
pub(super) const KIND: &str = "faultline acks study";

/// Seeds from `from` to before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// The first.
    pub from: u64,
    /// The first that does not belong to them.
    pub to: u64,
}

impl Seeds {
    /// How many there are.
    pub const fn count(self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    /// As on the command line.
    pub fn text(self) -> String {
        format!("{}..{}", self.from, self.to)
    }
}

/// Why a study has fewer seeds than were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was interrupted.
    Interrupted,
    /// Faultline itself failed in a run of the first seed that is missing.
    Panicked,
}

impl Why {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupted => "Interrupted",
            Self::Panicked => "Ended by a panic, which is a mistake of Faultline",
        }
    }
}

/// What a study has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CutShort {
    /// The seeds that were asked for.
    pub asked: Seeds,
    /// Why it ended before it had all of them.
    pub why: Why,
}

/// A property that does not have Kafka's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotDefault {
    /// Whose it is, such as `brokers`.
    pub of: String,
    /// Kafka's name.
    pub property: String,
    /// The value.
    pub value: String,
    /// What Kafka has.
    pub default: String,
}

/// What holds for all runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The mark of such a file.
    pub kind: String,
    /// [`FORMAT`].
    pub version: u32,
    /// The version of Faultline that made the runs.
    pub faultline: String,
    /// Its build: two of one version may go differently with the same seed.
    pub build: String,
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario is about, in one line.
    pub title: String,
    /// The seeds.
    pub seeds: Seeds,
    /// What was asked for, if the study ended before it had all of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<CutShort>,
    /// What is compared.
    pub settings: Vec<Setting>,
    /// Replicas of each partition.
    pub replication_factor: u16,
    /// Partitions that are written to.
    pub partitions: u32,
    /// `unclean.leader.election.enable` of the topics.
    pub unclean_leader_election: bool,
    /// `flush.messages` of the topics, if any is set: the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_messages: Option<u64>,
    /// `linger.ms` of the producers.
    pub linger_ms: u64,
    /// How many records a second all producers together were given.
    pub rate_per_s: u64,
    /// The families of faults that plans were drawn from.
    pub families: Vec<String>,
    /// How many of the stories that plans are made of leave a leader alone in sync and then cut
    /// its power, as in `10%`.
    pub lone_leaders: String,
    /// Every property that does not have Kafka's default, but for what is compared.
    pub not_default: Vec<NotDefault>,
    /// Properties that were set by hand and hold for all runs, by Kafka's names.
    pub overrides: BTreeMap<String, String>,
    /// The line that made the study.
    pub command: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The setting.
    pub setting: Setting,
    /// The seed.
    pub seed: u64,
    /// The verdict's outcome.
    pub outcome: String,
    /// The digest of the run.
    pub digest: String,
    /// What became of the records.
    pub records: RecordCounts,
    /// Faults that took effect, by family.
    pub faults: BTreeMap<String, u64>,
    /// Whether a leader lost its power while it was alone in sync.
    pub lone_leader: bool,
    /// Whether a leader was replaced after it had failed, had been cut off or had stopped.
    pub leader_replaced: bool,
    /// Whether the in-sync replicas of a partition shrank.
    pub isr_shrunk: bool,
    /// Records that were lost, by what allowed it.
    pub losses: Vec<Loss>,
    /// How long producers waited for an answer.
    pub latency: Latencies,
    /// What producers sent to brokers.
    pub produce: Produce,
    /// How long records were offered, from the first given to a producer to the last, in simulated
    /// nanoseconds. Faults may go on after it.
    pub offered_ns: u64,
    /// Of the records at stake, those that were taken for written while records were offered.
    pub written_meanwhile: u64,
    /// How long partitions accepted no writes while records were offered, added up over
    /// partitions, in simulated nanoseconds.
    pub unavailable_ns: u64,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// One line that makes the run again.
    pub reproduce: String,
}

/// What became of the records of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordCounts {
    /// Given to a producer.
    pub sent: u64,
    /// Confirmed to a producer with acks 1 or all.
    pub acked: u64,
    /// Sent with acks=0, which confirms nothing.
    pub unconfirmed: u64,
    /// Refused for certain.
    pub failed: u64,
    /// Neither confirmed nor refused.
    pub unknown: u64,
    /// Confirmed, or sent with acks=0, and not readable at the end.
    pub lost: u64,
    /// Seen more than once by a reader.
    pub duplicated: u64,
    /// Seen by a reader in another order than sent.
    pub reordered: u64,
}

impl RecordCounts {
    /// Records that the application took for written.
    pub const fn at_stake(&self) -> u64 {
        self.acked + self.unconfirmed
    }
}

/// Records of a run that were lost for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The hazard that allowed it, or the check that found the broken promise.
    pub hazard: String,
    /// Whether a promise was broken.
    pub broken: bool,
    /// The number of records.
    pub count: u64,
    /// The setting and the event of one of them.
    pub because: String,
}

/// Requests with records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Produce {
    /// Batches that producers made.
    pub batches: u64,
    /// How often a batch was sent again.
    pub retries: u64,
    /// Batches that were given up.
    pub errors: u64,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// The check that found it.
    pub check: String,
    /// What is wrong, in one line.
    pub summary: String,
}

/// A distribution of durations in simulated microseconds, to three significant digits; in files as
/// text, `37:2 74:1` for two of 37 and one of 74. Kept as that text, since a study has thousands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies(String);

impl Latencies {
    /// The distribution of these durations, given in microseconds.
    pub fn of(durations: impl IntoIterator<Item = u64>) -> Self {
        let mut all = histogram::empty();
        durations.into_iter().for_each(|duration| histogram::record(&mut all, duration));
        Self(histogram::to_text(&all))
    }

    /// The distribution.
    pub fn histogram(&self) -> Histogram<u64> {
        histogram::from_text(&self.0).expect("it was read before it was kept")
    }
}

impl Serialize for Latencies {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match histogram::from_text(&text) {
            Ok(_) => Ok(Self(text)),
            Err(BadHistogram(why)) => Err(serde::de::Error::custom(why)),
        }
    }
}

/// A whole study.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// What holds for all runs.
    pub header: Header,
    /// The runs, in the order of the file.
    pub runs: Vec<Run>,
}

impl Study {
    /// A study of these runs, in whatever order they come.
    pub fn new(header: Header, mut runs: Vec<Run>) -> Self {
        let place = |run: &Run| header.settings.iter().position(|setting| *setting == run.setting);
        runs.sort_by_key(|run| (run.seed, place(run)));
        Self { header, runs }
    }

    /// The runs of a setting, by seed.
    pub fn of(&self, setting: Setting) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.setting == setting)
    }
}

impl Header {
    /// Who made the runs, as in `0.1.0 (build 5f0d3a0e9b7c1d24)`.
    pub fn made_by(&self) -> String {
        format!("{} (build {})", self.faultline, self.build)
    }

    /// The mark of the file; everything else is up to the study.
    pub fn kind() -> String {
        KIND.to_owned()
    }
}

/// Writes the lines of a study.
///
/// # Errors
///
/// What the output says.
pub fn write(study: &Study, out: &mut impl io::Write) -> io::Result<()> {
    let mut chain = Chain::default();
    let header = chain.seal(&serde_json::to_string(&study.header)?);
    out.write_all(header.as_bytes())?;
    for run in &study.runs {
        let line = chain.seal(&serde_json::to_string(run)?);
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}
