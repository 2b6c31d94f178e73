//! Consumers receive only records that all in-sync replicas, and at least `min.insync.replicas` of
//! them, have or had when a leader's high watermark passed the records.
//!
//! Catches a corrupted `holds_back_high_watermark`, `is_in_effective_isr` (KIP-497),
//! `may_advance_high_watermark` (KIP-966), `read_position`.

use super::{Check, Findings, Ground};
use crate::evidence::{Committed, Effect, Moment, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Uncommitted;

impl Uncommitted {
    pub(super) const NAME: &'static str = "no-uncommitted-read";
}

impl Check for Uncommitted {
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
        let partition = &view.partitions[index];
        for piece in &view.pieces {
            let batch = partition.batches.get(piece.batch);
            if batch.committed {
                continue;
            }
            // The ISR known to its leader counts: a leader that does not know that it was replaced
            // does not know a later ISR.
            let leader = partition.line_epoch;
            let ruling = partition.ruling(leader);
            let isr = ruling.map(|state: &Committed| state.isr.clone()).unwrap_or_default();
            let held = partition.counted(piece.batch, &isr);
            let enough = held.len() >= partition.min_isr;
            // A replica that came back with unobserved batches may have it.
            let unseen = partition.replicas.iter().any(|it| it.unseen_from.is_some());
            if (isr.is_within(&held) && enough) || unseen {
                continue;
            }
            let (isr, held) = (partition.names(&isr), partition.names(&batch.holders));
            let what = "a record was delivered that was not committed";
            out.add(Self::NAME, what, at, index, Ground::Never)
                .offset(piece.from)
                .detail(format!("ISR {{{isr}}}, held by {{{held}}}"));
        }
    }
}
