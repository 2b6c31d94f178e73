//! What clients do during the load.

use super::properties::Properties;
use super::unit::Time;
use engine::config::{ConsumerConfig, ProducerConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Producers that do the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Producers {
    /// The cluster they write to; the first one unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How many producers there are.
    pub count: u16,
    /// How many records all of them together send.
    pub records: u64,
    /// How many records a second all of them together send.
    pub rate: u64,
    /// How many records are sent at the same moment; the rate stays what it is.
    pub burst: u32,
    /// How many bytes a record's value has. Its number and its check value take some of them.
    pub record_size: u32,
    /// How many keys there are; with 0 records have none.
    pub keys: u32,
    /// The topics they write to, in turn; all of their cluster unless named.
    pub topics: Vec<String>,
    /// The partition that every record names; left to the partitioner unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// When they begin.
    pub start: Time,
    /// When they end, although records are left; without it they end with the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
    /// Their properties.
    pub properties: Properties<ProducerConfig>,
}

impl Default for Producers {
    fn default() -> Self {
        Self {
            cluster: None,
            count: 1,
            records: 2_000,
            rate: 500,
            burst: 1,
            record_size: 100,
            keys: 0,
            topics: Vec::new(),
            partition: None,
            start: Time::default(),
            stop: None,
            properties: Properties::default(),
        }
    }
}

/// Consumers that do the same, each reading all partitions of its topics by itself (`assign`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Consumers {
    /// The cluster they read from; the first one unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How many consumers there are.
    pub count: u16,
    /// The topics they read; all of their cluster unless named.
    pub topics: Vec<String>,
    /// When they begin.
    pub start: Time,
    /// When they end; without it they read until the load has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
    /// Moves of their positions.
    pub seeks: Vec<Seek>,
    /// How often they ask for the end of every partition, as whoever watches their lag does
    /// (`KafkaConsumer.endOffsets`); never unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_end_every: Option<Time>,
    /// Their properties.
    pub properties: Properties<ConsumerConfig>,
}

impl Default for Consumers {
    fn default() -> Self {
        Self {
            cluster: None,
            count: 1,
            topics: Vec::new(),
            start: Time::default(),
            stop: None,
            seeks: Vec::new(),
            ask_end_every: None,
            properties: Properties::default(),
        }
    }
}

/// A consumer moves its positions by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seek {
    /// When.
    pub at: Time,
    /// And again so much later, over and over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Time>,
    /// Where to.
    pub to: SeekTo,
}

/// Where a consumer moves its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeekTo {
    /// To the log start offset.
    Beginning,
    /// To the end.
    End,
    /// To this offset: `to = { offset = 100 }`.
    Offset(u64),
    /// So many offsets back from where it is: `to = { back = 100 }`.
    Back(u64),
}
