//! An application that sends its scheduled records.

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

/// The configuration of a producing application.
#[derive(Clone, Debug)]
pub struct ProducerAppConfig {
    /// The records and their times.
    pub schedule: Schedule,
    /// The topics, to which the schedule refers by index, each with its number of partitions.
    pub topics: Vec<(String, i32)>,
    /// The partition of every record; `None`: the partitioner chooses.
    pub partition: Option<i32>,
    /// The size of a record's value in bytes.
    pub record_size: u32,
    /// The transactions, for a producer with a `transactional.id`.
    pub transactions: Option<Transactions>,
    /// Whether and when the application sends messages again.
    pub repeats: Repeats,
    /// The producer's properties.
    pub producer: ProducerConfig,
    /// `bootstrap.servers`.
    pub bootstrap: Vec<BrokerId>,
    /// When the load began, on the host's monotonic clock; `None`: it begins with the application's
    /// first start.
    pub began: Option<Mono>,
}

/// A producing application.
#[derive(Clone, Debug)]
pub struct ProducerApp {
    config: Box<ProducerAppConfig>,
    producer: Producer,
    arrivals: Arrivals,
    next: Option<Arrival>,
    /// The messages, if the application may send one again.
    messages: Option<Messages>,
    began: Mono,
    value: Vec<u8>,
    /// The application was asked to stop: `KafkaProducer.close` waits for the outcomes of sent
    /// records, and nothing more is sent.
    is_closing: bool,
}

/// The remaining work of a producing application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// The number of records that are still to be given to the producer.
    Records(u64),
    /// All records were given to the producer, and some have no outcome yet.
    Outcomes,
}

/// The one timer of the application: the next record is due.
const ARRIVAL: Timer = Timer::Application(0);

impl ProducerApp {
    /// Starts with the first record; after a restart, with the first one that is not overdue, or
    /// that is at most `repeats.rewind` overdue. The outcomes of records that the previous life had
    /// in memory stay unknown.
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

    /// Whether a message waits to be sent again.
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

    /// The application's remaining work; `None` if there is none.
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
            Input::Timer(ARRIVAL) if self.is_closing => {}
            Input::Timer(ARRIVAL) => self.send_due(now, out),
            Input::Stop => {
                self.is_closing = true;
                self.messages.iter_mut().for_each(Messages::close);
                self.producer.flush(now, out);
            }
            input => {
                self.producer.on_input(now, &input, out);
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

    /// Sends the records that are due. A blocked `send` blocks the application.
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

    /// Panics if the state of the producer contradicts itself.
    pub fn invariants(&self) {
        self.producer.invariants();
    }
}

/// Reports an event about records as a fact. The application itself reports the results of calls.
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
