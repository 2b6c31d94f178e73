//! The offsets that groups have committed: OffsetCommit, OffsetFetch, OffsetDelete, and TxnOffsetCommit,
//! with which a transaction commits them (KIP-447).
//!
//! Topics have names here: committed offsets belong to the name of a topic.

use super::api::{ApiKey, PARTITION, RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{GroupId, GroupInstanceId, MemberId, TopicPartition, TransactionalId};
use std::sync::Arc;

/// A partition by the name of its topic.
pub type NamedPartition = (Arc<str>, i32);

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetToCommit {
    /// The partition.
    pub partition: NamedPartition,
    /// The next offset to read.
    pub offset: i64,
    /// The leader epoch of the last record that was read; -1: unknown (KIP-320).
    pub leader_epoch: i32,
    /// What the application has to say about it.
    pub metadata: Option<Arc<str>>,
}

/// Commits offsets of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetCommitRequest {
    /// The version of the request; see [`OffsetCommitRequest::KNOWS_MISSING_GROUPS`].
    pub version: i16,
    /// `group.id`
    pub group: GroupId,
    /// The generation of the member; -1 without a membership.
    pub generation: i32,
    /// The member; empty without a membership.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// How long the offsets are kept, in milliseconds, up to version 4; otherwise by the broker's
    /// configuration.
    pub retention_ms: Option<i64>,
    /// The offsets.
    pub offsets: Vec<OffsetToCommit>,
}

/// The response to an [`OffsetCommitRequest`], sent when the offsets are committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetCommitResponse {
    /// The outcome of each partition of the request.
    pub partitions: Vec<(NamedPartition, ErrorCode)>,
}

/// Fetches the offsets that a group has committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetFetchRequest {
    /// `group.id`
    pub group: GroupId,
    /// The partitions; `None`: all that have an offset.
    pub partitions: Option<Vec<NamedPartition>>,
    /// The member of the consumer protocol; `None`: the request names none.
    pub member: Option<MemberId>,
    /// Its epoch; -1: none.
    pub epoch: i32,
    /// Whether to refuse a partition for which a transaction has an offset that is neither committed nor
    /// aborted (KIP-447).
    pub require_stable: bool,
}

/// The response to an [`OffsetFetchRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetFetchResponse {
    /// An error of the whole request.
    pub error: ErrorCode,
    /// One for each partition; empty if the whole request failed.
    pub offsets: Vec<FetchedOffset>,
}

/// One partition of an [`OffsetFetchResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: NamedPartition,
    /// How it went.
    pub error: ErrorCode,
    /// The offset; -1: there is none.
    pub offset: i64,
    /// The leader epoch that was committed with it; -1: none.
    pub leader_epoch: i32,
    /// What the application has said about it.
    pub metadata: Arc<str>,
}

/// Deletes offsets that a group has committed (KIP-496).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetDeleteRequest {
    /// `group.id`
    pub group: GroupId,
    /// The partitions.
    pub partitions: Vec<NamedPartition>,
}

/// The response to an [`OffsetDeleteRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetDeleteResponse {
    /// An error of the whole request.
    pub error: ErrorCode,
    /// The outcome of each partition; empty if the whole request failed.
    pub partitions: Vec<(NamedPartition, ErrorCode)>,
}

/// Commits offsets of a group as part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TxnOffsetCommitRequest {
    /// The version of the request; see [`TxnOffsetCommitRequest::ADDS_PARTITION`] and
    /// [`TxnOffsetCommitRequest::KNOWS_ABORTABLE`].
    pub version: i16,
    /// `transactional.id`
    pub transactional_id: TransactionalId,
    /// `group.id`
    pub group: GroupId,
    /// The id that the producer has.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The generation of the member; -1 if the producer knows none.
    pub generation: i32,
    /// The member; empty if the producer knows none.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// The offsets.
    pub offsets: Vec<OffsetToCommit>,
}

/// The response to a [`TxnOffsetCommitRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TxnOffsetCommitResponse {
    /// The outcome of each partition of the request.
    pub partitions: Vec<(NamedPartition, ErrorCode)>,
}

impl OffsetCommitRequest {
    /// The first version that gets `GROUP_ID_NOT_FOUND` for a group that there is not.
    pub const KNOWS_MISSING_GROUPS: i16 = 9;

    /// The newest version.
    pub const NEWEST: i16 = ApiKey::OffsetCommit.versions().1;

    /// The response with one error for all partitions.
    pub fn with_error(&self, error: ErrorCode) -> OffsetCommitResponse {
        OffsetCommitResponse { partitions: all(&self.offsets, error) }
    }
}

impl TxnOffsetCommitRequest {
    /// The first version that adds the partition of the group to the transaction (KIP-890).
    pub const ADDS_PARTITION: i16 = 5;

    /// The first version that knows `TRANSACTION_ABORTABLE`.
    pub const KNOWS_ABORTABLE: i16 = 4;

    /// The newest version.
    pub const NEWEST: i16 = ApiKey::TxnOffsetCommit.versions().1;

    /// The response with one error for all partitions.
    pub fn with_error(&self, error: ErrorCode) -> TxnOffsetCommitResponse {
        TxnOffsetCommitResponse { partitions: all(&self.offsets, error) }
    }
}

fn all(offsets: &[OffsetToCommit], error: ErrorCode) -> Vec<(NamedPartition, ErrorCode)> {
    offsets.iter().map(|it| (it.partition.clone(), error)).collect()
}

fn size_of(offsets: &[OffsetToCommit]) -> u64 {
    let size =
        |it: &OffsetToCommit| PARTITION + it.metadata.as_ref().map_or(0, |it| it.len()) as u64;
    SMALL + offsets.iter().map(size).sum::<u64>()
}

impl RequestBody for OffsetCommitRequest {
    type Response = OffsetCommitResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> OffsetCommitResponse {
        self.with_error(error)
    }

    fn size(&self) -> u64 {
        size_of(&self.offsets)
    }
}

impl ResponseBody for OffsetCommitResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.partitions.iter().any(|(_, found)| *found == error)
    }

    fn size(&self) -> u64 {
        self.partitions.len() as u64 * PARTITION
    }
}

impl RequestBody for OffsetFetchRequest {
    type Response = OffsetFetchResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> OffsetFetchResponse {
        OffsetFetchResponse { error, offsets: Vec::new() }
    }

    fn size(&self) -> u64 {
        SMALL + self.partitions.as_ref().map_or(0, Vec::len) as u64 * PARTITION
    }
}

impl ResponseBody for OffsetFetchResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error || self.offsets.iter().any(|it| it.error == error)
    }

    fn size(&self) -> u64 {
        SMALL + self.offsets.iter().map(|it| PARTITION + it.metadata.len() as u64).sum::<u64>()
    }
}

impl RequestBody for OffsetDeleteRequest {
    type Response = OffsetDeleteResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> OffsetDeleteResponse {
        OffsetDeleteResponse { error, partitions: Vec::new() }
    }

    fn size(&self) -> u64 {
        SMALL + self.partitions.len() as u64 * PARTITION
    }
}

impl ResponseBody for OffsetDeleteResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error || self.partitions.iter().any(|(_, found)| *found == error)
    }

    fn size(&self) -> u64 {
        SMALL + self.partitions.len() as u64 * PARTITION
    }
}

impl RequestBody for TxnOffsetCommitRequest {
    type Response = TxnOffsetCommitResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> TxnOffsetCommitResponse {
        self.with_error(error)
    }

    fn size(&self) -> u64 {
        size_of(&self.offsets)
    }
}

impl ResponseBody for TxnOffsetCommitResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.partitions.iter().any(|(_, found)| *found == error)
    }

    fn size(&self) -> u64 {
        self.partitions.len() as u64 * PARTITION
    }
}
