//! A leader epoch has one leader.
//!
//! Catches a controller that replies before its records are committed, or counts an epoch twice.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View};
use engine::fact::Fact;
use engine::ids::{LeaderEpoch, TopicPartition};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaders {
    /// The leader that was observed, by partition and epoch.
    leaders: BTreeMap<(usize, LeaderEpoch), usize>,
    /// The last one looked up: most appends are by the same leader.
    last: Option<((usize, LeaderEpoch), usize)>,
}

impl Leaders {
    pub(super) const NAME: &'static str = "one-leader-per-epoch";
}

impl Check for Leaders {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Lead { .. } | Effect::Append(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let (index, replica, epoch) = match (fact, effect) {
            (Fact::BecameLeader { leader_epoch, .. }, Effect::Lead { partition, replica, .. }) => {
                (*partition, *replica, *leader_epoch)
            }
            (Fact::Appended { leader_epoch, .. }, Effect::Append(partition, append))
                if append.as_leader =>
            {
                (*partition, append.replica, *leader_epoch)
            }
            _ => return,
        };
        let key = (index, epoch);
        if self.last == Some((key, replica))
            || view.partitions[index].id == TopicPartition::METADATA
        {
            return;
        }
        let first = *self.leaders.entry(key).or_insert(replica);
        self.last = Some((key, first));
        if first != replica {
            let node = view.partitions[index].replicas[first].node;
            out.add(Self::NAME, "two replicas led in one epoch", at, index, Ground::Never)
                .detail(format!("{} and {node} led in epoch {epoch}", at.node));
        }
    }
}
