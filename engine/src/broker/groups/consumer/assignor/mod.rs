//! Assignors of the coordinator: which member is to have which partitions (`ConsumerGroupPartitionAssignor`).
//!
//! | name | idea |
//! |---|---|
//! | `uniform` | as even as possible, and close to what the members have (`uniform.rs`; `heterogeneous.rs` if members are subscribed to different topics) |
//! | `range` | consecutive partitions of each topic, in order of the members |
//!
//! Kafka visits members and topics in the order of its hash tables where the order is open; here it is
//! that of their ids.

mod heterogeneous;
mod range;
#[cfg(test)]
mod tests;
mod uniform;

use super::member::Assignment;
use crate::ids::{GroupInstanceId, MemberId, TopicId};
use std::collections::{BTreeMap, BTreeSet};

/// A group that is to be assigned.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) members: BTreeMap<MemberId, MemberSpec>,
    /// All members are subscribed to the same topics.
    pub(super) is_homogeneous: bool,
    /// How many partitions the topics have.
    pub(super) counts: BTreeMap<TopicId, i32>,
    /// The partitions in the target assignment of before.
    pub(super) assigned: BTreeSet<(TopicId, i32)>,
}

/// A member that is to be assigned partitions.
#[derive(Clone, Debug)]
pub(super) struct MemberSpec {
    pub(super) instance: Option<GroupInstanceId>,
    /// The topics that it is subscribed to and that exist.
    pub(super) topics: BTreeSet<TopicId>,
    /// Its target assignment of before.
    pub(super) assigned: Assignment,
}

/// The target assignment; members without partitions may be left out.
pub(super) fn assign(assignor: &str, spec: &Spec) -> BTreeMap<MemberId, Assignment> {
    match assignor {
        "range" => range::range(spec),
        _ if spec.is_homogeneous => uniform::uniform(spec),
        _ => heterogeneous::uniform(spec),
    }
}

/// Adds a partition to an assignment.
fn add(assignment: &mut Assignment, topic: TopicId, partition: i32) {
    assignment.entry(topic).or_default().insert(partition);
}

/// Removes a partition from an assignment.
fn remove(assignment: &mut Assignment, topic: TopicId, partition: i32) {
    if let Some(partitions) = assignment.get_mut(&topic) {
        partitions.remove(&partition);
        if partitions.is_empty() {
            assignment.remove(&topic);
        }
    }
}
