//! What clients did with each record: given to a producer, confirmed or failed.
//!
//! Record numbers are dense: the producer's index in the upper 24 bits, then a counter. So the
//! index is a vector for each producer.

use super::batch::NONE;
use super::observed::Moment;
use engine::fact::Again;
use engine::ids::Offset;
use machine::{ConnId, NodeId};
use std::collections::BTreeMap;

/// What a producer knows about a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It has no outcome yet.
    #[default]
    Open,
    /// It is confirmed, at an offset.
    Acked,
    /// It was sent with acks=0, which confirms nothing.
    Unconfirmed,
    /// It was refused for certain.
    Failed,
    /// It failed, or its producer was killed, and it may have been written all the same.
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
    /// What the producer knows about it.
    pub outcome: Outcome,
    /// The event with which it was given to the producer.
    pub sent: u64,
    /// The offset that was confirmed.
    pub offset: Offset,
    /// The event that decided the outcome.
    pub told: u64,
    /// The connection that it was last sent over, once the outcome is known.
    pub over: Option<ConnId>,
}

/// A batch is to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// When the client decided it, in nanoseconds.
    pub at: u64,
    /// The event.
    pub event: u64,
    /// In parts, since it was too large: then nothing of it had been written.
    pub in_parts: bool,
}

/// A record carries a message of an application that may send it more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carries {
    /// The message, in the application's own count.
    pub message: u64,
    /// Why the application sends the message again.
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
    /// Of the few records whose batch was sent again, how often.
    retries: BTreeMap<u64, Vec<Retry>>,
    /// Of the few records that were sent under another epoch or id, when.
    renumbered: BTreeMap<u64, Vec<u64>>,
    /// The messages of applications that may send one more than once.
    messages: Messages,
    /// How many failed before they had a partition.
    pub unplaced: u64,
}

const COUNTER_BITS: u32 = 40;
/// More producers, or a gap as large as this in a producer's numbers, and a number is not one of
/// a workload: it was read from bytes that are not a record's.
const SANE: usize = 1 << 16;

/// The producer and counter in a record's number.
pub const fn parts(number: u64) -> (usize, usize) {
    ((number >> COUNTER_BITS) as usize, (number & ((1 << COUNTER_BITS) - 1)) as usize)
}

/// The number of a producer's record.
pub const fn number(producer: usize, count: usize) -> u64 {
    ((producer as u64) << COUNTER_BITS) | count as u64
}

/// A record as people read it: `record 2#17`.
pub fn name(number: u64) -> String {
    let (producer, count) = parts(number);
    format!("record {producer}#{count}")
}

/// A message of an application that may send it more than once, as people read it.
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

    /// The same, to be changed.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Record> {
        let (producer, count) = parts(number);
        self.producers.get_mut(producer)?.get_mut(count)?.as_mut()
    }

    /// A record was given to the producer at the node of `moment`.
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
            told: 0,
            over: None,
        });
    }

    /// The process of a producer has ended. Records without an outcome may or may not be written:
    /// no process is left that could report it.
    pub fn abandon(&mut self, moment: &Moment) {
        let own = self.nodes.iter().zip(&mut self.producers);
        let own = own.filter(|(node, _)| **node == Some(moment.node));
        for record in own.flat_map(|(_, records)| records).flatten() {
            if record.outcome == Outcome::Open {
                record.outcome = Outcome::Unknown;
                record.told = moment.event;
            }
        }
    }

    /// The batch of a record, in this partition, is sent again.
    pub fn retried(&mut self, number: u64, partition: usize, retry: Retry) {
        if self.get(number).is_some_and(|record| record.partition as usize == partition) {
            self.retries.entry(number).or_default().push(retry);
        }
    }

    /// The times that the batch of a record was sent again, in order.
    pub fn retries(&self, number: u64) -> &[Retry] {
        self.retries.get(&number).map_or(&[], Vec::as_slice)
    }

    /// A record is sent under another epoch or id.
    pub fn renumbered(&mut self, number: u64, at: u64) {
        self.renumbered.entry(number).or_default().push(at);
    }

    /// When a record was sent under another epoch or id than before, in order.
    pub fn renumberings(&self, number: u64) -> &[u64] {
        self.renumbered.get(&number).map_or(&[], Vec::as_slice)
    }

    /// A record carries a message that its application may send more than once.
    pub fn carry(&mut self, record: u64, carries: Carries) {
        self.messages.carries.insert(record, carries);
        self.messages.records.entry(carries.message).or_default().push(record);
    }

    /// The message that a record carries, if its application may send it more than once.
    pub fn carries(&self, record: u64) -> Option<Carries> {
        self.messages.carries.get(&record).copied()
    }

    /// The records of each message that its application sent more than once, in the order sent.
    pub fn sent_again(&self) -> impl Iterator<Item = &[u64]> {
        self.messages.records.values().filter(|it| it.len() > 1).map(Vec::as_slice)
    }

    /// How many producers there are.
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
