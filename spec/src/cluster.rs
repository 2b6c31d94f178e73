//! Clusters and topics, which exist before the load begins.

use super::properties::Properties;
use super::unit::Time;
use engine::config::{BrokerConfig, ControllerConfig, TopicConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Kafka cluster. Its brokers have the ids 1, 2, 3 and so on, its controllers 101 and so on,
/// its clients 1001 and so on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Its name, by which topics, clients and targets refer to it if there are several clusters.
    pub name: String,
    /// How many brokers it has.
    pub brokers: u16,
    /// How many controllers it has; all are voters of the metadata quorum.
    pub controllers: u16,
    /// `broker.rack` of brokers 1, 2, 3 and so on, repeated from the start if there are more
    /// brokers; if empty, brokers have no rack.
    pub racks: Vec<String>,
    /// Properties of all of its brokers.
    pub broker: Properties<BrokerConfig>,
    /// Properties of all of its controllers.
    pub controller: Properties<ControllerConfig>,
    /// Defaults of the properties of its topics.
    pub topic: Properties<TopicConfig>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: Self::NAME.to_owned(),
            brokers: 3,
            controllers: 3,
            racks: Vec::new(),
            broker: Properties::default(),
            controller: Properties::default(),
            topic: Properties::default(),
        }
    }
}

impl Cluster {
    /// The name of a cluster that is given none.
    pub const NAME: &'static str = "main";

    /// `broker.rack` of broker `id`.
    pub fn rack(&self, id: u16) -> Option<&str> {
        let index = usize::from(id.checked_sub(1)?).checked_rem(self.racks.len())?;
        Some(&self.racks[index])
    }
}

/// A topic, which exists before the load begins or is created later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its name, unique within its cluster.
    pub name: String,
    /// The cluster of the topic; the first one unless named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How many partitions it has.
    #[serde(default = "one")]
    pub partitions: u32,
    /// How many replicas each partition has.
    #[serde(default = "three")]
    pub replication_factor: u16,
    /// The brokers of each partition's replicas, the preferred leader first, instead of Kafka's
    /// own placement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignments: Vec<Vec<u16>>,
    /// When it is created, after the load has begun; before the load unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// Its own properties.
    #[serde(default)]
    pub properties: Properties<TopicConfig>,
}

const fn one() -> u32 {
    1
}

const fn three() -> u16 {
    3
}
