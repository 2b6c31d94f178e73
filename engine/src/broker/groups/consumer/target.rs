//! The target assignment of a group (`TargetAssignmentBuilder`).

use super::assignor::{self, MemberSpec, Spec};
use super::heartbeat::Update;
use super::member::{Assignment, Member};
use super::{ConsumerGroup, ConsumerRecord, preferred_of};
use crate::broker::groups::effects::Turn;
use crate::ids::{MemberId, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Computes the target assignment for a group epoch, in which a member is as it is going to be, and
/// returns the target of that member. Records of what has changed are among the effects.
pub(super) fn compute(
    group: &ConsumerGroup,
    epoch: i32,
    update: &Update,
    turn: &mut Turn<'_>,
) -> Assignment {
    let replaced = group.replaced_by(update);
    let (id, after) = (&update.id, &update.after);
    let others = group.members().filter(|(it, _)| *it != id && Some(*it) != replaced);
    let members: BTreeMap<&MemberId, &Member> = others.chain([(id, after)]).collect();
    let named = members.values().filter_map(|it| it.metadata.assignor.as_deref());
    let default = turn.config.consumer_assignors.first();
    let assignor = preferred_of(named).unwrap_or(default);
    // A static member goes on with the target of the one that it replaces.
    let owner = |member: &MemberId| match replaced {
        Some(replaced) if member == id => replaced.clone(),
        _ => member.clone(),
    };
    let topic_of = |name: &Arc<str>| turn.image.topic_by_name(name).map(|topic| topic.id);
    let spec_of = |(member, it): (&&MemberId, &&Member)| {
        let spec = MemberSpec {
            instance: it.metadata.instance.clone(),
            topics: it.metadata.topics.iter().filter_map(topic_of).collect(),
            assigned: group.target_of(&owner(member)),
        };
        ((*member).clone(), spec)
    };
    let specs: BTreeMap<MemberId, MemberSpec> = members.iter().map(spec_of).collect();
    let subscribers = group.topics_with(update);
    let topics: BTreeSet<TopicId> =
        specs.values().flat_map(|it| it.topics.iter().copied()).collect();
    let count = |topic: &TopicId| {
        let count = turn.image.topic(*topic).map_or(0, |topic| topic.partitions.len());
        (*topic, i32::try_from(count).unwrap_or(i32::MAX))
    };
    let assigned = group.targets.values().flat_map(|target| target.iter());
    let spec = Spec {
        is_homogeneous: subscribers.values().all(|count| *count == specs.len()),
        counts: topics.iter().map(count).collect(),
        assigned: assigned
            .flat_map(|(topic, all)| all.iter().map(|partition| (*topic, *partition)))
            .collect(),
        members: specs,
    };
    let mut targets = assignor::assign(assignor, &spec);
    for member in spec.members.keys() {
        let target = targets.entry(member.clone()).or_default();
        let is_new = group.targets.get(member).is_none_or(|before| **before != *target);
        if is_new {
            let (member, value) = (member.clone(), Some(target.clone()));
            turn.effects.records.push(group.record(ConsumerRecord::Target { member, value }));
        }
    }
    turn.effects.records.push(group.record(ConsumerRecord::TargetEpoch(Some(epoch))));
    targets.remove(id).unwrap_or_default()
}
