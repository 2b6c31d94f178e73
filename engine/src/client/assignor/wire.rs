//! The bytes of the consumer protocol, which coordinators pass on without reading them
//! (`ConsumerProtocol`): what a member says of itself, and what the leader of a group assigns to it.
//!
//! | version of the subscription | adds |
//! |---|---|
//! | 0 | topics, user data |
//! | 1 | owned partitions (KIP-429) |
//! | 2 | the generation in which they were assigned (KIP-792) |
//! | 3 | the rack (KIP-881); members have none here |

use super::Subscription;
use crate::broker::fields::{
    Malformed, put_bytes, put_string, take_bytes, take_i16, take_i32, take_nullable_string,
    take_string,
};
use crate::protocol::NamedPartition;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The newest version of subscriptions and of assignments, in which members write both.
pub(crate) const NEWEST: i16 = 3;
/// No bytes: null.
const NULL: i32 = -1;
/// No generation.
const NO_GENERATION: i32 = -1;

/// A subscription as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The subscription; without the instance id, which is not part of the bytes.
    pub subscription: Subscription,
    /// What the assignor of the member adds.
    pub user_data: Option<Bytes>,
}

/// Writes a subscription in a version from 0 to [`NEWEST`].
pub(crate) fn write_subscription(
    version: i16,
    subscription: &Subscription,
    user_data: Option<&[u8]>,
) -> Bytes {
    let mut to = version.to_be_bytes().to_vec();
    let mut topics: Vec<_> = subscription.topics.iter().collect();
    topics.sort_unstable();
    put_count(&mut to, topics.len());
    for topic in topics {
        put_string(&mut to, topic);
    }
    put_user_data(&mut to, user_data);
    if version >= 1 {
        let mut owned = subscription.owned.clone();
        owned.sort_unstable();
        put_partitions(&mut to, &by_topic(&owned));
    }
    if version >= 2 {
        to.extend(subscription.generation.unwrap_or(NO_GENERATION).to_be_bytes());
    }
    if version >= 3 {
        to.extend(NO_RACK.to_be_bytes());
    }
    to.into()
}

/// The length of a rack that is null.
const NO_RACK: i16 = -1;

/// Reads a subscription. A version above [`NEWEST`] is read as the newest one.
pub(crate) fn read_subscription(mut bytes: &[u8]) -> Result<Sent, Malformed> {
    let from = &mut bytes;
    let version = take_version(from)?;
    let mut sent = Sent::default();
    for _ in 0..take_i32(from)? {
        sent.subscription.topics.push(take_string(from)?);
    }
    sent.user_data = take_user_data(from)?;
    if version >= 1 {
        sent.subscription.owned = take_partitions(from)?;
    }
    if version >= 2 {
        sent.subscription.generation = Some(take_i32(from)?).filter(|it| *it >= 0);
    }
    if version >= 3 {
        take_nullable_string(from)?;
    }
    Ok(sent)
}

/// Writes an assignment. All versions have the same fields.
pub(crate) fn write_assignment(partitions: &[NamedPartition]) -> Bytes {
    let mut to = NEWEST.to_be_bytes().to_vec();
    put_partitions(&mut to, &by_topic(partitions));
    put_user_data(&mut to, None);
    to.into()
}

/// Reads an assignment.
pub(crate) fn read_assignment(mut bytes: &[u8]) -> Result<Vec<NamedPartition>, Malformed> {
    let from = &mut bytes;
    take_version(from)?;
    let partitions = take_partitions(from)?;
    take_user_data(from)?;
    Ok(partitions)
}

/// The user data of the sticky assignor: what the member was assigned last, and in which generation
/// (`StickyAssignor.subscriptionUserData`). Topics stand in the order of Java's hash map.
pub(crate) fn write_sticky(assigned: &[NamedPartition], generation: i32) -> Bytes {
    let mut topics = by_topic(assigned);
    in_hash_order(&mut topics);
    let mut to = Vec::new();
    put_partitions(&mut to, &topics);
    to.extend(generation.to_be_bytes());
    to.into()
}

/// Reads the user data of the sticky assignor. Bytes that are not readable claim nothing; older ones
/// have no generation.
pub(crate) fn read_sticky(user_data: &[u8]) -> (Vec<NamedPartition>, Option<i32>) {
    let mut from = user_data;
    let Ok(partitions) = take_partitions(&mut from) else { return (Vec::new(), None) };
    let generation = take_i32(&mut from).ok();
    (partitions, generation.filter(|it| *it >= 0))
}

/// The user data of the cooperative sticky assignor: the generation of the last assignment
/// (`CooperativeStickyAssignor.subscriptionUserData`).
pub(crate) fn write_cooperative(generation: Option<i32>) -> Bytes {
    Bytes::copy_from_slice(&generation.unwrap_or(NO_GENERATION).to_be_bytes())
}

type ByTopic = Vec<(Arc<str>, Vec<i32>)>;

/// The partitions of each topic; topics in the order in which they appear.
fn by_topic(partitions: &[NamedPartition]) -> ByTopic {
    let mut topics = ByTopic::new();
    let mut places = BTreeMap::new();
    for (topic, index) in partitions {
        let place = *places.entry(Arc::clone(topic)).or_insert(topics.len());
        match topics.get_mut(place) {
            Some((_, indexes)) => indexes.push(*index),
            None => topics.push((Arc::clone(topic), vec![*index])),
        }
    }
    topics
}

/// The order in which Java's `HashMap` iterates over strings that were put into it in this order.
fn in_hash_order(topics: &mut ByTopic) {
    let mut buckets: u32 = 16;
    while topics.len() as u64 * 4 > u64::from(buckets) * 3 {
        buckets *= 2;
    }
    topics.sort_by_key(|(topic, _)| {
        let hash = java_hash(topic);
        (hash ^ (hash >> 16)) & (buckets - 1)
    });
}

/// `String.hashCode`.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

fn put_count(to: &mut Vec<u8>, count: usize) {
    to.extend(i32::try_from(count).expect("lists of a request fit their length").to_be_bytes());
}

fn put_user_data(to: &mut Vec<u8>, user_data: Option<&[u8]>) {
    match user_data {
        Some(bytes) => put_bytes(to, bytes),
        None => to.extend(NULL.to_be_bytes()),
    }
}

fn put_partitions(to: &mut Vec<u8>, topics: &ByTopic) {
    put_count(to, topics.len());
    for (topic, indexes) in topics {
        put_string(to, topic);
        put_count(to, indexes.len());
        indexes.iter().for_each(|index| to.extend(index.to_be_bytes()));
    }
}

fn take_version(from: &mut &[u8]) -> Result<i16, Malformed> {
    match take_i16(from)? {
        version if version < 0 => Err(Malformed("a negative version")),
        version => Ok(version.min(NEWEST)),
    }
}

fn take_user_data(from: &mut &[u8]) -> Result<Option<Bytes>, Malformed> {
    let is_null = from.first_chunk().is_some_and(|length| i32::from_be_bytes(*length) == NULL);
    if is_null {
        take_i32(from)?;
        return Ok(None);
    }
    take_bytes(from).map(|bytes| Some(Bytes::copy_from_slice(bytes)))
}

fn take_partitions(from: &mut &[u8]) -> Result<Vec<NamedPartition>, Malformed> {
    let mut partitions = Vec::new();
    for _ in 0..take_i32(from)? {
        let topic = take_string(from)?;
        for _ in 0..take_i32(from)? {
            partitions.push((Arc::clone(&topic), take_i32(from)?));
        }
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Bytes {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
        (0..hex.len()).step_by(2).map(byte).collect::<Vec<_>>().into()
    }

    fn work(indexes: &[i32]) -> Vec<NamedPartition> {
        indexes.iter().map(|index| ("work".into(), *index)).collect()
    }

    fn member(owned: &[i32], generation: Option<i32>) -> Subscription {
        let topics = vec!["work".into()];
        Subscription { topics, instance: None, owned: work(owned), generation }
    }

    /// Joins that Kafka 4.1.1's consumers have sent: with the range assignor, first and again, and
    /// with the cooperative sticky one, first and as owner of two partitions.
    #[test]
    fn subscriptions_are_written_as_kafka_writes_them() {
        let cooperative = |generation| Some(write_cooperative(generation));
        let cases = [
            ("0003000000010004776f726bffffffff00000000ffffffffffff", member(&[], None), None),
            ("0003000000010004776f726bffffffff0000000000000002ffff", member(&[], Some(2)), None),
            (
                "0003000000010004776f726b00000004ffffffff00000000ffffffffffff",
                member(&[], None),
                cooperative(None),
            ),
            (
                "0003000000010004776f726b0000000400000002000000010004776f726b00000002000000000000000100000002ffff",
                member(&[0, 1], Some(2)),
                cooperative(Some(2)),
            ),
        ];
        for (hex, subscription, user_data) in cases {
            let written = write_subscription(NEWEST, &subscription, user_data.as_deref());
            assert_eq!(written, bytes(hex));
            assert_eq!(read_subscription(&written).unwrap(), Sent { subscription, user_data });
        }
    }

    #[test]
    fn assignments_are_written_as_kafka_writes_them() {
        let two = bytes("0003000000010004776f726b000000020000000200000003ffffffff");
        assert_eq!(write_assignment(&work(&[2, 3])), two);
        assert_eq!(read_assignment(&two).unwrap(), work(&[2, 3]));
        assert_eq!(write_assignment(&[]), bytes("000300000000ffffffff"));
    }

    #[test]
    fn older_versions_leave_out_what_came_later() {
        let subscription = member(&[1], Some(4));
        let read = |version| {
            let written = write_subscription(version, &subscription, Some(b"x"));
            read_subscription(&written).unwrap().subscription
        };
        assert_eq!(read(0), member(&[], None));
        assert_eq!(read(1), member(&[1], None));
        assert_eq!(read(2), subscription);
        assert_eq!(read(3), subscription);
        let mut newer = write_subscription(3, &subscription, None).to_vec();
        newer[1] = 9;
        newer.extend(b"more");
        assert_eq!(read_subscription(&newer).unwrap().subscription, subscription);
    }

    /// Java's hash map has `p` (hash 112) in its bucket 0 and `a` (hash 97) in bucket 1.
    #[test]
    fn the_sticky_assignor_says_what_was_assigned_last() {
        let partition = |topic: &str, index| (topic.into(), index);
        let owned = [partition("a", 0), partition("p", 1), partition("a", 2)];
        let written = write_sticky(&owned, 5);
        let in_java = vec![partition("p", 1), partition("a", 0), partition("a", 2)];
        assert_eq!(read_sticky(&written), (in_java, Some(5)));
        assert_eq!(read_sticky(&written[..written.len() - 4]).1, None, "version 0");
        assert_eq!(read_sticky(b"\0\0\0\x07"), (Vec::new(), None));
    }

    #[test]
    fn broken_bytes_are_malformed() {
        let whole = write_subscription(NEWEST, &member(&[1], Some(4)), None);
        for end in 0..whole.len() {
            assert!(read_subscription(&whole[..end]).is_err(), "{end} bytes");
        }
        assert!(read_subscription(b"\xff\xff\0\0\0\0").is_err());
        assert!(read_assignment(b"\0\x01").is_err());
    }
}
