//! Checks of clusters and topics.

use super::{CONSUMER_OFFSETS, Check, TRANSACTION_STATE};
use crate::diagnostic::Kind;
use crate::{Cluster, Time, Topic};
use engine::config::{BrokerConfig, ControllerConfig};
use std::collections::BTreeSet;

/// The largest number of replicas in a scenario: 10,000 partitions of three.
const MOST_REPLICAS: u64 = 30_000;

/// Topics that brokers create and write themselves (`Topic.java`), and the metadata log.
const INTERNAL: [&str; 3] = [TRANSACTION_STATE, CONSUMER_OFFSETS, "__cluster_metadata"];

impl Check<'_> {
    pub(super) fn clusters(&mut self) {
        let mut names = BTreeSet::new();
        if self.scenario.clusters.is_empty() {
            self.impossible(path!["clusters"], "there has to be a cluster");
        }
        for (i, cluster) in self.scenario.clusters.iter().enumerate() {
            if !names.insert(&cluster.name) {
                self.impossible(
                    path!["clusters", i, "name"],
                    format!("there are two clusters called `{}`", cluster.name),
                );
            }
            self.cluster(i, cluster);
        }
        if self.scenario.clusters.len() > 16 {
            self.impossible(path!["clusters", 16], "there can be 16 clusters at most");
        }
    }

    fn cluster(&mut self, i: usize, cluster: &Cluster) {
        let at = |key: &str| path!["clusters", i, key];
        if !(1..=100).contains(&cluster.brokers) {
            let message = format!("a cluster has 1 to 100 brokers, not {}", cluster.brokers);
            self.impossible(at("brokers"), message);
        }
        if !(1..=9).contains(&cluster.controllers) {
            let message = format!("a cluster has 1 to 9 controllers, not {}", cluster.controllers);
            self.impossible(at("controllers"), message);
        } else if cluster.controllers.is_multiple_of(2) {
            let n = cluster.controllers;
            let message = format!("{n} controllers survive no more failures than {} do", n - 1);
            self.tell(Kind::Unwise, at("controllers"), message);
        }
        self.properties(at("broker"), &cluster.broker);
        self.properties(at("controller"), &cluster.controller);
        self.properties(at("topic"), &cluster.topic);
        self.heartbeats(i, cluster);
        self.internal_topics(i, cluster);
        self.unworkable_quorum(i, cluster);
        let broker: BrokerConfig = cluster.broker.config();
        if broker.replica_fetch_backoff.0 == 0 {
            let message = "`replica.fetch.backoff.ms=0`: a follower whose fetch is refused fetches \
                           again at once, and `no-livelock` does not look at refused fetches";
            let path = path!["clusters", i, "broker", "replica.fetch.backoff.ms"];
            self.tell(Kind::Unwise, path, message.to_owned());
        }
        if broker.replica_fetch_wait_max == broker.replica_lag_time_max {
            let wait = broker.replica_fetch_wait_max.as_millis();
            let message = format!(
                "replica.fetch.wait.max.ms and replica.lag.time.max.ms are both {wait}: idle \
                 followers leave the ISR"
            );
            let name = match cluster.broker.get("replica.fetch.wait.max.ms") {
                Some(_) => "replica.fetch.wait.max.ms",
                None => "replica.lag.time.max.ms",
            };
            self.tell(Kind::Unwise, path!["clusters", i, "broker", name], message);
        }
    }

    /// Refuses a heartbeat interval that is not below the session time-out. Kafka starts with such
    /// values, and then fences every broker again and again.
    fn heartbeats(&mut self, i: usize, cluster: &Cluster) {
        const INTERVAL: &str = "broker.heartbeat.interval.ms";
        const SESSION: &str = "broker.session.timeout.ms";
        let broker: BrokerConfig = cluster.broker.config();
        let controller: ControllerConfig = cluster.controller.config();
        let (interval, session) = (broker.heartbeat_interval, controller.session_timeout);
        if interval < session {
            return;
        }
        let at = match cluster.broker.get(INTERVAL) {
            Some(_) => path!["clusters", i, "broker", INTERVAL],
            None => path!["clusters", i, "controller", SESSION],
        };
        let (interval, session) = (interval.as_millis(), session.as_millis());
        let message = format!(
            "`{INTERVAL}={interval}` is not below `{SESSION}={session}`: brokers would be fenced \
             again and again"
        );
        self.impossible(at, message);
    }

    /// Refuses replication factors of internal topics that the cluster cannot give. Kafka starts with
    /// them, and then fails to create the topics.
    fn internal_topics(&mut self, i: usize, cluster: &Cluster) {
        let broker = cluster.broker.config();
        if self.has_transactions(Some(&cluster.name)) {
            let set = ("transaction.state.log.replication.factor", "__transaction_state");
            let factor = broker.transaction_log_replication_factor;
            self.internal_topic((i, cluster), set, factor, "no transaction begins");
        }
        if self.has_groups(Some(&cluster.name)) {
            let set = ("offsets.topic.replication.factor", "__consumer_offsets");
            let factor = broker.offsets_topic_replication_factor;
            self.internal_topic((i, cluster), set, factor, "no consumer joins a group");
        }
    }

    fn internal_topic(
        &mut self,
        (i, cluster): (usize, &Cluster),
        (key, topic): (&str, &str),
        factor: u32,
        effect: &str,
    ) {
        let brokers = cluster.brokers;
        if factor <= u32::from(brokers) {
            return;
        }
        let at = match cluster.broker.get(key) {
            Some(_) => path!["clusters", i, "broker", key],
            None => path!["clusters", i, "brokers"],
        };
        let s = if brokers == 1 { "" } else { "s" };
        let message = format!(
            "`{key}={factor}` with {brokers} broker{s}: Kafka cannot create `{topic}` \
             (INVALID_REPLICATION_FACTOR, ReplicationControlManager), and {effect}"
        );
        self.impossible(at, message);
        self.hinted(Some(format!("set `{key}` to {brokers} or less under `[clusters.broker]`")));
    }

    /// A topic that is created during the load: clients that need it begin afterwards.
    fn created_later(&mut self, i: usize, topic: &Topic) {
        let Some(created) = topic.created_at else { return };
        if created >= self.scenario.durations.load {
            let message = "it is created when the load is over";
            self.impossible(path!["topics", i, "created_at"], message);
        }
        let scenario = self.scenario;
        let here = scenario.cluster_index(topic.cluster.as_deref());
        let is_early = |cluster: &Option<String>, topics: &[String], start: Time| {
            let names_it = topics.contains(&topic.name);
            names_it && scenario.cluster_index(cluster.as_deref()) == here && start < created
        };
        let message =
            format!("topic `{}` is created at {created}, and they begin before", topic.name);
        let producers = scenario.producers.iter().enumerate();
        for (j, _) in producers.filter(|(_, it)| is_early(&it.cluster, &it.topics, it.start)) {
            self.impossible(path!["producers", j, "topics"], message.clone());
        }
        let alone = scenario.consumers.iter().enumerate().filter(|(_, it)| it.group.is_none());
        for (j, _) in alone.filter(|(_, it)| is_early(&it.cluster, &it.topics, it.start)) {
            self.impossible(path!["consumers", j, "topics"], message.clone());
        }
    }

    pub(super) fn topics(&mut self) {
        let mut names = BTreeSet::new();
        if self.scenario.topics.is_empty() {
            self.impossible(path!["topics"], "there has to be a topic");
        }
        for (i, topic) in self.scenario.topics.iter().enumerate() {
            let Some(cluster) = self.cluster_of(path!["topics", i, "cluster"], &topic.cluster)
            else {
                continue;
            };
            if !names.insert((cluster, &topic.name)) {
                self.impossible(
                    path!["topics", i, "name"],
                    format!("there are two topics called `{}`", topic.name),
                );
            }
            self.topic(i, topic, cluster);
            self.created_later(i, topic);
        }
        if self.scenario.topics.iter().all(|topic| topic.created_at.is_some()) {
            self.impossible(path!["topics"], "one topic or more exists before the load");
        }
        let replicas = |topic: &Topic| {
            u64::from(topic.partitions).saturating_mul(topic.replication_factor.into())
        };
        let all = self.scenario.topics.iter().map(replicas).fold(0, u64::saturating_add);
        if all > MOST_REPLICAS {
            let message = format!(
                "the topics have {all} replicas of partitions in all; {MOST_REPLICAS} are simulated \
                 at most"
            );
            self.impossible(path!["topics"], message);
        }
    }

    fn topic(&mut self, i: usize, topic: &Topic, cluster_index: usize) {
        let cluster = &self.scenario.clusters[cluster_index];
        let at = |key: &str| path!["topics", i, key];
        let name = &topic.name;
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > 249 || !name.chars().all(fits) {
            let message = format!("`{name}` is no topic name: expected letters, digits and `._-`");
            self.impossible(at("name"), message);
        } else if INTERNAL.contains(&name.as_str()) {
            let message = format!("`{name}` is an internal topic, which brokers create themselves");
            self.impossible(at("name"), message);
        }
        if !(1..=10_000).contains(&topic.partitions) {
            let message = format!("a topic has 1 to 10000 partitions, not {}", topic.partitions);
            self.impossible(at("partitions"), message);
        }
        let (factor, brokers) = (topic.replication_factor, cluster.brokers);
        if factor == 0 || factor > brokers {
            self.impossible(
                at("replication_factor"),
                format!(
                    "topic `{name}`: a replication factor of {factor} is impossible with {brokers} \
                     {}",
                    if brokers == 1 { "broker" } else { "brokers" }
                ),
            );
            self.hinted(Some(match brokers {
                0 | 1 => "expected 1".to_owned(),
                _ => format!("expected 1 to {brokers}"),
            }));
        }
        self.assignments(i, topic, cluster);
        self.properties(at("properties"), &topic.properties);
        self.min_insync_replicas(i, topic, cluster_index);
    }

    fn min_insync_replicas(&mut self, i: usize, topic: &Topic, cluster: usize) {
        const NAME: &str = "min.insync.replicas";
        let (name, factor) = (&topic.name, topic.replication_factor);
        let wanted = self.scenario.topic_config(topic).min_insync_replicas;
        let at = match topic.properties.iter().any(|(name, _)| name == NAME) {
            true => path!["topics", i, "properties", NAME],
            false => path!["clusters", cluster, "topic", NAME],
        };
        if wanted > u32::from(factor) {
            let message = format!(
                "topic `{name}`: min.insync.replicas {wanted} is above the replication factor \
                 {factor} and counts as {factor}: one replica out of sync stops every write with \
                 acks=all"
            );
            self.tell(Kind::Unwise, at, message);
        }
    }

    fn assignments(&mut self, i: usize, topic: &Topic, cluster: &Cluster) {
        let listed = topic.assignments.len();
        if listed != 0 && listed != topic.partitions as usize {
            let message =
                format!("{listed} partitions are assigned, and the topic has {}", topic.partitions);
            self.impossible(path!["topics", i, "assignments"], message);
        }
        for (j, replicas) in topic.assignments.iter().enumerate() {
            let at = path!["topics", i, "assignments", j];
            if let Some(id) = replicas.iter().find(|id| !(1..=cluster.brokers).contains(id)) {
                let message =
                    format!("there is no broker {id}; there are 1 to {}", cluster.brokers);
                self.tell(Kind::UnknownName, at.clone(), message);
            }
            let distinct: BTreeSet<_> = replicas.iter().collect();
            if distinct.len() != replicas.len() {
                self.impossible(at.clone(), "a broker can have only one replica of a partition");
            }
            if replicas.len() != usize::from(topic.replication_factor) {
                let message = format!(
                    "`assignments` lists {} replicas, and the replication factor is {}",
                    replicas.len(),
                    topic.replication_factor
                );
                self.impossible(at, message);
            }
        }
    }
}
