//! An offset has one value, for all readers and for ever.
//!
//! Catches a corrupted `truncate_to` or `diverges` (KIP-101, KIP-279), `check_leader_epoch`
//! (KIP-320), `may_append_fetched`.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, NONE, Piece, View};
use engine::fact::Fact;
use engine::ids::Offset;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct OneValue {
    /// By partition, the pieces of batches that readers were shown: first offset, then the offset
    /// after the last and the batch. They do not overlap.
    shown: Vec<BTreeMap<Offset, (Offset, u32)>>,
}

impl OneValue {
    pub(super) const NAME: &'static str = "one-value-per-offset";
}

impl Check for OneValue {
    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Delivered { reader, .. } = effect else { return };
        let index = view.readers[*reader].partition;
        if self.shown.len() <= index {
            self.shown.resize(index + 1, BTreeMap::new());
        }
        for piece in &view.pieces {
            if let Some((offset, earlier)) = show(&mut self.shown[index], *piece) {
                report(view, at, index, (offset, earlier, piece.batch), out);
            }
        }
    }
}

/// Notes a piece. Returns the first offset of it at which another batch was shown, and that batch.
fn show(shown: &mut BTreeMap<Offset, (Offset, u32)>, piece: Piece) -> Option<(Offset, u32)> {
    let Piece { batch, from, to } = piece;
    let before = shown.range(..=from).next_back().filter(|(_, (end, _))| *end > from);
    if before.is_some_and(|(_, (end, other))| *other == batch && *end >= to) {
        return None;
    }
    let first = before.map_or(from, |(first, _)| *first);
    let touched: Vec<(Offset, Offset, u32)> =
        shown.range(first..to).map(|(start, (end, other))| (*start, *end, *other)).collect();
    let mut differs = None;
    for (start, end, other) in touched {
        if other != batch && differs.is_none() {
            differs = Some((start.max(from), other));
        }
        shown.remove(&start);
        if start < from {
            shown.insert(start, (from, other));
        }
        if end > to {
            shown.insert(to, (end, other));
        }
    }
    shown.insert(from, (to, batch));
    differs
}

fn report(
    view: &View,
    at: &Moment,
    index: usize,
    (offset, earlier, later): (Offset, u32, u32),
    out: &mut Findings,
) {
    let partition = &view.partitions[index];
    let lost = [earlier, later].map(|batch| partition.batches.get(batch).loss);
    let ground = match lost.into_iter().find(|loss| *loss != NONE) {
        Some(loss) => Ground::Gone {
            witness: partition.losses[loss as usize].witness.clone(),
            loss: Some(loss),
        },
        None => Ground::Never,
    };
    let epochs = [earlier, later].map(|batch| partition.batches.get(batch).epoch);
    out.add(OneValue::NAME, "readers were shown two values of one offset", at, index, ground)
        .offset(offset)
        .detail(format!("first one of epoch {}, then one of epoch {}", epochs[0], epochs[1]));
}
