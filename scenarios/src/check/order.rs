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
            // For each producer the first copies so far go up to here.
            let mut highest: Vec<Option<usize>> = vec![None; view.records.producers()];
            let mut overtaken = Vec::new();
            for (offset, number) in (0..).zip(&end.finals[index].numbers) {
                let (producer, count) = records::parts(*number);
                let Some(highest) = highest.get_mut(producer).filter(|_| *number != NO_RECORD)
                else {
                    continue;
                };
                if highest.is_none_or(|highest| count > highest) {
                    *highest = Some(count);
                } else if *highest != Some(count) {
                    overtaken.push((offset, *number));
                }
            }
            report(view, end, index, overtaken, out);
        }
    }
}

/// Records below the highest so far: overtaken, unless they are further copies.
fn report(view: &View, end: &End, index: usize, below: Vec<(i64, u64)>, out: &mut Findings) {
    let numbers = &end.finals[index].numbers;
    for (offset, number) in below {
        let is_copy = numbers[..offset as usize].contains(&number);
        if is_copy {
            continue;
        }
        let node = view.node_of(&view.partitions[index]);
        let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
        out.add(Order::NAME, "a record was overtaken", &at, index, Ground::Overtaken)
            .offset(offset)
            .record(number)
            .detail(format!("{} comes after one that was sent later", records::name(number)));
    }
}
