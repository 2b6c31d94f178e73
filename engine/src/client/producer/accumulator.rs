//! Batches that wait to be sent, by partition (`RecordAccumulator`, `BufferPool`).

use super::batch::Batch;
use super::record::ProducerRecord;
use crate::client::metadata::Metadata;
use crate::client::partitioner::{self, Candidate, Sticky};
use crate::client::random::Random;
use crate::config::{Partitioner, ProducerConfig};
use crate::ids::{LeaderEpoch, TopicPartition};
use crate::record::NO_SEQUENCE;
use crate::rules::producer::Partitions;
use machine::{Mono, NodeId, Now};
use std::collections::{BTreeMap, VecDeque};

/// The batches of all partitions and the memory they share.
#[derive(Clone, Debug)]
pub(super) struct Accumulator {
    topics: BTreeMap<String, TopicQueues>,
    /// Never removed from, so that an index stays good.
    pub(super) queues: Vec<Queue>,
    /// The queues that may have batches, in order, so that sending does not go through all queues.
    waiting: Vec<usize>,
    /// The free bytes of `buffer.memory`.
    pub(super) free: u64,
    /// The version of the metadata that topics and leaders were last taken from.
    seen: u64,
}

#[derive(Clone, Debug, Default)]
struct TopicQueues {
    /// The queue of each partition.
    queues: Vec<usize>,
    sticky: Sticky,
    turn: u64,
}

/// The batches of a partition.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// The partition.
    pub(super) partition: TopicPartition,
    /// The leader, as far as known, and its epoch.
    pub(super) leader: Option<(NodeId, LeaderEpoch)>,
    /// In the order to be sent. Only the last is still filled.
    pub(super) batches: VecDeque<Batch>,
    /// A batch is in flight, and `max.in.flight.requests.per.connection` of 1 promises order.
    pub(super) muted: bool,
    /// Bytes and records of the last batch, as a guess for the next one.
    last: (usize, usize),
}

/// The result of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// The record is in a batch of this partition.
    Done {
        /// The partition.
        partition: TopicPartition,
        /// The batch was begun for it.
        new_batch: bool,
        /// There is a full batch now.
        full: bool,
    },
    /// The topic or the partition is not known.
    NoPartition,
    /// No memory is left for another batch.
    NoMemory,
}

impl Accumulator {
    pub(super) fn new(buffer_memory: u64) -> Self {
        Self {
            topics: BTreeMap::new(),
            queues: Vec::new(),
            waiting: Vec::new(),
            free: buffer_memory,
            seen: 0,
        }
    }

    /// Takes topics, partitions and leaders from the metadata if they have changed. Returns whether
    /// they have.
    pub(super) fn adopt(&mut self, metadata: &Metadata) -> bool {
        if self.seen == metadata.version() {
            return false;
        }
        self.seen = metadata.version();
        for (name, topic) in metadata.topics() {
            let known = self.topics.entry(name.to_owned()).or_default();
            let first = known.queues.first().map(|queue| self.queues[*queue].partition.topic);
            if first.is_some_and(|id| id != topic.id) {
                // Deleted and created again: another topic.
                *known = TopicQueues::default();
            }
            for partition in known.queues.len() as i32..topic.partitions {
                known.queues.push(self.queues.len());
                self.queues.push(Queue::new(TopicPartition::new(topic.id, partition)));
            }
        }
        for queue in &mut self.queues {
            queue.leader = metadata.leader(queue.partition);
        }
        true
    }

    /// Appends a record to the last batch of its partition, or to a new one. `spread` returns over
    /// how many partitions keys are spread.
    #[inline]
    pub(super) fn append(
        &mut self,
        now: Now,
        config: &ProducerConfig,
        random: &mut Random,
        spread: impl FnMut(Partitions) -> usize,
        record: &ProducerRecord<'_>,
        tag: u64,
    ) -> Appended {
        let Some(topic) = self.topics.get_mut(record.topic) else { return Appended::NoPartition };
        let Some((partition, choice)) = topic.choose(config, random, spread, record, &self.queues)
        else {
            return Appended::NoPartition;
        };
        let Some(index) = topic.queues.get(partition as usize).copied() else {
            return Appended::NoPartition;
        };
        let queue = &mut self.queues[index];
        let batch_size = config.batch_size as usize;
        let timestamp = record.timestamp.unwrap_or(now.wall.0);
        let before = queue.batches.back().map_or(0, Batch::size);
        let last = queue.batches.back_mut();
        let fits = last.is_some_and(|batch| batch.try_append(record, timestamp, tag, batch_size));
        if !fits {
            let charge = record.size_upper_bound().max(u64::from(config.batch_size));
            let charge = charge.min(config.buffer_memory);
            if charge > self.free {
                return Appended::NoMemory;
            }
            self.free -= charge;
            queue.begin(now.mono, charge, record, timestamp, tag, batch_size);
            note(&mut self.waiting, index);
        }
        let last = queue.batches.back().expect("a record was just appended");
        let (size, full) = (last.size(), last.is_full(batch_size));
        let appended = if fits { size - before } else { size } as u64;
        match choice {
            Choice::Fixed => {}
            Choice::Sticky => topic.sticky.count(appended, u64::from(config.batch_size), full),
            Choice::Turn => topic.turn += 1,
        }
        let full = full || (!fits && queue.batches.len() > 1);
        Appended::Done { partition: queue.partition, new_batch: !fits, full }
    }

    /// Whether no batch waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting().all(|queue| queue.batches.is_empty())
    }

    /// Whether a batch waits that has never been sent.
    pub(super) fn has_undrained(&self) -> bool {
        self.waiting().flat_map(|queue| &queue.batches).any(|batch| batch.sequence.is_none())
    }

    /// The queues that may have batches, in order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Queue> {
        self.waiting.iter().map(|index| &self.queues[*index])
    }

    /// The places of the queues that have batches, from `from` on and then those before it.
    pub(super) fn waiting_from(&mut self, from: usize) -> Vec<usize> {
        self.waiting.retain(|index| !self.queues[*index].batches.is_empty());
        let (before, after) = self.waiting.split_at(self.waiting.partition_point(|it| *it < from));
        after.iter().chain(before).copied().collect()
    }

    /// Puts a batch that has been taken back into its queue.
    pub(super) fn put_back(&mut self, index: usize, place: usize, batch: Batch) {
        let waiting = self.queues[index].batches.len();
        self.queues[index].batches.insert(place.min(waiting), batch);
        note(&mut self.waiting, index);
    }

    /// The memory of all batches that wait.
    pub(super) fn charged(&self) -> u64 {
        self.waiting().flat_map(|queue| &queue.batches).map(|batch| batch.charge).sum()
    }
}

/// Adds an element to a sorted list, unless it is there.
fn note(waiting: &mut Vec<usize>, index: usize) {
    if let Err(place) = waiting.binary_search(&index) {
        waiting.insert(place, index);
    }
}

/// How a partition was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Fixed,
    Sticky,
    Turn,
}

impl TopicQueues {
    /// The partition of a record; `None` while the topic is not known.
    #[inline]
    fn choose(
        &mut self,
        config: &ProducerConfig,
        random: &mut Random,
        mut spread: impl FnMut(Partitions) -> usize,
        record: &ProducerRecord<'_>,
        queues: &[Queue],
    ) -> Option<(i32, Choice)> {
        if let Some(partition) = record.partition {
            return Some((partition, Choice::Fixed));
        }
        if self.queues.is_empty() {
            return None;
        }
        if config.partitioner == Partitioner::RoundRobin {
            let partition = partitioner::round_robin(self.turn, self.candidates(queues));
            return Some((partition, Choice::Turn));
        }
        if let (Some(key), false) = (record.key, config.partitioner_ignore_keys) {
            let with_leader = self.candidates(queues).filter(|it| it.available).count();
            let count = spread(Partitions { all: self.queues.len(), with_leader }) as i32;
            return Some((partitioner::partition_for_key(key, count), Choice::Fixed));
        }
        if let Some(partition) = self.sticky.partition {
            return Some((partition, Choice::Sticky));
        }
        let adaptive = config.partitioner_adaptive;
        let partition = partitioner::choose(random, adaptive, self.candidates(queues));
        self.sticky.stick_to(partition);
        Some((partition, Choice::Sticky))
    }

    fn candidates<'a>(
        &'a self,
        queues: &'a [Queue],
    ) -> impl Iterator<Item = Candidate> + Clone + 'a {
        self.queues.iter().map(|index| {
            let queue = &queues[*index];
            Candidate {
                partition: queue.partition.partition,
                available: queue.leader.is_some(),
                queue: queue.batches.len(),
            }
        })
    }
}

impl Queue {
    fn new(partition: TopicPartition) -> Self {
        Self { partition, leader: None, batches: VecDeque::new(), muted: false, last: (0, 0) }
    }

    fn begin(
        &mut self,
        now: Mono,
        charge: u64,
        record: &ProducerRecord<'_>,
        timestamp: i64,
        tag: u64,
        batch_size: usize,
    ) {
        let (bytes, records) = self.last;
        let bytes = bytes.max(record.size_upper_bound() as usize);
        let mut batch = Batch::new(now, charge, bytes, records.max(4));
        let fits = batch.try_append(record, timestamp, tag, batch_size);
        assert!(fits, "the first record of a batch always fits");
        self.batches.push_back(batch);
    }

    /// Takes the first batch to be sent.
    pub(super) fn take_first(&mut self) -> Batch {
        let batch = self.batches.pop_front().expect("there is a batch");
        self.last = (batch.size(), batch.tags.len());
        batch
    }

    /// The place of a batch to be sent again, by `place` from its sequence and those of the batches
    /// at the front that have one.
    pub(super) fn place_in_sequence(
        &self,
        batch: &Batch,
        place: impl FnOnce(i32, &[i32]) -> usize,
    ) -> usize {
        let own = batch.sequence.map_or(NO_SEQUENCE, |sequence| sequence.first);
        let front = self.batches.iter().map_while(|batch| batch.sequence);
        let front: Vec<i32> = front.map(|sequence| sequence.first).collect();
        place(own, &front)
    }

    /// Until when the first batch waits after a failure, if it does. A new leader ends the wait
    /// (KIP-951).
    pub(super) fn backs_off_until(&self) -> Option<Mono> {
        let first = self.batches.front()?;
        let epoch = self.leader.map(|(_, epoch)| epoch);
        (first.attempts > 0 && epoch <= first.sent_epoch).then_some(first.retry_at)
    }

    /// When the first batch is to be sent, whichever broker leads: at once if it is full or others
    /// wait behind it, else after `linger.ms`; not while it backs off.
    pub(super) fn ready_at(&self, config: &ProducerConfig) -> Option<Mono> {
        let first = self.batches.front()?;
        let full = self.batches.len() > 1 || first.is_full(config.batch_size as usize);
        let lingered = if full { first.created } else { first.created + config.linger };
        Some(self.backs_off_until().unwrap_or_default().max(lingered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retried_batch_waits_unless_another_leader_came() {
        let config = ProducerConfig::default();
        let mut queue = Queue::new(TopicPartition::default());
        let mut batch = Batch::new(Mono(0), 0, 0, 0);
        batch.seal();
        batch.attempts = 1;
        batch.retry_at = Mono(100);
        batch.sent_epoch = Some(4);
        queue.batches.push_back(batch);
        queue.leader = Some((NodeId::new(0, 1), 4));
        assert_eq!(queue.ready_at(&config), Some(Mono(100)));
        queue.leader = Some((NodeId::new(0, 2), 5));
        assert_eq!(queue.ready_at(&config), Some(Mono(0)));
    }
}
