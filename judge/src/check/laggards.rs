//! A replica that lacks records of its leader leaves the ISR within one and a half times
//! `replica.lag.time.max.ms`: it is out of sync after this time, and leaders check every half of it
//! (`ReplicaManager.maybeShrinkIsr`).
//!
//! Catches a corrupted `is_out_of_sync`, and a leader that forgets the check.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View};
use engine::fact::Fact;
use machine::{NodeId, Span};
use std::collections::{BTreeMap, BTreeSet};

/// The time that a proposal may take until it is committed, with three voters that sync their
/// disks.
const DECISION: Span = Span::millis(500);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Laggards {
    /// Findings reported so far: partition, replica, and the first batch that it lacks.
    found: BTreeSet<(usize, usize, u32)>,
    /// When a replica of a partition last lost or cut a part of its log.
    shortened: BTreeMap<(usize, usize), u64>,
}

impl Laggards {
    pub(super) const NAME: &'static str = "laggards-leave";
}

fn others(nodes: &[NodeId], node: NodeId) -> Vec<NodeId> {
    nodes.iter().copied().filter(|it| *it != node).collect()
}

impl Check for Laggards {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Append(..) | Effect::Cut(..) | Effect::Loaded { .. })
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let (index, append) = match effect {
            Effect::Append(index, append) => (index, append),
            Effect::Cut(partition, replica) => {
                self.shortened.insert((*partition, *replica), at.at);
                return;
            }
            Effect::Loaded { partition, replica, reported, end, .. } => {
                if end < reported {
                    self.shortened.insert((*partition, *replica), at.at);
                }
                return;
            }
            _ => return,
        };
        let partition = &view.partitions[*index];
        if !append.as_leader || !view.setup.is_prompt || partition.topic.is_none() {
            return;
        }
        // A leader that has been replaced does not shrink the ISR.
        let Some(state) = partition.state().filter(|it| it.leader == Some(append.replica)) else {
            return;
        };
        let base = partition.batches.get(append.batch).base;
        for replica in state.isr.iter().filter(|replica| *replica != append.replica) {
            let end = partition.replicas[replica].end;
            if end >= base {
                continue;
            }
            let first = partition.line.partition_point(|it| partition.batches.get(*it).next <= end);
            let Some(batch) = partition.line.get(first).copied() else { continue };
            let had = self.shortened.get(&(*index, replica)).copied().unwrap_or(0);
            let spoil = view.spoil(partition.replicas[replica].node, *index, None);
            let had = had.max(spoil.map_or(0, |spoil| spoil.at));
            let lacking_since = partition.batches.get(batch).at.max(state.at).max(had);
            let by_clock = u128::from(view.setup.lag_time.0 / 2 * 3);
            let longest = by_clock * (1_000_000 + u128::from(view.setup.drift_ppm)) / 1_000_000;
            let longest = longest as u64 + DECISION.0;
            if at.at.saturating_sub(lacking_since) <= longest
                || self.found.contains(&(*index, replica, batch))
            {
                continue;
            }
            // The time of every follower restarts when a leader's epoch begins.
            let led = partition.story.led((append.replica, partition.line_epoch)).unwrap_or(at.at);
            if at.at.saturating_sub(led) <= longest {
                continue;
            }
            let cluster = at.node.cluster;
            let controllers = view.setup.controllers.iter().filter(|it| it.cluster == cluster);
            let controllers: Vec<NodeId> = controllers.copied().collect();
            // A delay between controllers delays their decision as well.
            let decided_late = controllers
                .iter()
                .any(|it| view.is_hindered(*it, &others(&controllers, *it), lacking_since));
            if view.is_hindered(at.node, &controllers, lacking_since) || decided_late {
                continue;
            }
            self.found.insert((*index, replica, batch));
            let node = partition.replicas[replica].node;
            out.add(Self::NAME, "a laggard stayed in the ISR", at, *index, Ground::Never)
                .offset(partition.batches.get(batch).base)
                .detail(format!(
                    "replica {node} has lacked this for {}, replica.lag.time.max.ms={}",
                    Span(at.at.saturating_sub(lacking_since)),
                    view.setup.lag_time.as_millis()
                ));
        }
    }
}
