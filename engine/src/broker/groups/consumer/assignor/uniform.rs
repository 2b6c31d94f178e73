//! As even as possible, for members with the same subscription: no member has two partitions more than
//! another, and members keep what they have as far as that allows (`UniformHomogeneousAssignmentBuilder`).

use super::{Assignment, Spec, add, remove};
use crate::ids::{MemberId, TopicId};
use std::collections::BTreeMap;

pub(super) fn uniform(spec: &Spec) -> BTreeMap<MemberId, Assignment> {
    let Some(first) = spec.members.values().next() else { return BTreeMap::new() };
    let topics = &first.topics;
    if topics.is_empty() {
        return BTreeMap::new();
    }
    let mut unassigned: Vec<(TopicId, i32)> = Vec::new();
    let mut total = 0;
    for topic in topics {
        let count = spec.counts.get(topic).copied().unwrap_or(0);
        let all = (0..count).map(|partition| (*topic, partition));
        unassigned.extend(all.filter(|it| !spec.assigned.contains(it)));
        total += count as usize;
    }
    let (quota, mut extra) = (total / spec.members.len(), total % spec.members.len());
    let mut assignments = BTreeMap::new();
    let mut unfilled: Vec<(&MemberId, usize)> = Vec::new();
    for (index, (id, member)) in spec.members.iter().enumerate() {
        let mut left = quota + usize::from(extra > 0);
        let mut may_have_extra = extra > 0;
        let mut assignment = member.assigned.clone();
        assignment.retain(|topic, _| topics.contains(topic));
        for (topic, partitions) in assignment.clone() {
            for partition in partitions {
                if left > 0 {
                    left -= 1;
                } else {
                    remove(&mut assignment, topic, partition);
                    unassigned.push((topic, partition));
                }
            }
        }
        if left > 0 && may_have_extra && spec.members.len() - index > extra {
            // Another one may take the additional partition, unless only those are left that have to.
            left -= 1;
            may_have_extra = false;
        }
        if left > 0 {
            unfilled.push((id, left));
        }
        extra -= usize::from(may_have_extra);
        assignments.insert(id.clone(), assignment);
    }
    let mut unassigned = unassigned.into_iter();
    for (id, left) in unfilled {
        let assignment: &mut Assignment = assignments.entry(id.clone()).or_default();
        for (topic, partition) in unassigned.by_ref().take(left) {
            add(assignment, topic, partition);
        }
    }
    assignments
}
