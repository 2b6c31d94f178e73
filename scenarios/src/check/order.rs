//! The records of a producer stand in a partition in the order sent, counting the first copy of
//! each.
//!
//! Catches a corrupted accumulator or in-flight limit of the producer, and a log that appends
//! out of order.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, NO_RECORD, View, records};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Order;

impl Order {
    pub(super) const NAME: &'static str = "order-as-sent";
}

impl Check for Order {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (index, partition) in view.partitions.iter().enumerate() {
            if partition.topic.is_none() {
                continue;
            }
            let mut producers = vec![Seen::default(); view.records.producers()];
            let mut overtaken = Vec::new();
            for (offset, number) in (0..).zip(&end.finals[index].numbers) {
                let (producer, count) = records::parts(*number);
                let seen = producers.get_mut(producer).filter(|_| *number != NO_RECORD);
                if seen.is_some_and(|seen| seen.is_overtaken(count)) {
                    overtaken.push((offset, *number));
                }
            }
            report(view, end, index, overtaken, out);
        }
    }
}

/// What was seen of a producer in a partition.
#[derive(Clone, Debug, Default)]
struct Seen {
    highest: Option<usize>,
    /// The records, a bit each.
    bits: Vec<u64>,
}

impl Seen {
    /// Notes a record. Whether it is the first copy, and a later one came before it.
    fn is_overtaken(&mut self, count: usize) -> bool {
        let (word, bit) = (count / 64, 1 << (count % 64));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let is_copy = self.bits[word] & bit != 0;
        self.bits[word] |= bit;
        let overtaken = !is_copy && self.highest.is_some_and(|highest| count < highest);
        self.highest = self.highest.max(Some(count));
        overtaken
    }
}

fn report(view: &View, end: &End, index: usize, overtaken: Vec<(i64, u64)>, out: &mut Findings) {
    for (offset, number) in overtaken {
        let node = view.node_of(&view.partitions[index]);
        let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
        out.add(Order::NAME, "a record was overtaken", &at, index, Ground::Overtaken)
            .offset(offset)
            .record(number)
            .detail(format!("{} comes after one that was sent later", records::name(number)));
    }
}
