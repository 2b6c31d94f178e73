//! An offset has one value, for all readers and at all times.
//!
//! Catches a corrupted `truncate_to` or `diverges` (KIP-101, KIP-279), `check_leader_epoch`
//! (KIP-320), `may_append_fetched`.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, NONE, Piece, View};
use engine::fact::Fact;
use engine::ids::Offset;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct OneValue {
    /// By partition, the pieces of batches that readers were shown, in order of offset. They do not
    /// overlap.
    shown: Vec<Vec<Piece>>,
}

impl OneValue {
    pub(super) const NAME: &'static str = "one-value-per-offset";
}

impl Check for OneValue {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Delivered { .. })
    }

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
            if let Some((offset, earlier)) = show(&mut self.shown[index], *piece) {
                report(view, at, index, (offset, earlier, piece.batch), out);
            }
        }
    }
}

/// Records a piece. Returns its first offset at which another batch was shown, and that batch.
fn show(shown: &mut Vec<Piece>, piece: Piece) -> Option<(Offset, u32)> {
    let first = shown.partition_point(|it| it.to <= piece.from);
    if first == shown.len() {
        shown.push(piece);
        return None;
    }
    let last = first + shown[first..].partition_point(|it| it.from < piece.to);
    let touched = &shown[first..last];
    let is_known =
        |it: &Piece| it.batch == piece.batch && it.from <= piece.from && it.to >= piece.to;
    if touched.first().is_some_and(is_known) {
        return None;
    }
    let differing = touched.iter().find(|it| it.batch != piece.batch);
    let differs = differing.map(|it| (it.from.max(piece.from), it.batch));
    let left = touched.first().filter(|it| it.from < piece.from);
    let left = left.map(|it| Piece { to: piece.from, ..*it });
    let right = touched.last().filter(|it| it.to > piece.to);
    let right = right.map(|it| Piece { from: piece.to, ..*it });
    shown.splice(first..last, left.into_iter().chain([piece]).chain(right));
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
