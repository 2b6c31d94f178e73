//! How applications that share a group of consumers work: when they commit, how long they take, and when
//! they are away.

use super::properties::Properties;
use super::unit::{Share, Time};
use super::workload::producer_config;
use engine::config::ProducerConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When an application commits the positions that its polls have reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Commit {
    /// When it has processed the records: what was processed and not committed is processed again after a
    /// crash.
    After,
    /// Before it processes the records: what was committed and not processed is skipped after a crash.
    Before,
    /// Halfway through processing.
    During,
    /// Never by itself.
    Never,
}

/// How an application commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommitKind {
    /// It waits (`commitSync`).
    #[default]
    Sync,
    /// It goes on (`commitAsync`).
    Async,
}

/// The listener of an application, called before partitions are revoked
/// (`ConsumerRebalanceListener.onPartitionsRevoked`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRevoke {
    /// It commits positions (`commitSync`).
    Commit,
    /// It does nothing.
    Nothing,
}

/// Members of a group that are away for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// When the first member goes.
    pub at: Time,
    /// How long each is away.
    pub lasts: Time,
    /// The interval at which it is repeated; not repeated unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Time>,
    /// How many members go, the first ones of their table; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u16>,
    /// The time from one member to the next; all go at once unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stagger: Option<Time>,
}

/// What members make of the records that they read: results, which they send to another topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pipeline {
    /// The topic of the results.
    pub to: String,
    /// How many results a record has.
    pub results: u32,
    /// The share of transactions that are aborted on purpose; their records are read again.
    pub aborted: Share,
    /// The properties of their producers. With a `transactional.id`, the records of one poll, their
    /// results and their offsets are one transaction.
    pub properties: Properties<ProducerConfig>,
}

/// A transactional store of an application's own, in which it keeps its positions together with its
/// results, and from which it reads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Whether the store refuses what a member writes after another one has claimed the partition.
    pub fenced: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self { fenced: true }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            to: String::new(),
            results: 1,
            aborted: Share::default(),
            properties: Properties::default(),
        }
    }
}

impl Pipeline {
    /// Whether results and offsets are committed in transactions.
    pub fn is_transactional(&self) -> bool {
        self.config().transactional_id.0.is_some()
    }

    /// The configuration of their producers.
    pub fn config(&self) -> ProducerConfig {
        producer_config(&self.properties)
    }
}
