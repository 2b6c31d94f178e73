//! Checks of producers and consumers: keys that have to fit together, and limits of the simulation.

use super::Check;
use crate::diagnostic::Kind;
use crate::{Consumers, Producers, Share, Time};
use machine::Span;

/// Producers or consumers of one group, at most.
const CLIENTS: u16 = 1_000;
/// Producers and consumers of all groups, at most.
const ALL_CLIENTS: u32 = 10_000;
/// Records sent at the same moment, at most.
const BURST: u32 = 100_000;
/// Bytes of a record's value, at most: 64 MiB.
const RECORD_SIZE: u32 = 64 << 20;
/// Messages that an application sends again after a restart, at most.
const REWIND: u128 = 2_000;
/// Records that a group of producers writes, at most.
const RECORDS: u64 = 20_000_000;
/// Bytes of values that a group of producers writes, at most: 4 GiB.
const BYTES: u64 = 4 << 30;
/// The shortest interval at which a client repeats a seek or a ListOffsets request.
const OFTEN: Time = Time::millis(1);

impl Check<'_> {
    pub(super) fn clients(&mut self) {
        for (i, group) in self.scenario.producers.iter().enumerate() {
            self.client_topics("producers", i, &group.cluster, &group.topics);
            self.producers(i, group);
            self.explicit_partition(i, group);
            self.properties(path!["producers", i, "properties"], &group.properties);
            self.unworkable_producers(i, group);
        }
        for (i, group) in self.scenario.consumers.iter().enumerate() {
            self.client_topics("consumers", i, &group.cluster, &group.topics);
            self.consumers(i, group);
            let key = group.group.as_deref().map(|group| ("group.id", group));
            self.properties_with(path!["consumers", i, "properties"], &group.properties, key);
            self.members(i, group);
            self.unworkable_consumers(i, group);
        }
        self.all_clients();
    }

    /// Limits the number of clients; their ids begin at 1001.
    fn all_clients(&mut self) {
        let producers = self.scenario.producers.iter().map(|group| u32::from(group.count));
        let consumers = self.scenario.consumers.iter().map(|group| u32::from(group.count));
        let all: u32 = producers.chain(consumers).sum();
        if all > ALL_CLIENTS {
            let message = format!("there can be {ALL_CLIENTS} clients at most, not {all}");
            self.impossible(path!["producers"], message);
        }
    }

    fn producers(&mut self, i: usize, group: &Producers) {
        let at = |key: &str| path!["producers", i, key];
        let zeros = [("rate", group.rate == 0), ("burst", group.burst == 0)];
        for (key, _) in zeros.into_iter().filter(|(_, zero)| *zero) {
            self.impossible(at(key), format!("{key} has to be 1 or more"));
        }
        if group.count > CLIENTS {
            self.impossible(at("count"), format!("there can be {CLIENTS} producers at most"));
        }
        if group.burst > BURST {
            self.impossible(at("burst"), format!("a burst has {BURST} records at most"));
        }
        if !(16..=RECORD_SIZE).contains(&group.record_size) {
            let message = format!("a record's value has 16 to {RECORD_SIZE} bytes");
            self.impossible(at("record_size"), message);
            self.hinted(Some("it contains the record's number and check value".to_owned()));
        }
        if group.stop.is_some_and(|stop| stop <= group.start) {
            self.impossible(at("stop"), "they stop before they start");
        }
        self.transactions(i, group);
        self.rewind(i, group);
        self.volume(i, group);
    }

    fn transactions(&mut self, i: usize, group: &Producers) {
        let config = group.config();
        if config.transactional_id.0.is_some() {
            self.transaction_timeout(i, group, config.transaction_timeout);
        } else if group.transactions.is_some() {
            let message = "producers without `transactional.id` have no transactions";
            self.impossible(path!["producers", i, "transactions"], message);
        }
        let Some(transactions) = &group.transactions else { return };
        let at = |key: &str| path!["producers", i, "transactions", key];
        if transactions.records == 0 {
            self.impossible(at("records"), "a transaction has 1 record or more");
        }
        if transactions.transfer && transactions.records % 2 == 1 {
            let message = "a transfer has two records: with `transfer = true` their number is even";
            self.impossible(at("records"), message);
        }
        if transactions.transfer && (group.keys > 0 || group.partition.is_some()) {
            let message =
                "a transfer goes from one partition to the next, without `keys` and `partition`";
            self.impossible(at("transfer"), message);
        }
        if transactions.shared_id && group.count == 1 {
            let message = "`shared_id` has no effect, because the group has one producer";
            self.tell(Kind::Unwise, at("shared_id"), message.to_owned());
        }
        let shares = u64::from(transactions.aborted.0) + u64::from(transactions.abandoned.0);
        if shares > u64::from(Share::WHOLE.0) {
            // The key that is in the file, or the larger one.
            let key =
                if transactions.aborted < transactions.abandoned { "abandoned" } else { "aborted" };
            self.impossible(at(key), "`aborted` and `abandoned` are above 100% together");
        }
    }

    /// A coordinator refuses other time-outs, so that the producer never gets its id.
    fn transaction_timeout(&mut self, i: usize, group: &Producers, timeout: Span) {
        let index = self.scenario.cluster_index(group.cluster.as_deref()).unwrap_or(0);
        let cluster = self.scenario.clusters.get(index);
        let most = cluster.map_or(Span::MAX, |it| it.broker.config().transaction_max_timeout);
        if timeout.0 == 0 || timeout > most {
            let (timeout, most) = (timeout.as_millis(), most.as_millis());
            let message = format!(
                "`transaction.timeout.ms={timeout}`: a coordinator allows 1 to {most} ms \
                 (`transaction.max.timeout.ms`)"
            );
            let own = path!["producers", i, "properties", "transaction.timeout.ms"];
            let limit = path!["clusters", index, "broker", "transaction.max.timeout.ms"];
            let is_set = group.properties.get("transaction.timeout.ms").is_some();
            self.impossible(if is_set { own } else { limit }, message);
        }
    }

    /// Messages sent again become new records, which transactional producers do not support.
    fn rewind(&mut self, i: usize, group: &Producers) {
        let transactional = group.config().transactional_id.0.is_some();
        for (key, _) in [("resend", group.resend), ("rewind", group.rewind.is_some())]
            .into_iter()
            .filter(|(_, set)| *set && transactional)
        {
            let message = "a transactional producer does not send messages again in new records";
            self.impossible(path!["producers", i, key], message);
        }
        let Some(back) = group.rewind else { return };
        let count = u128::from(group.count.max(1));
        let records = u128::from(back.nanos()) * u128::from(group.rate) / count / 1_000_000_000;
        let messages = records + u128::from(group.burst);
        if messages > REWIND {
            let message = format!(
                "an application goes back by {REWIND} messages at most; at this rate {messages} were \
                 due in that time"
            );
            self.impossible(path!["producers", i, "rewind"], message);
        }
    }

    /// Limits the volume of records: every replica keeps its log in memory.
    fn volume(&mut self, i: usize, group: &Producers) {
        let seconds = self.scenario.durations.load.nanos() / 1_000_000_000 + 1;
        let records = group.records.min(group.rate.saturating_mul(seconds));
        let bytes = records.saturating_mul(group.record_size.into());
        if records > RECORDS || bytes > BYTES {
            let message = format!(
                "they would write {records} records in all, of {bytes} bytes; {RECORDS} records and \
                 {BYTES} bytes are simulated at most"
            );
            self.impossible(path!["producers", i, "records"], message);
        }
    }

    fn consumers(&mut self, i: usize, group: &Consumers) {
        if group.count > CLIENTS {
            let message = format!("there can be {CLIENTS} consumers at most");
            self.impossible(path!["consumers", i, "count"], message);
        }
        if group.stop.is_some_and(|stop| stop <= group.start) {
            self.impossible(path!["consumers", i, "stop"], "they stop before they start");
        }
        let message = format!("the shortest interval is {OFTEN}");
        if group.ask_end_every.is_some_and(|every| every < OFTEN) {
            self.impossible(path!["consumers", i, "ask_end_every"], message.clone());
        }
        for (j, seek) in group.seeks.iter().enumerate() {
            if seek.every.is_some_and(|every| every < OFTEN) {
                self.impossible(path!["consumers", i, "seeks", j, "every"], message.clone());
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
