//! The part of `group-one-owner` about groups of the consumer protocol (KIP-848): a partition is assigned to
//! a member when no other one owns it or has still to give it up, and a member owns what a record has
//! assigned to it.
//!
//! Catches a coordinator that takes a partition for free too early (KAFKA-16147), and a member that
//! acknowledges before it has given up what it should.

use super::group_owner::{GroupOwner, identity};
use super::{Findings, Ground, GroupGround};
use crate::evidence::group::{Group, Said};
use crate::evidence::{Moment, NONE, View};
use engine::ids::TopicPartition;

/// A record assigns partitions to a member of the consumer protocol: no other member may own one of them,
/// or have still to give it up (KIP-848).
pub(super) fn assigned(
    view: &View,
    at: &Moment,
    (group, index): (&Group, usize),
    replica: usize,
    out: &mut Findings,
) {
    let record = &group.consumer[index];
    let Some(Said::Current(member, Some(current))) = &record.value else { return };
    let replayed = view.consumer_group(group, (record.log, replica), record.place + 1);
    for (other, its) in replayed.members().into_iter().flatten().filter(|(id, _)| *id != member) {
        let mut owned = its.assigned.iter().chain(&its.to_revoke);
        let Some(both) = owned.find(|it| current.assigned.contains(it)) else { continue };
        let what = "a partition is assigned to a member before another one has given it up";
        let detail =
            format!("{member} in epoch {} and {other} in epoch {}", current.epoch, its.epoch);
        let ground = lost_assignment(view, at, group);
        let Some(partition) = view.index_of(group.cluster, *both) else { continue };
        let detail = format!("group {}: {detail}", group.name);
        out.add(GroupOwner::NAME, what, at, partition, ground).detail(detail);
    }
}

/// A member of the consumer protocol has taken over an assignment: a record has assigned it that, and no
/// other member that the log knows still owns a partition of it.
pub(super) fn joined(view: &View, at: &Moment, out: &mut Findings) {
    let Some(index) = view.members.of(at) else { return };
    let own = &view.members.all()[index];
    let Some(join) = own.last_join() else { return };
    let Some(known) = view.groups.named(at.node.cluster, &own.group) else { return };
    let group = &view.groups.all()[known];
    let now = view.consumer_group_now(group);
    let Some(members) = now.members() else { return };
    let is_classic = group.complete.iter().any(|it| {
        let mut all = it.members.iter();
        it.generation == join.generation && all.any(|member| member.member == join.member)
    });
    if is_classic {
        return;
    }
    let is_assigned = |said: &Said| match said {
        Said::Current(member, Some(current)) if **member == *join.member => {
            let known = |it: &TopicPartition| view.index_of(group.cluster, *it);
            let assigned: Vec<usize> = current.assigned.iter().filter_map(known).collect();
            join.partitions.iter().all(|it| assigned.contains(it))
        }
        _ => false,
    };
    if !group.consumer.iter().filter_map(|it| it.value.as_ref()).any(is_assigned) {
        let what = "a member owns what no record has assigned to it";
        let partition = join.partitions.first().copied();
        if let Some(partition) = partition {
            let detail = format!("group {}: {} has {}", own.group, own.node, join.member);
            out.add(GroupOwner::NAME, what, at, partition, Ground::Never).detail(detail);
        }
    }
    for (other_index, other) in view.members.of_group(at.node.cluster, &own.group) {
        let Some(last) = other.last_join() else { continue };
        let is_same = identity(&last.member, last.instance.as_ref())
            == identity(&join.member, join.instance.as_ref());
        // If the log does not know it, it has been removed, and will learn of that.
        if other_index == index || is_same || !members.contains_key(&last.member) {
            continue;
        }
        for partition in &join.partitions {
            let Some(epoch) = other.owned.get(partition) else { continue };
            let what = "a partition was handed over before it was given up";
            let ground = lost_assignment(view, at, group);
            out.add(GroupOwner::NAME, what, at, *partition, ground).detail(format!(
                "group {}: client {} has it in epoch {}, client {} since epoch {epoch}",
                own.group, own.node, join.generation, other.node
            ));
        }
    }
}

/// A record of the group that left the log before a moment: what it said of owners is unknown to later
/// coordinators.
fn lost_assignment(view: &View, at: &Moment, group: &Group) -> Ground {
    let is_lost = |log: usize, batch: u32| {
        let of = &view.partitions[log];
        let loss = of.batches.get(batch).loss;
        loss != NONE && of.losses[loss as usize].at <= at.at
    };
    let lost = group.consumer.iter().rev().find(|it| is_lost(it.log, it.batch));
    lost.map_or(Ground::Never, |it| {
        Ground::Group(GroupGround::Gone { log: it.log, batch: it.batch })
    })
}
