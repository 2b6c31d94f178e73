//! A broker that is admitted to an ISR is known to the controller as unfenced and not shutting down
//! (KIP-841, KIP-903; `ReplicationControlManager.ineligibleReplicasForIsr`).
//!
//! Catches a corrupted `check_isr_proposal`, where a leader whose metadata is late proposes a
//! broker that has been fenced.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted {
    /// How many committed states of each partition have been checked.
    seen: Vec<usize>,
}

impl Admitted {
    pub(super) const NAME: &'static str = "in-sync-and-alive";
}

impl Check for Admitted {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Metadata { .. })
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Metadata { .. } = effect else { return };
        for index in &view.touched {
            let partition = &view.partitions[*index];
            if self.seen.len() <= *index {
                self.seen.resize(index + 1, 0);
            }
            let from = std::mem::replace(&mut self.seen[*index], partition.states.len());
            // The first state is that of the creation of the partition.
            for place in from.max(1)..partition.states.len() {
                let (before, state) = (&partition.states[place - 1], &partition.states[place]);
                let joined = &state.isr - &before.isr;
                // An elected leader joins the ISR by its election, which other checks cover.
                let joined: crate::evidence::ReplicaSet =
                    joined.iter().filter(|it| state.leader != Some(*it)).collect();
                let dead = &joined & &state.fenced;
                if !dead.is_empty() {
                    let what = "a fenced broker was let into the ISR";
                    out.add(Self::NAME, what, at, *index, Ground::Never)
                        .detail(format!("{} joined", partition.names(&dead)));
                }
            }
        }
    }
}
