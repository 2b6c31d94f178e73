//! The consumer with partitions assigned by hand (`KafkaConsumer.assign`), or by its group
//! ([`super::GroupConsumer`]).
//!
//! One fetch is in flight to each leader and one response buffered for each partition. Once the
//! application has polled everything that a leader sent, the next fetch goes to that leader before
//! the application handles the records (`ClassicKafkaConsumer.poll`). A failed fetch is repeated
//! after a growing back-off; Kafka's consumer repeats it at once.

mod aborted;
mod assignment;
mod buffer;
mod event;
mod fetch;
mod in_step;
mod lookup;
mod places;
mod position;
#[cfg(test)]
mod tests;

pub(crate) use assignment::Committable;
pub use event::{ConsumerError, ConsumerEvent, Polled};

use super::metadata::Metadata;
use super::random::{Backoff, Random};
use crate::Outbox;
use crate::config::{ConsumerConfig, Reset};
use crate::fact::{Fact, Positioning};
use crate::fetch_session::FetchSessionHandler;
use crate::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use crate::net::{ChannelConfig, Channels, Disconnected};
use crate::protocol::{Message, Response};
use crate::reach::Reach;
use crate::rules::{Rulebook, client::NewLeader};
use crate::timer::{Channel, ClientTimer, Timer};
use lookup::Asked;
use machine::{Boot, ConnId, Mono, NodeId, Now};
use places::Places;
use position::{Assigned, End, Position, State, Time};
use std::collections::{BTreeMap, VecDeque};

/// The stream of a consumer's random choices.
const STREAM: u64 = 2;
/// `max.in.flight.requests.per.connection` as consumers have it.
const MAX_IN_FLIGHT: usize = 100;

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: ConsumerConfig,
    rules: Rulebook,
    random: Random,
    backoff: Backoff,
    channels: Channels<Context>,
    metadata: Metadata,
    /// The version of the metadata that was last used.
    seen: u64,
    partitions: Vec<Assigned>,
    places: Places,
    /// A position or a leader has changed since positions were last held against leader epochs.
    is_unadopted: bool,
    /// Partitions with buffered records, in the order in which they came.
    ready: VecDeque<usize>,
    /// Nodes with a fetch in flight.
    fetching: Vec<NodeId>,
    /// The fetch session with each node (KIP-227).
    sessions: BTreeMap<NodeId, FetchSessionHandler>,
    next_stamp: u64,
    armed: Mono,
    events: Vec<ConsumerEvent>,
    /// Partitions begin at the committed offset of a group.
    is_in_group: bool,
}

/// The purpose of a request.
#[derive(Clone, Debug)]
enum Context {
    Metadata,
    /// Partitions by their place in the assignment, each with its stamp.
    Fetch(Vec<(usize, u64)>),
    ListOffsets(Vec<Asked>),
    /// The same, for their epochs.
    Epochs(Vec<(usize, u64)>),
}

impl Consumer {
    /// A consumer of the process that `boot` starts, with brokers to ask first.
    pub fn new(
        config: &ConsumerConfig,
        rules: Rulebook,
        boot: &Boot,
        bootstrap: &[BrokerId],
    ) -> Self {
        let backoff = Backoff { initial: config.retry_backoff, max: config.retry_backoff_max };
        let channel_config = ChannelConfig {
            max_in_flight: MAX_IN_FLIGHT,
            reconnect_backoff: config.reconnect_backoff,
            reconnect_backoff_max: config.reconnect_backoff_max,
            setup_timeout: config.connection_setup_timeout,
        };
        Self {
            config: config.clone(),
            rules,
            random: Random::new(boot.entropy, STREAM),
            backoff,
            channels: Channels::new(Channel::Consumer, channel_config),
            metadata: Metadata::new(boot.node, bootstrap, config.metadata_max_age, backoff),
            seen: 0,
            partitions: Vec::new(),
            places: Places::default(),
            is_unadopted: false,
            ready: VecDeque::new(),
            fetching: Vec::new(),
            sessions: BTreeMap::new(),
            next_stamp: 0,
            armed: Mono::MAX,
            events: Vec::new(),
            is_in_group: false,
        }
    }

    /// Reads these partitions, by topic name and index, and no others, from where
    /// `auto.offset.reset` says unless a seek says otherwise.
    pub fn assign(&mut self, now: Now, partitions: &[(&str, i32)], out: &mut Outbox) {
        self.ready.clear();
        self.partitions.clear();
        self.places = Places::default();
        for (place, (topic, index)) in partitions.iter().enumerate() {
            self.metadata.add_topic(topic);
            let stamp = self.stamp();
            self.places.add(topic, *index, place);
            self.partitions.push(Assigned::new(topic, *index, stamp));
        }
        self.seen = 0;
        self.run(now, out);
    }

    /// Reads on at `offset`. `epoch` is the leader epoch of the record before it, where it is
    /// known; the position is then validated first. No effect on a partition not assigned.
    pub fn seek(
        &mut self,
        now: Now,
        topic: &str,
        partition: i32,
        offset: Offset,
        epoch: Option<LeaderEpoch>,
        out: &mut Outbox,
    ) {
        let Some(index) = self.find(topic, partition) else { return };
        if self.partitions[index].state == State::Unresolved {
            self.partitions[index].start = Some((offset, epoch));
        } else {
            self.start_at(index, offset, epoch);
        }
        self.run(now, out);
    }

    /// Asks the leader for the end of a partition, which [`ConsumerEvent::EndShown`] reports. No
    /// effect on a partition not assigned.
    pub fn request_end(&mut self, now: Now, topic: &str, partition: i32, out: &mut Outbox) {
        let Some(index) = self.find(topic, partition) else { return };
        let assigned = &mut self.partitions[index];
        if assigned.end == End::NotWanted {
            assigned.end = End::Wanted;
            self.places.ask(index);
        }
        self.run(now, out);
    }

    /// Asks the leader for the first record whose timestamp is `timestamp` milliseconds or later
    /// (`KafkaConsumer.offsetsForTimes`), which [`ConsumerEvent::TimeShown`] reports. No effect on
    /// a partition not assigned, or while such a request is under way.
    pub fn request_time(
        &mut self,
        now: Now,
        topic: &str,
        partition: i32,
        timestamp: i64,
        out: &mut Outbox,
    ) {
        let Some(index) = self.find(topic, partition) else { return };
        let assigned = &mut self.partitions[index];
        if assigned.time == Time::NotWanted {
            assigned.time = Time::Wanted(timestamp);
            self.places.ask(index);
        }
        self.run(now, out);
    }

    fn find(&self, topic: &str, partition: i32) -> Option<usize> {
        self.places.of_name(topic, partition)
    }

    /// Hands out at most `max.poll.records` records that have been fetched, of the partition
    /// that has waited longest first.
    pub fn poll(&mut self, now: Now, out: &mut Outbox) -> Vec<Polled> {
        let mut polled = Vec::new();
        let mut paused = Vec::new();
        let mut left = self.config.max_poll_records;
        while left > 0
            && let Some(index) = self.ready.pop_front()
        {
            let assigned = &mut self.partitions[index];
            if assigned.is_paused {
                paused.push(index);
                continue;
            }
            let (Some(buffered), Some(position)) = (&mut assigned.buffered, &mut assigned.position)
            else {
                continue;
            };
            let from = position.offset;
            let rules = &self.rules;
            let mut passes_over = |batch| rules.passes_over(out, batch);
            let check_crcs = self.config.check_crcs;
            let taken = buffered.take(position, left, check_crcs, &mut passes_over);
            let (to, partition) = (position.offset, assigned.partition);
            if std::mem::take(&mut buffered.has_skipped) {
                out.observe(Fact::Reached(Reach::AbortedSkipped));
            }
            if taken.error.is_none() && buffered.is_empty() {
                assigned.buffered = None;
            } else if taken.error.is_none() {
                self.ready.push_front(index);
            }
            left -= taken.records;
            if to > from {
                let (records, batches) = (taken.records, taken.batches);
                polled.push(Polled { partition, from, to, records, batches });
            }
            if taken.error.is_some() {
                // What was fetched is kept, and the partition is not read until the application
                // seeks. Kafka keeps it at the head of all that was fetched, so that every poll
                // throws and none hands out anything else (`FetchCollector.collectFetch`); here the
                // other partitions are read on.
                out.observe(Fact::Reached(Reach::CorruptBatchRead));
                self.error(index, ConsumerError::Corrupt { position: to });
            }
        }
        // They are looked at again by the next poll (`FetchCollector.collectFetch`).
        self.ready.extend(paused);
        self.run(now, out);
        polled
    }

    /// Whether a poll would find something.
    pub fn has_records(&self) -> bool {
        let has = |it: &Assigned| it.buffered.is_some() && !it.is_paused;
        self.ready.iter().any(|index| has(&self.partitions[*index]))
    }

    /// The events since the last call, in order.
    pub fn take_events(&mut self) -> std::vec::Drain<'_, ConsumerEvent> {
        self.events.drain(..)
    }

    /// Whether there are events to take.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The position in a partition: the offset of the next record to be handed out.
    pub fn position(&self, partition: TopicPartition) -> Option<Offset> {
        self.assigned(partition)?.position.map(|position| position.offset)
    }

    /// The end of what may be read, in the last fetch response: the high watermark, or the last
    /// stable offset for a consumer that reads committed records only.
    pub fn readable_end(&self, partition: TopicPartition) -> Option<Offset> {
        self.assigned(partition)?.readable_end
    }

    fn assigned(&self, partition: TopicPartition) -> Option<&Assigned> {
        self.places.of(partition).map(|place| &self.partitions[place])
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
        let Some((node, context)) = self.channels.on_response(conn, *correlation_id) else {
            return false;
        };
        match (context, body) {
            (Context::Metadata, Response::Metadata(response)) => {
                self.metadata.on_response(now.mono, response, &mut self.random);
            }
            (Context::Fetch(asked), Response::Fetch(response)) => {
                self.on_fetched(now.mono, node, &asked, response);
            }
            (Context::ListOffsets(asked), Response::ListOffsets(response)) => {
                self.on_offsets(now.mono, node, &asked, response);
            }
            (Context::Epochs(asked), Response::OffsetForLeaderEpoch(response)) => {
                self.on_epochs(now.mono, &asked, response);
            }
            (context, body) => panic!("{context:?} got the response {}", body.name()),
        }
        self.run(now, out);
        true
    }

    /// A connection is open. Returns whether it is one of this client.
    pub fn on_opened(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        let own = self.channels.on_opened(conn).is_some();
        if own {
            self.run(now, out);
        }
        own
    }

    /// A connection has ended. Returns whether it was one of this client.
    pub fn on_closed(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        let Some(lost) = self.channels.on_closed(now.mono, conn) else { return false };
        self.on_lost(now.mono, lost);
        self.run(now, out);
        true
    }

    /// A timer is due. Returns whether it was one of this client.
    pub fn on_timer(&mut self, now: Now, timer: ClientTimer, out: &mut Outbox) -> bool {
        let own = timer == ClientTimer::Consumer;
        if own {
            self.armed = Mono::MAX;
            self.run(now, out);
        }
        own
    }

    /// [`Timer::Requests`] is due. Returns whether it was one of this client.
    pub fn on_requests_timer(&mut self, now: Now, channel: Channel, out: &mut Outbox) -> bool {
        let own = channel == Channel::Consumer;
        if own {
            for lost in self.channels.on_timer(now.mono, out) {
                self.on_lost(now.mono, lost);
            }
            self.run(now, out);
        }
        own
    }

    fn on_lost(&mut self, now: Mono, lost: Disconnected<Context>) {
        self.metadata.request_update();
        for context in lost.failed {
            match context {
                Context::Metadata => self.metadata.on_failure(now, &mut self.random),
                Context::Fetch(_) => {
                    self.fetching.retain(|node| *node != lost.peer);
                    self.sessions.entry(lost.peer).or_default().on_error();
                }
                Context::ListOffsets(asked) => self.on_offsets_lost(now, &asked),
                Context::Epochs(asked) => self.on_epochs_lost(now, &asked),
            }
        }
    }

    /// Does all that can be done now, and sets the timer for the rest.
    fn run(&mut self, now: Now, out: &mut Outbox) {
        if self.seen != self.metadata.version() {
            self.seen = self.metadata.version();
            self.adopt_metadata();
        }
        if std::mem::take(&mut self.is_unadopted) {
            self.adopt_leaders(out);
        }
        self.look_up(now.mono, out);
        self.fetch(now.mono, out);
        let metadata_due = self.metadata.maintain(
            now.mono,
            &mut self.channels,
            Context::Metadata,
            self.config.request_timeout,
            &mut self.random,
            out,
        );
        let wake = metadata_due.min(self.next_wake(now.mono));
        if wake < self.armed {
            self.armed = wake;
            out.set_timer(Timer::Client(ClientTimer::Consumer), wake);
        }
    }

    /// When a wait ends that no message or connection event ends.
    fn next_wake(&mut self, now: Mono) -> Mono {
        let ready = self.places.next_ready(&self.partitions, now).unwrap_or(Mono::MAX);
        let leaders = self.places.by_leader().keys().map(|node| self.channels.not_before(*node));
        leaders.filter(|not_before| *not_before > now).fold(ready, Mono::min)
    }

    /// Takes ids and leaders from the metadata.
    fn adopt_metadata(&mut self) {
        for index in 0..self.partitions.len() {
            let assigned = &mut self.partitions[index];
            if assigned.state == State::Unresolved
                && let Some(topic) = self.metadata.topic(&assigned.topic)
                && assigned.index < topic.partitions
            {
                assigned.partition = TopicPartition::new(topic.id, assigned.index);
                self.places.resolve(assigned.partition, index);
                match assigned.start.take() {
                    Some((offset, epoch)) => self.start_at(index, offset, epoch),
                    None if self.is_in_group => {
                        let stamp = self.stamp();
                        self.partitions[index].turn(State::Initializing, stamp);
                    }
                    None => self.reset(index, Positioning::Start, ConsumerError::NoOffset),
                }
            }
            let assigned = &mut self.partitions[index];
            if assigned.is_resolved() {
                assigned.leader = self.metadata.leader(assigned.partition);
            }
        }
        self.places.set_leaders(&self.partitions);
        self.is_unadopted = true;
    }

    /// Positions under another leader epoch than they were known to be good in.
    fn adopt_leaders(&mut self, out: &mut Outbox) {
        for index in 0..self.partitions.len() {
            let assigned = &mut self.partitions[index];
            let (Some((_, leader_epoch)), Some(position)) =
                (assigned.leader, &mut assigned.position)
            else {
                continue;
            };
            let known = match assigned.state {
                State::Reading => position.leader_epoch,
                State::Validating { under } => Some(under),
                _ => continue,
            };
            if known == Some(leader_epoch) {
                continue;
            }
            let new = NewLeader {
                position_epoch: position.offset_epoch,
                validated_epoch: position.leader_epoch,
                leader_epoch,
            };
            if self.rules.has_to_validate(out, new) {
                let stamp = self.stamp();
                self.partitions[index].turn(State::Validating { under: leader_epoch }, stamp);
                self.places.ask(index);
            } else {
                position.leader_epoch = Some(leader_epoch);
                assigned.state = State::Reading;
                assigned.not_before = Mono::default();
            }
        }
    }

    /// Resets the position by `auto.offset.reset`, or stops with `error` if that is `none`.
    fn reset(&mut self, index: usize, why: Positioning, error: ConsumerError) {
        let stamp = self.stamp();
        match self.config.auto_offset_reset {
            Reset::None => {
                self.partitions[index].turn(State::Stopped, stamp);
                self.error(index, error);
            }
            to => {
                self.partitions[index].turn(State::Resetting { to, why }, stamp);
                self.places.ask(index);
            }
        }
    }

    fn start_at(&mut self, index: usize, offset: Offset, offset_epoch: Option<LeaderEpoch>) {
        self.begin_at(index, offset, offset_epoch, Positioning::Seek);
    }

    fn begin_at(
        &mut self,
        index: usize,
        offset: Offset,
        offset_epoch: Option<LeaderEpoch>,
        why: Positioning,
    ) {
        let position = Position { offset, offset_epoch, leader_epoch: None };
        self.move_to(index, position, why);
    }

    fn move_to(&mut self, index: usize, position: Position, why: Positioning) {
        let stamp = self.stamp();
        let assigned = &mut self.partitions[index];
        let from = assigned.take_position(position, stamp);
        self.is_unadopted = true;
        let (partition, to) = (assigned.partition, position.offset);
        self.events.push(ConsumerEvent::Positioned { partition, from, to, why });
    }

    fn error(&mut self, index: usize, error: ConsumerError) {
        let partition = self.partitions[index].partition;
        self.events.push(ConsumerEvent::Error { partition, error });
    }

    fn back_off(&mut self, now: Mono, index: usize) {
        let assigned = &mut self.partitions[index];
        assigned.failures += 1;
        assigned.not_before = now + self.backoff.after(assigned.failures, &mut self.random);
        self.places.delay(index);
    }

    fn stamp(&mut self) -> u64 {
        self.next_stamp += 1;
        self.next_stamp
    }

    /// The partition at a place of the assignment, unless it has moved since it had `stamp`.
    fn unmoved(&mut self, (index, stamp): (usize, u64)) -> Option<&mut Assigned> {
        self.partitions.get_mut(index).filter(|assigned| assigned.stamp == stamp)
    }
}
