//! The partitions of each topic in blocks (`RangeAssignor`). The first members get one more where they
//! cannot be shared evenly, in each topic again.

use super::{Assignments, Counts, Subscriptions, in_order, nothing};
use std::sync::Arc;

/// Assigns all partitions.
pub(crate) fn range(counts: &Counts, subscriptions: &Subscriptions) -> Assignments {
    let mut assignments = nothing(subscriptions);
    let members = in_order(subscriptions);
    for (topic, count) in counts {
        let subscribed: Vec<_> =
            members.iter().filter(|id| subscriptions[**id].has(topic)).collect();
        let Ok(among) = i32::try_from(subscribed.len()) else { continue };
        if among == 0 {
            continue;
        }
        let (each, extra) = (count / among, count % among);
        let mut next = 0;
        for (place, id) in (0..).zip(subscribed) {
            let end = next + each + i32::from(place < extra);
            let block = (next..end).map(|index| (Arc::clone(topic), index));
            assignments.entry((**id).clone()).or_default().extend(block);
            next = end;
        }
    }
    assignments
}
