//! A replica may cut below its own high watermark only batches that the leaders have lost, after an
//! unclean election or a power loss with unsynced data. Cutting a batch that the present leader
//! still has, or whose loss is not excused, is an error.
//!
//! Catches a corrupted `start_of_following` (KIP-101), `truncate_to` (KIP-279).

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, NONE, View};
use engine::fact::{Fact, Truncation};
use engine::ids::TopicPartition;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Truncations;

impl Truncations {
    pub(super) const NAME: &'static str = "truncation-below-watermark";
}

impl Check for Truncations {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Cut(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let (Effect::Cut(index, replica), Fact::Truncated { to, high_watermark, why, .. }) =
            (effect, fact)
        else {
            return;
        };
        let partition = &view.partitions[*index];
        if partition.id == TopicPartition::METADATA {
            return;
        }
        // A replica may drop batches before the leader's log start. It is not enough that the
        // replica gives this reason: the leader's log has to begin there.
        let is_behind = *why == Truncation::BehindLeader;
        let below = |batch: &&u32| {
            let it = partition.batches.get(**batch);
            it.base < *high_watermark && !(is_behind && it.next <= partition.start)
        };
        // Batches were cut from the end; the lowest says most.
        let Some(batch) = view.cut.iter().rev().find(below).copied() else { return };
        let loss = partition.batches.get(batch).loss;
        let (what, ground) = if partition.is_in_line(batch) {
            (
                "a replica cut what the leader holds below the high watermark",
                Ground::CutAgain { replica: *replica },
            )
        } else if loss == NONE {
            ("a replica cut below its high watermark", Ground::Never)
        } else {
            let witness = partition.losses[loss as usize].witness.clone();
            ("a replica cut below its high watermark", Ground::Gone { witness, loss: Some(loss) })
        };
        out.add(Self::NAME, what, at, *index, ground)
            .offset(*to)
            .detail(format!("{} cut to {to}, its high watermark was {high_watermark}", at.node));
    }
}
