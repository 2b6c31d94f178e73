//! The producer (`KafkaProducer`).
//!
//! `send` puts a record into a batch of its partition; the sender takes batches to the leaders
//! and reports what became of them. A `send` that finds no memory or no metadata waits, and the
//! later ones behind it, as the calls of one thread would; after `max.block.ms` it fails.
//!
//! Nothing is put on a connection before it is open, so that a batch is known never to have left
//! unless it was sent. That is what makes [`ProducerEvent::Failed::maybe_written`] exact.
//!
//! With `enable.idempotence`, the default, batches carry the producer's id, its epoch and a
//! sequence, by which the leader knows copies and gaps (KIP-98). The id is requested with the first
//! record, not when the producer is made.
//!
//! With `transactional.id` the id belongs to that name, and records are sent in transactions
//! (`transactional.rs`).

mod accumulator;
mod batch;
mod coordinator;
#[cfg(test)]
mod idempotent_tests;
mod identity;
mod record;
mod sender;
mod sending;
mod sequences;
#[cfg(test)]
mod tests;
mod transactional;
#[cfg(test)]
mod transactional_tests;
mod transactions;

pub use record::{ProducerEvent, ProducerRecord, ProducerStats, SendError};
pub use transactions::{TransactionCall, TransactionError, TransactionFailure, TransactionState};

use super::metadata::Metadata;
use super::random::{Backoff, Random};
use crate::config::ProducerConfig;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, Offset};
use crate::net::{ChannelConfig, Channels, Disconnected};
use crate::protocol::{Message, Response};
use crate::rules::Rulebook;
use crate::timer::{Channel, ClientTimer, Timer};
use crate::{Input, Outbox};
use accumulator::Accumulator;
use batch::Batch;
use identity::IdRequest;
use machine::{Boot, ConnId, Mono, NodeId, Now};
use record::OwnedRecord;
use sequences::Sequences;
use std::collections::{BTreeMap, VecDeque};
use transactional::Transactional;

/// The stream of a producer's random choices.
const STREAM: u64 = 1;

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    node: NodeId,
    config: ProducerConfig,
    rules: Rulebook,
    random: Random,
    backoff: Backoff,
    channels: Channels<Context>,
    metadata: Metadata,
    accumulator: Accumulator,
    blocked: VecDeque<Blocked>,
    /// The first of those that are blocked waits for memory: then everything is sent at once.
    waits_for_memory: bool,
    /// Produce requests by number.
    in_flight: BTreeMap<u64, Vec<Sending>>,
    next_request: u64,
    /// The queue that the next request to a node begins with, so that none starves.
    drain_from: BTreeMap<NodeId, usize>,
    flushing: bool,
    /// Of an idempotent producer.
    sequences: Option<Sequences>,
    /// The request for an id.
    id_request: IdRequest,
    /// Of a producer with a transactional id.
    transactional: Option<Box<Transactional>>,
    /// The sender sends no batch and lets none expire: it waits for an id, or for the coordinator.
    is_held: bool,
    /// No batch reaches `delivery.timeout.ms` before this.
    expires_at: Mono,
    /// The time for which the timer is set.
    armed: Mono,
    events: Vec<ProducerEvent>,
    stats: ProducerStats,
}

/// The purpose of a request.
#[derive(Clone, Copy, Debug)]
enum Context {
    Metadata,
    ApiVersions,
    InitProducerId,
    /// The request about transactions that the sender has in hand.
    Transaction,
    Produce(u64),
}

/// A `send` that waits.
#[derive(Clone, Debug)]
struct Blocked {
    record: OwnedRecord,
    tag: u64,
    deadline: Mono,
}

/// A batch in flight, and the queue that it came from.
#[derive(Clone, Debug)]
struct Sending {
    queue: usize,
    batch: Batch,
}

impl Producer {
    /// A producer of the process that `boot` starts, with brokers to ask first.
    pub fn new(
        config: &ProducerConfig,
        rules: Rulebook,
        boot: &Boot,
        bootstrap: &[BrokerId],
    ) -> Self {
        let backoff = Backoff { initial: config.retry_backoff, max: config.retry_backoff_max };
        let channel_config = ChannelConfig {
            max_in_flight: config.max_in_flight as usize,
            reconnect_backoff: config.reconnect_backoff,
            reconnect_backoff_max: config.reconnect_backoff_max,
            setup_timeout: config.connection_setup_timeout,
        };
        let sequences = match &config.transactional_id.0 {
            Some(_) => Some(Sequences::transactional()),
            None => config.is_idempotent().then(Sequences::new),
        };
        let transactional = config.transactional_id.0.clone().map(Transactional::new);
        Self {
            node: boot.node,
            config: config.clone(),
            rules,
            random: Random::new(boot.entropy, STREAM),
            backoff,
            channels: Channels::new(Channel::Producer, channel_config),
            metadata: Metadata::new(boot.node, bootstrap, config.metadata_max_age, backoff),
            accumulator: Accumulator::new(config.buffer_memory),
            blocked: VecDeque::new(),
            waits_for_memory: false,
            in_flight: BTreeMap::new(),
            next_request: 0,
            drain_from: BTreeMap::new(),
            flushing: false,
            sequences,
            id_request: IdRequest::Due(Mono::default()),
            transactional: transactional.map(Box::new),
            is_held: false,
            expires_at: Mono::MAX,
            armed: Mono::MAX,
            events: Vec::new(),
            stats: ProducerStats::default(),
        }
    }

    /// Sends everything without lingering, until nothing is left.
    pub fn flush(&mut self, now: Now, out: &mut Outbox) {
        self.flushing = true;
        self.arm(now.mono, out);
    }

    /// The events since the last call, in order.
    pub fn take_events(&mut self) -> std::vec::Drain<'_, ProducerEvent> {
        self.events.drain(..)
    }

    /// Whether there are events to take.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether a `send` waits; an application with one thread would wait with it.
    pub fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    /// Whether the outcome of every record is known.
    pub fn is_idle(&self) -> bool {
        self.blocked.is_empty() && !self.has_incomplete_batches()
    }

    /// Whether some batch has no outcome.
    fn has_incomplete_batches(&self) -> bool {
        let mut in_flight = self.in_flight.values().flatten();
        !self.accumulator.is_empty() || in_flight.any(|sending| !sending.batch.is_done)
    }

    /// Its statistics.
    pub fn stats(&self) -> ProducerStats {
        self.stats
    }

    /// Its metadata of the cluster.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Handles a message. Returns whether it was for this client.
    pub fn on_message(
        &mut self,
        now: Now,
        conn: ConnId,
        message: &Message,
        out: &mut Outbox,
    ) -> bool {
        let Message::Response { correlation_id, body } = message else { return false };
        let Some((_, context)) = self.channels.on_response(conn, *correlation_id) else {
            return false;
        };
        match (context, body) {
            (Context::Metadata, Response::Metadata(response)) => {
                self.metadata.on_response(now.mono, response, &mut self.random);
            }
            (Context::ApiVersions, Response::ApiVersions(response)) => {
                self.on_features(response);
            }
            (Context::InitProducerId, Response::InitProducerId(response)) => {
                self.on_id(now.mono, response);
            }
            (Context::Transaction, body) => self.on_transaction_response(body),
            (Context::Produce(number), Response::Produce(response)) => {
                self.on_produced(now.mono, number, response, out);
            }
            (context, body) => panic!("{context:?} got the response {}", body.name()),
        }
        self.run(now, out);
        true
    }

    /// A connection is open. Returns whether it is one of this client.
    pub fn on_opened(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        let Some(node) = self.channels.on_opened(conn) else { return false };
        self.ask_for_features(now.mono, node, out);
        self.run(now, out);
        true
    }

    /// Handles an input of the process. Returns whether it was one of this client.
    pub fn on_input(&mut self, now: Now, input: &Input, out: &mut Outbox) -> bool {
        match input {
            Input::Message { conn, message, .. } => self.on_message(now, *conn, message, out),
            Input::Opened { conn, .. } => self.on_opened(now, *conn, out),
            Input::Closed { conn, .. } => self.on_closed(now, *conn, out),
            Input::Timer(Timer::Client(timer)) => self.on_timer(now, *timer, out),
            Input::Timer(Timer::Requests(channel)) => self.on_requests_timer(now, *channel, out),
            Input::Timer(_) | Input::Stop => false,
        }
    }

    /// A connection has ended. Returns whether it was one of this client.
    pub fn on_closed(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        let Some(lost) = self.channels.on_closed(now.mono, conn) else { return false };
        self.on_lost(now.mono, lost, ErrorCode::NetworkException, out);
        self.run(now, out);
        true
    }

    /// A timer is due. Returns whether it was one of this client.
    pub fn on_timer(&mut self, now: Now, timer: ClientTimer, out: &mut Outbox) -> bool {
        let own = timer == ClientTimer::Producer;
        if own {
            self.armed = Mono::MAX;
            if now.mono >= self.expires_at {
                // After a pause both are due: Kafka's sender looks at its requests first.
                self.time_out_requests(now, out);
            }
            self.run(now, out);
        }
        own
    }

    /// [`Timer::Requests`] is due. Returns whether it was one of this client.
    pub fn on_requests_timer(&mut self, now: Now, channel: Channel, out: &mut Outbox) -> bool {
        let own = channel == Channel::Producer;
        if own {
            self.time_out_requests(now, out);
            self.run(now, out);
        }
        own
    }

    fn time_out_requests(&mut self, now: Now, out: &mut Outbox) {
        for lost in self.channels.on_timer(now.mono, out) {
            self.on_lost(now.mono, lost, ErrorCode::RequestTimedOut, out);
        }
    }

    fn on_lost(
        &mut self,
        now: Mono,
        lost: Disconnected<Context>,
        error: ErrorCode,
        out: &mut Outbox,
    ) {
        self.metadata.request_update();
        for context in lost.failed {
            match context {
                Context::Metadata => self.metadata.on_failure(now, &mut self.random),
                Context::ApiVersions => {}
                Context::InitProducerId => self.on_id_lost(now),
                Context::Transaction => self.on_transaction_lost(),
                Context::Produce(number) => self.on_produce_lost(now, number, error, out),
            }
        }
    }

    fn confirm(&mut self, queue: usize, batch: &mut Batch, base_offset: Option<Offset>) {
        let partition = self.accumulator.queues[queue].partition;
        let tags = std::mem::take(&mut batch.tags);
        let over = batch.sent_over;
        self.events.push(ProducerEvent::Confirmed { partition, base_offset, tags, over });
    }

    fn fail(&mut self, queue: usize, batch: &mut Batch, error: ErrorCode) {
        let partition = Some(self.accumulator.queues[queue].partition);
        let tags = std::mem::take(&mut batch.tags);
        let (maybe_written, over) = (batch.maybe_written, batch.sent_over);
        self.stats.errors += 1;
        self.events.push(ProducerEvent::Failed { partition, error, maybe_written, tags, over });
    }

    fn arm(&mut self, at: Mono, out: &mut Outbox) {
        if at < self.armed {
            self.armed = at;
            out.set_timer(Timer::Client(ClientTimer::Producer), at);
        }
    }

    /// Panics if it contradicts itself.
    pub fn invariants(&self) {
        let sendings = || self.in_flight.values().flatten();
        let in_flight: u64 = sendings().map(|sending| sending.batch.charge).sum();
        assert_eq!(
            self.accumulator.free + self.accumulator.charged() + in_flight,
            self.config.buffer_memory,
            "memory is free, waiting or in flight"
        );
    }
}
