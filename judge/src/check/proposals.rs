//! A leader has one proposed ISR in flight at a time, and forgets none: it proposes nothing else
//! until the controller's response or newer metadata has settled the proposal (KIP-497).
//!
//! No rule decides that. Catches a leader that treats a lost response, a time-out or the response
//! to an earlier proposal as the outcome of the present one.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, View};
use engine::error::ErrorCode;
use engine::fact::Fact;
use engine::ids::TopicPartition;
use machine::{NodeId, Span};
use std::collections::BTreeMap;

/// The longest time that a proposal may have been open when the cluster has recovered.
const SETTLED: Span = Span::secs(30);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposals {
    /// When each leader made the proposal that is not decided.
    open: BTreeMap<(NodeId, TopicPartition), Moment>,
}

impl Proposals {
    pub(super) const NAME: &'static str = "one-isr-proposal";
}

impl Check for Proposals {
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        match fact {
            Fact::IsrProposed { partition, .. } => {
                let earlier = self.open.insert((at.node, *partition), *at);
                // A proposal of an earlier life ended with that life.
                let earlier = earlier.filter(|earlier| earlier.incarnation == at.incarnation);
                if let Some(earlier) = earlier {
                    self.report(view, at, *partition, &earlier, out);
                }
            }
            Fact::IsrAdopted { partition, .. }
            | Fact::BecameLeader { partition, .. }
            | Fact::BecameFollower { partition, .. }
            | Fact::IsrRefused { partition, error: ErrorCode::IneligibleReplica, .. } => {
                self.open.remove(&(at.node, *partition));
            }
            _ => {}
        }
    }

    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        if !end.missing.is_empty() {
            return;
        }
        for ((node, id), proposed) in &self.open {
            let Some(index) = view.index_of(node.cluster, *id) else { continue };
            let partition = &view.partitions[index];
            let leads =
                partition.line_leader.is_some_and(|it| partition.replicas[it].node == *node);
            let lives = view.incarnation(*node) == Some(proposed.incarnation);
            if leads && lives && end.at.saturating_sub(proposed.at) > SETTLED.0 {
                let what = "an ISR proposal was never settled";
                out.add(Self::NAME, what, proposed, index, Ground::Never)
                    .detail(format!("{} proposed it", view.setup.name(*node)));
            }
        }
    }
}

impl Proposals {
    fn report(
        &self,
        view: &View,
        at: &Moment,
        partition: TopicPartition,
        earlier: &Moment,
        out: &mut Findings,
    ) {
        let Some(index) = view.index_of(at.node.cluster, partition) else { return };
        let what = "a leader proposed an ISR while an earlier proposal was open";
        out.add(Self::NAME, what, at, index, Ground::Never).detail(format!(
            "{} had proposed another at event {}",
            view.setup.name(at.node),
            earlier.event
        ));
    }
}
