//! Markers on their way to the leaders of a transaction's partitions
//! (`TransactionMarkerChannelManager`).
//!
//! There is one queue and at most one request in flight for each broker. If a partition has no
//! leader, or one that is not registered, its leader is looked up again whenever markers are sent,
//! and at the latest after `request.timeout.ms`. The last record of a transaction that was not
//! written is retried at the same times.

use super::state::{Partitions, TransactionMetadata};
use crate::ids::{BrokerId, LeaderEpoch, TopicPartition, TransactionalId};
use crate::metadata::MetadataImage;
use crate::net::{ChannelConfig, Channels};
use crate::protocol::TxnMarker;
use crate::timer::Channel;
use machine::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long to wait before connecting to a broker again.
const RECONNECT_BACKOFF: Span = Span::millis(50);

/// The markers of a transaction for the partitions that one broker leads.
#[derive(Clone, Debug)]
pub(super) struct Marker {
    /// The index of the id's partition of `__transaction_state`.
    pub(super) index: i32,
    pub(super) id: TransactionalId,
    pub(super) coordinator_epoch: LeaderEpoch,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) committed: bool,
    /// Every transaction of the producer has an epoch of its own.
    pub(super) own_epoch: bool,
    pub(super) partitions: Partitions,
}

/// The last record of a transaction, to be written after all of its markers.
#[derive(Clone, Debug)]
pub(super) struct Completion {
    pub(super) coordinator_epoch: LeaderEpoch,
    /// The producer id and epoch of its markers.
    pub(super) producer: (i64, i16),
    /// The state in the record.
    pub(super) next: TransactionMetadata,
}

/// A request in flight: its markers, and the topic name of each partition.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) markers: Vec<Marker>,
    pub(super) names: BTreeMap<TopicPartition, Arc<str>>,
}

/// Markers and last records on their way.
#[derive(Clone, Debug)]
pub(super) struct Markers {
    pub(super) channels: Channels<Sent>,
    /// Markers for the next request to each broker.
    pub(super) queues: BTreeMap<BrokerId, Vec<Marker>>,
    /// Markers for partitions that have no reachable leader.
    pub(super) homeless: Vec<Marker>,
    /// The transactions with markers on their way, by partition of `__transaction_state` and id.
    pub(super) pending: BTreeMap<(i32, TransactionalId), Completion>,
    /// The transactions whose markers are all written, and whose last record is to be written now.
    pub(super) due: BTreeMap<(i32, TransactionalId), Completion>,
    /// The transactions whose last record failed, and is to be written again.
    pub(super) retries: BTreeMap<(i32, TransactionalId), Completion>,
}

/// The destination of the markers of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Broker(BrokerId),
    /// None until the partition has a registered leader again.
    Later,
    /// The partition has been deleted.
    Gone,
}

impl Markers {
    pub(super) fn new(setup_timeout: Span) -> Self {
        let config = ChannelConfig {
            max_in_flight: 1,
            reconnect_backoff: RECONNECT_BACKOFF,
            reconnect_backoff_max: RECONNECT_BACKOFF,
            setup_timeout,
        };
        Self {
            channels: Channels::new(Channel::Markers, config),
            queues: BTreeMap::new(),
            homeless: Vec::new(),
            pending: BTreeMap::new(),
            due: BTreeMap::new(),
            retries: BTreeMap::new(),
        }
    }

    /// Drops the queued markers and last records for the ids of a partition of
    /// `__transaction_state`. Requests in flight remain, and their responses will be ignored.
    pub(super) fn forget_shard(&mut self, index: i32) {
        for queue in self.queues.values_mut() {
            queue.retain(|marker| marker.index != index);
        }
        self.homeless.retain(|marker| marker.index != index);
        for completions in [&mut self.pending, &mut self.due, &mut self.retries] {
            completions.retain(|(of, _), _| *of != index);
        }
    }

    /// Schedules the last record of a transaction to be written again, after it failed.
    pub(super) fn retry_completion(
        &mut self,
        index: i32,
        id: &TransactionalId,
        completion: Completion,
    ) {
        self.retries.insert((index, id.clone()), completion);
    }
}

/// The destination of the marker of a partition (`MetadataCache.getPartitionLeaderEndpoint`).
pub(super) fn destination(image: &MetadataImage, topic: &str, index: i32) -> Destination {
    let Some(topic) = image.topic_by_name(topic) else { return Destination::Gone };
    let Some(state) = image.partition(TopicPartition::new(topic.id, index)) else {
        return Destination::Gone;
    };
    match state.leader {
        Some(leader) if image.broker(leader).is_some() => Destination::Broker(leader),
        _ => Destination::Later,
    }
}

impl Marker {
    /// The same marker for other partitions.
    pub(super) fn of(&self, partitions: Partitions) -> Self {
        Self { id: self.id.clone(), partitions, ..*self }
    }

    /// The entry of the request, without partitions that have been deleted since.
    pub(super) fn entry(
        &self,
        image: &MetadataImage,
        names: &mut BTreeMap<TopicPartition, Arc<str>>,
    ) -> TxnMarker {
        let mut partitions = Vec::new();
        for (topic, indexes) in &self.partitions {
            let Some(id) = image.topic_by_name(topic).map(|topic| topic.id) else { continue };
            for index in indexes {
                let partition = TopicPartition::new(id, *index);
                names.insert(partition, topic.clone());
                partitions.push(partition);
            }
        }
        TxnMarker {
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            committed: self.committed,
            coordinator_epoch: self.coordinator_epoch,
            own_epoch: self.own_epoch,
            partitions,
        }
    }
}
