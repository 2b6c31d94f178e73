//! The context that all parts of a broker read, and the inputs and outputs of a handler.

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

/// The state that all parts read. No part changes it while it handles an input.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// The node of the broker.
    pub(super) node: NodeId,
    /// The broker's own id.
    pub(super) id: BrokerId,
    pub(super) config: BrokerConfig,
    pub(super) rules: Rulebook,
    /// The cluster as this broker knows it (`KRaftMetadataCache`).
    pub(super) image: MetadataImage,
    /// The broker epoch of this life; -1 before the broker is registered.
    pub(super) broker_epoch: BrokerEpoch,
    /// The active controller, as far as this broker knows.
    pub(super) controller: Option<NodeId>,
    /// Clients are served.
    pub(super) serving: bool,
    /// A controlled shutdown has begun.
    pub(super) stopping: bool,
}

/// The inputs and outputs of one handler.
pub(super) struct Io<'a> {
    pub(super) now: Now,
    /// The lane on which the input is handled.
    pub(super) lane: Lane,
    pub(super) disk: &'a mut dyn Disk,
    pub(super) out: &'a mut Outbox,
}

/// The arguments of a part's methods beside the input.
pub(super) struct Cx<'a> {
    pub(super) context: &'a Context,
    /// Parks requests and sends responses.
    pub(super) requests: &'a mut Requests,
    pub(super) io: Io<'a>,
}

impl Io<'_> {
    pub(super) fn reborrow(&mut self) -> Io<'_> {
        Io { now: self.now, lane: self.lane, disk: &mut *self.disk, out: &mut *self.out }
    }
}

impl Context {
    /// Whether the replica on `broker`, which last fetched with broker epoch `fetched_epoch`, may
    /// join an ISR (`Partition.isReplicaIsrEligible`).
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

/// A failed call to the disk. It takes the log directory offline, and does not end the broker
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

/// The storage error for an error of a log.
pub(super) fn log_dir_failed(error: LogError) -> StorageError {
    StorageError(error)
}
