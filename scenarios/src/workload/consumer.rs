//! An application that reads all partitions of its topics while the load lasts.

use super::seeking::{self, next_seek};
use super::{report_event, report_polled, to_consumer};
use engine::client::{Consumer, ConsumerError, ConsumerEvent, Polled};
use engine::config::ConsumerConfig;
use engine::ids::{BrokerId, Offset, TopicPartition};
use engine::rules::Rulebook;
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{Boot, Mono, Now, Span};
use spec::Seek;
use std::collections::BTreeMap;

/// The configuration of a consuming application.
#[derive(Clone, Debug)]
pub struct ConsumerAppConfig {
    /// The topics that it reads, each with its number of partitions.
    pub topics: Vec<(String, i32)>,
    /// When it begins to read, after the load has begun.
    pub start: Span,
    /// When it stops reading, after the load has begun.
    pub stop: Option<Span>,
    /// Seeks of the application.
    pub seeks: Vec<Seek>,
    /// The interval at which it requests the end offset of every partition.
    pub ask_end_every: Option<Span>,
    /// The consumer's properties.
    pub consumer: ConsumerConfig,
    /// `bootstrap.servers`.
    pub bootstrap: Vec<BrokerId>,
    /// When the load began, on the host's monotonic clock; `None`: it begins with the application's
    /// first start.
    pub began: Option<Mono>,
}

impl ConsumerAppConfig {
    fn partitions(&self) -> impl Iterator<Item = (&str, i32)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            (0..*partitions).map(move |partition| (topic.as_str(), partition))
        })
    }
}

/// A consuming application.
#[derive(Clone, Debug)]
pub struct ConsumerApp {
    config: Box<ConsumerAppConfig>,
    consumer: Consumer,
    began: Mono,
    reading: bool,
    thrown: Thrown,
}

/// The exceptions that ended reading, each until the partition gets a new position or is read
/// again: after a change of leader the consumer drops its buffer, and the next leader may have the
/// batch intact.
#[derive(Clone, Debug, Default)]
pub(super) struct Thrown(pub(super) BTreeMap<TopicPartition, ConsumerError>);

impl Thrown {
    pub(super) fn on_event(&mut self, event: &ConsumerEvent) {
        match event {
            ConsumerEvent::Error { partition, error } if error.ends_reading() => {
                self.0.insert(*partition, *error);
            }
            ConsumerEvent::Positioned { partition, .. } => {
                self.0.remove(partition);
            }
            _ => {}
        }
    }

    pub(super) fn on_polled(&mut self, polled: &Polled) {
        self.0.remove(&polled.partition);
    }
}

const START: Timer = Timer::Application(0);
const STOP: Timer = Timer::Application(1);
const ASK_END: Timer = Timer::Application(2);
/// Timers from here on are seeks, by index.
const SEEK: u32 = 3;

impl ConsumerApp {
    /// Starts the application. In assign mode positions are not saved: after a crash it begins at
    /// the position of `auto.offset.reset`.
    pub fn boot(config: &ConsumerAppConfig, rules: Rulebook, boot: Boot, out: &mut Outbox) -> Self {
        let began = config.began.unwrap_or(boot.now.mono);
        let consumer = Consumer::new(&config.consumer, rules, &boot, &config.bootstrap);
        let config = Box::new(config.clone());
        let app = Self { config, consumer, began, reading: false, thrown: Thrown::default() };
        out.set_timer(START, began + app.config.start);
        if let Some(stop) = app.config.stop {
            out.set_timer(STOP, began + stop);
        }
        for (index, seek) in app.config.seeks.iter().enumerate() {
            if let Some(at) = next_seek(seek, began, boot.now.mono) {
                out.set_timer(Timer::Application(SEEK + index as u32), at);
            }
        }
        app
    }

    /// The consumer's properties.
    pub fn properties(&self) -> &ConsumerConfig {
        &self.config.consumer
    }

    /// The position in a partition, if it reads it.
    pub fn position(&self, partition: TopicPartition) -> Option<Offset> {
        self.consumer.position(partition)
    }

    /// Whether it reads a partition.
    pub fn reads(&self, partition: TopicPartition) -> bool {
        let metadata = self.consumer.metadata();
        let mut topics = self.config.topics.iter().filter_map(|(name, _)| metadata.topic(name));
        self.reading && topics.any(|topic| topic.id == partition.topic)
    }

    /// Whether it is reading: the consumer has been assigned partitions, and has not stopped.
    pub fn is_reading(&self) -> bool {
        self.reading
    }

    /// The partitions that it no longer reads, each with the exception of its poll.
    pub fn thrown(&self) -> &BTreeMap<TopicPartition, ConsumerError> {
        &self.thrown.0
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        match input {
            Input::Timer(START) => self.start(now, out),
            Input::Timer(STOP) => self.stop(now, out),
            Input::Timer(ASK_END) => self.ask_end(now, out),
            Input::Timer(Timer::Application(number)) => {
                self.seek((number - SEEK) as usize, now, out);
            }
            input => to_consumer(&mut self.consumer, now, &input, out),
        }
        self.poll(now, out);
    }

    fn start(&mut self, now: Now, out: &mut Outbox) {
        let stopped = self.config.stop.is_some_and(|stop| self.began + stop <= now.mono);
        if stopped {
            return;
        }
        self.consumer.assign(now, &self.config.partitions().collect::<Vec<_>>(), out);
        self.reading = true;
        self.ask_end_later(now, out);
    }

    fn stop(&mut self, now: Now, out: &mut Outbox) {
        self.consumer.assign(now, &[], out);
        self.reading = false;
    }

    fn ask_end(&mut self, now: Now, out: &mut Outbox) {
        if self.reading {
            for (topic, partition) in self.config.partitions() {
                self.consumer.request_end(now, topic, partition, out);
            }
            self.ask_end_later(now, out);
        }
    }

    fn ask_end_later(&self, now: Now, out: &mut Outbox) {
        if let Some(every) = self.config.ask_end_every {
            out.set_timer(ASK_END, now.mono + every);
        }
    }

    fn seek(&mut self, index: usize, now: Now, out: &mut Outbox) {
        let seek = self.config.seeks[index].clone();
        if let Some(next) = next_seek(&seek, self.began, now.mono + Span(1)) {
            out.set_timer(Timer::Application(SEEK + index as u32), next);
        }
        if !self.reading {
            return;
        }
        seeking::seek(&mut self.consumer, &self.config.topics, seek.to, now, out);
    }

    fn poll(&mut self, now: Now, out: &mut Outbox) {
        while self.consumer.has_records() {
            let polled = self.consumer.poll(now, out);
            if polled.is_empty() {
                break;
            }
            for polled in polled {
                self.thrown.on_polled(&polled);
                report_polled(polled, out);
            }
        }
        if !self.consumer.has_events() {
            return;
        }
        let mut found = Vec::new();
        for event in self.consumer.take_events() {
            if let ConsumerEvent::TimeShown { partition, offset: Some(offset), .. } = event {
                found.push((partition, offset));
            }
            self.thrown.on_event(&event);
            report_event(&event, out);
        }
        if self.reading {
            for to in found {
                seeking::go_to(&mut self.consumer, &self.config.topics, to, now, out);
            }
        }
        if self.reading && !self.thrown.0.is_empty() && !self.seeks_later(now.mono) {
            // Nothing handles the exception: the application ends.
            self.stop(now, out);
        }
    }

    /// Whether it will seek again, and so continue after an exception.
    fn seeks_later(&self, now: Mono) -> bool {
        self.config.seeks.iter().any(|seek| next_seek(seek, self.began, now).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::TopicId;

    /// After a change of leader a consumer reads past a corrupt batch without a seek.
    #[test]
    fn a_partition_that_is_read_again_has_no_exception() {
        let [first, second] = [0, 1].map(|index| TopicPartition::new(TopicId(7), index));
        let mut thrown = Thrown::default();
        for partition in [first, second] {
            let error = ConsumerError::Corrupt { position: 10 };
            thrown.on_event(&ConsumerEvent::Error { partition, error });
        }
        let polled = Polled { partition: first, from: 10, to: 12, records: 2, batches: Vec::new() };
        thrown.on_polled(&polled);
        assert_eq!(thrown.0.keys().collect::<Vec<_>>(), [&second]);
    }
}
