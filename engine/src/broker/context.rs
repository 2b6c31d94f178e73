//! What every part of a broker decides by, and what it acts on.

use super::requests::Requests;
use crate::Outbox;
use crate::config::BrokerConfig;
use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, BrokerId, TopicPartition};
use crate::log::LogError;
use crate::metadata::MetadataImage;
use crate::rules::Rulebook;
use crate::rules::isr::Candidate;
use machine::{Disk, DiskError, Lane, NodeId, Now};
use std::fmt;

/// What parts decide by. None of them changes it while it handles an input.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// The node that the broker runs on.
    pub(super) node: NodeId,
    /// The broker's own id.
    pub(super) id: BrokerId,
    pub(super) config: BrokerConfig,
    pub(super) rules: Rulebook,
    /// The cluster as this broker knows it (`KRaftMetadataCache`).
    pub(super) image: MetadataImage,
    /// This life, once the controller has numbered it; -1 before.
    pub(super) broker_epoch: BrokerEpoch,
    /// The active controller, as far as this broker knows.
    pub(super) controller: Option<NodeId>,
    /// Clients are served.
    pub(super) serving: bool,
    /// A controlled shutdown has begun.
    pub(super) stopping: bool,
}

/// The world, while one input is handled.
pub(super) struct Io<'a> {
    pub(super) now: Now,
    /// The thread that handles the input.
    pub(super) lane: Lane,
    pub(super) disk: &'a mut dyn Disk,
    pub(super) out: &'a mut Outbox,
}

/// What a part is handed with an input.
pub(super) struct Cx<'a> {
    pub(super) context: &'a Context,
    /// Where requests are parked and answered.
    pub(super) requests: &'a mut Requests,
    pub(super) io: Io<'a>,
}

impl Io<'_> {
    pub(super) fn reborrow(&mut self) -> Io<'_> {
        Io { now: self.now, lane: self.lane, disk: &mut *self.disk, out: &mut *self.out }
    }
}

impl Context {
    /// Whether the replica on `broker`, last heard of in its life `fetched_epoch`, may join an
    /// ISR (`Partition.isReplicaIsrEligible`).
    pub(super) fn is_eligible_for_isr(
        &self,
        broker: BrokerId,
        fetched_epoch: Option<BrokerEpoch>,
        out: &mut Outbox,
    ) -> bool {
        let Some(fetched_epoch) = fetched_epoch else { return false };
        let registration = self.image.broker(broker);
        let candidate = Candidate {
            fenced: registration.is_none_or(|broker| broker.fenced),
            shutting_down: registration.is_some_and(|broker| broker.in_controlled_shutdown),
            fetched_epoch,
            registered_epoch: registration.map_or(-1, |broker| broker.epoch),
        };
        self.rules.is_eligible_for_isr(out, candidate)
    }

    /// Why a request for a partition that this broker does not host is refused.
    pub(super) fn error_of_unhosted(&self, id: TopicPartition) -> ErrorCode {
        if self.image.topic(id.topic).is_none() {
            ErrorCode::UnknownTopicId
        } else if self.image.partition(id).is_some() {
            ErrorCode::NotLeaderOrFollower
        } else {
            ErrorCode::UnknownTopicOrPartition
        }
    }
}

/// A call to the disk has failed. It is no end of the broker, but of the log directory
/// (`KafkaStorageException`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StorageError(LogError);

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<DiskError> for StorageError {
    fn from(error: DiskError) -> Self {
        Self(LogError::Disk(error))
    }
}

/// What a replica makes of a log that has failed.
pub(super) fn log_dir_failed(error: LogError) -> StorageError {
    StorageError(error)
}
