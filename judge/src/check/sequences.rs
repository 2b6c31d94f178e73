//! The batches of an idempotent producer stand in a log with sequences that follow one another, and no
//! epoch comes back that it has left (KIP-98, KIP-360).
//!
//! Catches a corrupted `check_sequence`, `check_producer_epoch` or `keeps_producers`, and a leader that
//! appends a copy.

use super::{Check, Findings, Ground};
use crate::evidence::{Batch, End, Moment, Partition, Sequence, View};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequences;

impl Sequences {
    pub(super) const NAME: &'static str = "sequences-follow";
}

impl Check for Sequences {
    fn at_end(&mut self, view: &View, _: &End, out: &mut Findings) {
        for (index, partition) in view.partitions.iter().enumerate() {
            if partition.topic.is_some() {
                check(view, index, partition, out);
            }
        }
    }
}

fn check(view: &View, index: usize, partition: &Partition, out: &mut Findings) {
    let mut producers: BTreeMap<i64, Sequence> = BTreeMap::new();
    for batch in &partition.line {
        let it = partition.batches.get(*batch);
        let Some(own) = it.sequence() else { continue };
        // Nothing is known of the first one: its producer may have begun elsewhere, or been forgotten.
        let before = producers.insert(own.producer_id, own);
        let Some(what) = before.and_then(|before| wrong(before, own)) else { continue };
        let node = view.node_of(partition);
        let at = Moment { at: it.at, node, incarnation: 0, event: 0 };
        let ground = Ground::OutOfSequence { batch: *batch };
        out.add(Sequences::NAME, what, &at, index, ground)
            .offset(it.base)
            .detail(detail(before, own, it));
    }
}

/// What is wrong with a batch after another one of its producer, if anything is.
fn wrong(before: Sequence, own: Sequence) -> Option<&'static str> {
    let is_marker = own.first < 0;
    let next = match before.last {
        last if before.epoch != own.epoch || last < 0 => 0,
        i32::MAX => 0,
        last => last + 1,
    };
    if own.epoch < before.epoch {
        Some("a batch is of an epoch that its producer had left")
    } else if is_marker || own.first == next {
        None
    } else if (own.first, own.last, own.epoch) == (before.first, before.last, before.epoch) {
        Some("a batch of a producer stands in a log twice")
    } else {
        Some("a batch of a producer does not follow the one before it")
    }
}

fn detail(before: Option<Sequence>, own: Sequence, batch: &Batch) -> String {
    let range = |it: Sequence| format!("{}..={} of epoch {}", it.first, it.last, it.epoch);
    let before = before.map_or_else(String::new, range);
    let (own, id, epoch) = (range(own), own.producer_id, batch.epoch);
    format!("producer {id}: sequences {own} after {before}, appended in leader epoch {epoch}")
}
