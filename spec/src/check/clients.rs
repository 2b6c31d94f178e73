//! Producers and consumers.

use super::Check;
use crate::Producers;
use crate::diagnostic::Kind;
use engine::config::{ConsumerConfig, ProducerConfig};

impl Check<'_> {
    pub(super) fn clients(&mut self) {
        for (i, group) in self.scenario.producers.iter().enumerate() {
            let at = |key: &str| path!["producers", i, key];
            self.client_topics("producers", i, &group.cluster, &group.topics);
            let config: ProducerConfig = group.properties.config();
            let zeros = [("rate", group.rate == 0), ("burst", group.burst == 0)];
            for (key, _) in zeros.into_iter().filter(|(_, zero)| *zero) {
                self.impossible(at(key), format!("{key} has to be 1 or more"));
            }
            if u32::from(group.count) > 1_000 {
                self.impossible(at("count"), "there can be 1000 producers at most");
            }
            if group.record_size < 16 {
                self.impossible(at("record_size"), "a record's value needs 16 bytes or more");
                self.hinted(Some("its number and its check value stand in it".to_owned()));
            }
            if group.record_size.saturating_add(100) > config.max_request_size {
                let limit = config.max_request_size;
                let message = format!("a record of that size exceeds max.request.size {limit}");
                self.impossible(at("record_size"), message);
            }
            if config.delivery_timeout < config.linger.saturating_add(config.request_timeout) {
                self.impossible(
                    at("properties"),
                    "delivery.timeout.ms has to be at least linger.ms + request.timeout.ms",
                );
            }
            for (key, zero) in [
                ("max.in.flight.requests.per.connection", config.max_in_flight == 0),
                ("buffer.memory", config.buffer_memory == 0),
            ] {
                if zero {
                    let at = path!["producers", i, "properties", key];
                    self.impossible(at, format!("{key} has to be 1 or more"));
                }
            }
            if group.stop.is_some_and(|stop| stop <= group.start) {
                self.impossible(at("stop"), "they stop before they start");
            }
            self.explicit_partition(i, group);
        }
        for (i, group) in self.scenario.consumers.iter().enumerate() {
            self.client_topics("consumers", i, &group.cluster, &group.topics);
            let config: ConsumerConfig = group.properties.config();
            if config.max_poll_records == 0 {
                let at = path!["consumers", i, "properties", "max.poll.records"];
                self.impossible(at, "max.poll.records has to be 1 or more");
            }
            if group.stop.is_some_and(|stop| stop <= group.start) {
                self.impossible(path!["consumers", i, "stop"], "they stop before they start");
            }
            if group.ask_end_every.is_some_and(|every| every.nanos() == 0) {
                let at = path!["consumers", i, "ask_end_every"];
                self.impossible(at, "it has to be more than nothing");
            }
            for (j, seek) in group.seeks.iter().enumerate() {
                if seek.every.is_some_and(|every| every.nanos() == 0) {
                    let at = path!["consumers", i, "seeks", j, "every"];
                    self.impossible(at, "it has to be more than nothing");
                }
            }
        }
    }

    fn explicit_partition(&mut self, i: usize, group: &Producers) {
        let Some(partition) = group.partition else { return };
        let scenario = self.scenario;
        let cluster = scenario.cluster_index(group.cluster.as_deref());
        let mut written = scenario.topics.iter().filter(|topic| {
            scenario.cluster_index(topic.cluster.as_deref()) == cluster
                && (group.topics.is_empty() || group.topics.contains(&topic.name))
        });
        if let Some(topic) = written.find(|topic| topic.partitions <= partition) {
            let message = format!(
                "topic `{}` has no partition {partition}; it has 0 to {}",
                topic.name,
                topic.partitions.saturating_sub(1)
            );
            self.tell(Kind::UnknownName, path!["producers", i, "partition"], message);
        }
    }

    fn client_topics(&mut self, who: &str, i: usize, cluster: &Option<String>, topics: &[String]) {
        if self.cluster_of(path![who, i, "cluster"], cluster).is_none() {
            return;
        }
        for (j, topic) in topics.iter().enumerate() {
            let written = |cluster: &str, topic: &str| {
                format!("cluster = \"{cluster}\"` and `topics = [\"{topic}\"]")
            };
            self.topic_named(path![who, i, "topics", j], cluster.as_deref(), topic, &written);
        }
    }
}
