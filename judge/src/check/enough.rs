//! With acks=all a record is appended and confirmed only while `min.insync.replicas` are in sync
//! according to the ISR that its leader reported, and only when the high watermark has passed it
//! (`Partition.appendRecordsToLeader`, `Partition.checkEnoughReplicasReachOffset`).
//!
//! Catches a corrupted `check_in_sync_replicas`, `outcome_when_replicated` or
//! `required_high_watermark`.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View};
use engine::fact::Fact;
use engine::ids::{BrokerId, LeaderEpoch, TopicPartition};
use machine::NodeId;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Enough {
    /// The epoch and the number of in-sync replicas that each leader last reported.
    in_sync: BTreeMap<(NodeId, TopicPartition), (LeaderEpoch, usize)>,
    /// The ISR that each leader has proposed. Until it is decided both sets count (KIP-497).
    proposed: BTreeMap<(NodeId, TopicPartition), Vec<BrokerId>>,
}

impl Enough {
    pub(super) const NAME: &'static str = "enough-in-sync";
}

impl Check for Enough {
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        match fact {
            Fact::BecameLeader { partition, .. } | Fact::IsrAdopted { partition, .. } => {
                self.proposed.remove(&(at.node, *partition));
            }
            Fact::IsrProposed { partition, to, .. } => {
                self.proposed.insert((at.node, *partition), to.clone());
            }
            _ => {}
        }
        match fact {
            Fact::BecameLeader { partition, leader_epoch, isr, .. }
            | Fact::IsrAdopted { partition, leader_epoch, isr, .. }
                if !isr.is_empty() =>
            {
                self.in_sync.insert((at.node, *partition), (*leader_epoch, isr.len()));
            }
            Fact::Acknowledged {
                partition,
                acks: -1,
                base_offset,
                last_offset,
                high_watermark,
                isr,
                ..
            } => {
                let Some(index) = view.index_of(at.node.cluster, *partition) else { return };
                if high_watermark <= last_offset {
                    let what = "acks=all was confirmed before it was committed";
                    out.add(Self::NAME, what, at, index, Ground::Never)
                        .offset(*base_offset)
                        .detail(format!("up to {last_offset}, high watermark {high_watermark}"));
                }
                let min_isr = view.partitions[index].min_isr;
                let proposed = self.proposed.get(&(at.node, *partition));
                let joining = proposed.into_iter().flatten().filter(|id| !isr.contains(id));
                if isr.len() + joining.count() < min_isr {
                    let what = "acks=all was confirmed with too few replicas in sync";
                    out.add(Self::NAME, what, at, index, Ground::Never)
                        .offset(*base_offset)
                        .detail(format!("ISR {isr:?}, min.insync.replicas={min_isr}"));
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Append(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let (Effect::Append(index, append), Fact::Appended { partition: id, leader_epoch, .. }) =
            (effect, fact)
        else {
            return;
        };
        let partition = &view.partitions[*index];
        if !append.as_leader || partition.topic.is_none() {
            return;
        }
        let Some((epoch, in_sync)) = self.in_sync.get(&(at.node, *id)).copied() else { return };
        if epoch != *leader_epoch || in_sync >= partition.min_isr {
            return;
        }
        let batch = partition.batches.get(append.batch);
        let numbers = partition.batches.numbers(append.batch, batch.base, batch.next);
        let wants_all = |number: &&u64| view.records.get(**number).is_some_and(|it| it.acks == -1);
        if let Some(number) = numbers.iter().find(wants_all) {
            let what = "acks=all was appended with too few replicas in sync";
            out.add(Self::NAME, what, at, *index, Ground::Never)
                .offset(batch.base)
                .record(*number)
                .detail(format!("{in_sync} in sync, min.insync.replicas={}", partition.min_isr));
        }
    }
}
