//! The history of each record at its client: given to a producer, then confirmed or failed.
//!
//! A record number has the producer's index in its upper 24 bits, and a counter below. Counters are
//! dense, so each producer has a vector of records.

use super::batch::NONE;
use super::observed::Moment;
use engine::error::ErrorCode;
use engine::fact::Again;
use engine::ids::Offset;
use machine::{ConnId, NodeId};
use std::collections::BTreeMap;

/// The outcome of a record at its producer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// None yet.
    #[default]
    Open,
    /// The record is confirmed, at an offset.
    Acked,
    /// The record was sent with acks=0, which confirms nothing.
    Unconfirmed,
    /// The record has failed, and was certainly not written.
    Failed,
    /// The record has failed, or its producer was killed, and it may have been written all the
    /// same.
    Unknown,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The index of its partition.
    pub partition: u32,
    /// The index of its transaction ([`super::ClientTransactions::get`]), or [`NONE`].
    pub transaction: u32,
    /// The producer's acks.
    pub acks: i8,
    /// The outcome at the producer.
    pub outcome: Outcome,
    /// The number of the event with which it was given to the producer.
    pub sent: u64,
    /// The confirmed offset; -1: none.
    pub offset: Offset,
    /// The number of the event that decided the outcome; 0: none yet.
    pub settled: u64,
    /// The connection over which it was last sent, once the outcome is known.
    pub over: Option<ConnId>,
}

/// A batch is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// When the client decided it, in nanoseconds.
    pub at: u64,
    /// The event.
    pub event: u64,
    /// The error in the response, or of the client itself if there was none.
    pub error: ErrorCode,
}

impl Retry {
    /// Whether it is sent in parts, because it was too large: then none of it had been written.
    pub fn is_in_parts(&self) -> bool {
        self.error == ErrorCode::MessageTooLarge
    }
}

/// The message in a record, if the application may send a message in more than one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carries {
    /// The number of the message.
    pub message: u64,
    /// Why the application sends the message again; `None`: the first time.
    pub again: Option<Again>,
}

/// Which records carry the same message.
#[derive(Clone, Debug, Default)]
struct Messages {
    carries: BTreeMap<u64, Carries>,
    records: BTreeMap<u64, Vec<u64>>,
}

/// All records by number.
#[derive(Clone, Debug, Default)]
pub struct Records {
    producers: Vec<Vec<Option<Record>>>,
    /// The node of each producer.
    nodes: Vec<Option<NodeId>>,
    /// The retries of records whose batch was sent again.
    retries: BTreeMap<u64, Vec<Retry>>,
    /// When records were sent under another epoch or id.
    renumbered: BTreeMap<u64, Vec<u64>>,
    /// The messages of applications that may send one more than once.
    messages: Messages,
    /// The number of records that failed before they had a partition.
    pub unplaced: u64,
}

const COUNTER_BITS: u32 = 40;
/// A number with a larger producer index, or that far beyond a producer's last number, is not one
/// of a workload: it was read from bytes that are not a record.
const SANE: usize = 1 << 16;

/// The producer and counter in a record's number.
pub const fn parts(number: u64) -> (usize, usize) {
    ((number >> COUNTER_BITS) as usize, (number & ((1 << COUNTER_BITS) - 1)) as usize)
}

/// The number of a producer's record.
pub const fn number(producer: usize, count: usize) -> u64 {
    ((producer as u64) << COUNTER_BITS) | count as u64
}

/// A record for display: `record 2#17`.
pub fn name(number: u64) -> String {
    let (producer, count) = parts(number);
    format!("record {producer}#{count}")
}

/// A message for display: `message 2#17`.
pub fn message_name(message: u64) -> String {
    let (producer, count) = parts(message);
    format!("message {producer}#{count}")
}

impl Records {
    /// A record that was given to a producer.
    pub fn get(&self, number: u64) -> Option<&Record> {
        let (producer, count) = parts(number);
        self.producers.get(producer)?.get(count)?.as_ref()
    }

    /// Mutable access to a record.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Record> {
        let (producer, count) = parts(number);
        self.producers.get_mut(producer)?.get_mut(count)?.as_mut()
    }

    /// Adds a record that was given to the producer at the node of `moment`.
    pub fn sent(
        &mut self,
        number: u64,
        (partition, transaction): (u32, Option<u32>),
        acks: i16,
        moment: &Moment,
    ) {
        let (producer, count) = parts(number);
        if producer >= SANE || self.producers.get(producer).map_or(0, Vec::len) + SANE < count {
            return;
        }
        if producer >= self.producers.len() {
            self.producers.resize(producer + 1, Vec::new());
            self.nodes.resize(producer + 1, None);
        }
        self.nodes[producer] = Some(moment.node);
        let records = &mut self.producers[producer];
        if count >= records.len() {
            records.resize(count + 1, None);
        }
        records[count] = Some(Record {
            partition,
            transaction: transaction.unwrap_or(NONE),
            acks: acks as i8,
            outcome: Outcome::Open,
            sent: moment.event,
            offset: -1,
            settled: 0,
            over: None,
        });
    }

    /// Settles the records of a producer whose process has ended: those without an outcome may or
    /// may not have been written.
    pub fn abandon(&mut self, moment: &Moment) {
        let own = self.nodes.iter().zip(&mut self.producers);
        let own = own.filter(|(node, _)| **node == Some(moment.node));
        for record in own.flat_map(|(_, records)| records).flatten() {
            if record.outcome == Outcome::Open {
                record.outcome = Outcome::Unknown;
                record.settled = moment.event;
            }
        }
    }

    /// Records that the batch of a record, in this partition, is sent again.
    pub fn retried(&mut self, number: u64, partition: usize, retry: Retry) {
        if self.get(number).is_some_and(|record| record.partition as usize == partition) {
            self.retries.entry(number).or_default().push(retry);
        }
    }

    /// The times that the batch of a record was sent again, in order.
    pub fn retries(&self, number: u64) -> &[Retry] {
        self.retries.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Records that a record is sent under another epoch or id.
    pub fn renumbered(&mut self, number: u64, at: u64) {
        self.renumbered.entry(number).or_default().push(at);
    }

    /// The times at which records were sent under another epoch or id than before, in order.
    pub fn renumberings(&self, number: u64) -> &[u64] {
        self.renumbered.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Records which message a record carries.
    pub fn carry(&mut self, record: u64, carries: Carries) {
        self.messages.carries.insert(record, carries);
        self.messages.records.entry(carries.message).or_default().push(record);
    }

    /// The message in a record, if its application may send a message in more than one record.
    pub fn carries(&self, record: u64) -> Option<Carries> {
        self.messages.carries.get(&record).copied()
    }

    /// The records of each message that its application sent more than once, in the order sent.
    pub fn sent_again(&self) -> impl Iterator<Item = &[u64]> {
        self.messages.records.values().filter(|it| it.len() > 1).map(Vec::as_slice)
    }

    /// The number of producers.
    pub fn producers(&self) -> usize {
        self.producers.len()
    }

    /// All records with their numbers, by producer and in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Record)> {
        self.producers.iter().enumerate().flat_map(|(producer, records)| {
            let numbered = records.iter().enumerate();
            numbered.filter_map(move |(n, record)| Some((number(producer, n), record.as_ref()?)))
        })
    }
}
