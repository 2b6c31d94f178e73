//! Requests to the coordinator of a transaction: AddPartitionsToTxn, AddOffsetsToTxn, EndTxn (KIP-98,
//! KIP-890).

use super::api::{ApiKey, PARTITION, RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{GroupId, TopicPartition, TransactionalId};
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};

/// Adds partitions to transactions, or verifies that they have been added.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddPartitionsToTxnRequest {
    /// The version of the request. Up to [`AddPartitionsToTxnRequest::OF_CLIENTS`] it comes from
    /// the producer itself and has one transaction; above, it comes from the leader of the
    /// partitions.
    pub version: i16,
    /// The transactions, at most one for each transactional id.
    pub transactions: Vec<AddPartitionsToTxn>,
}

/// One transaction of an [`AddPartitionsToTxnRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddPartitionsToTxn {
    /// `transactional.id`
    pub transactional_id: TransactionalId,
    /// The id that the producer has.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Whether to add no partition, and only report which ones the transaction has.
    pub verify_only: bool,
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

/// The response to an [`AddPartitionsToTxnRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddPartitionsToTxnResponse {
    /// An error of the whole request.
    pub error: ErrorCode,
    /// One for each transaction of the request; empty if the whole request failed.
    pub transactions: Vec<AddedPartitionsToTxn>,
}

/// One transaction of an [`AddPartitionsToTxnResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddedPartitionsToTxn {
    /// `transactional.id`
    pub transactional_id: TransactionalId,
    /// The outcome of each partition of the request.
    pub partitions: Vec<(TopicPartition, ErrorCode)>,
}

/// Adds the partition of `__consumer_offsets` that a group belongs to, before offsets of the group are
/// committed with a transaction of version 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddOffsetsToTxnRequest {
    /// `transactional.id`
    pub transactional_id: TransactionalId,
    /// The id that the producer has.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// `group.id`
    pub group: GroupId,
}

/// The response to an [`AddOffsetsToTxnRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddOffsetsToTxnResponse {
    /// How it went.
    pub error: ErrorCode,
}

/// Commits or aborts a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndTxnRequest {
    /// The version of the request. From [`EndTxnRequest::BUMPS_EPOCH`] onwards, every transaction
    /// has a producer epoch of its own.
    pub version: i16,
    /// `transactional.id`
    pub transactional_id: TransactionalId,
    /// The id that the producer has.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Whether to commit, not to abort.
    pub committed: bool,
}

/// The response to an [`EndTxnRequest`], sent once the decision is durable and before it takes
/// effect in the partitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndTxnResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The id for the next transaction; -1 on error and below [`EndTxnRequest::BUMPS_EPOCH`].
    pub producer_id: i64,
    /// The epoch for the next transaction; -1 on error and below [`EndTxnRequest::BUMPS_EPOCH`].
    pub producer_epoch: i16,
}

impl AddPartitionsToTxnRequest {
    /// The last version that producers send.
    pub const OF_CLIENTS: i16 = 3;

    /// The newest version.
    pub const NEWEST: i16 = ApiKey::AddPartitionsToTxn.versions().1;

    /// Whether it comes from a producer.
    pub const fn is_of_client(&self) -> bool {
        self.version <= Self::OF_CLIENTS
    }
}

impl AddPartitionsToTxn {
    /// The response in which every partition has `error`.
    pub fn refused(&self, error: ErrorCode) -> AddedPartitionsToTxn {
        AddedPartitionsToTxn {
            transactional_id: self.transactional_id.clone(),
            partitions: self.partitions.iter().map(|partition| (*partition, error)).collect(),
        }
    }
}

impl EndTxnRequest {
    /// The newest version.
    pub const NEWEST: i16 = ApiKey::EndTxn.versions().1;

    /// The first version that returns another epoch to the producer (KIP-890, "transactions V2").
    pub const BUMPS_EPOCH: i16 = 5;
}

impl RequestBody for AddPartitionsToTxnRequest {
    type Response = AddPartitionsToTxnResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> AddPartitionsToTxnResponse {
        AddPartitionsToTxnResponse { error, transactions: Vec::new() }
    }

    fn size(&self) -> u64 {
        let partitions: usize = self.transactions.iter().map(|it| it.partitions.len()).sum();
        (self.transactions.len() + partitions) as u64 * PARTITION
    }
}

impl ResponseBody for AddPartitionsToTxnResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        let mut partitions = self.transactions.iter().flat_map(|it| &it.partitions);
        self.error == error || partitions.any(|(_, found)| *found == error)
    }

    fn size(&self) -> u64 {
        let partitions: usize = self.transactions.iter().map(|it| it.partitions.len()).sum();
        (self.transactions.len() + partitions) as u64 * PARTITION
    }
}

impl RequestBody for AddOffsetsToTxnRequest {
    type Response = AddOffsetsToTxnResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> AddOffsetsToTxnResponse {
        AddOffsetsToTxnResponse { error }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for AddOffsetsToTxnResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for EndTxnRequest {
    type Response = EndTxnResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> EndTxnResponse {
        EndTxnResponse { error, producer_id: NO_PRODUCER_ID, producer_epoch: NO_PRODUCER_EPOCH }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for EndTxnResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}
