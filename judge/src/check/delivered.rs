//! A record that was delivered to a consumer never vanishes, whatever `acks` it was sent with.
//!
//! Catches a corrupted `is_in_effective_isr` (KIP-497), `may_join_isr` (KAFKA-7128),
//! `holds_back_high_watermark`, `elect_leader`.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, End, Moment, Partition, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Delivered;

impl Delivered {
    pub(super) const NAME: &'static str = "delivered-stays";
}

impl Check for Delivered {
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
        // A record may also be delivered after its loss, by a leader that has been replaced.
        let Effect::Delivered { reader, .. } = effect else { return };
        let index = view.readers[*reader].partition;
        let partition = &view.partitions[index];
        for piece in &view.pieces {
            let batch = partition.batches.get(piece.batch);
            if let Some(loss) = partition.losses.get(batch.loss as usize)
                && !batch.is_control
                && batch.delivered_to == piece.to
                && !loss.witness.delivered
            {
                let ground = Ground::Gone { witness: loss.witness.clone(), loss: Some(batch.loss) };
                out.add(Self::NAME, "a lost record was delivered", at, index, ground)
                    .offset(piece.from)
                    .detail(extent(partition, piece.from, piece.to));
            }
        }
    }

    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (index, partition) in view.partitions.iter().enumerate() {
            for (number, loss) in (0..).zip(&partition.losses) {
                let batch = partition.batches.get(loss.batch);
                // A batch that is in the line of leaders again has not vanished.
                if !loss.witness.delivered || batch.loss != number || batch.is_control {
                    continue;
                }
                let ground = Ground::Gone { witness: loss.witness.clone(), loss: Some(number) };
                let at = Moment {
                    at: loss.at,
                    event: loss.event,
                    ..Moment { at: end.at, node: view.node_of(partition), incarnation: 0, event: 0 }
                };
                out.add(Self::NAME, "a delivered record vanished", &at, index, ground)
                    .offset(batch.base)
                    .detail(extent(partition, batch.base, batch.delivered_to));
            }
        }
    }
}

fn extent(partition: &Partition, from: i64, to: i64) -> String {
    format!("offsets {from} to {} of {}", to.saturating_sub(1), partition.name)
}
