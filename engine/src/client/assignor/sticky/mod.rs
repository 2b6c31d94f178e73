//! Balanced assignments with as few moves as possible (`AbstractStickyAssignor`; KIP-54, KIP-429).

mod any;
mod equal;
mod movements;

use super::{Assignments, Counts, Subscriptions};
use crate::ids::MemberId;
use crate::protocol::NamedPartition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What members have owned, as far as their claims agree.
struct Owned {
    by_member: Assignments,
    /// Partitions that two members of one generation claim.
    contested: BTreeSet<NamedPartition>,
    /// The latest generation of all members.
    latest: i32,
}

/// A balanced assignment, and the partitions that move between members where that is known.
struct Balanced {
    assignments: Assignments,
    /// Partitions whose owner changes, with the next owner; `None`: to be found out.
    moving: Option<BTreeMap<NamedPartition, MemberId>>,
}

/// Assigns all partitions; each member gives up what it has owned first.
pub(crate) fn sticky(counts: &Counts, subscriptions: &Subscriptions) -> Assignments {
    balanced(counts, subscriptions).assignments
}

/// Assigns all partitions but those that move: their owner gives them up first, and they are assigned in
/// the rebalance that follows.
pub(crate) fn cooperative_sticky(counts: &Counts, subscriptions: &Subscriptions) -> Assignments {
    let Balanced { mut assignments, moving } = balanced(counts, subscriptions);
    let moving = moving.unwrap_or_else(|| moving_between(subscriptions, &assignments));
    for (partition, next) in moving {
        if let Some(assigned) = assignments.get_mut(&next) {
            assigned.retain(|it| *it != partition);
        }
    }
    assignments
}

fn balanced(counts: &Counts, subscriptions: &Subscriptions) -> Balanced {
    let is_subscribed =
        |(topic, _): &(&Arc<str>, &i32)| subscriptions.values().any(|it| it.has(topic));
    let subscribed = counts.iter().filter(is_subscribed);
    let counts: &Counts = &subscribed.map(|(topic, count)| (topic.clone(), *count)).collect();
    let owned = owned(counts, subscriptions);
    let topics = |it: &super::Subscription| it.topics.iter().cloned().collect::<BTreeSet<_>>();
    let mut all = subscriptions.values().map(topics);
    let first = all.next().unwrap_or_default();
    if all.all(|it| it == first) {
        equal::assign(counts, owned)
    } else {
        let assignments = any::assign(counts, subscriptions, owned);
        Balanced { assignments, moving: None }
    }
}

/// What members claim; of two claims for a partition the one of the later generation counts, and none
/// of the same generation.
fn owned(counts: &Counts, subscriptions: &Subscriptions) -> Owned {
    let mut by_member: Assignments = BTreeMap::new();
    let mut owners: BTreeMap<&NamedPartition, &MemberId> = BTreeMap::new();
    let (mut contested, mut latest) = (BTreeSet::new(), -1);
    let generation = |id: &MemberId| subscriptions[id].generation.unwrap_or(-1);
    for (id, subscription) in subscriptions {
        latest = latest.max(generation(id));
        by_member.insert(id.clone(), Vec::new());
        let known = |partition: &&NamedPartition| counts.contains_key(&partition.0);
        for partition in subscription.owned.iter().filter(known) {
            let is_claimed = match owners.get(partition) {
                Some(other) if generation(id) < generation(other) => continue,
                Some(other) => {
                    let is_contested = generation(id) == generation(other);
                    if let Some(claimed) = by_member.get_mut(*other) {
                        claimed.retain(|it| it != partition);
                    }
                    if is_contested {
                        contested.insert(partition.clone());
                    }
                    !is_contested
                }
                None => true,
            };
            owners.insert(partition, id);
            if is_claimed {
                by_member.entry(id.clone()).or_default().push(partition.clone());
            }
        }
    }
    Owned { by_member, contested, latest }
}

/// The partitions that one member gives up and another gets.
fn moving_between(
    subscriptions: &Subscriptions,
    assignments: &Assignments,
) -> BTreeMap<NamedPartition, MemberId> {
    let mut added = BTreeMap::new();
    let mut revoked = BTreeSet::new();
    for (id, assigned) in assignments {
        let owned = &subscriptions[id].owned;
        let new = assigned.iter().filter(|it| !owned.contains(it));
        added.extend(new.map(|it| (it.clone(), id.clone())));
        revoked.extend(owned.iter().filter(|it| !assigned.contains(it)).cloned());
    }
    added.retain(|partition, _| revoked.contains(partition));
    added
}

/// The partitions of these topics, in order.
fn partitions_of<'a>(
    topics: impl Iterator<Item = &'a Arc<str>>,
    counts: &Counts,
) -> Vec<NamedPartition> {
    let of = |topic: &'a Arc<str>| (0..counts[topic]).map(move |index| (Arc::clone(topic), index));
    topics.flat_map(of).collect()
}
