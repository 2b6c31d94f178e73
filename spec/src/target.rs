//! The nodes that a fault affects: by role, resolved when the fault fires, or by id.

use super::text::{Cursor, TextError, nearest};
use super::unit::written_as_string;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A partition by its topic's name: `orders-0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionName {
    /// The topic.
    pub topic: String,
    /// The index.
    pub partition: i32,
}

impl PartitionName {
    /// Reads `orders-0`; `None` if it does not end in a dash and an index.
    pub fn parse(text: &str) -> Option<Self> {
        let (topic, index) = text.rsplit_once('-')?;
        if topic.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { topic: topic.to_owned(), partition: index.parse().ok()? })
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Nodes of one cluster: `leader(orders-0)`, or `west/leader(orders-0)` in a cluster that is not
/// the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The cluster; the first one unless named.
    pub cluster: Option<String>,
    /// Which nodes of the cluster.
    pub role: Role,
}

/// Which nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The leader of a partition: `leader(orders-0)`.
    Leader(PartitionName),
    /// One in-sync follower, chosen by the seed: `follower(orders-0)`.
    Follower(PartitionName),
    /// All followers: `followers(orders-0)`.
    Followers(PartitionName),
    /// All replicas: `replicas(orders-0)`.
    Replicas(PartitionName),
    /// The broker that coordinates a transactional id or a group: `coordinator(transfers-1)`.
    Coordinator(String),
    /// The active controller: `controller`.
    ActiveController,
    /// One controller that is not active, chosen by the seed: `standby`.
    Standby,
    /// One broker: `broker 2`.
    Broker(u16),
    /// One controller: `controller 101`.
    Controller(u16),
    /// One client: `client 1001`.
    Client(u16),
    /// One running broker, chosen by the seed: `any broker`.
    AnyBroker,
    /// All brokers: `all brokers`.
    Brokers,
    /// All controllers: `all controllers`.
    Controllers,
    /// All brokers and controllers: `all servers`.
    Servers,
    /// All clients of the cluster: `clients`.
    Clients,
    /// All producers: `producers`.
    Producers,
    /// All consumers: `consumers`.
    Consumers,
    /// All nodes of the cluster: `everyone`.
    Everyone,
}

/// Every form of a target: an example and its meaning.
pub const TARGETS: &[(&str, &str)] = &[
    ("leader(orders-0)", "the leader of a partition"),
    ("follower(orders-0)", "one in-sync follower of a partition, chosen by the seed"),
    ("followers(orders-0)", "all followers of a partition"),
    ("replicas(orders-0)", "all replicas of a partition"),
    (
        "coordinator(transfers-1)",
        "the broker that coordinates a transactional id or a group: the leader of its partition of \
         `__transaction_state` or `__consumer_offsets`",
    ),
    ("controller", "the active controller"),
    ("standby", "one controller that is not active, chosen by the seed"),
    ("broker 2", "one broker by its id: 1, 2, 3 and so on"),
    ("controller 101", "one controller by its id: 101, 102 and so on"),
    ("client 1001", "one client by its id: producers from 1001 onwards, then consumers"),
    ("any broker", "one running broker, chosen by the seed"),
    ("all brokers", "all brokers of the cluster"),
    ("all controllers", "all controllers"),
    ("all servers", "all brokers and controllers"),
    ("clients", "all clients of the cluster"),
    ("producers", "all producers"),
    ("consumers", "all consumers"),
    ("everyone", "all nodes of the cluster"),
    ("west/leader(orders-0)", "any of these in the cluster `west`; without a name, in the first"),
];

/// The words with which a target can begin.
const WORDS: &[&str] = &[
    "leader",
    "follower",
    "followers",
    "replicas",
    "coordinator",
    "controller",
    "standby",
    "broker",
    "client",
    "any",
    "all",
    "brokers",
    "controllers",
    "servers",
    "clients",
    "producers",
    "consumers",
    "everyone",
];

impl Target {
    /// The expected form of a target.
    pub const EXPECTED: &'static str = "a target: leader(orders-0), follower(orders-0), \
         followers(..), replicas(..), coordinator(..), controller, standby, broker 2, controller 101, client 1001, \
         any broker, all brokers, all controllers, all servers, clients, producers, consumers or \
         everyone";

    /// Reads a target.
    ///
    /// # Errors
    ///
    /// The defect and its column.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let mut cursor = Cursor::new(text);
        let first = cursor.word();
        let (cluster, word) = match first.split_once('/') {
            Some((cluster, word)) => (Some(cluster.to_owned()), word),
            None => (None, first),
        };
        let role = role(&mut cursor, word)?;
        if !cursor.is_at_end() {
            return Err(cursor.expected("the end of the target"));
        }
        Ok(Self { cluster, role })
    }

    /// The same role in `cluster`, of a partition of `topic`.
    pub(super) fn with(&self, cluster: &str, topic: &str) -> Self {
        let mut role = self.role.clone();
        if let Role::Leader(of) | Role::Follower(of) | Role::Followers(of) | Role::Replicas(of) =
            &mut role
        {
            topic.clone_into(&mut of.topic);
        }
        Self { cluster: Some(cluster.to_owned()), role }
    }

    /// The partition that it names.
    pub fn partition(&self) -> Option<&PartitionName> {
        match &self.role {
            Role::Leader(of) | Role::Follower(of) | Role::Followers(of) | Role::Replicas(of) => {
                Some(of)
            }
            _ => None,
        }
    }
}

fn role(cursor: &mut Cursor<'_>, word: &str) -> Result<Role, TextError> {
    Ok(match word {
        "leader" => Role::Leader(of_partition(cursor)?),
        "follower" => Role::Follower(of_partition(cursor)?),
        "followers" => Role::Followers(of_partition(cursor)?),
        "replicas" => Role::Replicas(of_partition(cursor)?),
        "coordinator" => Role::Coordinator(transactional_id(cursor)?),
        "controller" if cursor.is_at_end() => Role::ActiveController,
        "controller" => Role::Controller(node_id(cursor)?),
        "standby" => Role::Standby,
        "broker" => Role::Broker(node_id(cursor)?),
        "client" => Role::Client(node_id(cursor)?),
        "any" if cursor.takes_word("broker") => Role::AnyBroker,
        "any" => return Err(cursor.expected("`broker`")),
        "all" => match cursor.word() {
            "brokers" => Role::Brokers,
            "controllers" => Role::Controllers,
            "servers" => Role::Servers,
            "clients" => Role::Clients,
            "producers" => Role::Producers,
            "consumers" => Role::Consumers,
            other => {
                let mut error = cursor.behind(
                    other.len(),
                    "expected brokers, controllers, servers, clients, producers or consumers \
                     after `all`"
                        .to_owned(),
                );
                error.nearest = nearest(other, WORDS.iter().copied());
                return Err(error);
            }
        },
        "brokers" => Role::Brokers,
        "controllers" => Role::Controllers,
        "servers" => Role::Servers,
        "clients" => Role::Clients,
        "producers" => Role::Producers,
        "consumers" => Role::Consumers,
        "everyone" => Role::Everyone,
        other => {
            let message = format!("`{other}` is no target: expected {}", Target::EXPECTED);
            let mut error = cursor.behind(other.len(), message);
            error.nearest = nearest(other, WORDS.iter().copied());
            return Err(error);
        }
    })
}

/// `(orders-0)`.
fn of_partition(cursor: &mut Cursor<'_>) -> Result<PartitionName, TextError> {
    cursor.require("(")?;
    let word = cursor.word();
    let name = PartitionName::parse(word).ok_or_else(|| {
        cursor.behind(word.len(), format!("`{word}` is no partition: expected one like orders-0"))
    })?;
    cursor.require(")")?;
    Ok(name)
}

/// `(transfers-1)`.
fn transactional_id(cursor: &mut Cursor<'_>) -> Result<String, TextError> {
    cursor.require("(")?;
    let word = cursor.word();
    if word.is_empty() {
        return Err(cursor.expected("a transactional id, as in coordinator(transfers-1)"));
    }
    cursor.require(")")?;
    Ok(word.to_owned())
}

/// A `node.id`, with or without parentheses.
fn node_id(cursor: &mut Cursor<'_>) -> Result<u16, TextError> {
    let parenthesis = cursor.takes("(");
    let word = cursor.word();
    let id = word.parse().map_err(|_| {
        let message = match !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
            true => format!("`{word}` is no node id: expected a number from 1 to {}", u16::MAX),
            false => format!("`{word}` is no node id: expected a number, as in broker 2"),
        };
        cursor.behind(word.len(), message)
    })?;
    if parenthesis {
        cursor.require(")")?;
    }
    Ok(id)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cluster) = &self.cluster {
            write!(f, "{cluster}/")?;
        }
        match &self.role {
            Role::Leader(of) => write!(f, "leader({of})"),
            Role::Follower(of) => write!(f, "follower({of})"),
            Role::Followers(of) => write!(f, "followers({of})"),
            Role::Replicas(of) => write!(f, "replicas({of})"),
            Role::Coordinator(id) => write!(f, "coordinator({id})"),
            Role::ActiveController => f.write_str("controller"),
            Role::Standby => f.write_str("standby"),
            Role::Broker(id) => write!(f, "broker {id}"),
            Role::Controller(id) => write!(f, "controller {id}"),
            Role::Client(id) => write!(f, "client {id}"),
            Role::AnyBroker => f.write_str("any broker"),
            Role::Brokers => f.write_str("all brokers"),
            Role::Controllers => f.write_str("all controllers"),
            Role::Servers => f.write_str("all servers"),
            Role::Clients => f.write_str("clients"),
            Role::Producers => f.write_str("producers"),
            Role::Consumers => f.write_str("consumers"),
            Role::Everyone => f.write_str("everyone"),
        }
    }
}

written_as_string!(Target, None);
