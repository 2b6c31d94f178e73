//! The facts of a run in order of time; calls and observations of clients as lines of JSON.

mod group;

use engine::Kafka;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, Positioning, TransactionOutcome};
use engine::ids::{TopicId, TopicPartition};
use machine::{ClusterId, NodeId};
use serde::Serialize;
use sim::{Observation, Seen, SimTime};
use std::collections::BTreeMap;

/// The history of a run. It is collected only if requested, and does not change the run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// When the load began; times are counted from then.
    load_began: SimTime,
    events: Vec<(SimTime, u64, NodeId, Fact)>,
    topics: BTreeMap<(ClusterId, TopicId), String>,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    /// Since the start of the load.
    t_ns: i64,
    event: u64,
    client: String,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum What<'a> {
    Sent {
        record: u64,
        partition: String,
        acks: i16,
    },
    Message {
        record: u64,
        message: u64,
        again: bool,
    },
    Confirmed {
        partition: String,
        base_offset: Option<i64>,
        records: &'a [u64],
    },
    Retried {
        partition: String,
        error: &'static str,
        records: &'a [u64],
    },
    Identified {
        producer_id: i64,
        producer_epoch: i16,
    },
    Renumbered {
        partition: String,
        records: &'a [u64],
    },
    TransactionsInitialized {
        transactional_id: &'a str,
        producer_id: i64,
        producer_epoch: i16,
    },
    TransactionBegun {
        transaction: u64,
    },
    TransactionEnding {
        transaction: u64,
        commit: bool,
    },
    TransactionEnded {
        transaction: u64,
        outcome: &'static str,
        error: Option<&'static str>,
    },
    Failed {
        partition: Option<String>,
        error: &'static str,
        maybe_written: bool,
        records: &'a [u64],
    },
    Delivered {
        partition: String,
        from: i64,
        to: i64,
        records: Vec<(i64, Option<u64>)>,
    },
    Positioned {
        partition: String,
        from: Option<i64>,
        to: i64,
        why: &'static str,
    },
    EndAsked {
        partition: String,
    },
    EndShown {
        partition: String,
        offset: i64,
        broker: u16,
    },
    TimeShown {
        partition: String,
        timestamp_ms: i64,
        offset: Option<i64>,
        broker: u16,
    },
    Threw {
        partition: String,
        exception: &'static str,
    },
    Paused {
        partitions: Vec<String>,
    },
    Resumed {
        partitions: Vec<String>,
    },
    ReadBack {
        partition: String,
        end: i64,
    },
    #[serde(untagged)]
    Member(group::What<'a>),
}

impl History {
    /// The load begins now.
    pub fn begin_load(&mut self, now: SimTime) {
        self.load_began = now;
    }

    /// A moment in nanoseconds since the start of the load, negative before it.
    pub fn since_load(&self, at: SimTime) -> i64 {
        at.0.cast_signed() - self.load_began.0.cast_signed()
    }

    /// A topic has this name.
    pub fn name_topic(&mut self, cluster: ClusterId, id: TopicId, name: &str) {
        self.topics.insert((cluster, id), name.to_owned());
    }

    /// A process reported a fact.
    pub fn push(&mut self, at: SimTime, event: u64, node: NodeId, fact: &Fact) {
        self.events.push((at, event, node, fact.clone()));
    }

    /// The facts among these observations.
    pub fn extend(&mut self, observations: &[Observation<Kafka>]) {
        for Observation { event, time, what, .. } in observations {
            if let Seen::Fact { node, fact, .. } = what {
                self.push(*time, event.0, *node, fact);
            }
        }
    }

    /// Every fact, in order of time, with the process that reported it.
    pub fn facts(&self) -> impl Iterator<Item = (SimTime, NodeId, &Fact)> {
        self.events.iter().map(|(at, _, node, fact)| (*at, *node, fact))
    }

    /// The calls and observations of clients, each line an object.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.events.iter().filter_map(|(at, event, node, fact)| {
            let Fact::Client(fact) = fact else { return None };
            let what = self.what(node.cluster, fact);
            let t_ns = self.since_load(*at);
            let line = Line { t_ns, event: *event, client: node.to_string(), what };
            Some(serde_json::to_string(&line).expect("a line is plain data"))
        })
    }

    /// The fact of this event in the form that `form` gives it; `form` can look up names of
    /// partitions.
    pub(super) fn fact<T>(
        &self,
        event: u64,
        form: fn(&Fact, &dyn Fn(TopicPartition) -> String) -> T,
    ) -> Option<T> {
        let index = self.events.binary_search_by_key(&event, |(_, event, ..)| *event).ok()?;
        let (_, _, node, fact) = &self.events[index];
        Some(form(fact, &|of| self.name(node.cluster, of)))
    }

    fn name(&self, cluster: ClusterId, of: TopicPartition) -> String {
        match self.topics.get(&(cluster, of.topic)) {
            Some(topic) => format!("{topic}-{}", of.partition),
            None => of.to_string(),
        }
    }

    fn what<'a>(&self, cluster: ClusterId, fact: &'a ClientFact) -> What<'a> {
        let name = |partition: &TopicPartition| self.name(cluster, *partition);
        match fact {
            ClientFact::Sent { record, partition, acks } => {
                What::Sent { record: *record, partition: name(partition), acks: *acks }
            }
            ClientFact::Message { record, message, again } => {
                What::Message { record: *record, message: *message, again: again.is_some() }
            }
            ClientFact::Confirmed { partition, base_offset, records, .. } => {
                What::Confirmed { partition: name(partition), base_offset: *base_offset, records }
            }
            ClientFact::Retried { partition, error, records } => {
                What::Retried { partition: name(partition), error: error.name(), records }
            }
            ClientFact::Identified { producer_id, producer_epoch } => {
                What::Identified { producer_id: *producer_id, producer_epoch: *producer_epoch }
            }
            ClientFact::Renumbered { partition, records } => {
                What::Renumbered { partition: name(partition), records }
            }
            ClientFact::TransactionsInitialized {
                transactional_id,
                producer_id,
                producer_epoch,
            } => What::TransactionsInitialized {
                transactional_id,
                producer_id: *producer_id,
                producer_epoch: *producer_epoch,
            },
            ClientFact::TransactionBegun { transaction } => {
                What::TransactionBegun { transaction: *transaction }
            }
            ClientFact::TransactionEnding { transaction, commit } => {
                What::TransactionEnding { transaction: *transaction, commit: *commit }
            }
            ClientFact::TransactionEnded { transaction, outcome, error } => {
                What::TransactionEnded {
                    transaction: *transaction,
                    outcome: match outcome {
                        TransactionOutcome::Committed => "committed",
                        TransactionOutcome::Aborted => "aborted",
                        TransactionOutcome::GivenUp => "given_up",
                        TransactionOutcome::Unknown => "unknown",
                    },
                    error: error.map(ErrorCode::name),
                }
            }
            ClientFact::Failed { partition, error, maybe_written, records, .. } => What::Failed {
                partition: partition.as_ref().map(name),
                error: error.name(),
                maybe_written: *maybe_written,
                records,
            },
            ClientFact::Delivered { partition, from, to, batches } => What::Delivered {
                partition: name(partition),
                from: *from,
                to: *to,
                records: delivered(batches, *from, *to),
            },
            ClientFact::Positioned { partition, from, to, why } => What::Positioned {
                partition: name(partition),
                from: *from,
                to: *to,
                why: match why {
                    Positioning::Seek => "seek",
                    Positioning::Committed => "committed",
                    Positioning::Start => "start",
                    Positioning::OutOfRange => "out_of_range",
                    Positioning::Truncated => "truncated",
                },
            },
            ClientFact::EndAsked { partition, .. } => What::EndAsked { partition: name(partition) },
            ClientFact::EndShown { partition, offset, broker, .. } => {
                What::EndShown { partition: name(partition), offset: *offset, broker: *broker }
            }
            ClientFact::TimeShown { partition, timestamp, offset, broker } => What::TimeShown {
                partition: name(partition),
                timestamp_ms: *timestamp,
                offset: *offset,
                broker: *broker,
            },
            ClientFact::Threw { partition, exception } => {
                What::Threw { partition: name(partition), exception }
            }
            ClientFact::ReadBack { partition, end } => {
                What::ReadBack { partition: name(partition), end: *end }
            }
            ClientFact::Member(fact) => What::Member(group::what(fact, &name)),
            ClientFact::Paused { partitions } => {
                What::Paused { partitions: partitions.iter().map(&name).collect() }
            }
            ClientFact::Resumed { partitions } => {
                What::Resumed { partitions: partitions.iter().map(&name).collect() }
            }
            ClientFact::Store(fact) => What::Member(group::store(fact, &name)),
        }
    }
}

/// Offsets and numbers of the records from `from` to `to`.
pub(super) fn delivered(batches: &[bytes::Bytes], from: i64, to: i64) -> Vec<(i64, Option<u64>)> {
    let mut records = Vec::new();
    for batch in batches {
        // Checks report what cannot be decoded.
        let _ = engine::record::for_each(batch, |record| {
            if (from..to).contains(&record.offset) {
                let number = record.value.and_then(|value| value.first_chunk::<8>());
                records.push((record.offset, number.map(|bytes| u64::from_be_bytes(*bytes))));
            }
        });
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4g.
    #[test]
    fn the_page_about_the_history_has_every_type_and_field_of_a_line() {
        let page = include_str!("../../../docs/history.md");
        let partition = || "orders-0".to_owned();
        let all = [
            What::Sent { record: 1, partition: partition(), acks: -1 },
            What::Message { record: 1, message: 1, again: true },
            What::Confirmed { partition: partition(), base_offset: None, records: &[] },
            What::Retried { partition: partition(), error: "", records: &[] },
            What::Identified { producer_id: 1, producer_epoch: 0 },
            What::Renumbered { partition: partition(), records: &[] },
            What::TransactionsInitialized {
                transactional_id: "t",
                producer_id: 1,
                producer_epoch: 0,
            },
            What::TransactionBegun { transaction: 1 },
            What::TransactionEnding { transaction: 1, commit: true },
            What::TransactionEnded { transaction: 1, outcome: "committed", error: None },
            What::Failed { partition: None, error: "", maybe_written: true, records: &[] },
            What::Delivered { partition: partition(), from: 0, to: 1, records: Vec::new() },
            What::Positioned { partition: partition(), from: None, to: 0, why: "seek" },
            What::EndAsked { partition: partition() },
            What::EndShown { partition: partition(), offset: 0, broker: 1 },
            What::TimeShown { partition: partition(), timestamp_ms: 0, offset: None, broker: 1 },
            What::Threw { partition: partition(), exception: "" },
            What::ReadBack { partition: partition(), end: 0 },
            What::Paused { partitions: vec![partition()] },
            What::Resumed { partitions: vec![partition()] },
        ];
        for what in all.into_iter().chain(group::tests::all().map(What::Member)) {
            let line = Line { t_ns: 0, event: 0, client: String::new(), what };
            let line = serde_json::to_value(&line).expect("a line is plain data");
            for (field, value) in line.as_object().expect("a line is an object") {
                assert!(page.contains(&format!("`{field}`")), "{field}");
                let name = value.as_str().filter(|_| field == "type");
                assert!(name.is_none_or(|name| page.contains(&format!("`{name}`"))), "{name:?}");
            }
        }
        // `producer << 40 | n`
        assert_eq!(judge::evidence::records::name(1 << 40 | 9), "record 1#9");
        assert!(page.contains(&format!("number {} is record `1#9`", 1_u64 << 40 | 9)));
    }
}
