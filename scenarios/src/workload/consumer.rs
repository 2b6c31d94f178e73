//! An application that reads all partitions of its topics while the load lasts.

use super::{tell_event, tell_polled, to_consumer};
use engine::client::Consumer;
use engine::config::ConsumerConfig;
use engine::ids::{BrokerId, Offset, TopicPartition};
use engine::rules::Rulebook;
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{Boot, Mono, Now, Span};
use spec::{Seek, SeekTo};

/// What a consuming application is configured with.
#[derive(Clone, Debug)]
pub struct ConsumerAppConfig {
    /// The topics that it reads and how many partitions each has.
    pub topics: Vec<(String, i32)>,
    /// When it begins, after the load has begun.
    pub start: Span,
    /// When it ends.
    pub stop: Option<Span>,
    /// Moves of its positions.
    pub seeks: Vec<Seek>,
    /// How often it asks for the end of every partition.
    pub ask_end_every: Option<Span>,
    /// The consumer's properties.
    pub consumer: ConsumerConfig,
    /// The brokers to ask first.
    pub bootstrap: Vec<BrokerId>,
    /// When the load began, on the host's monotonic clock; `None` before the first start, which
    /// is that moment.
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
}

const START: Timer = Timer::Application(0);
const STOP: Timer = Timer::Application(1);
const ASK_END: Timer = Timer::Application(2);
/// Timers from here on are seeks, by index.
const SEEK: u32 = 3;

impl ConsumerApp {
    /// Starts. In assign mode positions are not kept: after a crash it reads from where
    /// `auto.offset.reset` says.
    pub fn boot(config: &ConsumerAppConfig, rules: Rulebook, boot: Boot, out: &mut Outbox) -> Self {
        let began = config.began.unwrap_or(boot.now.mono);
        let consumer = Consumer::new(&config.consumer, rules, &boot, &config.bootstrap);
        let app = Self { config: Box::new(config.clone()), consumer, began, reading: false };
        out.set_timer(START, began + config.start);
        if let Some(stop) = config.stop {
            out.set_timer(STOP, began + stop);
        }
        for (index, seek) in config.seeks.iter().enumerate() {
            if let Some(at) = next_time(seek, began, boot.now.mono) {
                out.set_timer(Timer::Application(SEEK + index as u32), at);
            }
        }
        app
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

    /// Whether it has been started and not stopped.
    pub fn is_reading(&self) -> bool {
        self.reading
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        match input {
            Input::Timer(START) => self.start(now, out),
            Input::Timer(STOP) => {
                self.consumer.assign(now, &[], out);
                self.reading = false;
            }
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
        if let Some(next) = next_time(&seek, self.began, now.mono + Span(1)) {
            out.set_timer(Timer::Application(SEEK + index as u32), next);
        }
        if !self.reading {
            return;
        }
        for (topic, partitions) in &self.config.topics {
            let Some(known) = self.consumer.metadata().topic(topic) else { continue };
            for partition in 0..*partitions {
                let id = TopicPartition::new(known.id, partition);
                let position = self.consumer.position(id);
                let to = match seek.to {
                    SeekTo::Beginning => Some(0),
                    SeekTo::End => self.consumer.high_watermark(id),
                    SeekTo::Offset(offset) => Some(offset as Offset),
                    SeekTo::Back(by) => position.map(|at| (at - by as Offset).max(0)),
                };
                if let Some(to) = to {
                    self.consumer.seek(now, topic, partition, to, None, out);
                }
            }
        }
    }

    fn poll(&mut self, now: Now, out: &mut Outbox) {
        while self.consumer.has_records() {
            let polled = self.consumer.poll(now, out);
            if polled.is_empty() {
                break;
            }
            polled.into_iter().for_each(|polled| tell_polled(polled, out));
        }
        if self.consumer.has_events() {
            self.consumer.take_events().for_each(|event| tell_event(&event, out));
        }
    }
}

/// The first moment of a seek at or after `now`.
fn next_time(seek: &Seek, began: Mono, now: Mono) -> Option<Mono> {
    let first = began + seek.at.0;
    if first >= now {
        return Some(first);
    }
    let every = seek.every?.nanos().max(1);
    let rounds = now.since(first).0.div_ceil(every);
    Some(first + Span(rounds.saturating_mul(every)))
}
