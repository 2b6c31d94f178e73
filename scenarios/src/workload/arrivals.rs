//! The times at which records are sent, which depend only on the seed.
//!
//! Arrivals are drawn from the stream (seed, "workload", producer) alone, so that two runs of one
//! seed send the same records at the same times, whatever else differs. They are drawn one by one,
//! because a long run has millions.

use machine::Span;
use rand_chacha::ChaCha8Rng;
use sim::Sample;

/// The parameters of the arrivals of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The seed of the run.
    pub seed: u64,
    /// The number of the producer, from 0 over all producers of a run.
    pub producer: u16,
    /// The number of records that it sends.
    pub records: u64,
    /// The number of records that arrive together.
    pub burst: u32,
    /// The time from one burst to the next on average. Each burst comes at a random time within its
    /// own interval, so the rate is steady and bursts keep their order.
    pub interval: Span,
    /// When the first interval begins, after the load has begun.
    pub start: Span,
    /// When sending ends, although records are left.
    pub stop: Option<Span>,
    /// The number of keys; 0: records have none.
    pub keys: u32,
    /// The number of topics; successive bursts go to successive topics.
    pub topics: u32,
}

/// A record to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When, after the load has begun.
    pub at: Span,
    /// Its number, unique in a run.
    pub record: u64,
    /// The index of its topic.
    pub topic: u32,
    /// Its key.
    pub key: Option<u32>,
}

/// The number of bits of a record's number that count the records of one producer.
const COUNT_BITS: u32 = 40;

/// The number of the `count`-th record of a producer.
pub const fn record_number(producer: u16, count: u64) -> u64 {
    ((producer as u64) << COUNT_BITS) | count
}

/// The producer that sent the record.
pub const fn producer_of(record: u64) -> u16 {
    (record >> COUNT_BITS) as u16
}

impl Schedule {
    /// How many records come.
    pub fn due(&self) -> u64 {
        match self.stop {
            None => self.records,
            Some(_) => Arrivals::new(self.clone()).count() as u64,
        }
    }
}

/// The arrivals of one producer, in order.
#[derive(Clone, Debug)]
pub struct Arrivals {
    schedule: Schedule,
    stream: ChaCha8Rng,
    count: u64,
    burst_at: Span,
    /// The next record would come at or after [`Schedule::stop`].
    is_stopped: bool,
}

impl Arrivals {
    /// The arrivals of a schedule, from the first one onwards.
    pub fn new(schedule: Schedule) -> Self {
        let stream = sim::stream(schedule.seed, "workload", u64::from(schedule.producer));
        Self { schedule, stream, count: 0, burst_at: Span::ZERO, is_stopped: false }
    }

    /// The number of arrivals still to come: 0 after [`Schedule::stop`], and before that an upper
    /// bound, since `stop` may cut some off.
    pub fn remaining(&self) -> u64 {
        if self.is_stopped { 0 } else { self.schedule.records - self.count }
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let Schedule { producer, records, burst, interval, start, stop, keys, topics, .. } =
            self.schedule;
        if self.count == records {
            return None;
        }
        let (index, within) = (self.count / u64::from(burst), self.count % u64::from(burst));
        if within == 0 {
            let begins = start.0.saturating_add(index.saturating_mul(interval.0));
            let within = self.stream.below(interval.0.max(1));
            self.burst_at = Span(begins.saturating_add(within));
        }
        if stop.is_some_and(|stop| self.burst_at >= stop) {
            self.is_stopped = true;
            return None;
        }
        let arrival = Arrival {
            at: self.burst_at,
            record: record_number(producer, self.count),
            topic: (index % u64::from(topics.max(1))) as u32,
            key: (keys > 0).then(|| self.stream.below(u64::from(keys)) as u32),
        };
        self.count += 1;
        Some(arrival)
    }
}

/// Writes the value of a record: its number, then bytes that follow from it, `size` bytes in all
/// but at least the number's eight.
pub fn write_value(record: u64, size: u32, value: &mut Vec<u8>) {
    let size = (size as usize).max(8);
    let filler = (record.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).to_be_bytes();
    value.resize(size.next_multiple_of(8), 0);
    let (words, _) = value.as_chunks_mut();
    words.fill(filler);
    words[0] = record.to_be_bytes();
    value.truncate(size);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(seed: u64) -> Schedule {
        Schedule {
            seed,
            producer: 3,
            records: 500,
            burst: 4,
            interval: Span::millis(8),
            start: Span::secs(1),
            stop: None,
            keys: 10,
            topics: 2,
        }
    }

    #[test]
    fn arrivals_keep_their_order_their_rate_and_their_seed() {
        let arrivals: Vec<_> = Arrivals::new(schedule(7)).collect();
        assert_eq!(arrivals.len(), 500);
        assert!(arrivals.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert!(arrivals.windows(2).all(|pair| pair[0].record + 1 == pair[1].record));
        let last = arrivals[499].at;
        assert!(last >= Span::millis(1_000 + 124 * 8) && last < Span::millis(2_000), "{last}");
        assert_eq!(arrivals, Arrivals::new(schedule(7)).collect::<Vec<_>>());
        assert_ne!(arrivals, Arrivals::new(schedule(8)).collect::<Vec<_>>());
        assert_eq!(producer_of(arrivals[0].record), 3);
    }

    /// C1: what `stop` cuts off is not owed.
    #[test]
    fn a_producer_that_stops_early_sends_a_prefix() {
        let all: Vec<_> = Arrivals::new(schedule(7)).collect();
        let stop = Some(Span::millis(1_500));
        let mut arrivals = Arrivals::new(Schedule { stop, ..schedule(7) });
        let some: Vec<_> = arrivals.by_ref().collect();
        assert!(!some.is_empty() && some.len() < all.len());
        assert_eq!(some, all[..some.len()]);
        assert_eq!(arrivals.remaining(), 0);
        assert_eq!(Schedule { stop, ..schedule(7) }.due(), some.len() as u64);
        assert_eq!(schedule(7).due(), 500);
    }

    proptest! {
        #[test]
        fn a_value_begins_with_its_number(record: u64, size in 0u32..300) {
            let mut value = vec![1; 7];
            write_value(record, size, &mut value);
            prop_assert_eq!(value.len(), size.max(8) as usize);
            prop_assert_eq!(&value[..8], &record.to_be_bytes()[..]);
        }
    }
}
