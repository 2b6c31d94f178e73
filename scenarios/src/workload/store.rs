//! The store of applications that keep their positions together with their results: a database of their
//! own, with transactions.
//!
//! An application that is given a partition *claims* it: the store gives the partition a new epoch and
//! returns its position, from which the application reads on. Each later transaction writes the results of
//! the records of a poll and the positions after them, all or nothing. A store that fences refuses a
//! transaction of an earlier epoch than the latest: without that, what a replaced application has still to
//! write is written beside what its successor writes.
//!
//! The store loses nothing, and no fault strikes its process; faults of links strike the way to it.

mod client;

pub(super) use client::{Answer, StoreClient};

use bytes::Bytes;
use engine::fact::{ClientFact, Fact, StoreFact};
use engine::ids::{GroupId, Offset, TopicId, TopicPartition};
use engine::protocol::Message;
use engine::{Input, Outbox};
use machine::{ConnId, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The configuration of the store of a group.
#[derive(Clone, Debug)]
pub struct StoreAppConfig {
    /// `group.id` of its applications.
    pub group: GroupId,
    /// It refuses transactions of an earlier claim than the latest.
    pub fenced: bool,
}

/// The store of a group.
#[derive(Clone, Debug)]
pub struct StoreApp {
    config: Box<StoreAppConfig>,
    partitions: BTreeMap<TopicPartition, Held>,
}

/// What the store holds of a partition.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// The epoch of the latest claim; 0: there was none.
    epoch: u64,
    /// The position.
    offset: Option<Offset>,
}

/// The key of a partition: topic id and index.
type Key = (u128, i32);

/// The results of the records of one partition, and the position after them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    of: Key,
    /// The epoch of the application's claim.
    epoch: u64,
    /// The inputs of the results: offsets and numbers.
    inputs: Vec<(Offset, u64)>,
    /// The position after them.
    to: Offset,
}

impl Part {
    pub(super) fn new(
        of: TopicPartition,
        epoch: u64,
        inputs: Vec<(Offset, u64)>,
        to: Offset,
    ) -> Self {
        Self { of: key(of), epoch, inputs, to }
    }
}

/// A request to a store.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Request {
    /// Takes partitions over.
    Claim(Vec<Key>),
    /// One transaction.
    Commit(Vec<Part>),
}

/// A response.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Response {
    /// The epochs and positions of the claimed partitions.
    Claimed(Vec<(Key, u64, Option<Offset>)>),
    /// The transaction is committed.
    Committed,
    /// The transaction is refused: a partition has another claim.
    Refused,
}

fn key(of: TopicPartition) -> Key {
    (of.topic.0, of.partition)
}

fn partition((topic, index): Key) -> TopicPartition {
    TopicPartition::new(TopicId(topic), index)
}

/// A message with a number, by which its response is known.
fn message<T: Serialize>(name: &'static str, number: u64, of: &T) -> Message {
    let body = serde_json::to_vec(&(number, of)).expect("requests and responses are plain data");
    Message::Application { name, body: Bytes::from(body) }
}

fn read<'a, T: Deserialize<'a>>(message: &'a Message) -> Option<(u64, T)> {
    let Message::Application { body, .. } = message else { return None };
    serde_json::from_slice(body).ok()
}

impl StoreApp {
    /// Starts an empty store.
    pub fn boot(config: &StoreAppConfig) -> Self {
        Self { config: Box::new(config.clone()), partitions: BTreeMap::new() }
    }

    /// Handles an input.
    pub fn handle(&mut self, input: &Input, out: &mut Outbox) {
        match input {
            Input::Message { conn, from, message } => self.on_message(*conn, *from, message, out),
            Input::Stop => out.halt(machine::Halt::Clean),
            Input::Timer(_) | Input::Opened { .. } | Input::Closed { .. } => {}
        }
    }

    fn on_message(&mut self, conn: ConnId, from: NodeId, request: &Message, out: &mut Outbox) {
        let Some((number, request)) = read(request) else { return };
        let (name, response) = match request {
            Request::Claim(keys) => ("StoreClaimed", self.claim(from, &keys, out)),
            Request::Commit(parts) => ("StoreCommitted", self.commit(from, parts, out)),
        };
        out.send(conn, message(name, number, &response));
    }

    fn claim(&mut self, by: NodeId, keys: &[Key], out: &mut Outbox) -> Response {
        let claimed = keys.iter().map(|key| {
            let partition = partition(*key);
            let held = self.partitions.entry(partition).or_default();
            held.epoch += 1;
            let Held { epoch, offset } = *held;
            let group = self.config.group.clone();
            observe(StoreFact::Claimed { group, by, partition, epoch, offset }, out);
            (*key, epoch, offset)
        });
        Response::Claimed(claimed.collect())
    }

    fn commit(&mut self, by: NodeId, parts: Vec<Part>, out: &mut Outbox) -> Response {
        let current = |of: Key| self.partitions.get(&partition(of)).map_or(0, |it| it.epoch);
        let group = || self.config.group.clone();
        let replaced = parts.iter().find(|part| part.epoch != current(part.of));
        if let Some(part) = replaced.filter(|_| self.config.fenced) {
            let (partition, epoch, current) = (partition(part.of), part.epoch, current(part.of));
            observe(StoreFact::Refused { group: group(), by, partition, epoch, current }, out);
            return Response::Refused;
        }
        for Part { of, epoch, inputs, to } in parts {
            let (partition, group) = (partition(of), self.config.group.clone());
            let held = self.partitions.entry(partition).or_default();
            held.offset = Some(to);
            let current = held.epoch;
            let fact = StoreFact::Committed { group, by, partition, epoch, current, inputs, to };
            observe(fact, out);
        }
        Response::Committed
    }
}

fn observe(fact: StoreFact, out: &mut Outbox) {
    out.observe(Fact::Client(ClientFact::Store(fact)));
}
