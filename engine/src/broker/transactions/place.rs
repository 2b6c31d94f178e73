//! Which broker coordinates a transactional id (`TransactionStateManager.partitionFor`).

use crate::ids::{BrokerId, LeaderEpoch, TopicPartition};
use crate::metadata::MetadataImage;

/// The internal topic in which coordinators keep the state of transactional ids.
pub(in crate::broker) const TRANSACTION_STATE: &str = "__transaction_state";

/// The partition of `__transaction_state` that a transactional id belongs to; `None` before the topic
/// exists.
pub(in crate::broker) fn state_partition(
    image: &MetadataImage,
    id: &str,
) -> Option<TopicPartition> {
    let topic = image.topic_by_name(TRANSACTION_STATE)?;
    let count = i32::try_from(topic.partitions.len()).ok()?;
    (count > 0).then(|| TopicPartition::new(topic.id, index_of(id, count)))
}

/// The partition of `__transaction_state` with this index; `None` before the topic exists.
pub(super) fn partition(image: &MetadataImage, index: i32) -> Option<TopicPartition> {
    Some(TopicPartition::new(image.topic_by_name(TRANSACTION_STATE)?.id, index))
}

/// The coordinator of a transactional id: the leader of its partition, with the leader epoch.
/// `None` while there is no leader, or the leader is fenced.
pub(in crate::broker) fn coordinator_of(
    image: &MetadataImage,
    id: &str,
) -> Option<(BrokerId, LeaderEpoch)> {
    let partition = image.partition(state_partition(image, id)?)?;
    let leader = partition.leader?;
    let reachable = image.broker(leader).is_some_and(|broker| !broker.fenced);
    reachable.then_some((leader, partition.leader_epoch))
}

/// The index of the partition of `__transaction_state` that a transactional id belongs to, among
/// `count`, which is 1 or more (`TransactionStateManager.partitionFor`).
pub fn index_of(id: &str, count: i32) -> i32 {
    // The absolute value of the smallest integer would overflow.
    java_hash(id).checked_abs().unwrap_or(0) % count
}

/// `String.hashCode` of Java, over the units of UTF-16.
fn java_hash(text: &str) -> i32 {
    let next = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    text.encode_utf16().fold(0, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hash_as_java_strings_do() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("tx-a"), 3_572_568);
        assert_eq!(java_hash("hello"), 99_162_322);
        // A character outside the basic multilingual plane is two units.
        assert_eq!(java_hash("\u{1f600}"), 1_772_899);
        // The hash is the smallest integer.
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(index_of("polygenelubricants", 50), 0);
        assert_eq!(index_of("hello", 50), 22);
    }
}
