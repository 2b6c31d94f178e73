//! Consecutive partitions of each topic for each member (`RangeAssignor` of the coordinator). Static members
//! come first, in order of their instance ids.

use super::{Assignment, Spec};
use crate::ids::{MemberId, TopicId};
use std::collections::BTreeMap;

/// What is left of a topic.
struct Left {
    /// How many partitions every subscriber gets.
    quota: i32,
    /// How many subscribers get one more.
    extra: i32,
    next: i32,
}

pub(super) fn range(spec: &Spec) -> BTreeMap<MemberId, Assignment> {
    let mut left: BTreeMap<TopicId, Left> = BTreeMap::new();
    for (topic, count) in &spec.counts {
        let subscribers = spec.members.values().filter(|it| it.topics.contains(topic)).count();
        let subscribers = i32::try_from(subscribers).unwrap_or(i32::MAX);
        if subscribers > 0 {
            let (quota, extra) = (count / subscribers, count % subscribers);
            left.insert(*topic, Left { quota, extra, next: 0 });
        }
    }
    let mut order: Vec<&MemberId> = spec.members.keys().collect();
    order.sort_by_key(|id| {
        let instance = spec.members[*id].instance.as_ref();
        (instance.is_none(), instance, *id)
    });
    let mut assignments = BTreeMap::new();
    for id in order {
        let mut assignment = Assignment::new();
        for topic in &spec.members[id].topics {
            let Some(Left { quota, extra, next }) = left.get_mut(topic) else { continue };
            let size = *quota + i32::from(*extra > 0);
            *extra = (*extra - 1).max(0);
            if size > 0 {
                assignment.insert(*topic, (*next..*next + size).collect());
            }
            *next += size;
        }
        assignments.insert(id.clone(), assignment);
    }
    assignments
}
