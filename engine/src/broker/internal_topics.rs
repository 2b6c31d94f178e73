//! The internal topics in which coordinators keep their state: which partition a key belongs to, which
//! broker coordinates it, and FindCoordinator, which creates them (`KafkaApis.getCoordinator`,
//! `TransactionStateManager.partitionFor`, `GroupCoordinatorService.partitionFor`,
//! `DefaultAutoTopicCreationManager`).

use super::context::Cx;
use super::forward::Forwards;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, TopicPartition};
use crate::metadata::MetadataImage;
use crate::protocol::{
    CoordinatorType, CreatableTopic, FindCoordinatorRequest, FindCoordinatorResponse,
};
use machine::Span;

/// The interval at which a coordinator that may not read the log of a partition yet looks again.
pub(super) const UNTIL_OPEN: Span = Span::millis(50);

/// An internal topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Internal {
    /// The states of transactional ids.
    TransactionState,
    /// Groups, and the offsets that they have committed.
    ConsumerOffsets,
}

impl Internal {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TransactionState => "__transaction_state",
            Self::ConsumerOffsets => "__consumer_offsets",
        }
    }

    /// The partition that a transactional id or a group belongs to; `None` before the topic exists.
    pub(super) fn partition_of(self, image: &MetadataImage, key: &str) -> Option<TopicPartition> {
        let topic = image.topic_by_name(self.name())?;
        let count = i32::try_from(topic.partitions.len()).ok()?;
        (count > 0).then(|| TopicPartition::new(topic.id, index_of(key, count)))
    }

    /// The partition with this index; `None` before the topic exists.
    pub(super) fn partition(self, image: &MetadataImage, index: i32) -> Option<TopicPartition> {
        Some(TopicPartition::new(image.topic_by_name(self.name())?.id, index))
    }

    /// The leader of the partition that a key belongs to, which is its coordinator, with the leader
    /// epoch. `None` while there is none that clients can connect to.
    pub(super) fn coordinator_of(
        self,
        image: &MetadataImage,
        key: &str,
    ) -> Option<(BrokerId, LeaderEpoch)> {
        let partition = image.partition(self.partition_of(image, key)?)?;
        let leader = partition.leader?;
        let reachable = image.broker(leader).is_some_and(|broker| !broker.fenced);
        reachable.then_some((leader, partition.leader_epoch))
    }

    /// Its settings. Kafka's `cleanup.policy=compact` is left out, because logs are not compacted here.
    fn creatable(self, cx: &Cx<'_>) -> CreatableTopic {
        let config = &cx.context.config;
        let (partitions, replication_factor, configs) = match self {
            Self::TransactionState => (
                config.transaction_log_partitions,
                config.transaction_log_replication_factor,
                vec![
                    ("unclean.leader.election.enable", "false".to_owned()),
                    ("min.insync.replicas", config.transaction_log_min_isr.to_string()),
                    ("segment.bytes", config.transaction_log_segment_bytes.to_string()),
                ],
            ),
            Self::ConsumerOffsets => (
                config.offsets_topic_partitions,
                config.offsets_topic_replication_factor,
                vec![("segment.bytes", config.offsets_topic_segment_bytes.to_string())],
            ),
        };
        CreatableTopic {
            name: self.name().to_owned(),
            num_partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
            assignments: Vec::new(),
            configs: configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// The coordinator of a key, as far as this broker knows. If the internal topic does not exist, the
/// controller is asked to create it, and the client has to retry.
pub(super) fn find_coordinator(
    request: &FindCoordinatorRequest,
    forwards: &mut Forwards,
    cx: &mut Cx<'_>,
) -> FindCoordinatorResponse {
    let refused = |error| FindCoordinatorResponse { error, node: None };
    let topic = match request.key_type {
        CoordinatorType::Group => Internal::ConsumerOffsets,
        CoordinatorType::Transaction => Internal::TransactionState,
    };
    let image = &cx.context.image;
    if image.topic_by_name(topic.name()).is_none() {
        let topic = topic.creatable(cx);
        forwards.create_internal_topic(topic, cx);
        return refused(ErrorCode::CoordinatorNotAvailable);
    }
    match topic.coordinator_of(image, &request.key) {
        Some((node, _)) => FindCoordinatorResponse { error: ErrorCode::None, node: Some(node) },
        None => refused(ErrorCode::CoordinatorNotAvailable),
    }
}

/// The index of the partition that a transactional id or a group belongs to, among `count`, which is 1
/// or more (`TransactionStateManager.partitionFor`, `GroupCoordinatorService.partitionFor`).
pub fn index_of(key: &str, count: i32) -> i32 {
    // The absolute value of the smallest integer would overflow.
    java_hash(key).checked_abs().unwrap_or(0) % count
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
    fn keys_hash_as_java_strings_do() {
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
