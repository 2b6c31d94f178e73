//! The records of a producer stand in a partition in the order sent, counting the first copy of
//! each.
//!
//! Catches a corrupted `mutes_partition` (KAFKA-3197) or `place_of_retry`, and a log that appends
//! out of order.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, NO_RECORD, View, records};
use machine::ConnId;
use std::collections::BTreeMap;

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
            let numbers = &end.finals[index].numbers;
            let overtaken = overtaken(numbers, view.records.producers());
            if !overtaken.is_empty() {
                report(view, end, index, by_whom(view, numbers, overtaken), out);
            }
        }
    }
}

/// The records that come after one that was sent later: offset, record and the latest of those.
fn overtaken(numbers: &[u64], producers: usize) -> Vec<(i64, u64, u64)> {
    let mut producers = vec![Seen::default(); producers];
    let mut overtaken = Vec::new();
    for (offset, number) in (0..).zip(numbers) {
        let (producer, count) = records::parts(*number);
        let seen = producers.get_mut(producer).filter(|_| *number != NO_RECORD);
        if let Some(by) = seen.and_then(|seen| seen.overtaken_by(count)) {
            overtaken.push((offset, *number, records::number(producer, by)));
        }
    }
    overtaken
}

/// What was seen of a producer in a partition.
#[derive(Clone, Debug, Default)]
struct Seen {
    highest: Option<usize>,
    /// The records, a bit each.
    bits: Vec<u64>,
}

impl Seen {
    /// Notes a record. If it is the first copy and a later one came before it: the latest one.
    fn overtaken_by(&mut self, count: usize) -> Option<usize> {
        let (word, bit) = (count / 64, 1 << (count % 64));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let is_copy = self.bits[word] & bit != 0;
        self.bits[word] |= bit;
        let by = self.highest.filter(|highest| !is_copy && count < *highest);
        self.highest = self.highest.max(Some(count));
        by
    }
}

/// Names in place of the latest one that overtook a record one that was sent over the same
/// connection, if there is one: that is the worse.
fn by_whom(
    view: &View,
    numbers: &[u64],
    mut overtaken: Vec<(i64, u64, u64)>,
) -> Vec<(i64, u64, u64)> {
    let mut highest: BTreeMap<(usize, ConnId), u64> = BTreeMap::new();
    let mut found = overtaken.iter_mut().peekable();
    for (offset, number) in (0..).zip(numbers) {
        let Some(over) = view.records.get(*number).and_then(|record| record.over) else { continue };
        let highest = highest.entry((records::parts(*number).0, over)).or_default();
        while found.next_if(|(at, ..)| *at < offset).is_some() {}
        if let Some((_, _, by)) = found.next_if(|(at, ..)| *at == offset)
            && *highest > *number
        {
            *by = *highest;
        }
        *highest = (*highest).max(*number);
    }
    overtaken
}

fn report(
    view: &View,
    end: &End,
    index: usize,
    overtaken: Vec<(i64, u64, u64)>,
    out: &mut Findings,
) {
    for (offset, number, by) in overtaken {
        let node = view.node_of(&view.partitions[index]);
        let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
        let (name, other) = (records::name(number), records::name(by));
        out.add(Order::NAME, "a record was overtaken", &at, index, Ground::Overtaken { by })
            .offset(offset)
            .record(number)
            .detail(format!("{name} comes after {other}, which was sent later"));
    }
}
