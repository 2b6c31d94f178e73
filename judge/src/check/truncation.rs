//! A replica may cut below its own high watermark only what the leaders have lost: after an
//! unclean election, or when unsynced data went with the power. What the present leader still
//! holds, and what nothing excuses, was cut in error.
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
        // A replica may drop what the leader's log no longer has at its front; that the leader's log
        // begins there, and not only the replica's reason, has to be so.
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
