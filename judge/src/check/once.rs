//! A record is stored in a partition no more often than it was sent, and a message of an
//! application is stored in one record only.
//!
//! Catches a corrupted `duplicate_of` (KAFKA-5494), a leader or follower that appends a batch
//! twice, and a producer that sends a confirmed batch again.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, View, records};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Once;

impl Once {
    pub(super) const NAME: &'static str = "stored-once";
}

impl Check for Once {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        let mut copies: Vec<Vec<u32>> = vec![Vec::new(); view.records.producers()];
        let mut repeated = Vec::new();
        for (index, partition) in view.partitions.iter().enumerate() {
            if partition.topic.is_none() {
                continue;
            }
            for (offset, number) in end.finals[index].records.iter() {
                let (producer, count) = records::parts(number);
                if view.records.get(number).is_none() {
                    continue;
                }
                let copies = &mut copies[producer];
                if copies.len() <= count {
                    copies.resize(count + 1, 0);
                }
                copies[count] = copies[count].saturating_add(1);
                if copies[count] > 1 {
                    repeated.push((index, offset, number, copies[count]));
                }
            }
        }
        for (index, offset, number, copy) in repeated {
            let node = view.node_of(&view.partitions[index]);
            let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
            let ground = Ground::Copies(copy);
            out.add(Self::NAME, "a record was stored again", &at, index, ground)
                .offset(offset)
                .record(number)
                .detail(format!("{}, copy {copy}", records::name(number)));
        }
        if view.records.sent_again().next().is_some() {
            messages(view, end, out);
        }
    }
}

/// Reports messages that are stored in two records, because the application sent them again.
fn messages(view: &View, end: &End, out: &mut Findings) {
    let mut first: BTreeMap<u64, u64> = BTreeMap::new();
    for (index, partition) in view.partitions.iter().enumerate() {
        if partition.topic.is_none() {
            continue;
        }
        for (offset, number) in end.finals[index].records.iter() {
            let Some(carries) = view.records.carries(number) else { continue };
            let before = *first.entry(carries.message).or_insert(number);
            if before == number {
                continue;
            }
            let node = view.node_of(partition);
            let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
            let ground = Ground::SentAgain { before };
            out.add(Once::NAME, "a message was stored in two records", &at, index, ground)
                .offset(offset)
                .record(number)
                .detail(format!("{} and {}", records::name(before), records::name(number)));
        }
    }
}
