//! What clients wait for: latencies of writes, batches sent again or given up, and how long
//! partitions accept nothing. Measured only if asked for; it changes nothing in the run.

use engine::fact::{ClientFact, Fact};
use engine::ids::TopicPartition;
use machine::Span;
use sim::SimTime;
use std::collections::BTreeMap;

/// A partition that has accepted nothing for longer, although a producer had something for it, is
/// unavailable. Well above what a write takes, and below the time in which a leader is replaced.
pub(super) const PATIENCE: Span = Span::millis(250);

/// What is measured while a run goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Measure {
    measured: Measured,
    /// When records were given to their producer.
    sent: BTreeMap<u64, SimTime>,
    partitions: BTreeMap<TopicPartition, Waiting>,
    /// From the first record given to a producer to the last.
    offered: Option<(SimTime, SimTime)>,
    /// When a partition accepted nothing although a producer had something for it.
    outages: Vec<(SimTime, SimTime)>,
    ended: bool,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// For each record that was confirmed, or sent with acks=0: how many microseconds after it was
    /// given to the producer that was told.
    pub latencies_us: Vec<u64>,
    /// Batches whose outcome producers were told.
    pub batches: u64,
    /// How often a batch was sent again.
    pub retries: u64,
    /// Batches that failed.
    pub errors: u64,
    /// How long records were offered: from the first one given to a producer to the last, in
    /// nanoseconds. What the faults of a plan last beyond that is no time of the load.
    pub offered_ns: u64,
    /// Of the records confirmed, or sent with acks=0, those for which that was known while records
    /// were offered.
    pub written_meanwhile: u64,
    /// How long partitions accepted nothing while records were offered, added up, in nanoseconds.
    pub unavailable_ns: u64,
}

/// Whether somebody waits for a partition.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    /// The first record given to a producer since the partition last accepted one.
    since: Option<SimTime>,
    /// Producers ask for no answer, so what the leader appends counts as accepted.
    unconfirmed: bool,
}

impl Measure {
    /// A process told something.
    pub(super) fn on_fact(&mut self, now: SimTime, fact: &Fact) {
        match fact {
            Fact::Client(ClientFact::Sent { record, partition, acks }) => {
                self.sent.insert(*record, now);
                self.on_offer(now);
                let waiting = self.partitions.entry(*partition).or_default();
                waiting.unconfirmed = *acks == 0;
                waiting.since.get_or_insert(now);
            }
            Fact::Client(ClientFact::Confirmed { partition, records, .. }) => {
                self.measured.batches += 1;
                for record in records {
                    if let Some(sent) = self.sent.remove(record) {
                        self.measured.latencies_us.push(now.since(sent).0 / 1_000);
                    }
                }
                self.accepted(now, *partition, false);
            }
            Fact::Client(ClientFact::Retried { .. }) => self.measured.retries += 1,
            Fact::Client(ClientFact::Failed { records, .. }) => {
                self.measured.batches += 1;
                self.measured.errors += 1;
                for record in records {
                    self.sent.remove(record);
                }
            }
            Fact::Appended { partition, as_leader: true, .. } => {
                self.accepted(now, *partition, true);
            }
            _ => {}
        }
    }

    /// A partition accepted a batch: the leader appended it, or a producer was told.
    fn accepted(&mut self, now: SimTime, partition: TopicPartition, appended: bool) {
        let Some(waiting) = self.partitions.get_mut(&partition) else { return };
        if waiting.unconfirmed == appended
            && let Some(since) = waiting.since.take()
            && !self.ended
        {
            self.outages.push((since, now));
        }
    }

    /// A record was given to a producer.
    fn on_offer(&mut self, now: SimTime) {
        if self.ended {
            return;
        }
        self.offered.get_or_insert((now, now)).1 = now;
        self.measured.written_meanwhile = self.measured.latencies_us.len() as u64;
    }

    /// The load is over, and what follows does not count.
    pub(super) fn end(&mut self, now: SimTime) {
        let waiting = self.partitions.values().filter_map(|waiting| waiting.since);
        self.outages.extend(waiting.map(|since| (since, now)));
        self.ended = true;
    }

    /// What was measured.
    pub(super) fn finish(mut self) -> Measured {
        let Some((first, last)) = self.offered else { return self.measured };
        self.measured.offered_ns = last.since(first).0;
        // Whether somebody waited for long is known only later; the wait counts up to the end.
        let long = self.outages.iter().filter(|(since, until)| until.since(*since) > PATIENCE);
        let spans = long.map(|(since, until)| (*until).min(last).since((*since).min(last)).0);
        self.measured.unavailable_ns = spans.sum();
        self.measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use engine::ids::TopicId;

    const PARTITION: TopicPartition = TopicPartition { topic: TopicId(9), partition: 0 };

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::millis(ms)
    }

    fn sent(record: u64, acks: i16) -> Fact {
        Fact::Client(ClientFact::Sent { record, partition: PARTITION, acks })
    }

    fn confirmed(records: &[u64]) -> Fact {
        let (records, base_offset) = (records.to_vec(), Some(0));
        Fact::Client(ClientFact::Confirmed {
            partition: PARTITION,
            base_offset,
            records,
            over: None,
        })
    }

    fn appended() -> Fact {
        let batch = Bytes::new();
        Fact::Appended { partition: PARTITION, as_leader: true, leader_epoch: 0, batch }
    }

    #[test]
    fn a_partition_is_unavailable_while_a_producer_waits_for_it() {
        let mut measure = Measure::default();
        for (ms, fact) in [
            (0, sent(1, 1)),
            (5, appended()),
            (10, confirmed(&[1])),
            // Nobody waits for a whole second.
            (1_010, sent(2, 1)),
            (1_020, sent(3, 1)),
            (1_900, appended()),
            (2_010, confirmed(&[2, 3])),
            (2_100, sent(4, 1)),
        ] {
            measure.on_fact(at(ms), &fact);
        }
        measure.end(at(2_400));
        measure.on_fact(at(9_000), &confirmed(&[4]));
        let Measured { latencies_us, batches, unavailable_ns, .. } = measure.finish();
        assert_eq!(latencies_us, [10_000, 1_000_000, 990_000, 6_900_000]);
        assert_eq!((batches, unavailable_ns), (3, 1_000_000_000));
    }

    /// Two producers' schedule ends at 2 s, the last fault only at 30 s: what is measured is the
    /// same as if the fault had ended with the schedule.
    #[test]
    fn only_the_time_in_which_records_are_offered_counts() {
        let run = |healed: u64| {
            let mut measure = Measure::default();
            for (ms, fact) in [
                (0, sent(1, 1)),
                (10, confirmed(&[1])),
                (1_500, sent(2, 1)),
                (2_000, sent(3, 1)),
                (2_600, confirmed(&[2, 3])),
            ] {
                measure.on_fact(at(ms), &fact);
            }
            measure.end(at(healed));
            // Someone whose load was cut short goes on.
            measure.on_fact(at(healed + 1), &sent(4, 1));
            measure.on_fact(at(healed + 500), &confirmed(&[4]));
            measure.finish()
        };
        let measured = run(30_000);
        assert_eq!((measured.offered_ns, measured.written_meanwhile), (2_000_000_000, 1));
        // From 1.5 s to 2.6 s nothing was accepted, of which half a second before the end.
        assert_eq!(measured.unavailable_ns, 500_000_000);
        assert_eq!(run(2_700), measured);
    }

    #[test]
    fn without_answers_the_leaders_log_tells() {
        let mut measure = Measure::default();
        let told = |record| confirmed(&[record]);
        for (ms, fact) in [(0, sent(1, 0)), (1, told(1)), (600, sent(2, 0)), (900, appended())] {
            measure.on_fact(at(ms), &fact);
        }
        measure.end(at(1_000));
        let Measured { latencies_us, unavailable_ns, .. } = measure.finish();
        assert_eq!((latencies_us, unavailable_ns), (vec![1_000], 600_000_000));
    }
}
