//! Warnings about settings that Kafka accepts although they cannot work.

use super::Check;
use crate::diagnostic::Kind;
use crate::{Cluster, Consumers, Pipeline, Producers};
use engine::config::Reset;
use machine::Span;

/// The least number of bytes that a batch of one record takes in addition to the value: the header
/// of the batch, and the record's attributes, lengths and deltas (`DefaultRecordBatch`,
/// `DefaultRecord`).
const BESIDE_VALUE: u64 = 61 + 7;
/// How long a leader of the metadata quorum parks a fetch (`KafkaRaftClient.MAX_FETCH_WAIT_MS`).
const QUORUM_FETCH_WAIT: Span = Span::millis(500);

/// Whether a setting matters only where there are transactions.
fn is_transactional(name: &str, value: &str) -> bool {
    match name {
        "isolation.level" => value.trim() == "read_committed",
        "transaction.partition.verification.enable" => false,
        name => name.starts_with("transaction.") || name.starts_with("transactional.id."),
    }
}

impl Check<'_> {
    pub(super) fn unwise(&mut self, path: Vec<String>, message: String) {
        self.tell(Kind::Unwise, path, message);
    }

    /// Properties of transactions in a scenario without any. A seed may draw transactional clients
    /// where it draws settings.
    pub(super) fn without_transactions(&mut self) {
        let scenario = self.scenario;
        let draws = scenario.swarm.as_ref().is_some_and(|swarm| swarm.draw_settings);
        let mut groups = scenario.producers.iter();
        let mut pipelines = scenario.consumers.iter().filter_map(|it| it.pipeline.as_ref());
        let in_pipelines = pipelines.any(Pipeline::is_transactional);
        if draws || in_pipelines || groups.any(|group| group.config().transactional_id.0.is_some())
        {
            return;
        }
        let mut idle: Vec<(Vec<String>, String, String)> = Vec::new();
        let mut look = |path: Vec<String>, set: Vec<(&str, &str)>| {
            for (name, value) in
                set.into_iter().filter(|(name, value)| is_transactional(name, value))
            {
                let path = [path.clone(), vec![name.to_owned()]].concat();
                if !idle.iter().any(|(_, known, _)| known == name) {
                    idle.push((path, name.to_owned(), value.to_owned()));
                }
            }
        };
        for (i, cluster) in scenario.clusters.iter().enumerate() {
            look(path!["clusters", i, "broker"], cluster.broker.iter().collect());
            look(path!["clusters", i, "controller"], cluster.controller.iter().collect());
        }
        for (i, group) in scenario.producers.iter().enumerate() {
            look(path!["producers", i, "properties"], group.properties.iter().collect());
        }
        for (i, group) in scenario.consumers.iter().enumerate() {
            look(path!["consumers", i, "properties"], group.properties.iter().collect());
        }
        for (path, name, value) in idle {
            let message =
                format!("`{name}={value}` has no effect: no producer has a `transactional.id`");
            self.unwise(path, message);
        }
    }

    /// Time-outs of the metadata quorum that end before an idle leader responds. The leader parks a
    /// fetch until it writes an empty record, or for half a second. A response at the moment of the
    /// time-out is late (`RequestManager.ConnectionState.hasRequestTimedOut`).
    pub(super) fn unworkable_quorum(&mut self, i: usize, cluster: &Cluster) {
        let config = cluster.controller.config();
        let writes_before = |timeout: Span| config.max_idle.0 > 0 && config.max_idle <= timeout;
        for (name, timeout) in [
            ("controller.quorum.fetch.timeout.ms", config.fetch_timeout),
            ("controller.quorum.request.timeout.ms", config.request_timeout),
        ] {
            let is_late = timeout <= QUORUM_FETCH_WAIT && !writes_before(timeout);
            if is_late && cluster.controllers > 1 {
                let message = format!(
                    "`{name}={}`: an idle quorum leader responds after up to {QUORUM_FETCH_WAIT}, \
                     so that it is given up again and again",
                    timeout.as_millis()
                );
                self.unwise(path!["clusters", i, "controller", name], message);
            }
        }
    }

    /// Records above a size limit, and time-outs that leave no time.
    pub(super) fn unworkable_producers(&mut self, i: usize, group: &Producers) {
        let config = group.config();
        let size = u64::from(group.record_size);
        let needs = size + BESIDE_VALUE;
        let at = |name: &str| path!["producers", i, "properties", name];
        for (name, limit) in [
            ("max.request.size", u64::from(config.max_request_size)),
            ("buffer.memory", config.buffer_memory),
        ] {
            if needs > limit {
                let message = format!(
                    "`record_size` {size}: with its batch a record takes {needs} bytes or more, \
                     which is above `{name}={limit}`: every record fails"
                );
                self.unwise(at(name), message);
            }
        }
        self.unworkable_topics(i, group, needs);
        self.unworkable_schedule(i, group);
        if config.retry_backoff > config.retry_backoff_max {
            let (first, most) =
                (config.retry_backoff.as_millis(), config.retry_backoff_max.as_millis());
            let message = format!(
                "`retry.backoff.ms={first}` is above `retry.backoff.max.ms={most}`: every back-off \
                 takes {most} ms"
            );
            self.unwise(at("retry.backoff.ms"), message);
        }
        for (name, timeout) in [
            ("request.timeout.ms", config.request_timeout),
            ("max.block.ms", config.max_block),
            ("delivery.timeout.ms", config.delivery_timeout),
        ] {
            if timeout.0 == 0 {
                let message = format!("`{name}=0` leaves no time for a response");
                self.unwise(at(name), message);
            }
        }
    }

    /// Records that are due after the end of the load.
    fn unworkable_schedule(&mut self, i: usize, group: &Producers) {
        let load = self.scenario.durations.load;
        let bursts = u128::from(group.records).div_ceil(u128::from(group.burst.max(1)));
        let records = bursts * u128::from(group.burst);
        let nanos = records * 1_000_000_000 / u128::from(group.rate.max(1));
        let due = nanos + u128::from(group.start.nanos());
        let ends = group.stop.map_or(due, |stop| due.min(stop.nanos().into()));
        if ends > u128::from(load.nanos()) {
            let message = format!(
                "the last of {} records at {} a second is due {} s into the load, which lasts {load}",
                group.records,
                group.rate,
                ends.div_ceil(1_000_000_000)
            );
            // The values of the two in the file.
            let key =
                if group.records == Producers::default().records { "rate" } else { "records" };
            self.unwise(path!["producers", i, key], message);
            self.hinted(Some("raise `durations.load`, or give `stop`".to_owned()));
        }
    }

    /// Topics whose `max.message.bytes` is below the size of a batch with one record.
    fn unworkable_topics(&mut self, i: usize, group: &Producers, needs: u64) {
        let scenario = self.scenario;
        let cluster = scenario.cluster_index(group.cluster.as_deref());
        let written = scenario.topics.iter().filter(|topic| {
            scenario.cluster_index(topic.cluster.as_deref()) == cluster
                && (group.topics.is_empty() || group.topics.contains(&topic.name))
        });
        for topic in written {
            let limit = scenario.topic_config(topic).max_message_bytes;
            if needs > u64::from(limit) {
                let message = format!(
                    "`record_size` {}: with its batch a record takes {needs} bytes or more, which \
                     is above `max.message.bytes={limit}` of topic `{}`: every record fails",
                    group.record_size, topic.name
                );
                self.unwise(path!["producers", i, "record_size"], message);
            }
        }
    }

    /// Fetches that time out before their response, and consumers without a position.
    pub(super) fn unworkable_consumers(&mut self, i: usize, group: &Consumers) {
        let config = group.config();
        let at = |name: &str| path!["consumers", i, "properties", name];
        let (wait, timeout) = (config.fetch_max_wait, config.request_timeout);
        if wait >= timeout {
            let (wait, timeout) = (wait.as_millis(), timeout.as_millis());
            let message = format!(
                "`fetch.max.wait.ms={wait}` is not below `request.timeout.ms={timeout}`: a fetch \
                 times out before the broker returns an empty response"
            );
            self.unwise(at("fetch.max.wait.ms"), message);
        }
        if config.auto_offset_reset == Reset::None && group.seeks.is_empty() {
            let message = "`auto.offset.reset=none` and no `seeks`: without a position the \
                           consumer stops at once";
            self.unwise(at("auto.offset.reset"), message.to_owned());
        }
    }
}
