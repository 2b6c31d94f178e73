//! Measures writes: latencies, batches that are sent again or given up, and the times in which
//! partitions accept nothing. Measuring does not change the run.

use super::deadline::Written;
use engine::fact::{ClientFact, Fact};
use engine::ids::TopicPartition;
use judge::evidence::records::parts;
use machine::{ClusterId, Span};
use sim::SimTime;
use std::collections::BTreeMap;

/// A partition that has accepted nothing for longer, although a producer had records for it, is
/// unavailable. This is well above the latency of a write, and below the time to replace a leader.
pub(super) const PATIENCE: Span = Span::millis(250);

/// The measurements during a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Measure {
    measured: Measured,
    /// When each record was given to its producer, by producer and count.
    sent: Vec<Vec<SimTime>>,
    partitions: BTreeMap<Place, Waiting>,
    /// The times of the first and the last record given to a producer.
    offered: Option<(SimTime, SimTime)>,
    /// The times in which a partition accepted nothing for longer than [`PATIENCE`] although a
    /// producer had records for it.
    outages: Vec<Outage>,
    written: Written,
    /// Records given to producers, and batches delivered to consumers.
    handled: u64,
    /// When the load ended.
    ended: Option<SimTime>,
}

/// A partition of a cluster.
type Place = (ClusterId, TopicPartition);

/// A time in which a partition accepted nothing although a producer had records for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The partition.
    pub partition: (ClusterId, TopicPartition),
    /// When the first record was given to a producer that it did not accept at once.
    pub since: SimTime,
    /// When it accepted a batch, or when, after the load, no producer had records for it any more.
    /// The end of the load if neither happened, because a producer was killed with its records.
    pub until: SimTime,
}

/// The measurements of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The latency of each record that was confirmed, or sent with acks=0: the microseconds from
    /// `send` to its callback.
    pub latencies_us: Vec<u64>,
    /// Batches that have an outcome.
    pub batches: u64,
    /// How often a batch was sent again.
    pub retries: u64,
    /// Batches that failed.
    pub errors: u64,
    /// How long records were offered: from the first one given to a producer to the last, in
    /// nanoseconds. The duration of faults beyond that does not count.
    pub offered_ns: u64,
    /// The records that were confirmed, or sent with acks=0, while records were offered.
    pub written_meanwhile: u64,
    /// The sum of the times in which partitions accepted nothing while records were offered, in
    /// nanoseconds.
    pub unavailable_ns: u64,
    /// The longest time in which a partition accepted nothing, if any was longer than 250 ms.
    pub longest_outage: Option<Outage>,
}

/// Whether a producer waits for a partition.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    /// The first record given to a producer since the partition last accepted one.
    since: Option<SimTime>,
    /// The number of records that were given to producers and have no outcome yet.
    open: u64,
    /// Producers use acks=0, so batches count as accepted when the leader appends them.
    unconfirmed: bool,
}

impl Measure {
    /// Takes in a fact of a process in this cluster.
    pub(super) fn on_fact(&mut self, now: SimTime, cluster: ClusterId, fact: &Fact) {
        match fact {
            Fact::Client(ClientFact::Sent { record, partition, acks }) => {
                self.handled += 1;
                self.on_sent(now, *record);
                let waiting = self.partitions.entry((cluster, *partition)).or_default();
                waiting.unconfirmed = *acks == 0;
                waiting.open += 1;
                // Users do not wait for records that are sent after the load.
                if self.ended.is_none() {
                    waiting.since.get_or_insert(now);
                }
            }
            Fact::Client(ClientFact::Confirmed { partition, records, .. }) => {
                self.measured.batches += 1;
                for record in records {
                    if let Some(sent) = self.sent_at(*record) {
                        self.measured.latencies_us.push(now.since(sent).0 / 1_000);
                    }
                }
                self.accepted(now, (cluster, *partition), false);
                self.known(now, (cluster, *partition), records.len());
            }
            Fact::Client(ClientFact::Retried { .. }) => self.measured.retries += 1,
            Fact::Client(ClientFact::Delivered { batches, .. }) => {
                self.handled += batches.len() as u64;
            }
            Fact::Client(ClientFact::Failed { partition, records, .. }) => {
                self.measured.batches += 1;
                self.measured.errors += 1;
                if let Some(partition) = partition {
                    self.known(now, (cluster, *partition), records.len());
                }
            }
            Fact::Appended { partition, as_leader: true, batch, .. } => {
                self.written.batches += 1;
                self.written.bytes += batch.len() as u64;
                self.accepted(now, (cluster, *partition), true);
            }
            _ => {}
        }
    }

    /// The number of records given to producers and of batches delivered to consumers so far.
    pub(super) fn handled(&self) -> u64 {
        self.handled
    }

    /// The amount of data that leaders have appended so far.
    pub(super) fn written(&self) -> Written {
        self.written
    }

    fn sent_at(&self, record: u64) -> Option<SimTime> {
        let (producer, count) = parts(record);
        self.sent.get(producer)?.get(count).copied()
    }

    /// Records that a partition accepted a batch: the leader appended it, or it was confirmed.
    fn accepted(&mut self, now: SimTime, partition: Place, appended: bool) {
        let Some(waiting) = self.partitions.get_mut(&partition) else { return };
        if waiting.unconfirmed == appended
            && let Some(since) = waiting.since.take()
        {
            self.was_out(Outage { partition, since, until: now });
        }
    }

    /// Records that `records` records of a partition have an outcome. After the load, the wait for
    /// a partition ends when no producer has records for it any more.
    fn known(&mut self, now: SimTime, partition: Place, records: usize) {
        let Some(waiting) = self.partitions.get_mut(&partition) else { return };
        waiting.open = waiting.open.saturating_sub(records as u64);
        if self.ended.is_some()
            && waiting.open == 0
            && let Some(since) = waiting.since.take()
        {
            self.was_out(Outage { partition, since, until: now });
        }
    }

    fn was_out(&mut self, outage: Outage) {
        // Only at its end is it known whether a wait was long; then all of it counts.
        if outage.lasted() > PATIENCE {
            self.outages.push(outage);
        }
    }

    /// Records that a record was given to a producer.
    fn on_sent(&mut self, now: SimTime, record: u64) {
        let (producer, count) = parts(record);
        if self.sent.len() <= producer {
            self.sent.resize(producer + 1, Vec::new());
        }
        let sent = &mut self.sent[producer];
        if sent.len() <= count {
            sent.resize(count + 1, SimTime::ZERO);
        }
        sent[count] = now;
        if self.ended.is_none() {
            self.offered.get_or_insert((now, now)).1 = now;
            self.measured.written_meanwhile = self.measured.latencies_us.len() as u64;
        }
    }

    /// Ends the load. Waits for partitions continue.
    pub(super) fn end(&mut self, now: SimTime) {
        self.ended = Some(now);
        let places: Vec<Place> = self.partitions.keys().copied().collect();
        places.into_iter().for_each(|place| self.known(now, place, 0));
    }

    /// The measurements of a run.
    pub(super) fn finish(mut self) -> Measured {
        let waiting = self.partitions.iter().filter_map(|(partition, waiting)| {
            Some(Outage { partition: *partition, since: waiting.since?, until: self.ended? })
        });
        for outage in waiting.collect::<Vec<_>>() {
            self.was_out(outage);
        }
        let Some((first, last)) = self.offered else { return self.measured };
        self.measured.offered_ns = last.since(first).0;
        let spans = self.outages.iter().map(|it| it.until.min(last).since(it.since.min(last)).0);
        self.measured.unavailable_ns = spans.sum();
        // The first one of equal length.
        self.measured.longest_outage =
            self.outages.iter().rev().max_by_key(|outage| outage.lasted()).copied();
        self.measured
    }
}

impl Outage {
    /// Its duration.
    pub fn lasted(&self) -> Span {
        self.until.since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use engine::ids::TopicId;

    const PARTITION: TopicPartition = TopicPartition { topic: TopicId(9), partition: 0 };

    const HERE: ClusterId = ClusterId(0);

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

    fn failed(records: &[u64]) -> Fact {
        Fact::Client(ClientFact::Failed {
            partition: Some(PARTITION),
            error: engine::error::ErrorCode::RequestTimedOut,
            maybe_written: false,
            records: records.to_vec(),
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
            // No producer waits for a whole second.
            (1_010, sent(2, 1)),
            (1_020, sent(3, 1)),
            (1_900, appended()),
            (2_010, confirmed(&[2, 3])),
            (2_100, sent(4, 1)),
        ] {
            measure.on_fact(at(ms), HERE, &fact);
        }
        measure.end(at(2_400));
        let mut given_up = measure.clone();
        measure.on_fact(at(9_000), HERE, &confirmed(&[4]));
        let measured = measure.finish();
        // It continues after the load, while a producer waits.
        let longest = measured.longest_outage.expect("one was longer than 250 ms");
        assert_eq!((longest.since, longest.lasted()), (at(2_100), Span::millis(6_900)));
        let killed = given_up.clone().finish().longest_outage.expect("another");
        assert_eq!((killed.since, killed.lasted()), (at(1_010), Span::secs(1)));
        given_up.on_fact(at(5_000), HERE, &failed(&[4]));
        let longest = given_up.finish().longest_outage.expect("another");
        assert_eq!((longest.since, longest.lasted()), (at(2_100), Span::millis(2_900)));
        let Measured { latencies_us, batches, unavailable_ns, .. } = measured;
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
                measure.on_fact(at(ms), HERE, &fact);
            }
            measure.end(at(healed));
            // A producer whose load was cut short continues.
            measure.on_fact(at(healed + 1), HERE, &sent(4, 1));
            measure.on_fact(at(healed + 500), HERE, &confirmed(&[4]));
            measure.finish()
        };
        let measured = run(30_000);
        assert_eq!((measured.offered_ns, measured.written_meanwhile), (2_000_000_000, 1));
        // From 1.5 s to 2.6 s nothing was accepted, of which half a second before the end.
        assert_eq!(measured.unavailable_ns, 500_000_000);
        assert_eq!(run(2_700), measured);
    }

    #[test]
    fn with_acks_0_a_batch_is_accepted_when_the_leader_appends_it() {
        let mut measure = Measure::default();
        let done = |record| confirmed(&[record]);
        for (ms, fact) in [(0, sent(1, 0)), (1, done(1)), (600, sent(2, 0)), (900, appended())] {
            measure.on_fact(at(ms), HERE, &fact);
        }
        measure.end(at(1_000));
        let Measured { latencies_us, unavailable_ns, .. } = measure.finish();
        assert_eq!((latencies_us, unavailable_ns), (vec![1_000], 600_000_000));
    }
}
