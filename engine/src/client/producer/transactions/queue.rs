//! Requests to the coordinator that wait to be sent (`TransactionManager.pendingRequests`).

use super::{Offsets, TransactionCall};
use crate::client::producer::sequences::Identity;
use crate::ids::{GroupId, TopicPartition};
use std::sync::Arc;

/// A request about transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client::producer) enum Request {
    /// Asks any broker for the coordinator.
    FindCoordinator,
    /// Asks the coordinator for a producer id, or for the next epoch of the producer that is named.
    InitProducerId {
        /// The present id and epoch.
        named: Option<Identity>,
    },
    /// Adds partitions to the transaction, in the first protocol.
    AddPartitions {
        /// The id and epoch of the transaction.
        identity: Identity,
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// Asks any broker for the coordinator of a group.
    FindGroupCoordinator(GroupId),
    /// Adds the partition of `__consumer_offsets` to the transaction, in the first protocol.
    AddOffsets {
        /// The id and epoch of the transaction.
        identity: Identity,
        /// The offsets that follow.
        offsets: Arc<Offsets>,
    },
    /// Commits offsets of a group in the transaction.
    CommitOffsets {
        /// The id and epoch of the transaction.
        identity: Identity,
        /// The offsets, of which those are sent that are not committed yet.
        offsets: Arc<Offsets>,
        /// It is a transaction of the second protocol.
        is_v2: bool,
    },
    /// Commits or aborts the transaction.
    EndTxn {
        /// The id and epoch of the transaction.
        identity: Identity,
        /// Whether to commit; otherwise to abort.
        committed: bool,
        /// It is a transaction of the second protocol.
        is_v2: bool,
    },
}

impl Request {
    /// Requests with a smaller number are sent first. Only the InitProducerId request for the next
    /// epoch is sent after EndTxn.
    fn priority(&self) -> u8 {
        match self {
            Self::FindCoordinator | Self::FindGroupCoordinator(_) => 0,
            Self::InitProducerId { named: None } => 1,
            Self::AddPartitions { .. } | Self::AddOffsets { .. } | Self::CommitOffsets { .. } => 2,
            Self::EndTxn { .. } => 3,
            Self::InitProducerId { named: Some(_) } => 4,
        }
    }

    /// Whether it ends a transaction.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::EndTxn { .. })
    }

    /// Whether it goes to a coordinator; otherwise to any broker.
    pub(in crate::client::producer) fn needs_coordinator(&self) -> bool {
        self.target() != Target::Any
    }

    /// Where it goes.
    pub(in crate::client::producer) fn target(&self) -> Target {
        match self {
            Self::FindCoordinator | Self::FindGroupCoordinator(_) => Target::Any,
            Self::CommitOffsets { .. } => Target::Group,
            Self::InitProducerId { .. }
            | Self::AddPartitions { .. }
            | Self::AddOffsets { .. }
            | Self::EndTxn { .. } => Target::Transaction,
        }
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::producer) enum Target {
    /// To any broker.
    Any,
    /// To the coordinator of the transactional id.
    Transaction,
    /// To the coordinator of the group.
    Group,
}

/// A request and its circumstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client::producer) struct Queued {
    /// The request.
    pub(in crate::client::producer) request: Request,
    /// The call that returns with it.
    pub(in crate::client::producer) call: Option<TransactionCall>,
    /// It has been sent before, and waits for a back-off.
    pub(in crate::client::producer) is_retry: bool,
    /// The back-off is short, because the previous transaction is about to end (KAFKA-5482).
    pub(in crate::client::producer) is_soon: bool,
}

/// The requests, in the order in which they are sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue(Vec<Queued>);

impl Queue {
    pub(super) fn push(&mut self, queued: Queued) {
        let priority = queued.request.priority();
        let place = self.0.partition_point(|other| other.request.priority() <= priority);
        self.0.insert(place, queued);
    }

    pub(super) fn first(&self) -> Option<&Queued> {
        self.0.first()
    }

    /// The request that ends the transaction, if it waits.
    pub(super) fn end_mut(&mut self) -> Option<&mut Queued> {
        self.0.iter_mut().find(|queued| queued.request.is_end())
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Queued> + use<> {
        std::mem::take(&mut self.0).into_iter()
    }
}
