//! All partitions one after another (`RoundRobinAssignor`).

use super::{Assignments, Counts, Subscriptions, in_order, nothing};
use std::sync::Arc;

/// Assigns all partitions.
pub(crate) fn round_robin(counts: &Counts, subscriptions: &Subscriptions) -> Assignments {
    let mut assignments = nothing(subscriptions);
    let members = in_order(subscriptions);
    let mut turn = members.iter().cycle().peekable();
    for (topic, count) in counts {
        if !subscriptions.values().any(|it| it.has(topic)) {
            continue;
        }
        for index in 0..*count {
            while turn.next_if(|id| !subscriptions[**id].has(topic)).is_some() {}
            if let Some(id) = turn.next() {
                let partition = (Arc::clone(topic), index);
                assignments.entry((*id).clone()).or_default().push(partition);
            }
        }
    }
    assignments
}
