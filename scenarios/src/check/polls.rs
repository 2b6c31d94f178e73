//! The polls of a consumer neither skip nor go back.
//!
//! Catches a corrupted `read_position`, and a consumer that mishandles positions within batches.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, Partition, View};
use engine::fact::{ClientFact, Fact};
use engine::ids::Offset;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Polls;

impl Polls {
    pub(super) const NAME: &'static str = "polls-contiguous";
}

impl Check for Polls {
    fn on_fact(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Delivered { reader, before } = effect else { return };
        let Fact::Client(ClientFact::Delivered { from, to, .. }) = fact else { return };
        let index = view.readers[*reader].partition;
        if let Some(before) = before.filter(|before| before != from) {
            let back = *from < before;
            let what = if back { "a poll went back" } else { "a poll skipped" };
            out.add(Self::NAME, what, at, index, Ground::Never)
                .offset(*from.min(&before))
                .detail(format!("the position was {before}, the poll began at {from}"));
        }
        let mut expected = *from;
        for piece in &view.pieces {
            if piece.from < expected {
                out.add(Self::NAME, "a poll went back", at, index, Ground::Never)
                    .offset(piece.from)
                    .detail(format!("offset {} came after {}", piece.from, expected - 1));
            }
            check_gap(view, at, index, (expected, piece.from), out);
            expected = piece.to;
        }
        check_gap(view, at, index, (expected, *to), out);
    }
}

/// Offsets may have holes; what was skipped must be one.
fn check_gap(
    view: &View,
    at: &Moment,
    index: usize,
    (from, to): (Offset, Offset),
    out: &mut Findings,
) {
    if from >= to {
        return;
    }
    if let Some(offset) = first_record(&view.partitions[index], from, to) {
        out.add(Polls::NAME, "a poll skipped", at, index, Ground::Never)
            .offset(offset)
            .detail(format!("offsets {from} to {} were passed over", to - 1));
    }
}

/// The first record between two offsets in the line of leaders.
fn first_record(partition: &Partition, from: Offset, to: Offset) -> Option<Offset> {
    let batches = &partition.batches;
    let start = partition.line.partition_point(|batch| batches.get(*batch).next <= from);
    let within = partition.line[start..].iter().map(|batch| batches.get(*batch));
    let mut within = within.take_while(|batch| batch.base < to);
    within.find(|batch| !batch.is_control).map(|batch| batch.base.max(from))
}
