//! Readers with `read_committed` receive only records whose commit is replicated, and are shown no
//! end beyond the first offset of an open transaction, the last stable offset (KIP-98).
//!
//! Whether they receive all committed records is checked by `polls-contiguous`, which lets them
//! skip aborted records and nothing else.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Fate, Moment, Partition, Piece, View};
use engine::fact::Fact;
use engine::ids::Offset;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadCommitted;

impl ReadCommitted {
    pub(super) const NAME: &'static str = "read-committed";
}

impl Check for ReadCommitted {
    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        match effect {
            Effect::Delivered { reader, .. } => delivered(view, at, *reader, out),
            Effect::ReaderEnd(reader, _) => shown(view, at, *reader, out),
            _ => {}
        }
    }
}

fn delivered(view: &View, at: &Moment, reader: usize, out: &mut Findings) {
    let reader = &view.readers[reader];
    let partition = &view.partitions[reader.partition];
    if !partition.transactions.any() {
        return;
    }
    let wrong = view.pieces.iter().find_map(|piece| Some((piece, wrong(partition, *piece)?)));
    let Some((piece, what)) = wrong else { return };
    let (node, read_committed) = (reader.node, reader.read_committed);
    if !read_committed && what == UNREPLICATED {
        return;
    }
    let batch = partition.batches.get(piece.batch);
    let ground = match read_committed {
        true => view.ground_of(reader.partition, batch.producer_id().unwrap_or(-1)),
        false => Ground::Uncommitted { reader: node },
    };
    out.add(ReadCommitted::NAME, what, at, reader.partition, ground)
        .offset(piece.from)
        .record(partition.batches.number_at(piece.batch, piece.from))
        .detail(format!("consumer {node} received offsets {} to {}", piece.from, piece.to - 1));
}

const UNREPLICATED: &str = "records were delivered whose commit was not replicated";

/// The defect in the delivery of a part of a batch.
fn wrong(partition: &Partition, piece: Piece) -> Option<&'static str> {
    let fate = partition.fate(piece.batch)?;
    // `delivered-stays` checks batches that have left the line.
    if !partition.is_in_line(piece.batch) {
        return None;
    }
    match fate {
        Fate::Open => Some("records of an open transaction were delivered"),
        Fate::Aborted => Some("records of an aborted transaction were delivered"),
        Fate::Committed => {
            let marker = partition.batches.get(piece.batch).ended_by;
            let it = partition.batches.get(marker);
            let isr = partition.ruling(partition.line_epoch).map(|state| state.isr.clone());
            let isr = isr.unwrap_or_default();
            let unseen = partition.replicas.iter().any(|it| it.unseen_from.is_some());
            let is_held = isr.is_within(&partition.counted(marker, &isr));
            (!it.committed && !is_held && !unseen).then_some(UNREPLICATED)
        }
    }
}

/// Finds an end that a reader was shown beyond the first offset of a transaction which was open
/// before the reader asked, and still is.
fn shown(view: &View, at: &Moment, reader: usize, out: &mut Findings) {
    let reader = &view.readers[reader];
    let Some(asked_at) = reader.asked_at.filter(|_| reader.read_committed) else { return };
    let partition = &view.partitions[reader.partition];
    let first = |batches: &[u32]| -> Option<(Offset, i64)> {
        let it = partition.batches.get(*batches.first()?);
        let is_below = it.at < asked_at && it.base < reader.shown_last;
        is_below.then(|| (it.base, it.producer_id().unwrap_or(-1)))
    };
    let Some((offset, producer_id)) = partition.transactions.open().find_map(|(_, it)| first(it))
    else {
        return;
    };
    let ground = view.ground_of(reader.partition, producer_id);
    let what = "an end was shown beyond an open transaction";
    out.add(ReadCommitted::NAME, what, at, reader.partition, ground)
        .offset(offset)
        .detail(format!("consumer {} was shown {}", reader.node, reader.shown_last));
}
