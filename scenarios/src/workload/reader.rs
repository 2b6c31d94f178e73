//! An application that reads everything back from the healed cluster: every partition from its
//! beginning to the end offset that its leader returns. After an exception it tries again.

use super::{report_event, report_polled, to_consumer};
use engine::client::{Consumer, ConsumerEvent};
use engine::config::{ConsumerConfig, IsolationLevel, Reset};
use engine::fact::{ClientFact, Fact};
use engine::ids::{BrokerId, Offset, TopicPartition};
use engine::rules::Rulebook;
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{Boot, Now, Span};
use std::collections::{BTreeMap, BTreeSet};

/// The configuration of a reading application.
#[derive(Clone, Debug)]
pub struct ReaderAppConfig {
    /// The topics, each with its number of partitions.
    pub topics: Vec<(String, i32)>,
    /// `request.timeout.ms`, long enough for a full response over the scenario's links.
    pub request_timeout: Span,
    /// `isolation.level`.
    pub isolation_level: IsolationLevel,
    /// `bootstrap.servers`.
    pub bootstrap: Vec<BrokerId>,
}

/// A reading application.
#[derive(Clone, Debug)]
pub struct ReaderApp {
    config: Box<ReaderAppConfig>,
    properties: ConsumerConfig,
    consumer: Consumer,
    /// The end offset of each partition, once its leader has returned it.
    ends: BTreeMap<TopicPartition, Offset>,
    /// The partitions that have been read to their end.
    done: BTreeSet<TopicPartition>,
    /// The partitions for which a poll threw since the application's last attempt.
    thrown: BTreeSet<TopicPartition>,
}

const START: Timer = Timer::Application(0);
const RETRY: Timer = Timer::Application(1);
/// The time from an exception to the next attempt.
const RETRY_AFTER: Span = Span::secs(1);

impl ReaderApp {
    /// Creates the consumer; reading starts with the first timer.
    pub fn boot(config: &ReaderAppConfig, rules: Rulebook, boot: Boot, out: &mut Outbox) -> Self {
        let properties = ConsumerConfig {
            auto_offset_reset: Reset::Earliest,
            max_poll_records: u32::MAX,
            request_timeout: config.request_timeout,
            isolation_level: config.isolation_level,
            // Producers have ended, so a fetch at the end of a partition need not wait.
            fetch_max_wait: Span::millis(10),
            ..ConsumerConfig::default()
        };
        let consumer = Consumer::new(&properties, rules, &boot, &config.bootstrap);
        out.set_timer(START, boot.now.mono);
        Self {
            config: Box::new(config.clone()),
            properties,
            consumer,
            ends: BTreeMap::new(),
            done: BTreeSet::new(),
            thrown: BTreeSet::new(),
        }
    }

    /// Whether every partition has been read to its end.
    pub fn is_done(&self) -> bool {
        self.done.len() == self.config.topics.iter().map(|(_, n)| *n as usize).sum::<usize>()
    }

    /// Whether a partition has been read to its end.
    pub fn has_read(&self, partition: TopicPartition) -> bool {
        self.done.contains(&partition)
    }

    /// The consumer's properties.
    pub fn properties(&self) -> &ConsumerConfig {
        &self.properties
    }

    /// The position in a partition, once it has one.
    pub fn position(&self, partition: TopicPartition) -> Option<Offset> {
        self.consumer.position(partition)
    }

    /// The end offset of a partition, once its leader has returned it.
    pub fn end(&self, partition: TopicPartition) -> Option<Offset> {
        self.ends.get(&partition).copied()
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        match input {
            Input::Timer(START) => {
                let all = partitions(&self.config.topics);
                self.consumer.assign(now, &all, out);
                for (topic, partition) in all {
                    self.consumer.request_end(now, topic, partition, out);
                }
            }
            Input::Timer(RETRY) => self.retry(now, out),
            input => to_consumer(&mut self.consumer, now, &input, out),
        }
        let mut moved = BTreeSet::new();
        while self.consumer.has_records() {
            let polled = self.consumer.poll(now, out);
            if polled.is_empty() {
                break;
            }
            moved.extend(polled.iter().map(|polled| polled.partition));
            polled.into_iter().for_each(|polled| report_polled(polled, out));
        }
        for event in self.consumer.take_events() {
            match event {
                ConsumerEvent::EndShown { partition, offset, .. } => {
                    self.ends.insert(partition, offset);
                    moved.insert(partition);
                }
                ConsumerEvent::Positioned { partition, .. } => {
                    moved.insert(partition);
                }
                ConsumerEvent::Error { partition, error } if error.ends_reading() => {
                    if self.thrown.is_empty() {
                        out.set_timer(RETRY, now.mono + RETRY_AFTER);
                    }
                    self.thrown.insert(partition);
                }
                ConsumerEvent::TimeShown { .. } | ConsumerEvent::Error { .. } => {}
            }
            report_event(&event, out);
        }
        for partition in moved {
            self.report_read_back(partition, out);
        }
    }

    /// Seeks to the positions at which polls threw, which makes the consumer drop what it fetched
    /// and fetch it again: a leader elected since may have a batch whole. A consumer that stays at a
    /// corrupt batch learns of that leader with its next metadata, up to `metadata.max.age.ms` later.
    fn retry(&mut self, now: Now, out: &mut Outbox) {
        let thrown = std::mem::take(&mut self.thrown);
        for (topic, _) in &self.config.topics {
            let Some(id) = self.consumer.metadata().topic(topic).map(|known| known.id) else {
                continue;
            };
            for at in thrown.iter().filter(|at| at.topic == id) {
                if let Some(position) = self.consumer.position(*at) {
                    self.consumer.seek(now, topic, at.partition, position, None, out);
                }
            }
        }
    }

    /// Reports a partition that has been read to its end, once.
    fn report_read_back(&mut self, partition: TopicPartition, out: &mut Outbox) {
        let Some(end) = self.ends.get(&partition).copied() else { return };
        let reached = self.consumer.position(partition).is_some_and(|at| at >= end);
        if reached && self.done.insert(partition) {
            out.observe(Fact::Client(ClientFact::ReadBack { partition, end }));
        }
    }
}

fn partitions(topics: &[(String, i32)]) -> Vec<(&str, i32)> {
    let all = topics.iter().flat_map(|(topic, partitions)| {
        (0..*partitions).map(move |partition| (topic.as_str(), partition))
    });
    all.collect()
}
