//! Every in-sync and every eligible leader replica has all committed records. An incarnation that
//! lost power is exempt until its broker is registered again, since the controller cannot know of
//! the loss before.
//!
//! Catches a corrupted `may_join_isr` (KAFKA-7128), `is_in_effective_isr` (KIP-497),
//! `holds_back_high_watermark`, `eligible_after` and `ended_uncleanly` (KIP-966),
//! `is_present_life` (KIP-903).

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, Partition, ReplicaSet, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// For each partition the last reported members, and whether records were gone, so that each
    /// finding is reported once.
    said: Vec<Option<(ReplicaSet, bool)>>,
}

impl Members {
    pub(super) const NAME: &'static str = "members-hold-committed";
}

impl Check for Members {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(
            effect,
            Effect::Watermark(_, Some(_)) | Effect::Metadata { .. } | Effect::Registered
        )
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        match effect {
            Effect::Watermark(index, Some(lacking)) => {
                let too_few = lacking.lacking.is_empty();
                let what = if too_few {
                    "a high watermark passed what too few replicas hold"
                } else {
                    "a high watermark passed what an in-sync replica lacks"
                };
                let found = (lacking.batch, &lacking.lacking);
                self.report(view, at, *index, found, what, out);
            }
            Effect::Metadata { .. } | Effect::Registered => {
                for index in &view.touched {
                    self.look_at(view, at, *index, out);
                }
            }
            _ => {}
        }
    }
}

/// Without eligible leader replicas the controller keeps the last in-sync replica of a partition in
/// the ISR, whatever it has lost with its power.
fn kept(view: &View, partition: &Partition, batch: u32, replica: Option<usize>) -> Ground {
    let (Some(replica), Some(state)) = (replica, partition.state()) else { return Ground::Never };
    let is_last = state.isr == ReplicaSet::of(replica);
    let lost = partition.batches.get(batch).power_lost.contains(replica);
    if view.setup.eligible_leader_replicas || !is_last || !lost {
        return Ground::Never;
    }
    let (isr, next) = (state.isr.clone(), partition.states.len());
    Ground::Gone { witness: partition.witness(batch, replica, isr, next), loss: None }
}

impl Members {
    fn look_at(&mut self, view: &View, at: &Moment, index: usize, out: &mut Findings) {
        let partition = &view.partitions[index];
        let (Some(batch), Some(state)) = (partition.last_committed(), partition.state()) else {
            return;
        };
        let held = &partition.batches.get(batch).holders | &partition.exempt(batch);
        let lacking = &state.members() - &held;
        if !lacking.is_empty() {
            let what = "a member of the ISR or ELR lacks what is committed";
            self.report(view, at, index, (batch, &lacking), what, out);
        }
    }

    fn report(
        &mut self,
        view: &View,
        at: &Moment,
        index: usize,
        (batch, lacking): (u32, &ReplicaSet),
        what: &'static str,
        out: &mut Findings,
    ) {
        let partition = &view.partitions[index];
        let it = partition.batches.get(batch);
        let state = partition.state();
        let latest = partition.states.len().saturating_sub(1);
        // A leader may have been elected without the data, uncleanly or after a power loss; it may
        // have gone down again since, before it began to lead. If merely too few replicas hold a
        // batch, no replica lacks it.
        let replica = lacking.first();
        let elected = replica.and_then(|replica| {
            let election = partition.election(replica, latest, partition.line_epoch);
            let state = partition.states.get(election)?;
            (state.leader == Some(replica)).then_some((replica, election))
        });
        let ground = match elected {
            Some((replica, election)) => {
                let earlier = partition.states[..election].iter().rev();
                let isr = earlier.map(|state| &state.isr).find(|isr| !isr.is_empty());
                let isr = isr.cloned().unwrap_or_default();
                let witness = partition.witness(batch, replica, isr, election);
                Ground::Gone { witness, loss: None }
            }
            None => kept(view, partition, batch, replica),
        };
        // The same members lack all later batches as well. An excuse on one ground does not apply
        // to another.
        let said = (lacking.clone(), matches!(ground, Ground::Gone { .. }));
        if self.said.len() <= index {
            self.said.resize(index + 1, None);
        }
        if self.said[index].as_ref() == Some(&said) {
            return;
        }
        self.said[index] = Some(said);
        let (isr, elr) = state.map(|state| (&state.isr, &state.elr)).unzip();
        let none = ReplicaSet::EMPTY;
        out.add(Self::NAME, what, at, index, ground).offset(it.base).detail(format!(
            "ISR {{{}}}, ELR {{{}}}, held by {{{}}}",
            partition.names(isr.unwrap_or(&none)),
            partition.names(elr.unwrap_or(&none)),
            partition.names(&it.holders)
        ));
    }
}
