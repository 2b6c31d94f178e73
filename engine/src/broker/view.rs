//! Read-only access for conditions of fault plans and for reports about a run.

use super::Broker;
use super::replicas::Partition;
use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch, TopicPartition};
use crate::metadata::MetadataImage;

/// A replica as its broker sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionView {
    /// This replica leads.
    pub is_leader: bool,
    /// The leader, as far as this replica knows.
    pub leader: Option<BrokerId>,
    /// The leader's epoch; -1 if the replica does not know it.
    pub leader_epoch: LeaderEpoch,
    /// The version of its metadata; -1 if it has none.
    pub partition_epoch: PartitionEpoch,
    /// The committed in-sync replicas; empty unless it leads.
    pub isr: Vec<BrokerId>,
    /// It has proposed others and not heard about it.
    pub isr_pending: bool,
    /// The high watermark.
    pub high_watermark: Offset,
    /// The first offset of its log.
    pub log_start: Offset,
    /// The offset after the last of its log.
    pub log_end: Offset,
}

impl Broker {
    /// A replica on this broker.
    pub fn partition(&self, id: TopicPartition) -> Option<PartitionView> {
        self.parts.replicas.partitions.hosted.get(&id).map(|partition| self.view(partition))
    }

    /// All replicas on this broker.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicPartition, PartitionView)> {
        self.parts
            .replicas
            .partitions
            .hosted
            .iter()
            .map(|(id, partition)| (*id, self.view(partition)))
    }

    fn view(&self, partition: &Partition) -> PartitionView {
        PartitionView {
            is_leader: partition.is_leader(),
            leader: partition.leader_id(self.context.id),
            leader_epoch: partition.leader_epoch(),
            partition_epoch: partition.partition_epoch(),
            isr: partition.committed_isr().to_vec(),
            isr_pending: partition.has_pending_isr(),
            high_watermark: partition.high_watermark(),
            log_start: partition.log().log_start(),
            log_end: partition.log().end_offset(),
        }
    }

    /// The log end offset of the follower, as known to the leader of `id`; `None` if this broker
    /// does not lead, or has not heard of the follower.
    pub fn follower_end(&self, id: TopicPartition, follower: BrokerId) -> Option<Offset> {
        self.parts.replicas.partitions.hosted.get(&id)?.follower_end(follower)
    }

    /// The cluster as this broker knows it.
    pub fn image(&self) -> &MetadataImage {
        &self.context.image
    }

    /// Whether it is fenced, as far as it knows.
    pub fn is_fenced(&self) -> bool {
        self.parts.lifecycle.is_fenced()
    }

    /// Whether it is shutting down.
    pub fn is_shutting_down(&self) -> bool {
        self.parts.lifecycle.is_stopping()
    }

    /// The number of this life; -1 before it is registered.
    pub fn broker_epoch(&self) -> BrokerEpoch {
        self.context.broker_epoch
    }

    /// The active controller, as far as this broker knows.
    pub fn controller(&self) -> Option<BrokerId> {
        self.parts.metadata.quorum().leader()
    }
}
