//! The load: producers and consumers.

use super::member::{Absence, Commit, CommitKind, OnRevoke, Pipeline, Store};
use super::properties::{Properties, Table};
use super::unit::{Share, Time};
use engine::config::{ConsumerConfig, ProducerConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A group of producers with the same settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Producers {
    /// The cluster that they write to; the first one unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How many producers there are.
    pub count: u16,
    /// How many records all of them together send.
    pub records: u64,
    /// How many records a second all of them together send.
    pub rate: u64,
    /// How many records are sent at the same moment; the mean rate stays the same.
    pub burst: u32,
    /// The size of a record's value in bytes, including the record's number and its check value.
    pub record_size: u32,
    /// How many keys there are; with 0 records have none.
    pub keys: u32,
    /// The topics that they write to, in turn; all of their cluster unless named.
    pub topics: Vec<String>,
    /// The partition of every record; chosen by the partitioner unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// Whether an application sends a message again, in a new record, after its producer failed the
    /// record without knowing that it was refused for good.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resend: bool,
    /// How far an application goes back when it restarts: messages due in that time before the
    /// restart are sent, in new records if they had been sent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewind: Option<Time>,
    /// When they begin.
    pub start: Time,
    /// When they end although records are left; unless given, they end with the last record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
    /// How they send in transactions; only with `transactional.id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Transactions>,
    /// Their properties.
    pub properties: Properties<ProducerConfig>,
}

/// The transactions of producers with a `transactional.id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transactions {
    /// How many records a transaction has. Without keys they go to the partitions in turn.
    pub records: u64,
    /// Whether every two records of a transaction are a transfer: the first takes an amount from a
    /// partition and the second gives it to the next one, so that the sum over all partitions stays
    /// 0. `records` has to be even.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub transfer: bool,
    /// The share of transactions that are aborted on purpose.
    pub aborted: Share,
    /// The share of transactions that are abandoned while open, as by an application that crashes;
    /// the application continues with another producer of the same id.
    pub abandoned: Share,
    /// Whether all producers of the group have the same `transactional.id`, so that the last one to
    /// begin fences the others. Otherwise a number is added to the id of each.
    pub shared_id: bool,
    /// The reaction of an application when another producer has taken over its `transactional.id`.
    pub when_fenced: WhenFenced,
}

/// The reaction of an application when another producer has taken over its `transactional.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFenced {
    /// It restarts after a second, as after any other error that ends its producer.
    Restart,
    /// It ends.
    Stop,
}

impl Default for Transactions {
    fn default() -> Self {
        Self {
            records: 4,
            transfer: false,
            aborted: Share::default(),
            abandoned: Share::default(),
            shared_id: false,
            when_fenced: WhenFenced::Restart,
        }
    }
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
            resend: false,
            rewind: None,
            start: Time::default(),
            stop: None,
            transactions: None,
            properties: Properties::default(),
        }
    }
}

impl Producers {
    /// Their configuration, with the values that Kafka derives: a delivery time-out that is not set
    /// is raised to `linger.ms` + `request.timeout.ms` (`KafkaProducer.configureDeliveryTimeout`).
    pub fn config(&self) -> ProducerConfig {
        producer_config(&self.properties)
    }
}

/// The configuration of a producer, with the values that Kafka derives.
pub(super) fn producer_config(properties: &Properties<ProducerConfig>) -> ProducerConfig {
    let mut config: ProducerConfig = properties.config();
    let least = config.linger.saturating_add(config.request_timeout);
    if properties.get("delivery.timeout.ms").is_none() {
        config.delivery_timeout = config.delivery_timeout.max(least);
    }
    if only_first_backoff(properties) {
        config.reconnect_backoff_max = config.reconnect_backoff;
    }
    config
}

impl Producers {
    /// Their transactional ids: a single one if they share it or there is one producer, otherwise
    /// one for each; none if they do not send in transactions.
    pub fn transactional_ids(&self) -> Vec<String> {
        let Some(id) = self.config().transactional_id.0 else { return Vec::new() };
        let is_shared = self.transactions.as_ref().is_some_and(|it| it.shared_id);
        match is_shared || self.count == 1 {
            true => vec![id.to_string()],
            false => (1..=self.count).map(|number| format!("{id}-{number}")).collect(),
        }
    }
}

impl Consumers {
    /// Their configuration, with the values that Kafka derives.
    pub fn config(&self) -> ConsumerConfig {
        let mut config: ConsumerConfig = self.properties.config();
        if only_first_backoff(&self.properties) {
            config.reconnect_backoff_max = config.reconnect_backoff;
        }
        config
    }
}

impl Consumers {
    /// When members commit.
    pub fn commit(&self) -> Commit {
        let in_transactions = self.pipeline.as_ref().is_some_and(Pipeline::is_transactional);
        let elsewhere = in_transactions || self.store.is_some();
        let by_itself = self.config().enable_auto_commit || elsewhere;
        self.commit.unwrap_or(if by_itself { Commit::Never } else { Commit::After })
    }

    /// What members do when partitions are revoked.
    pub fn on_revoke(&self) -> OnRevoke {
        let commits = self.commit() != Commit::Never;
        self.on_revoke.unwrap_or(if commits { OnRevoke::Commit } else { OnRevoke::Nothing })
    }

    /// The `transactional.id` of each; none if they do not send in transactions. Several have a number
    /// each.
    pub fn transactional_ids(&self) -> Vec<String> {
        let id = self.pipeline.as_ref().and_then(|it| it.config().transactional_id.0);
        match (id, self.count) {
            (None, _) => Vec::new(),
            (Some(id), 1) => vec![id.to_string()],
            (Some(id), count) => (1..=count).map(|number| format!("{id}-{number}")).collect(),
        }
    }

    /// The `group.instance.id` of each; none if they are dynamic members. Several have a number each.
    pub fn instance_ids(&self) -> Vec<String> {
        let Some(id) = self.config().group_instance_id.0 else { return Vec::new() };
        match self.count {
            1 => vec![id.to_string()],
            count => (1..=count).map(|number| format!("{id}-{number}")).collect(),
        }
    }
}

/// Whether only the first of the two reconnect back-offs is set, which then is the maximum as well
/// (`CommonClientConfigs.postProcessReconnectBackoffConfigs`).
fn only_first_backoff<T: Table>(properties: &Properties<T>) -> bool {
    let is_set = |name| properties.get(name).is_some();
    is_set("reconnect.backoff.ms") && !is_set("reconnect.backoff.max.ms")
}

/// Consumers with the same settings. Each reads all partitions of its topics (`assign`), unless they are
/// members of a group (`subscribe`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Consumers {
    /// The cluster that they read from; the first one unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How many consumers there are.
    pub count: u16,
    /// The topics that they read; all of their cluster unless named.
    pub topics: Vec<String>,
    /// The pattern by which members subscribe, instead of `topics`: all topics of their cluster that match,
    /// also those that are created later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_pattern: Option<String>,
    /// The group that they are members of (`group.id`), among which it shares the partitions. Several
    /// tables can name one group. Without it, each reads all partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// When members commit: `after` processing unless given, `never` with `enable.auto.commit`, by which
    /// the consumer commits itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// How members commit.
    pub commit_kind: CommitKind,
    /// Of how many polls members commit one.
    pub commit_every: u32,
    /// What members do when partitions are revoked: `commit` unless given, if they commit at all and the
    /// consumer does not do that itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_revoke: Option<OnRevoke>,
    /// How long a member takes to process one record.
    pub process_time: Time,
    /// The time from the start of one member to that of the next.
    pub stagger: Time,
    /// Members that take long: from these times on, the next records that a member processes take it
    /// this much longer, and it does not poll.
    pub stalls: Vec<Absence>,
    /// Members that pause all partitions that they own at these times (`KafkaConsumer.pause`), go on to
    /// poll, and resume them.
    pub pauses: Vec<Absence>,
    /// Members that leave: they close their consumer, and begin again with another.
    pub leaves: Vec<Absence>,
    /// What members make of the records that they read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    /// The store in which members keep their results, and their positions instead of in the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<Store>,
    /// When they begin.
    pub start: Time,
    /// When they end; unless given, they read until the load has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
    /// Seeks that move their positions.
    pub seeks: Vec<Seek>,
    /// The interval at which they look up the end of every partition, as a monitor of lag does
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
            topic_pattern: None,
            group: None,
            commit: None,
            commit_kind: CommitKind::default(),
            commit_every: 1,
            on_revoke: None,
            process_time: Time::default(),
            stagger: Time::default(),
            stalls: Vec::new(),
            pauses: Vec::new(),
            leaves: Vec::new(),
            pipeline: None,
            store: None,
            start: Time::default(),
            stop: None,
            seeks: Vec::new(),
            ask_end_every: None,
            properties: Properties::default(),
        }
    }
}

/// A consumer moves its positions (`KafkaConsumer.seek`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seek {
    /// The time of the first seek.
    pub at: Time,
    /// The interval at which it is repeated; not repeated unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Time>,
    /// The new position.
    pub to: SeekTo,
}

/// The position that a consumer moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeekTo {
    /// To the log start offset.
    Beginning,
    /// To the end.
    End,
    /// To this offset: `to = { offset = 100 }`.
    Offset(u64),
    /// This many offsets back from the present position: `to = { back = 100 }`.
    Back(u64),
    /// To the first record that is at most this old by the consumer's own clock
    /// (`offsetsForTimes`): `to = { ago = "2s" }`.
    Ago(Time),
}
