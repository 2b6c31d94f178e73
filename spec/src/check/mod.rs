//! Checks of a whole scenario: errors where its parts do not fit together, warnings where it can
//! hardly be what was wanted.

/// The keys and indices that lead to a value of the scenario.
macro_rules! path {
    ($($step:expr),* $(,)?) => { vec![$($step.to_string()),*] };
}

mod clients;
mod faults;
mod groups;
mod links;
mod properties;
mod unworkable;
mod world;

pub use links::upon_no_link;

use super::diagnostic::Kind;
use super::mistake::did_you_mean;
use super::text::nearest;
use super::{PartitionName, Scenario};

/// An error or a warning, and the path of keys that leads to its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) path: Vec<String>,
}

/// All errors and warnings of `scenario`, grouped by its tables.
pub(super) fn findings(scenario: &Scenario) -> Vec<Finding> {
    let mut check = Check { scenario, findings: Vec::new() };
    check.name(&scenario.name);
    if scenario.extend.is_some() {
        check.impossible(path!["extend"], "a scenario that is not a file cannot extend one");
    }
    check.clusters();
    check.topics();
    check.clients();
    check.without_transactions();
    check.durations();
    for (i, fault) in scenario.faults.iter().enumerate() {
        check.fault(i, fault);
    }
    if let Some(swarm) = &scenario.swarm {
        check.swarm(swarm);
    }
    for (i, must) in scenario.must_reach.iter().enumerate() {
        check.must_reach(i, must);
    }
    check.findings
}

struct Check<'a> {
    scenario: &'a Scenario,
    findings: Vec<Finding>,
}

/// The internal topic in which transaction coordinators keep their state.
const TRANSACTION_STATE: &str = "__transaction_state";
/// The internal topic in which group coordinators keep groups and offsets.
const CONSUMER_OFFSETS: &str = "__consumer_offsets";

impl Check<'_> {
    fn tell(&mut self, kind: Kind, path: Vec<String>, message: String) {
        self.findings.push(Finding { kind, message, hint: None, path });
    }

    fn impossible(&mut self, path: Vec<String>, message: impl Into<String>) {
        self.tell(Kind::Impossible, path, message.into());
    }

    fn hinted(&mut self, hint: Option<String>) {
        if let Some(last) = self.findings.last_mut() {
            last.hint = hint;
        }
    }

    /// Reports that there is no `what` called `name`, and suggests the nearest of `names`.
    fn unknown(&mut self, path: Vec<String>, what: &str, name: &str, names: &[&str]) {
        let message = match names {
            [] => format!("there is no {what} `{name}`"),
            names => format!("there is no {what} `{name}`; there is {}", names.join(", ")),
        };
        self.tell(Kind::UnknownName, path, message);
        self.hinted(nearest(name, names.iter().copied()).map(did_you_mean));
    }

    fn name(&mut self, name: &str) {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            self.impossible(
                path!["name"],
                format!("`{name}` is not a name: expected lower-case letters, digits and dashes"),
            );
        }
    }

    fn durations(&mut self) {
        if self.scenario.durations.load.nanos() == 0 {
            self.impossible(path!["durations", "load"], "the load has to take some time");
        }
        if self.scenario.clocks.drift_ppm > 100_000 {
            self.impossible(path!["clocks", "drift_ppm"], "a clock drifts by 100000 ppm at most");
        }
    }

    fn cluster_of(&mut self, path: Vec<String>, name: &Option<String>) -> Option<usize> {
        let scenario = self.scenario;
        let index = scenario.cluster_index(name.as_deref());
        if let (None, Some(name)) = (index, name) {
            let names: Vec<&str> = scenario.clusters.iter().map(|c| c.name.as_str()).collect();
            self.unknown(path, "cluster", name, &names);
        }
        index
    }

    /// Whether some producer of a cluster has a `transactional.id`.
    fn has_transactions(&self, cluster: Option<&str>) -> bool {
        let here = self.scenario.cluster_index(cluster);
        let is_here = |name: &Option<String>| self.scenario.cluster_index(name.as_deref()) == here;
        let mut producers = self.scenario.producers.iter();
        let mut consumers = self.scenario.consumers.iter();
        producers.any(|it| is_here(&it.cluster) && it.config().transactional_id.0.is_some())
            || consumers.any(|it| is_here(&it.cluster) && !it.transactional_ids().is_empty())
    }

    /// Whether some consumers of a cluster are members of a group.
    fn has_groups(&self, cluster: Option<&str>) -> bool {
        let here = self.scenario.cluster_index(cluster);
        let mut consumers = self.scenario.consumers.iter().filter(|it| it.group.is_some());
        consumers.any(|it| self.scenario.cluster_index(it.cluster.as_deref()) == here)
    }

    /// The number of partitions of an internal topic; `None`: no client needs it, so that it does not
    /// exist.
    fn internal_partitions(&self, cluster: Option<&str>, topic: &str) -> Option<u32> {
        let index = self.scenario.cluster_index(cluster)?;
        let config = self.scenario.clusters[index].broker.config();
        match topic == TRANSACTION_STATE {
            true => self.has_transactions(cluster).then_some(config.transaction_log_partitions),
            false => self.has_groups(cluster).then_some(config.offsets_topic_partitions),
        }
    }

    fn topic_named(
        &mut self,
        path: Vec<String>,
        cluster: Option<&str>,
        name: &str,
        written: &dyn Fn(&str, &str) -> String,
    ) {
        let scenario = self.scenario;
        if scenario.topic(cluster, name).is_some() {
            return;
        }
        if let Some((other, topic)) = elsewhere(scenario, name) {
            let here = scenario.cluster_index(cluster).map_or("", |i| &scenario.clusters[i].name);
            let message = format!(
                "there is no topic `{name}` in cluster `{here}`; cluster `{other}` has a topic \
                 `{topic}`"
            );
            self.tell(Kind::UnknownName, path, message);
            self.hinted(Some(did_you_mean(&written(other, topic))));
            return;
        }
        let index = scenario.cluster_index(cluster);
        let here = scenario.topics.iter();
        let here = here.filter(|t| scenario.cluster_index(t.cluster.as_deref()) == index);
        let names: Vec<&str> = here.map(|t| t.name.as_str()).collect();
        self.unknown(path, "topic", name, &names);
    }

    fn partition(
        &mut self,
        path: Vec<String>,
        cluster: Option<&str>,
        of: &PartitionName,
        written: &dyn Fn(&str, &str) -> String,
    ) {
        let partitions = match self.scenario.topic(cluster, &of.topic) {
            Some(topic) => topic.partitions,
            None if ![TRANSACTION_STATE, CONSUMER_OFFSETS].contains(&of.topic.as_str()) => {
                return self.topic_named(path, cluster, &of.topic, written);
            }
            None => match self.internal_partitions(cluster, &of.topic) {
                Some(partitions) => partitions,
                None => {
                    let needs = match of.topic == TRANSACTION_STATE {
                        true => "a producer of the cluster has a `transactional.id`",
                        false => "consumers of the cluster are members of a `group`",
                    };
                    let message = format!("`{}` exists only if {needs}", of.topic);
                    return self.tell(Kind::UnknownName, path, message);
                }
            },
        };
        if i64::from(of.partition) >= i64::from(partitions) {
            let message = format!(
                "topic `{}` has no partition {}; it has 0 to {}",
                of.topic,
                of.partition,
                partitions.saturating_sub(1)
            );
            self.tell(Kind::UnknownName, path, message);
        }
    }
}

/// The cluster that has a topic which the cluster searched first does not have, and the topic's
/// name: `name` may be written as `west/orders`.
fn elsewhere<'a, 'n>(scenario: &'a Scenario, name: &'n str) -> Option<(&'a str, &'n str)> {
    let (wanted, topic) = match name.split_once('/') {
        Some((cluster, topic)) => (Some(cluster), topic),
        None => (None, name),
    };
    let mut clusters = scenario.clusters.iter().map(|cluster| cluster.name.as_str());
    let has = |cluster: &&str| {
        wanted.is_none_or(|wanted| wanted == *cluster)
            && scenario.topic(Some(cluster), topic).is_some()
    };
    clusters.find(has).map(|cluster| (cluster, topic))
}
