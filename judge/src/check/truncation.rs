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
    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let (Effect::Cut(index, _), Fact::Truncated { to, high_watermark, why, .. }) =
            (effect, fact)
        else {
            return;
        };
        let partition = &view.partitions[*index];
        // What lies below the leader's log start is gone everywhere.
        if *why == Truncation::BehindLeader || partition.id == TopicPartition::METADATA {
            return;
        }
        let below = |batch: &&u32| partition.batches.get(**batch).base < *high_watermark;
        // Batches were cut from the end; the lowest is the one that tells most.
        let Some(batch) = view.cut.iter().rev().find(below).copied() else { return };
        let loss = partition.batches.get(batch).loss;
        let (what, ground) = if partition.is_in_line(batch) {
            ("a replica cut what the leader holds below the high watermark", Ground::Never)
        } else if loss == NONE {
            ("a replica cut below its high watermark", Ground::Never)
        } else {
            let witness = partition.losses[loss as usize].witness;
            ("a replica cut below its high watermark", Ground::Gone { witness, loss: Some(loss) })
        };
        out.add(Self::NAME, what, at, *index, ground)
            .offset(*to)
            .detail(format!("{} cut to {to}, its high watermark was {high_watermark}", at.node));
    }
}
