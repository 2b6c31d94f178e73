//! `study.jsonl`: the runs of a comparison.
//!
//! One JSON object on each line: first a [`Header`], then one [`Run`] for each seed and setting,
//! seed by seed and within a seed in the header's order of settings. Each line is sealed
//! ([`machine::Chain`]). The content does not depend on the machine, on the number of threads or on
//! the time of day.

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

/// The kind of these files, in their first line.
pub(super) const KIND: &str = "faultline acks study";

/// Seeds from `from` up to but not including `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// The first seed.
    pub from: u64,
    /// The seed after the last.
    pub to: u64,
}

impl Seeds {
    /// The number of seeds.
    pub const fn count(self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    /// The range as on the command line.
    pub fn text(self) -> String {
        format!("{}..{}", self.from, self.to)
    }
}

/// The reason why a study has fewer seeds than requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The study was interrupted.
    Interrupted,
    /// Faultline panicked in a run of the first missing seed.
    Panicked,
}

impl Why {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupted => "Interrupted",
            Self::Panicked => "Ended by a panic, which is a defect of Faultline",
        }
    }
}

/// Why and by how much a study is incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CutShort {
    /// The requested seeds.
    pub asked: Seeds,
    /// Why the study ended before all of them had run.
    pub why: Why,
}

/// A property that does not have Kafka's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotDefault {
    /// The part of the cluster that has the property, such as `brokers`.
    pub of: String,
    /// Kafka's name.
    pub property: String,
    /// The value.
    pub value: String,
    /// Kafka's default.
    pub default: String,
}

/// The common part of all runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`Header::kind`].
    pub kind: String,
    /// [`FORMAT`].
    pub version: u32,
    /// The version of Faultline that made the runs.
    pub faultline: String,
    /// The build of Faultline: two builds of one version may run the same seed differently.
    pub build: String,
    /// The scenario's name.
    pub scenario: String,
    /// The title of the scenario.
    pub title: String,
    /// The seeds.
    pub seeds: Seeds,
    /// The requested seeds, if the study ended before all of them had run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<CutShort>,
    /// The settings that are compared.
    pub settings: Vec<Setting>,
    /// Replicas of each partition.
    pub replication_factor: u16,
    /// Partitions that producers write to.
    pub partitions: u32,
    /// `unclean.leader.election.enable` of the topics.
    pub unclean_leader_election: bool,
    /// The largest `flush.messages` of the topics, if every topic sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_messages: Option<u64>,
    /// `linger.ms` of the producers.
    pub linger_ms: u64,
    /// Records per second given to all producers together.
    pub rate_per_s: u64,
    /// The families of faults that plans were drawn from.
    pub families: Vec<String>,
    /// The share of fault sequences that leave a leader alone in sync and then cut its power, such
    /// as `10%`.
    pub lone_leaders: String,
    /// Every property that does not have Kafka's default, except the compared properties.
    pub not_default: Vec<NotDefault>,
    /// Properties set by hand for all runs, by Kafka's names.
    pub overrides: BTreeMap<String, String>,
    /// The command that made the study.
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
    /// The records of the run, by outcome.
    pub records: RecordCounts,
    /// Faults that took effect, by family.
    pub faults: BTreeMap<String, u64>,
    /// Whether a leader lost power while it was the only in-sync replica.
    pub lone_leader: bool,
    /// Whether a leader was replaced after it had failed, was cut off or was shut down.
    pub leader_replaced: bool,
    /// Whether the ISR of a partition shrank.
    pub isr_shrunk: bool,
    /// Lost records, by reason.
    pub losses: Vec<Loss>,
    /// Time from `send` to the callback of a record.
    pub latency: Latencies,
    /// Produce requests.
    pub produce: Produce,
    /// Duration of the load, from the first record given to a producer to the last, in simulated
    /// nanoseconds. Faults may continue after the load.
    pub offered_ns: u64,
    /// Records at stake that were written during the load.
    pub written_meanwhile: u64,
    /// Time during the load in which partitions accepted no writes, summed over partitions, in
    /// simulated nanoseconds.
    pub unavailable_ns: u64,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// A command that repeats the run.
    pub reproduce: String,
}

/// The records of a run, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordCounts {
    /// Given to a producer.
    pub sent: u64,
    /// Acknowledged to a producer with acks=1 or acks=all.
    pub acked: u64,
    /// Sent with acks=0, which gives no acknowledgement.
    pub unconfirmed: u64,
    /// Definitely refused.
    pub failed: u64,
    /// Neither acknowledged nor refused.
    pub unknown: u64,
    /// Acknowledged, or sent with acks=0, and not readable at the end.
    pub lost: u64,
    /// Seen more than once by a reader.
    pub duplicated: u64,
    /// Seen by a reader in another order than sent.
    pub reordered: u64,
}

impl RecordCounts {
    /// Records that the application considered written.
    pub const fn at_stake(&self) -> u64 {
        self.acked + self.unconfirmed
    }
}

/// Records of a run that were lost for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The hazard that permits the loss, or the check that found the broken promise.
    pub hazard: String,
    /// Whether a promise was broken.
    pub broken: bool,
    /// The number of records.
    pub count: u64,
    /// The setting and the event of one such loss.
    pub because: String,
}

/// Batches that producers sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Produce {
    /// Batches that producers made.
    pub batches: u64,
    /// The number of times that batches were sent again.
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
    /// The violation in one line.
    pub summary: String,
}

/// A distribution of durations in simulated microseconds, to three significant digits. Files and
/// memory hold it as text, since a study has thousands: `37:2 74:1` is two durations of 37 and one
/// of 74.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies(String);

impl Latencies {
    /// The distribution of `durations` in microseconds.
    pub fn of(durations: impl IntoIterator<Item = u64>) -> Self {
        let mut all = histogram::empty();
        durations.into_iter().for_each(|duration| histogram::record(&mut all, duration));
        Self(histogram::to_text(&all))
    }

    /// The distribution.
    pub fn histogram(&self) -> Histogram<u64> {
        histogram::from_text(&self.0).expect("the text was parsed when it was read")
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
    /// The common part of all runs.
    pub header: Header,
    /// The runs, in the order of the file.
    pub runs: Vec<Run>,
}

impl Study {
    /// A study of these runs, which may come in any order.
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
    /// The version and the build that made the runs, as in `0.1.0 (build 5f0d3a0e9b7c1d24)`.
    pub fn made_by(&self) -> String {
        format!("{} (build {})", self.faultline, self.build)
    }

    /// The value of the field `kind`, which identifies a study.
    pub fn kind() -> String {
        KIND.to_owned()
    }
}

/// Writes the lines of a study.
///
/// # Errors
///
/// Any error of `out`.
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
