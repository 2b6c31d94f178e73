//! An application that sends what its schedule says.

use super::again::{Message, Messages, Repeats};
use super::arrivals::{Arrival, Arrivals, Schedule, write_value};
use super::transactions::Transactions;
use engine::client::{Producer, ProducerEvent, ProducerRecord};
use engine::config::ProducerConfig;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};
use engine::ids::BrokerId;
use engine::reach::Reach;
use engine::rules::Rulebook;
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{Boot, Mono, Now, Span};

/// What a producing application is configured with.
#[derive(Clone, Debug)]
pub struct ProducerAppConfig {
    /// When it sends what.
    pub schedule: Schedule,
    /// The topics that the schedule counts, each with its number of partitions.
    pub topics: Vec<(String, i32)>,
    /// The partition that every record names; `None`: the partitioner chooses.
    pub partition: Option<i32>,
    /// How many bytes a record's value has.
    pub record_size: u32,
    /// How it sends in transactions, with a `transactional.id`.
    pub transactions: Option<Transactions>,
    /// Whether and when it sends messages again.
    pub repeats: Repeats,
    /// The producer's properties.
    pub producer: ProducerConfig,
    /// The brokers to ask first.
    pub bootstrap: Vec<BrokerId>,
    /// When the load began, on the host's monotonic clock; `None` before the first start, which
    /// is that moment.
    pub began: Option<Mono>,
}

/// A producing application.
#[derive(Clone, Debug)]
pub struct ProducerApp {
    config: Box<ProducerAppConfig>,
    producer: Producer,
    arrivals: Arrivals,
    next: Option<Arrival>,
    /// Of an application that sends messages again.
    messages: Option<Messages>,
    began: Mono,
    value: Vec<u8>,
    /// It was asked to stop: `KafkaProducer.close` waits for what was sent, and nothing follows.
    is_closing: bool,
}

/// What a producing application still has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// So many records are still to be given to the producer.
    Records(u64),
    /// All were given to it, and some have no outcome yet.
    Outcomes,
}

/// The one timer of the application: the next record is due.
const ARRIVAL: Timer = Timer::Application(0);

impl ProducerApp {
    /// Starts with the first record; after a restart with the first that is not overdue, or that was not
    /// so long ago that the application has saved its place since. What a crash took from the memory
    /// is gone, and its outcome stays unknown.
    pub fn boot(config: &ProducerAppConfig, rules: Rulebook, boot: Boot, out: &mut Outbox) -> Self {
        let producer = Producer::new(&config.producer, rules, &boot, &config.bootstrap);
        let began = config.began.unwrap_or(boot.now.mono);
        let elapsed = boot.now.mono.since(began);
        let mut arrivals = Arrivals::new(config.schedule.clone());
        let (life, mut overdue) = (u64::from(boot.incarnation), arrivals.clone());
        let is_due = |arrival: &Arrival| life > 0 && arrival.at < elapsed;
        let overdue = overdue.by_ref().take_while(is_due).count() as u64;
        let producer_number = config.schedule.producer;
        let messages = Messages::new(config.repeats, producer_number, life, overdue, elapsed);
        let back = config.repeats.rewind;
        let next = arrivals.find(|arrival| life == 0 || arrival.at.saturating_add(back) >= elapsed);
        let mut app = Self {
            config: Box::new(config.clone()),
            producer,
            arrivals,
            next,
            messages,
            began,
            value: Vec::new(),
            is_closing: false,
        };
        app.wait_for_next(out);
        app
    }

    /// A message waits to be sent again.
    fn repeats(&self) -> bool {
        self.messages.as_ref().is_some_and(Messages::is_due)
    }

    fn wait_for_next(&mut self, out: &mut Outbox) {
        if let Some(next) = self.next {
            out.set_timer(ARRIVAL, self.began + next.at);
        }
    }

    /// Whether every record has been sent and every outcome is known.
    pub fn is_done(&self) -> bool {
        self.next.is_none() && self.producer.is_idle() && !self.repeats()
    }

    /// What is left to be done; `None` if nothing is.
    pub fn owes(&self) -> Option<Owed> {
        let unsent = self.arrivals.remaining() + u64::from(self.next.is_some());
        match (unsent, self.producer.is_idle() && !self.repeats()) {
            (0, true) => None,
            (0, false) => Some(Owed::Outcomes),
            (unsent, _) => Some(Owed::Records(unsent)),
        }
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        match input {
            Input::Message { conn, message, .. } => {
                self.producer.on_message(now, conn, &message, out);
            }
            Input::Opened { conn, .. } => {
                self.producer.on_opened(now, conn, out);
            }
            Input::Closed { conn, .. } => {
                self.producer.on_closed(now, conn, out);
            }
            Input::Timer(Timer::Client(timer)) => {
                self.producer.on_timer(now, timer, out);
            }
            Input::Timer(Timer::Requests(channel)) => {
                self.producer.on_requests_timer(now, channel, out);
            }
            Input::Timer(ARRIVAL) if self.is_closing => {}
            Input::Timer(ARRIVAL) => self.send_due(now, out),
            Input::Timer(_) => {}
            Input::Stop => {
                self.is_closing = true;
                self.messages.iter_mut().for_each(Messages::close);
                self.producer.flush(now, out);
            }
        }
        if self.producer.has_events() {
            self.report(out);
        }
        if self.repeats() {
            self.send_due(now, out);
        }
        if self.is_closing && self.producer.is_idle() {
            out.halt(machine::Halt::Clean);
        }
    }

    /// Sends what is due. A blocked `send` blocks the application: the rest waits for it.
    fn send_due(&mut self, now: Now, out: &mut Outbox) {
        let elapsed = now.mono.since(self.began);
        while self.repeats() || self.next.is_some_and(|next| next.at <= elapsed) {
            if self.producer.is_blocked() {
                out.set_timer(ARRIVAL, now.mono + Span::millis(1));
                return;
            }
            match self.messages.as_mut().and_then(Messages::next_due) {
                Some(message) => self.send_message(now, message, out),
                None => self.send_next(now, out),
            }
        }
        self.wait_for_next(out);
    }

    /// Sends the next message of the schedule.
    fn send_next(&mut self, now: Now, out: &mut Outbox) {
        let Some(arrival) = self.next else { return };
        self.next = self.arrivals.next();
        match &self.messages {
            Some(messages) => self.send_message(now, messages.arrived(arrival), out),
            None => self.send(now, arrival, arrival.record, out),
        }
    }

    /// Sends a message of an application that may send it more than once.
    fn send_message(&mut self, now: Now, message: Message, out: &mut Outbox) {
        let Message { arrival, again } = message;
        let record = self.messages.as_mut().and_then(|messages| messages.record(message));
        let Some(record) = record else { return };
        out.observe(Fact::Client(ClientFact::Message { record, message: arrival.record, again }));
        if again.is_some() {
            out.observe(Fact::Reached(Reach::MessageSentAgain));
        }
        self.send(now, arrival, record, out);
    }

    fn send(&mut self, now: Now, arrival: Arrival, record: u64, out: &mut Outbox) {
        write_value(record, self.config.record_size, &mut self.value);
        let key = arrival.key.map(u32::to_be_bytes);
        let given = ProducerRecord {
            topic: &self.config.topics[arrival.topic as usize].0,
            partition: self.config.partition,
            key: key.as_ref().map(|key| &key[..]),
            value: Some(&self.value),
            headers: &[],
            timestamp: None,
        };
        if self.producer.send(now, given, record, out).is_err() {
            out.observe(Fact::Client(ClientFact::Failed {
                partition: None,
                error: ErrorCode::MessageTooLarge,
                maybe_written: false,
                records: vec![record],
                over: None,
            }));
        }
    }

    /// Reports the producer's events as facts.
    fn report(&mut self, out: &mut Outbox) {
        let acks = self.config.producer.acks.code();
        for event in self.producer.take_events() {
            match (&mut self.messages, &event) {
                (Some(messages), ProducerEvent::Confirmed { tags, .. }) => messages.confirmed(tags),
                (Some(messages), ProducerEvent::Failed { tags, maybe_written, error, .. }) => {
                    messages.given_up(tags, !maybe_written && !error.is_retriable());
                }
                _ => {}
            }
            report(event, acks, out);
        }
    }

    /// Panics if it contradicts itself.
    pub fn invariants(&self) {
        self.producer.invariants();
    }
}

/// Reports what became of records as facts. What became of calls is the application's to report.
pub(super) fn report(event: ProducerEvent, acks: i16, out: &mut Outbox) {
    out.observe(Fact::Client(match event {
        ProducerEvent::Sent { tag, partition } => ClientFact::Sent { record: tag, partition, acks },
        ProducerEvent::Confirmed { partition, base_offset, tags, over } => {
            ClientFact::Confirmed { partition, base_offset, records: tags, over }
        }
        ProducerEvent::Identified { producer_id, producer_epoch } => {
            ClientFact::Identified { producer_id, producer_epoch }
        }
        ProducerEvent::Renumbered { partition, tags } => {
            ClientFact::Renumbered { partition, records: tags }
        }
        ProducerEvent::Retried { partition, error, tags } => {
            ClientFact::Retried { partition, error, records: tags }
        }
        ProducerEvent::Failed { partition, error, maybe_written, tags, over } => {
            ClientFact::Failed { partition, error, maybe_written, records: tags, over }
        }
        ProducerEvent::CallReturned { .. }
        | ProducerEvent::CallThrew { .. }
        | ProducerEvent::CallTimedOut { .. } => return,
    }));
}
