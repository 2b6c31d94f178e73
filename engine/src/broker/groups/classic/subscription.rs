//! The bytes of consumers, as far as a coordinator reads and writes them: subscriptions and assignments
//! (`ConsumerProtocolSubscription.json`, `ConsumerProtocolAssignment.json`). All versions begin as version
//! 0 does; a subscription has what the member owns from version 1 on, its generation from version 2, and
//! its rack from version 3 (KIP-429, KIP-792, KIP-881).

use crate::broker::fields::{
    Malformed, put_string, take_bytes, take_i16, take_i32, take_nullable_string, take_string,
};
use crate::protocol::NamedPartition;
use bytes::Bytes;
use std::sync::Arc;

/// The newest version of both.
const NEWEST: i16 = 3;

/// What a member is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::groups) struct Subscription {
    pub(in crate::broker::groups) topics: Vec<Arc<str>>,
    /// The partitions that the member has.
    pub(in crate::broker::groups) owned: Vec<NamedPartition>,
    pub(in crate::broker::groups) rack: Option<Arc<str>>,
}

/// What a member is assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::groups) struct Assigned {
    /// In order.
    pub(in crate::broker::groups) partitions: Vec<NamedPartition>,
    /// The assignor has something to say to the member.
    pub(in crate::broker::groups) has_user_data: bool,
}

/// The topics of a subscription; `None` if the bytes are no subscription. The rest of it is not read.
pub(super) fn topics(mut subscription: &[u8]) -> Option<Vec<Arc<str>>> {
    read_topics(&mut subscription).ok().map(|(_, topics)| topics)
}

/// A subscription; `None` if the bytes are none.
pub(in crate::broker::groups) fn read(mut bytes: &[u8]) -> Option<Subscription> {
    read_all(&mut bytes).ok()
}

/// The version of a subscription, by which an assignment is written; 0 if it has none.
pub(in crate::broker::groups) fn version(mut subscription: &[u8]) -> i16 {
    take_i16(&mut subscription).unwrap_or(0).clamp(0, NEWEST)
}

/// An assignment; `None` if the bytes are none.
pub(in crate::broker::groups) fn assignment(mut bytes: &[u8]) -> Option<Assigned> {
    let mut assigned = read_assignment(&mut bytes).ok()?;
    assigned.partitions.sort_unstable();
    Some(assigned)
}

/// The partitions of an assignment, in order; `None` if the bytes are no assignment.
pub(super) fn partitions(bytes: &[u8]) -> Option<Vec<NamedPartition>> {
    assignment(bytes).map(|assigned| assigned.partitions)
}

/// The bytes of an assignment of partitions, which are in order.
pub(in crate::broker::groups) fn write_assignment(
    version: i16,
    partitions: &[NamedPartition],
) -> Bytes {
    let mut to = version.to_be_bytes().to_vec();
    let topics: Vec<&[NamedPartition]> = partitions.chunk_by(|a, b| a.0 == b.0).collect();
    to.extend((topics.len() as i32).to_be_bytes());
    for partitions in topics {
        put_string(&mut to, &partitions[0].0);
        to.extend((partitions.len() as i32).to_be_bytes());
        for (_, partition) in partitions {
            to.extend(partition.to_be_bytes());
        }
    }
    // No user data.
    to.extend((-1_i32).to_be_bytes());
    to.into()
}

fn read_topics(from: &mut &[u8]) -> Result<(i16, Vec<Arc<str>>), Malformed> {
    let version = take_i16(from)?;
    if version < 0 {
        return Err(Malformed("a subscription of a negative version"));
    }
    let mut topics = Vec::new();
    for _ in 0..take_i32(from)? {
        topics.push(take_string(from)?);
    }
    Ok((version, topics))
}

fn read_all(from: &mut &[u8]) -> Result<Subscription, Malformed> {
    let (version, topics) = read_topics(from)?;
    take_user_data(from)?;
    let owned = if version >= 1 { read_partitions(from)? } else { Vec::new() };
    if version >= 2 {
        let _generation = take_i32(from)?;
    }
    let rack = if version >= 3 { take_nullable_string(from)? } else { None };
    Ok(Subscription { topics, owned, rack })
}

fn read_assignment(from: &mut &[u8]) -> Result<Assigned, Malformed> {
    if take_i16(from)? < 0 {
        return Err(Malformed("an assignment of a negative version"));
    }
    let partitions = read_partitions(from)?;
    let has_user_data = take_user_data(from)?;
    Ok(Assigned { partitions, has_user_data })
}

fn read_partitions(from: &mut &[u8]) -> Result<Vec<NamedPartition>, Malformed> {
    let mut partitions = Vec::new();
    for _ in 0..take_i32(from)? {
        let topic = take_string(from)?;
        for _ in 0..take_i32(from)? {
            partitions.push((topic.clone(), take_i32(from)?));
        }
    }
    Ok(partitions)
}

/// Bytes that may be null. Returns whether there are any.
fn take_user_data(from: &mut &[u8]) -> Result<bool, Malformed> {
    let mut ahead = *from;
    if take_i32(&mut ahead)? < 0 {
        *from = ahead;
        return Ok(false);
    }
    Ok(!take_bytes(from)?.is_empty())
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

    #[test]
    fn a_whole_subscription_has_what_its_version_has() {
        let topics = b"\0\0\0\x01\0\x01a\xff\xff\xff\xff";
        let owned = b"\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x02";
        let of = |version: u8, rest: &[&[u8]]| {
            read(&[&[0, version][..], topics, &rest.concat()].concat())
        };
        let plain = Subscription { topics: vec!["a".into()], owned: vec![], rack: None };
        assert_eq!(of(0, &[]), Some(plain.clone()));
        assert_eq!(of(1, &[]), None, "it ends early");
        let with_owned = Subscription { owned: vec![("a".into(), 2)], ..plain };
        assert_eq!(of(1, &[owned]), Some(with_owned.clone()));
        assert_eq!(of(2, &[owned, &[0, 0, 0, 7]]), Some(with_owned.clone()));
        let rack = Some("r".into());
        let with_rack = of(3, &[owned, &[0, 0, 0, 7], b"\0\x01r"]);
        assert_eq!(with_rack, Some(Subscription { rack, ..with_owned }));
    }

    #[test]
    fn an_assignment_comes_back() {
        let partitions = vec![("a".into(), 0), ("a".into(), 3), ("b".into(), 1)];
        let bytes = write_assignment(3, &partitions);
        assert_eq!(bytes[..2], [0, 3]);
        assert_eq!(assignment(&bytes), Some(Assigned { partitions, has_user_data: false }));
        let with_data = b"\0\0\0\0\0\0\0\0\0\x01x";
        assert!(assignment(with_data).expect("an assignment").has_user_data);
    }
}
