//! What a coordinator reads of the bytes of consumers: the topics of a subscription, and the partitions of
//! an assignment (`ConsumerProtocolSubscription.json`, `ConsumerProtocolAssignment.json`). All versions
//! begin as version 0 does, and nothing else in them matters to a coordinator.

use crate::broker::fields::{Malformed, take_i16, take_i32, take_string};
use crate::protocol::NamedPartition;
use std::sync::Arc;

/// The topics of a subscription; `None` if the bytes are no subscription.
pub(super) fn topics(mut subscription: &[u8]) -> Option<Vec<Arc<str>>> {
    read(&mut subscription).ok()
}

fn read(from: &mut &[u8]) -> Result<Vec<Arc<str>>, Malformed> {
    if take_i16(from)? < 0 {
        return Err(Malformed("a subscription of a negative version"));
    }
    let mut topics = Vec::new();
    for _ in 0..take_i32(from)? {
        topics.push(take_string(from)?);
    }
    Ok(topics)
}

/// The partitions of an assignment, in order; `None` if the bytes are no assignment.
pub(super) fn partitions(mut assignment: &[u8]) -> Option<Vec<NamedPartition>> {
    let mut partitions = read_assignment(&mut assignment).ok()?;
    partitions.sort_unstable();
    Some(partitions)
}

fn read_assignment(from: &mut &[u8]) -> Result<Vec<NamedPartition>, Malformed> {
    if take_i16(from)? < 0 {
        return Err(Malformed("an assignment of a negative version"));
    }
    let mut partitions = Vec::new();
    for _ in 0..take_i32(from)? {
        let topic = take_string(from)?;
        for _ in 0..take_i32(from)? {
            partitions.push((topic.clone(), take_i32(from)?));
        }
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_has_topics_and_other_bytes_have_none() {
        let subscription = b"\0\x03\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(topics(subscription).unwrap(), ["a".into(), Arc::from("bc")]);
        assert_eq!(topics(b""), None);
        assert_eq!(topics(b"\0\x01\0\0\0\x02\0\x01a"), None, "the second topic is missing");
        assert_eq!(topics(b"\xff\xff\0\0\0\0"), None);
    }

    #[test]
    fn an_assignment_has_partitions_and_other_bytes_have_none() {
        let two = b"\0\x01\0\0\0\x02\0\x01b\0\0\0\x01\0\0\0\x07\0\x01a\0\0\0\0\xff\xff\xff\xff";
        assert_eq!(partitions(two).unwrap(), [("b".into(), 7)]);
        assert_eq!(partitions(b"\0\0\0\0\0\0\xff\xff\xff\xff").unwrap(), []);
        assert_eq!(partitions(b"everything"), None);
        assert_eq!(partitions(b""), None, "a leader has left the member out");
    }
}
