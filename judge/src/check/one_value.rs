//! An offset has one value, for all readers and for ever.
//!
//! Catches a corrupted `truncate_to` or `diverges` (KIP-101, KIP-279), `check_leader_epoch`
//! (KIP-320), `may_append_fetched`.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, NONE, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct OneValue {
    /// For each partition and offset the batch that readers were shown.
    shown: Vec<Vec<u32>>,
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
            self.shown.resize(index + 1, Vec::new());
        }
        for piece in &view.pieces {
            let shown = &mut self.shown[index];
            let (from, to) = (piece.from as usize, piece.to as usize);
            if shown.len() < to {
                shown.resize(to, NONE);
            }
            let other = |batch: &&u32| **batch != NONE && **batch != piece.batch;
            if let Some(earlier) = shown[from..to].iter().find(other) {
                let offset = from + shown[from..to].iter().position(|b| b == earlier).unwrap_or(0);
                report(view, at, index, (offset as i64, *earlier, piece.batch), out);
            }
            shown[from..to].fill(piece.batch);
        }
    }
}

fn report(
    view: &View,
    at: &Moment,
    index: usize,
    (offset, earlier, later): (i64, u32, u32),
    out: &mut Findings,
) {
    let partition = &view.partitions[index];
    let lost = [earlier, later].map(|batch| partition.batches.get(batch).loss);
    let ground = match lost.into_iter().find(|loss| *loss != NONE) {
        Some(loss) => {
            Ground::Gone { witness: partition.losses[loss as usize].witness, loss: Some(loss) }
        }
        None => Ground::Never,
    };
    let epochs = [earlier, later].map(|batch| partition.batches.get(batch).epoch);
    out.add(OneValue::NAME, "readers were shown two values of one offset", at, index, ground)
        .offset(offset)
        .detail(format!("first one of epoch {}, then one of epoch {}", epochs[0], epochs[1]));
}
