//! A consumer returns no record of a partition that its application has paused (`KafkaConsumer.pause`).
//!
//! Catches a consumer that hands out what it had fetched before the pause.

use super::{Check, Findings, Ground};
use crate::evidence::{Moment, View};
use engine::fact::{ClientFact, Fact, MemberFact};
use engine::ids::TopicPartition;
use machine::NodeId;
use std::collections::BTreeSet;

/// The paused partitions of each process.
#[derive(Clone, Debug, Default)]
pub(super) struct Paused(BTreeSet<(NodeId, u16, TopicPartition)>);

impl Paused {
    pub(super) const NAME: &'static str = "paused-return-nothing";
}

impl Check for Paused {
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        let Fact::Client(fact) = fact else { return };
        let key = |partition: &TopicPartition| (at.node, at.incarnation, *partition);
        match fact {
            ClientFact::Paused { partitions } => self.0.extend(partitions.iter().map(key)),
            // A pause ends with the assignment: whoever gets the partition reads it.
            ClientFact::Resumed { partitions }
            | ClientFact::Member(MemberFact::Revoked { partitions, .. }) => {
                partitions.iter().for_each(|partition| {
                    self.0.remove(&key(partition));
                });
            }
            ClientFact::Delivered { partition, from, to, .. }
                if self.0.contains(&key(partition)) =>
            {
                let name = view.find(at.node.cluster, *partition).map_or("", |it| &it.name);
                let what = "a consumer returned records of a paused partition";
                out.add_without_partition(Self::NAME, what, (at.at, at.event), Ground::Never)
                    .detail(format!("client {}, {from} to {to} of {name}", at.node));
            }
            _ => {}
        }
    }
}
