//! An application that sends what its schedule says.

use super::arrivals::{Arrival, Arrivals, Schedule, write_value};
use super::transactions::Transactions;
use engine::client::{Producer, ProducerEvent, ProducerRecord};
use engine::config::ProducerConfig;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};
use engine::ids::BrokerId;
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
    /// Starts with the first record, after a restart with the first that is not overdue. What a
    /// crash took from the memory is gone, and its outcome stays unknown.
    pub fn boot(config: &ProducerAppConfig, rules: Rulebook, boot: Boot, out: &mut Outbox) -> Self {
        let producer = Producer::new(&config.producer, rules, &boot, &config.bootstrap);
        let began = config.began.unwrap_or(boot.now.mono);
        let elapsed = boot.now.mono.since(began);
        let mut arrivals = Arrivals::new(config.schedule.clone());
        let restarted = boot.incarnation > 0;
        let next = arrivals.find(|arrival| !restarted || arrival.at >= elapsed);
        let mut app = Self {
            config: Box::new(config.clone()),
            producer,
            arrivals,
            next,
            began,
            value: Vec::new(),
            is_closing: false,
        };
        app.wait_for_next(out);
        app
    }

    fn wait_for_next(&mut self, out: &mut Outbox) {
        if let Some(next) = self.next {
            out.set_timer(ARRIVAL, self.began + next.at);
        }
    }

    /// Whether every record has been sent and every outcome is known.
    pub fn is_done(&self) -> bool {
        self.next.is_none() && self.producer.is_idle()
    }

    /// What is left to be done; `None` if nothing is.
    pub fn owes(&self) -> Option<Owed> {
        let unsent = self.arrivals.remaining() + u64::from(self.next.is_some());
        match (unsent, self.producer.is_idle()) {
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
                self.producer.flush(now, out);
            }
        }
        if self.producer.has_events() {
            self.report(out);
        }
        if self.is_closing && self.producer.is_idle() {
            out.halt(machine::Halt::Clean);
        }
    }

    /// Sends what is due. A blocked `send` blocks the application: the rest waits for it.
    fn send_due(&mut self, now: Now, out: &mut Outbox) {
        let elapsed = now.mono.since(self.began);
        while let Some(next) = self.next.filter(|next| next.at <= elapsed) {
            if self.producer.is_blocked() {
                out.set_timer(ARRIVAL, now.mono + Span::millis(1));
                return;
            }
            self.send(now, next, out);
            self.next = self.arrivals.next();
        }
        self.wait_for_next(out);
    }

    fn send(&mut self, now: Now, arrival: Arrival, out: &mut Outbox) {
        write_value(arrival.record, self.config.record_size, &mut self.value);
        let key = arrival.key.map(u32::to_be_bytes);
        let record = ProducerRecord {
            topic: &self.config.topics[arrival.topic as usize].0,
            partition: self.config.partition,
            key: key.as_ref().map(|key| &key[..]),
            value: Some(&self.value),
            headers: &[],
            timestamp: None,
        };
        if self.producer.send(now, record, arrival.record, out).is_err() {
            out.observe(Fact::Client(ClientFact::Failed {
                partition: None,
                error: ErrorCode::MessageTooLarge,
                maybe_written: false,
                records: vec![arrival.record],
                over: None,
            }));
        }
    }

    /// Reports the producer's events as facts.
    fn report(&mut self, out: &mut Outbox) {
        let acks = self.config.producer.acks.code();
        for event in self.producer.take_events() {
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
