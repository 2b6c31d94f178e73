//! The records of a producer are in a partition in the order sent, by the first copy of each.
//!
//! Catches a corrupted `mutes_partition` (KAFKA-3197), `place_of_retry` or `check_sequence`, and a
//! log that appends out of order.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, Runs, View, records as numbers};
use engine::ids::Offset;
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
            let records = &end.finals[index].records;
            let overtaken = overtaken(view, records);
            if !overtaken.is_empty() {
                let same_connection = over_the_same_connection(view, records);
                report(view, end, index, &overtaken, &same_connection, out);
            }
        }
    }
}

/// A record that comes after records that were sent later.
struct Overtaken {
    offset: Offset,
    number: u64,
    /// The record that was sent last among these.
    latest: u64,
}

fn overtaken(view: &View, records: &Runs<u64>) -> Vec<Overtaken> {
    let mut producers = vec![Seen::default(); view.records.producers()];
    let mut overtaken = Vec::new();
    for (offset, number) in records.iter() {
        let (producer, count) = numbers::parts(number);
        let seen = producers.get_mut(producer).filter(|_| view.records.get(number).is_some());
        if let Some(by) = seen.and_then(|seen| seen.overtaken_by(count)) {
            let latest = numbers::number(producer, by);
            overtaken.push(Overtaken { offset, number, latest });
        }
    }
    overtaken
}

/// The records of a producer found in a partition.
#[derive(Clone, Debug, Default)]
struct Seen {
    highest: Option<usize>,
    /// The records, a bit each.
    bits: Vec<u64>,
}

impl Seen {
    /// Adds a record. Returns the latest record before it in the log, if that was sent later and
    /// this is the first copy.
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

/// The records that come after one that was sent later over the same connection, which is more
/// serious: by offset, the latest record that overtook.
fn over_the_same_connection(view: &View, records: &Runs<u64>) -> BTreeMap<Offset, u64> {
    let mut highest: BTreeMap<(usize, ConnId), u64> = BTreeMap::new();
    let mut overtaken = BTreeMap::new();
    for (offset, number) in records.iter() {
        let Some(over) = view.records.get(number).and_then(|record| record.over) else { continue };
        let highest = highest.entry((numbers::parts(number).0, over)).or_default();
        if *highest > number {
            overtaken.insert(offset, *highest);
        }
        *highest = (*highest).max(number);
    }
    overtaken
}

fn report(
    view: &View,
    end: &End,
    index: usize,
    overtaken: &[Overtaken],
    same_connection: &BTreeMap<Offset, u64>,
    out: &mut Findings,
) {
    for &Overtaken { offset, number, latest } in overtaken {
        let by = same_connection.get(&offset).copied().unwrap_or(latest);
        let node = view.node_of(&view.partitions[index]);
        let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
        let (name, other) = (numbers::name(number), numbers::name(by));
        out.add(
            Order::NAME,
            "a record was overtaken",
            &at,
            index,
            Ground::Overtaken { by, latest },
        )
        .offset(offset)
        .record(number)
        .detail(format!("{name} comes after {other}, which was sent later"));
    }
}
