//! How long consumers waited for readable records: from the time at which the high watermark of the
//! leader passed the records until their delivery. Measuring does not change the run.

use super::Simulation;
use crate::node::Node;
use crate::result::Reads;
use crate::workload::Application;
use engine::fact::{ClientFact, Fact, MemberFact};
use engine::ids::{Offset, TopicPartition};
use machine::{ClusterId, NodeId};
use sim::SimTime;
use std::collections::BTreeMap;

/// The measurements during a run.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadsMeasure {
    partitions: BTreeMap<(ClusterId, TopicPartition), Read>,
    waits_us: Vec<u64>,
    longest: Option<Wait>,
    /// When the load ended. Readers that begin later read everything back.
    ended: Option<SimTime>,
}

/// One partition.
#[derive(Clone, Debug, Default)]
struct Read {
    /// The high watermark that a leader reported last.
    end: Offset,
    readers: Vec<Reader>,
}

/// One consumer of a partition.
#[derive(Clone, Copy, Debug)]
struct Reader {
    node: NodeId,
    position: Offset,
    /// Since when there is a readable record at its position.
    since: Option<SimTime>,
}

/// How long one consumer waited for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait {
    node: NodeId,
    partition: (ClusterId, TopicPartition),
    since: SimTime,
    until: SimTime,
}

impl Reader {
    /// Whether there are records for it, with the partition's end at `end`.
    fn look(&mut self, now: SimTime, end: Offset) {
        if self.position >= end {
            self.since = None;
        } else {
            self.since.get_or_insert(now);
        }
    }
}

impl ReadsMeasure {
    /// Takes in a fact of a process.
    #[inline]
    pub(super) fn on_fact(&mut self, now: SimTime, node: NodeId, fact: &Fact) {
        match fact {
            Fact::HighWatermark { partition, as_leader: true, offset, .. } => {
                let read = self.partitions.entry((node.cluster, *partition)).or_default();
                read.end = *offset;
                read.readers.iter_mut().for_each(|reader| reader.look(now, *offset));
            }
            // The wait of a consumer that seeks away ends with the seek.
            Fact::Client(
                ClientFact::Positioned { partition, to, .. }
                | ClientFact::Delivered { partition, to, .. },
            ) => {
                self.has_waited(now, node, *partition);
                self.moved(now, node, *partition, *to);
            }
            // A member waits only for what it owns.
            Fact::Client(ClientFact::Member(MemberFact::Revoked { partitions, .. })) => {
                for partition in partitions {
                    if let Some(read) = self.partitions.get_mut(&(node.cluster, *partition)) {
                        read.readers.retain(|reader| reader.node != node);
                    }
                }
            }
            _ => {}
        }
    }

    /// Ends the waits of a consumer whose process has ended.
    pub(super) fn gone(&mut self, node: NodeId) {
        for read in self.partitions.values_mut() {
            read.readers.retain(|reader| reader.node != node);
        }
    }

    /// Ends the load. Waits of consumers continue.
    pub(super) fn end(&mut self, now: SimTime) {
        self.ended = Some(now);
    }

    fn moved(&mut self, now: SimTime, node: NodeId, partition: TopicPartition, to: Offset) {
        let read = self.partitions.entry((node.cluster, partition)).or_default();
        let end = read.end;
        match read.readers.iter_mut().find(|reader| reader.node == node) {
            Some(reader) => {
                (reader.position, reader.since) = (to, None);
                reader.look(now, end);
            }
            None if self.ended.is_none() => {
                let mut reader = Reader { node, position: to, since: None };
                reader.look(now, end);
                read.readers.push(reader);
            }
            None => {}
        }
    }

    fn has_waited(&mut self, now: SimTime, node: NodeId, partition: TopicPartition) {
        let partition = (node.cluster, partition);
        let Some(read) = self.partitions.get(&partition) else { return };
        let reader = read.readers.iter().find(|reader| reader.node == node);
        if let Some(since) = reader.and_then(|reader| reader.since) {
            self.waited(Wait { node, partition, since, until: now });
        }
    }

    fn waited(&mut self, wait: Wait) {
        self.waits_us.push(wait.until.since(wait.since).0 / 1_000);
        let is_longer =
            |longest: &Wait| wait.until.since(wait.since) > longest.until.since(longest.since);
        if self.longest.as_ref().is_none_or(is_longer) {
            self.longest = Some(wait);
        }
    }

    /// The measurements; `None` if no consumer received a record.
    pub(super) fn finish(mut self, run: &Simulation) -> Option<Reads> {
        if self.waits_us.is_empty() {
            return None;
        }
        let until = self.ended.unwrap_or_else(|| run.world.now());
        let open = |(partition, read): (&(ClusterId, TopicPartition), &Read)| {
            let partition = *partition;
            let reads = |node| {
                let app = run.world.process(node).and_then(Node::client);
                matches!(app, Some(Application::Consumer(app)) if app.is_reading())
            };
            let open = read.readers.iter().filter(|reader| reads(reader.node));
            let open = open.filter_map(move |reader| {
                let since = reader.since.filter(|since| *since < until)?;
                Some(Wait { node: reader.node, partition, since, until })
            });
            open.collect::<Vec<_>>()
        };
        let open: Vec<Wait> = self.partitions.iter().flat_map(open).collect();
        open.into_iter().for_each(|wait| self.waited(wait));
        let longest = self.longest?;
        let last = self.waits_us.len() - 1;
        let mut waits = self.waits_us;
        let mut at = |rank: usize| *waits.select_nth_unstable(rank).1;
        Some(Reads {
            count: last as u64 + 1,
            median_us: at(last / 2),
            p99_us: at(last * 99 / 100),
            longest_us: at(last),
            consumer: run.roster.clusters.node(longest.node),
            partition: run.board.name(longest.partition.0, longest.partition.1),
            since_ns: run.since_load(longest.since),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::fact::Positioning;
    use engine::ids::TopicId;
    use machine::Span;

    const PARTITION: TopicPartition = TopicPartition { topic: TopicId(9), partition: 0 };

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::millis(ms)
    }

    fn watermark(offset: Offset) -> Fact {
        Fact::HighWatermark { partition: PARTITION, as_leader: true, leader_epoch: 0, offset }
    }

    fn delivered(from: Offset, to: Offset) -> Fact {
        let batches = Vec::new();
        Fact::Client(ClientFact::Delivered { partition: PARTITION, from, to, batches })
    }

    #[test]
    fn waits_of_consumers_are_for_readable_records() {
        let (leader, consumer) = (NodeId::new(0, 1), NodeId::new(0, 1002));
        let start = ClientFact::Positioned {
            partition: PARTITION,
            from: None,
            to: 0,
            why: Positioning::Start,
        };
        let mut reads = ReadsMeasure::default();
        for (ms, node, fact) in [
            (0, consumer, Fact::Client(start)),
            (1_000, leader, watermark(5)),
            (1_002, consumer, delivered(0, 3)),
            (1_003, consumer, delivered(3, 5)),
            // There is nothing for a whole second.
            (2_000, leader, watermark(6)),
            (2_500, leader, watermark(9)),
            (7_000, consumer, delivered(5, 9)),
            (8_000, leader, watermark(12)),
        ] {
            reads.on_fact(at(ms), node, &fact);
        }
        reads.end(at(9_000));
        assert_eq!(reads.waits_us, [2_000, 1_000, 5_000_000]);
        let longest = reads.longest.expect("there is one");
        assert_eq!((longest.node, longest.since, longest.until), (consumer, at(2_000), at(7_000)));
        // It reads on after the load; one that has ended waits for nothing.
        let mut ended = reads.clone();
        reads.on_fact(at(16_000), consumer, &delivered(9, 12));
        assert_eq!(reads.longest.map(|wait| wait.until.since(wait.since)), Some(Span::secs(8)));
        ended.gone(consumer);
        ended.on_fact(at(16_000), consumer, &delivered(9, 12));
        assert_eq!(ended.waits_us.len(), 3);
    }
}
