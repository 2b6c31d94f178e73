//! The network, the disks, the clocks, and the durations of a run's phases. A key that is left out
//! has the simulator's default, which is that of a data centre.

use super::unit::{Share, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The network, by class of link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Links between brokers.
    pub brokers: Link,
    /// Links between controllers, and between brokers and controllers.
    pub controllers: Link,
    /// Links to and from clients.
    pub clients: Link,
    /// Links between clusters.
    pub clusters: Link,
}

/// Links of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// The least time from one end to the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Time>,
    /// Mean of the exponentially distributed time added to `latency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Time>,
    /// The share of packets that are lost, and sent again after a time-out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Share>,
    /// The share of packets that arrive twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplication: Option<Share>,
    /// The share of packets that are delayed so that later ones overtake them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reordering: Option<Share>,
    /// Bytes per second; 0 means unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<u64>,
}

/// The disks of brokers and controllers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Disk {
    /// The least time that an fsync takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<Time>,
    /// Mean of the exponentially distributed time added to `sync`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_jitter: Option<Time>,
    /// How long an append to the page cache takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append: Option<Time>,
    /// Bytes per second to the device; 0 means unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<u64>,
    /// How many bytes fit on a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// The age at which the host itself writes back data that was not synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_back: Option<Time>,
}

/// How far the nodes' clocks are off. Each node's offset and drift are drawn, in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clocks {
    /// The most that a wall clock is off at the start.
    pub skew: Time,
    /// The most that a clock is too fast or too slow, in parts per million.
    pub drift_ppm: u32,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { skew: Time::millis(5), drift_ppm: 50 }
    }
}

/// How long the phases of a run may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Durations {
    /// How long the set-up may take, until every partition has a leader and all replicas are in
    /// sync.
    pub setup: Time,
    /// The longest that the load may take; it ends earlier when every client and every fault
    /// has ended.
    pub load: Time,
    /// How long convergence may take after healing; derived from the configuration unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converge: Option<Time>,
}

impl Default for Durations {
    fn default() -> Self {
        Self { setup: Time::secs(60), load: Time::secs(30), converge: None }
    }
}
