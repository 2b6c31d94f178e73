//! The quorum has one leader in an epoch, and committed metadata is kept: every later leader has
//! it, and no voter truncates it.
//!
//! Catches a corrupted `grants_vote` and `quorum_commits` (KIP-595, KAFKA-12619).

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View};
use engine::fact::Fact;
use engine::ids::{LeaderEpoch, TopicPartition};
use machine::{ClusterId, NodeId};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Quorum {
    leaders: BTreeMap<(ClusterId, LeaderEpoch), NodeId>,
}

impl Quorum {
    pub(super) const NAME: &'static str = "quorum-is-safe";
}

impl Check for Quorum {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Lead { .. } | Effect::Append(..) | Effect::Metadata { .. })
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        match (fact, effect) {
            (Fact::QuorumLeader { epoch, .. }, Effect::Lead { partition, losses_from, .. }) => {
                self.led(at, *partition, *epoch, out);
                lost(view, at, *partition, *losses_from, out);
            }
            (Fact::Appended { .. }, Effect::Append(index, append))
                if view.partitions[*index].id == TopicPartition::METADATA && append.as_leader =>
            {
                lost(view, at, *index, append.losses_from, out);
            }
            (_, Effect::Metadata { log, lacking, unreadable }) => {
                if let Some(lacking) = lacking {
                    let held = view.partitions[*log].names(&lacking.held);
                    let what = "metadata was committed that no majority holds";
                    out.add(Self::NAME, what, at, *log, Ground::Never)
                        .offset(view.partitions[*log].batches.get(lacking.batch).base)
                        .detail(format!("held by {{{held}}}"));
                }
                if let Some(unreadable) = unreadable {
                    let what = "committed metadata cannot be replayed";
                    // Later records then do not continue the records before the lost ones. Voters
                    // that forget their epoch may have a leader of the same epoch again.
                    let ground = match view.lost_metadata(at.node.cluster, at.at) {
                        Some(_) => Ground::Quorum,
                        None => Ground::Never,
                    };
                    out.add(Self::NAME, what, at, *log, ground)
                        .offset(unreadable.offset)
                        .detail(unreadable.why.clone());
                }
            }
            (Fact::Truncated { .. }, Effect::Cut(index, replica)) => {
                cut(view, at, *index, *replica, out);
            }
            _ => {}
        }
    }
}

impl Quorum {
    fn led(&mut self, at: &Moment, log: usize, epoch: LeaderEpoch, out: &mut Findings) {
        let first = *self.leaders.entry((at.node.cluster, epoch)).or_insert(at.node);
        if first != at.node {
            out.add(Self::NAME, "two voters led in one epoch", at, log, Ground::Quorum)
                .detail(format!("{first} and {} led in epoch {epoch}", at.node));
        }
    }
}

fn lost(view: &View, at: &Moment, log: usize, losses_from: usize, out: &mut Findings) {
    let committed = |loss: &&crate::evidence::Loss| loss.witness.committed;
    if let Some(loss) = view.partitions[log].losses[losses_from..].iter().find(committed) {
        let what = "a quorum leader lacks committed metadata";
        out.add(Quorum::NAME, what, at, log, Ground::Quorum)
            .offset(view.partitions[log].batches.get(loss.batch).base)
            .detail(format!("{} leads in epoch {}", at.node, loss.leader_epoch));
    }
}

fn cut(view: &View, at: &Moment, index: usize, replica: usize, out: &mut Findings) {
    let log = &view.partitions[index];
    let node = log.replicas[replica].node;
    if log.id != TopicPartition::METADATA || !view.setup.controllers.contains(&node) {
        return;
    }
    let committed = |batch: &&u32| log.batches.get(**batch).committed;
    if let Some(batch) = view.cut.iter().rev().find(committed) {
        out.add(Quorum::NAME, "a voter cut committed metadata", at, index, Ground::Quorum)
            .offset(log.batches.get(*batch).base)
            .detail(format!("voter {node}"));
    }
}
