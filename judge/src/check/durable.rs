//! A loaded log contains all durable records. After a crash or a clean shutdown these are all
//! records that its replica had reported, even if the host loses power after the shutdown; after a
//! power loss all but fewer than `flush.messages`. A crash may prevent the report that a replica
//! has cut records that its leader does not have. Nor is a log recovered after the clean shutdown
//! of a broker that had been unfenced: the log was closed, and there is a clean-shutdown file.
//!
//! No rule decides when records are synced. Catches a log that is closed or synced too late or not
//! at all, a clean-shutdown file that is written too early, and a recovery that cuts intact
//! batches.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Kept, Moment, View};
use engine::fact::Fact;
use engine::ids::{Offset, TopicPartition};
use machine::NodeId;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Durable {
    /// The last life in which each broker was unfenced. A broker that is stopped before has no open
    /// log.
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
            && view.was_shut_down_cleanly(at.node)
            && self.unfenced.get(&at.node).is_some_and(|life| life + 1 == at.incarnation)
        {
            let what = "a log was recovered after a clean shutdown";
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
                (all, "it had been shut down cleanly before its power was lost".to_owned())
            }
            Kept::Stopped { power_lost: false } => {
                (all, "it had been shut down cleanly".to_owned())
            }
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

/// Whether a handler that a crash interrupted may have cut the missing batches: only if the leader
/// has none of them.
fn may_have_cut(view: &View, at: &Moment, index: usize) -> bool {
    let partition = &view.partitions[index];
    let replica = partition.find(at.node).map(|replica| &partition.replicas[replica]);
    let of_leader = |batch: &u32| partition.is_in_line(*batch);
    replica.is_some_and(|it| it.may_have_cut) && !view.cut.iter().any(of_leader)
}

/// The number of records after which a log of the partition is synced, if there is one.
fn flushed(view: &View, index: usize) -> Option<Offset> {
    let partition = &view.partitions[index];
    if partition.id == TopicPartition::METADATA {
        return None;
    }
    let flush = view.setup.topics[partition.topic?].flush_messages?;
    Offset::try_from(flush).ok()
}
