//! A log that is loaded holds all that must be durable: after a crash or an orderly stop everything
//! that its replica had reported, also if the host loses power after the stop; after a loss of power
//! all but fewer records than `flush.messages`. A crash may take the report that a replica has cut
//! what its leader does not have. Nor is a log recovered after an orderly stop of a broker that had been
//! unfenced: it was closed, and a clean-shutdown file says so.
//!
//! No rule decides what is synced when. Catches a log that closes or syncs too late or not at all, a
//! clean-shutdown file that is written too early, and a recovery that cuts what is whole.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Kept, Moment, View};
use engine::fact::Fact;
use engine::ids::{Offset, TopicPartition};
use machine::NodeId;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Durable {
    /// The last life in which each broker was unfenced. One that is stopped before has no log open.
    unfenced: BTreeMap<NodeId, u16>,
}

impl Durable {
    pub(super) const NAME: &'static str = "loads-what-is-durable";
}

impl Check for Durable {
    #[inline]
    fn on_fact(&mut self, _: &View, at: &Moment, fact: &Fact, _: &mut Findings) {
        if let Fact::FencedChanged { fenced: false } = fact {
            self.unfenced.insert(at.node, at.incarnation);
        }
    }

    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Loaded { .. })
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Loaded { partition: index, reported, end, kept, .. } = effect else { return };
        if let Fact::Loaded { clean: false, .. } = fact
            && view.partitions[*index].id != TopicPartition::METADATA
            && view.setup.disk_capacity.is_none()
            && view.was_stopped_in_order(at.node)
            && self.unfenced.get(&at.node).is_some_and(|life| life + 1 == at.incarnation)
        {
            let what = "a log was recovered after an orderly stop";
            out.add(Self::NAME, what, at, *index, Ground::Never).detail(view.setup.name(at.node));
        }
        let missing = reported.saturating_sub(*end);
        if missing <= 0 || may_have_cut(view, at, *index) {
            return;
        }
        let all = "a log came back without what it held";
        let (what, why) = match *kept {
            // Observers of the quorum need not sync the metadata log when they stop.
            Kept::Stopped { power_lost: true }
                if view.partitions[*index].id == TopicPartition::METADATA =>
            {
                return;
            }
            Kept::Stopped { power_lost: true } => {
                (all, "it had been stopped in order before its power was lost".to_owned())
            }
            Kept::Stopped { power_lost: false } => (all, "it had been stopped in order".to_owned()),
            Kept::Written => (all, "its host kept what it had written".to_owned()),
            Kept::Synced => match flushed(view, *index) {
                Some(flush) if missing >= flush => (
                    "a log came back without what was synced",
                    format!("flush.messages={flush} lets fewer than that be unsynced"),
                ),
                _ => return,
            },
            Kept::Unknown => return,
        };
        out.add(Self::NAME, what, at, *index, Ground::Never).offset(*end).detail(format!(
            "{} had reported an end of {reported} and came back with {end}; {why}",
            view.setup.name(at.node)
        ));
    }
}

/// Whether a handler that a crash cut short may have cut what is missing: then the leader has
/// nothing of it.
fn may_have_cut(view: &View, at: &Moment, index: usize) -> bool {
    let partition = &view.partitions[index];
    let replica = partition.find(at.node).map(|replica| &partition.replicas[replica]);
    let of_leader = |batch: &u32| partition.is_in_line(*batch);
    replica.is_some_and(|it| it.may_have_cut) && !view.cut.iter().any(of_leader)
}

/// After how many records a log of the partition is synced, if after a number.
fn flushed(view: &View, index: usize) -> Option<Offset> {
    let partition = &view.partitions[index];
    if partition.id == TopicPartition::METADATA {
        return None;
    }
    let flush = view.setup.topics[partition.topic?].flush_messages?;
    Offset::try_from(flush).ok()
}
