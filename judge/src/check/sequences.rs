//! The sequences of an idempotent producer's batches follow one another in a log, and its epoch
//! never decreases (KIP-98, KIP-360).
//!
//! Catches a corrupted `check_sequence`, `check_producer_epoch` or `keeps_producers`, and a leader
//! that appends a copy.

use super::{Check, Findings, Ground};
use crate::evidence::batch::sequence;
use crate::evidence::{End, Moment, Partition, Sequence, View};
use engine::ids::{LeaderEpoch, Offset};
use engine::record;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequences;

impl Sequences {
    pub(super) const NAME: &'static str = "sequences-follow";
}

impl Check for Sequences {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (index, partition) in view.partitions.iter().enumerate() {
            if partition.topic.is_some() {
                check(view, end, index, partition, out);
            }
        }
    }
}

/// A batch of an idempotent producer in a log.
#[derive(Clone, Copy, Debug)]
struct Placed {
    sequence: Sequence,
    base: Offset,
    epoch: LeaderEpoch,
}

/// The batches of idempotent producers on the disk of the last leader, or in the log that the
/// leader reported if its disk has none.
fn log(end: &End, index: usize, partition: &Partition) -> Vec<Placed> {
    let leader = partition.line_leader.unwrap_or(0);
    if let Some(disk) = end.disk(index, leader) {
        let views = disk.batches.iter().filter_map(|bytes| record::Batch::new(bytes).ok());
        let placed = views.filter_map(|view| {
            let (base, epoch) = (view.base_offset(), view.leader_epoch());
            Some(Placed { sequence: sequence(view)?, base, epoch })
        });
        return placed.collect();
    }
    let batches = partition.line.iter().map(|batch| partition.batches.get(*batch));
    let placed = batches
        .filter_map(|it| Some(Placed { sequence: it.sequence()?, base: it.base, epoch: it.epoch }));
    placed.collect()
}

fn check(view: &View, end: &End, index: usize, partition: &Partition, out: &mut Findings) {
    let mut producers: BTreeMap<i64, Sequence> = BTreeMap::new();
    for placed in log(end, index, partition) {
        let own = placed.sequence;
        // The first batch may have any sequence: earlier ones may be deleted, or the leader may
        // have forgotten the producer.
        let Some(before) = producers.get(&own.producer_id).copied() else {
            producers.insert(own.producer_id, own);
            continue;
        };
        // A marker of the same epoch does not reset the sequences (transaction.version 1).
        if own.first >= 0 || own.epoch != before.epoch {
            producers.insert(own.producer_id, own);
        }
        let Some(what) = wrong(before, own) else { continue };
        let node = view.node_of(partition);
        let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
        out.add(Sequences::NAME, what, &at, index, Ground::OutOfSequence)
            .offset(placed.base)
            .detail(detail(before, placed));
    }
}

/// The defect of a batch after the previous one of its producer, if there is one.
fn wrong(before: Sequence, own: Sequence) -> Option<&'static str> {
    let is_marker = own.first < 0;
    let next = match before.last {
        last if before.epoch != own.epoch || last < 0 => 0,
        i32::MAX => 0,
        last => last + 1,
    };
    if own.epoch < before.epoch {
        Some("a batch has an epoch that its producer had left")
    } else if is_marker || own.first == next {
        None
    } else if (own.first, own.last, own.epoch) == (before.first, before.last, before.epoch) {
        Some("a batch of a producer is in a log twice")
    } else {
        Some("a batch of a producer does not follow the one before it")
    }
}

fn detail(before: Sequence, Placed { sequence: own, epoch, .. }: Placed) -> String {
    let range = |it: Sequence| format!("{}..={} of epoch {}", it.first, it.last, it.epoch);
    let (before, range, id) = (range(before), range(own), own.producer_id);
    format!("producer {id}: sequences {range} after {before}, appended in leader epoch {epoch}")
}
