//! A member of a group of the consumer protocol (`ConsumerGroupMember`).

use super::record::CurrentValue;
use crate::ids::{GroupInstanceId, TopicId};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The epoch with which a member leaves.
pub(super) const LEAVES: i32 = -1;
/// The epoch with which a static member leaves and keeps its place.
pub(super) const LEAVES_FOR_A_TIME: i32 = -2;

/// Partitions by topic. No topic is without partitions.
pub(in crate::broker::groups) type Assignment = BTreeMap<TopicId, BTreeSet<i32>>;

/// How far a member is on its way to its target assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker::groups) enum MemberState {
    /// It has what it is to have, as of its epoch.
    Stable,
    /// It has to give up partitions before its epoch can rise.
    UnrevokedPartitions,
    /// It waits for partitions that their owners have not given up.
    UnreleasedPartitions,
}

/// What a member has said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::groups) struct MemberMetadata {
    pub(in crate::broker::groups) instance: Option<GroupInstanceId>,
    pub(in crate::broker::groups) rack: Option<Arc<str>>,
    pub(in crate::broker::groups) client_id: Arc<str>,
    pub(in crate::broker::groups) client_host: Arc<str>,
    /// The topics that it is subscribed to.
    pub(in crate::broker::groups) topics: BTreeSet<Arc<str>>,
    /// -1: unknown.
    pub(in crate::broker::groups) rebalance_timeout_ms: i32,
    /// The assignor that it prefers.
    pub(in crate::broker::groups) assignor: Option<Arc<str>>,
    /// What it has said with JoinGroup; `None`: it has the consumer protocol.
    pub(in crate::broker::groups) classic: Option<ClassicMetadata>,
}

/// What a member of the classic protocol has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::groups) struct ClassicMetadata {
    pub(in crate::broker::groups) session_timeout_ms: i32,
    /// The assignors that it has, the best first, each with its subscription.
    pub(in crate::broker::groups) protocols: Vec<(Arc<str>, Bytes)>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::groups) struct Member {
    pub(in crate::broker::groups) metadata: MemberMetadata,
    pub(in crate::broker::groups) epoch: i32,
    /// The epoch before, which the member has until it has received the response with the present one.
    pub(in crate::broker::groups) previous_epoch: i32,
    pub(in crate::broker::groups) state: MemberState,
    pub(in crate::broker::groups) assigned: Assignment,
    /// What it still owns and has to give up.
    pub(in crate::broker::groups) to_revoke: Assignment,
}

impl MemberState {
    /// Its number in records.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
        }
    }

    pub(super) const fn of_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => return None,
        })
    }
}

impl Member {
    /// A member of which nothing is known.
    pub(super) fn new() -> Self {
        Self {
            metadata: MemberMetadata {
                instance: None,
                rack: None,
                client_id: "".into(),
                client_host: "".into(),
                topics: BTreeSet::new(),
                rebalance_timeout_ms: -1,
                assignor: None,
                classic: None,
            },
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: Assignment::new(),
            to_revoke: Assignment::new(),
        }
    }

    /// Whether it speaks the classic protocol.
    pub(in crate::broker::groups) fn is_classic(&self) -> bool {
        self.metadata.classic.is_some()
    }

    /// Whether it has all that it is to have as of an epoch of the target assignment.
    pub(super) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// Whether it owns a partition, or has not given it up.
    pub(super) fn owns(&self, topic: TopicId, partition: i32) -> bool {
        contains(&self.assigned, topic, partition) || contains(&self.to_revoke, topic, partition)
    }

    /// What it owns or has not given up.
    pub(super) fn owned(&self) -> impl Iterator<Item = (TopicId, i32)> {
        let all = self.assigned.iter().chain(&self.to_revoke);
        all.flat_map(|(topic, partitions)| partitions.iter().map(|index| (*topic, *index)))
    }

    /// Moves it to an epoch.
    pub(super) fn advance(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }

    /// What the record of its assignment says.
    pub(super) fn current(&self) -> CurrentValue {
        CurrentValue {
            epoch: self.epoch,
            previous_epoch: self.previous_epoch,
            state: self.state,
            assigned: self.assigned.clone(),
            to_revoke: self.to_revoke.clone(),
        }
    }

    /// Takes over what the record of its assignment says.
    pub(super) fn set_current(&mut self, value: CurrentValue) {
        self.epoch = value.epoch;
        self.previous_epoch = value.previous_epoch;
        self.state = value.state;
        self.assigned = value.assigned;
        self.to_revoke = value.to_revoke;
    }
}

/// Whether a partition is in an assignment.
pub(super) fn contains(assignment: &Assignment, topic: TopicId, partition: i32) -> bool {
    assignment.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
}
