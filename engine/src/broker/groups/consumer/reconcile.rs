//! The next step of a member towards its target assignment (`CurrentAssignmentBuilder`).
//!
//! | state | it goes on when |
//! |---|---|
//! | Stable | there is a newer target assignment |
//! | UnrevokedPartitions | the member no longer reports what it has to give up |
//! | UnreleasedPartitions | at each heartbeat: a partition of the target may have become free |
//!
//! A member keeps its epoch until it has given up what the next epoch takes from it. A partition is given
//! to a member when no other one owns it or has still to give it up.

use super::member::{Assignment, Member, MemberState, contains};
use crate::Outbox;
use crate::ids::TopicId;
use crate::rules::Rulebook;
use crate::rules::group::Release;
use std::collections::BTreeSet;

/// What a member is to be brought to.
pub(super) struct Target<'a> {
    /// The epoch of the target assignment.
    pub(super) epoch: i32,
    pub(super) assignment: &'a Assignment,
    /// Whether a member of the group owns a partition, or has to give it up.
    pub(super) is_owned: &'a dyn Fn(TopicId, i32) -> bool,
    /// What the member reports that it owns; `None`: the request says nothing of it.
    pub(super) reported: Option<&'a Assignment>,
}

/// The member after the next step, if there is one.
pub(super) fn reconcile(
    member: &Member,
    target: &Target<'_>,
    rules: &Rulebook,
    out: &mut Outbox,
) -> Member {
    match member.state {
        MemberState::Stable if member.epoch == target.epoch => member.clone(),
        MemberState::UnrevokedPartitions if still_owns(&member.to_revoke, target.reported) => {
            member.clone()
        }
        MemberState::UnrevokedPartitions => advance(member, member.epoch + 1, target, rules, out),
        MemberState::Stable | MemberState::UnreleasedPartitions => {
            advance(member, member.epoch, target, rules, out)
        }
    }
}

/// Whether a member reports one of these partitions, or says nothing of what it owns.
fn still_owns(partitions: &Assignment, reported: Option<&Assignment>) -> bool {
    reported.is_none_or(|reported| {
        let mut all = reported.iter().flat_map(|(topic, all)| all.iter().map(|it| (*topic, *it)));
        all.any(|(topic, partition)| contains(partitions, topic, partition))
    })
}

/// The member with what it may have of its target; `epoch` is the one that it has until it has given up
/// the rest.
fn advance(
    member: &Member,
    epoch: i32,
    target: &Target<'_>,
    rules: &Rulebook,
    out: &mut Outbox,
) -> Member {
    let (mut kept, mut to_revoke, mut free) =
        (Assignment::new(), Assignment::new(), Assignment::new());
    let mut waits = false;
    let topics: BTreeSet<TopicId> =
        target.assignment.keys().chain(member.assigned.keys()).copied().collect();
    let put = |to: &mut Assignment, topic, partition| {
        to.entry(topic).or_default().insert(partition);
    };
    for topic in topics {
        for partition in member.assigned.get(&topic).into_iter().flatten() {
            match contains(target.assignment, topic, *partition) {
                true => put(&mut kept, topic, *partition),
                false => put(&mut to_revoke, topic, *partition),
            }
        }
        for partition in target.assignment.get(&topic).into_iter().flatten() {
            if contains(&member.assigned, topic, *partition) {
                continue;
            }
            let release = Release {
                is_owned: (target.is_owned)(topic, *partition),
                is_own: contains(&member.to_revoke, topic, *partition),
            };
            match rules.may_assign_partition(out, release) {
                true => put(&mut free, topic, *partition),
                false => waits = true,
            }
        }
    }
    let mut next = member.clone();
    if !to_revoke.is_empty() && still_owns(&to_revoke, target.reported) {
        next.state = MemberState::UnrevokedPartitions;
        next.advance(epoch);
        next.assigned = kept;
        next.to_revoke = to_revoke;
        return next;
    }
    for (topic, partitions) in free {
        kept.entry(topic).or_default().extend(partitions);
    }
    next.state = if waits { MemberState::UnreleasedPartitions } else { MemberState::Stable };
    next.advance(target.epoch);
    next.assigned = kept;
    next.to_revoke = Assignment::new();
    next
}
