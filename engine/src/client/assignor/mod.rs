//! Assignors: which member of a group gets which partitions (`ConsumerPartitionAssignor`).
//!
//! | assignor | what it does |
//! |---|---|
//! | range | the partitions of each topic in blocks, in the order of members |
//! | round-robin | all partitions one after another |
//! | sticky | balanced, with as few moves as possible |
//! | cooperative-sticky | as sticky, but a partition that moves is first taken from its owner, and given to the next in another rebalance (KIP-429) |
//!
//! Racks make no difference here: consumers have none.

mod range;
mod round_robin;
mod sticky;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

pub(crate) use range::range;
pub(crate) use round_robin::round_robin;
pub(crate) use sticky::{cooperative_sticky, sticky};

use crate::ids::{GroupInstanceId, MemberId};
use crate::protocol::NamedPartition;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Its topics.
    pub topics: Vec<Arc<str>>,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// The partitions that it has owned, or owns.
    pub owned: Vec<NamedPartition>,
    /// The generation in which it got them; `None`: it was in none.
    pub generation: Option<i32>,
}

/// What members say, by id.
pub(crate) type Subscriptions = BTreeMap<MemberId, Subscription>;

/// The number of partitions of each topic; topics that do not exist have none.
pub(crate) type Counts = BTreeMap<Arc<str>, i32>;

/// The partitions of each member.
pub(crate) type Assignments = BTreeMap<MemberId, Vec<NamedPartition>>;

impl Subscription {
    fn has(&self, topic: &Arc<str>) -> bool {
        self.topics.contains(topic)
    }
}

/// The members in the order that does not change when a static member starts again: those with an
/// instance id first, by it, then the others by member id (`MemberInfo`).
fn in_order(subscriptions: &Subscriptions) -> Vec<&MemberId> {
    let mut members: Vec<&MemberId> = subscriptions.keys().collect();
    members.sort_by_key(|id| {
        let instance = subscriptions[*id].instance.as_ref();
        (instance.is_none(), instance, *id)
    });
    members
}

/// An assignment without partitions, for each member.
fn nothing(subscriptions: &Subscriptions) -> Assignments {
    subscriptions.keys().map(|id| (id.clone(), Vec::new())).collect()
}
