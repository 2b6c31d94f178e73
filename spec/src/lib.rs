//! Scenarios: descriptions of runs. Files are TOML; a run record keeps its scenario as JSON.
//!
//! The types are the format: each field is a key, checked while it is read, so that every value is
//! valid by itself. Whether values fit together (a target and its topic, a replication factor and
//! the number of brokers) is checked afterwards.

mod check;
mod cluster;
mod condition;
mod diagnostic;
mod effective;
mod environment;
mod expect;
mod extend;
mod fault;
mod fit;
pub mod kafka;
mod member;
mod mistake;
mod overrides;
mod parse;
mod properties;
pub mod reach;
mod reader;
mod target;
mod text;
mod unit;
mod unmodelled;
mod workload;
mod write;

pub use check::upon_no_link;
pub use cluster::{Cluster, Topic};
pub use condition::{Comparison, Condition, Metric, MetricKind, Scope, Takes};
pub use diagnostic::{Diagnostic, ErrorReport, Kind};
pub use effective::NotDefault;
pub use environment::{Clocks, Disk, Durations, Link, Network};
pub use expect::{Expect, Expected, MustReach, Setting};
pub use extend::{BASES, Load, Named};
pub use fault::{Family, Fault, FaultKind, PreferredElection, Swarm};
pub use member::{Absence, Commit, CommitKind, OnRevoke, Pipeline, Store};
pub use mistake::in_plain_words;
pub use overrides::OWN;
pub use properties::{Listed, Origin, Properties, SetError, TABLES, Table, property_list};
pub use target::{PartitionName, Role, TARGETS, Target};
pub use text::{TextError, nearest};
pub use unit::{Share, Time};
pub use workload::{Consumers, Producers, Seek, SeekTo, Transactions, WhenFenced};

use engine::config::TopicConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scenario: a world, its clients and its faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A Faultline scenario")]
pub struct Scenario {
    /// Its name, in results and on the command line.
    pub name: String,
    /// Its subject, in one line.
    pub title: String,
    /// Its subject, at length.
    #[serde(default)]
    pub description: String,
    /// The scenario that this file extends: a built-in one or one of the catalogue by its name, or
    /// a file by its path from here. `None` once the scenario is read, since it is merged then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extend: Option<String>,
    /// Allows values that Kafka itself refuses, such as segments below 1 MiB.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beyond_kafka: bool,
    /// The clusters; one of three brokers and three controllers unless given.
    #[serde(default = "one_cluster")]
    pub clusters: Vec<Cluster>,
    /// The topics that exist before the load begins.
    pub topics: Vec<Topic>,
    /// The producers that write during the load.
    #[serde(default)]
    pub producers: Vec<Producers>,
    /// The consumers that read during the load. All partitions are read back afterwards in any
    /// case.
    #[serde(default)]
    pub consumers: Vec<Consumers>,
    /// The network.
    #[serde(default)]
    pub network: Network,
    /// The disks.
    #[serde(default)]
    pub disk: Disk,
    /// The clocks.
    #[serde(default)]
    pub clocks: Clocks,
    /// How long the phases may take.
    #[serde(default)]
    pub durations: Durations,
    /// The faults.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Further faults, chosen by the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<Swarm>,
    /// The expected outcome of a run.
    #[serde(default)]
    pub expect: Expect,
    /// The steps that a run has to reach; otherwise it is vacuous.
    #[serde(default)]
    pub must_reach: Vec<MustReach>,
}

fn one_cluster() -> Vec<Cluster> {
    vec![Cluster::default()]
}

impl Scenario {
    /// The index of the cluster called `name`; the first one for `None`.
    pub fn cluster_index(&self, name: Option<&str>) -> Option<usize> {
        match name {
            None => (!self.clusters.is_empty()).then_some(0),
            Some(name) => self.clusters.iter().position(|cluster| cluster.name == name),
        }
    }

    /// The topic called `name` in the cluster called `cluster`.
    pub fn topic(&self, cluster: Option<&str>, name: &str) -> Option<&Topic> {
        let index = self.cluster_index(cluster);
        self.topics.iter().find(|topic| {
            topic.name == name && self.cluster_index(topic.cluster.as_deref()) == index
        })
    }

    /// The scenario of the reference run, from which this one takes its faults: the scenario with
    /// the settings of `swarm.paired_with`. `None` if that is the scenario itself.
    ///
    /// # Errors
    ///
    /// If those settings give no valid scenario.
    pub fn paired(&self) -> Result<Option<Self>, Box<Diagnostic>> {
        let paired_with = self.swarm.as_ref().map_or(&[][..], |swarm| &swarm.paired_with);
        if paired_with.is_empty() {
            return Ok(None);
        }
        let mut paired = self.clone();
        if let Some(swarm) = &mut paired.swarm {
            swarm.paired_with.clear();
        }
        let alone = paired.clone();
        paired.set_all(paired_with)?;
        // A property set to the value that it has anyway does not make the scenarios differ.
        for (group, own) in paired.producers.iter_mut().zip(&alone.producers) {
            if group.config() == own.config() {
                group.properties = own.properties.clone();
            }
        }
        Ok((paired != alone).then_some(paired))
    }

    /// The configuration of a topic: its own properties over those of its cluster.
    pub fn topic_config(&self, topic: &Topic) -> TopicConfig {
        let cluster = self.cluster_index(topic.cluster.as_deref()).map(|i| &self.clusters[i]);
        topic.properties.over(cluster.map(|c| c.topic.config()).unwrap_or_default())
    }
}

/// A run to be made: everything that determines its course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// The scenario, with all overrides in place.
    pub scenario: Scenario,
    /// The seed.
    pub seed: u64,
    /// The museum bugs that are switched on, by id.
    pub bugs: Vec<String>,
    /// Whether the whole trace is kept, which changes nothing in the run.
    pub trace: bool,
}

#[cfg(test)]
mod tests;
