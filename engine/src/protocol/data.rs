//! Writing and reading records: Produce, Fetch, ListOffsets, OffsetForLeaderEpoch.

use super::FetchMetadata;
use super::api::{ApiKey, PARTITION, RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, TopicPartition, TransactionalId};
use bytes::Bytes;
use machine::Span;
use std::hash::{Hash, Hasher};

/// Record batches in order, each element the bytes of exactly one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(pub Vec<Bytes>);

impl Records {
    /// Their size in bytes.
    pub fn size(&self) -> u64 {
        self.0.iter().map(|batch| batch.len() as u64).sum()
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Only headers are hashed: they contain the CRC of the records.
impl Hash for Records {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.0.len());
        for batch in &self.0 {
            state.write(&batch[..batch.len().min(61)]);
        }
    }
}

/// Appends record batches. The request has no leader epoch: the broker only checks that it leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProduceRequest {
    /// The version of the request. From [`ProduceRequest::ADDS_PARTITIONS`] onwards, a
    /// transactional batch adds its partition to the transaction.
    pub version: i16,
    /// `transactional.id` of the producer; `None` if it has none.
    pub transactional_id: Option<TransactionalId>,
    /// When the leader responds. 0: never; 1: after its own append; -1: when all in-sync replicas
    /// have the batch.
    pub acks: i16,
    /// How long the leader waits for the in-sync replicas.
    pub timeout: Span,
    /// One batch for each partition.
    pub partitions: Vec<ProducePartition>,
}

/// One partition of a [`ProduceRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducePartition {
    /// The partition to append to.
    pub partition: TopicPartition,
    /// Exactly one record batch, base offset 0.
    pub records: Bytes,
}

impl Hash for ProducePartition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.partition.hash(state);
        state.write(&self.records[..self.records.len().min(61)]);
    }
}

/// The response to a [`ProduceRequest`], unless acks is 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProduceResponse {
    /// One for each partition of the request.
    pub partitions: Vec<ProducedPartition>,
}

/// One partition of a [`ProduceResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProducedPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// The offset of the first record of the batch; -1 on error.
    pub base_offset: Offset,
    /// The time that the leader gave to the records, in milliseconds; -1 if they keep their own.
    /// For a duplicate it is the largest timestamp of the batch in the log, whoever set it.
    pub log_append_time: i64,
    /// The log start offset; -1 if the batch did not reach the log.
    pub log_start_offset: Offset,
    /// The present leader, if the error says that this broker does not lead (KIP-951).
    pub current_leader: Option<LeaderIdAndEpoch>,
}

/// The leader of a partition, and its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderIdAndEpoch {
    /// The leader; `None` if there is none.
    pub leader: Option<BrokerId>,
    /// Its epoch.
    pub epoch: LeaderEpoch,
}

/// The records that a reader may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Up to the high watermark.
    #[default]
    ReadUncommitted,
    /// Up to the last stable offset.
    ReadCommitted,
}

/// The follower that fetches (KIP-903).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaState {
    /// Its id.
    pub id: BrokerId,
    /// Its broker epoch, so that fetches of an earlier life do not count; -1 for controllers, which
    /// have none.
    pub epoch: BrokerEpoch,
}

/// Reads record batches: a consumer, a follower, or a member of the Raft quorum (KIP-595).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchRequest {
    /// The follower, or `None` for a consumer.
    pub replica: Option<ReplicaState>,
    /// How long to wait for `min_bytes`.
    pub max_wait: Span,
    /// Respond as soon as there are this many bytes.
    pub min_bytes: u32,
    /// At most this many bytes over all partitions, but at least one batch.
    pub max_bytes: u32,
    /// The isolation level of the reader.
    pub isolation: Isolation,
    /// The fetch session that the request belongs to (KIP-227).
    pub session: FetchMetadata,
    /// The partitions to read: all, or in an incremental fetch those that are new or whose position
    /// has changed.
    pub partitions: Vec<FetchPartition>,
    /// The partitions that leave the session.
    pub forgotten: Vec<TopicPartition>,
}

/// One partition of a [`FetchRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FetchPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// The leader epoch that the reader knows, to be fenced by (KIP-320); `None`: no fencing.
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The first offset to read; for a follower its log end offset.
    pub fetch_offset: Offset,
    /// The epoch of the last record that a follower has (KIP-595); `None`: it has none.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// The follower's log start offset; -1 for consumers.
    pub log_start_offset: Offset,
    /// At most this many bytes of this partition, but at least one batch if it is the first.
    pub partition_max_bytes: u32,
    /// The high watermark that a member of the metadata quorum knows, so that the leader responds
    /// at once if its own is higher (KIP-1166); `None` elsewhere.
    pub high_watermark: Option<Offset>,
}

/// The response to a [`FetchRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchResponse {
    /// An error of the whole request.
    pub error: ErrorCode,
    /// The session that the next fetch continues; 0: none.
    pub session_id: i32,
    /// One for each partition of a full fetch; of an incremental fetch, only those with changes.
    pub partitions: Vec<FetchedPartition>,
}

/// One partition of a [`FetchResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchedPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// The high watermark; -1 if unknown.
    pub high_watermark: Offset,
    /// The last stable offset; -1 if unknown.
    pub last_stable_offset: Offset,
    /// The first offset of the partition.
    pub log_start_offset: Offset,
    /// The offset and epoch at which the follower's log and the leader's diverge; if it is set,
    /// there are no records.
    pub diverging_epoch: Option<EpochEndOffset>,
    /// The present leader, if the reader's knowledge is outdated.
    pub current_leader: Option<LeaderIdAndEpoch>,
    /// Aborted transactions that overlap the records; `None` unless the fetch is read committed.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// A follower from which the consumer should read instead (KIP-392).
    pub preferred_read_replica: Option<BrokerId>,
    /// Whole batches. The first may begin below the fetch offset.
    pub records: Records,
}

/// The end of a leader epoch: the start of the next one, or the log end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EpochEndOffset {
    /// The greatest known epoch that is not above the requested one.
    pub epoch: LeaderEpoch,
    /// The offset at which that epoch ends.
    pub end_offset: Offset,
}

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AbortedTransaction {
    /// The id of its producer.
    pub producer_id: i64,
    /// The offset of its first record in the partition.
    pub first_offset: Offset,
}

/// Looks up offsets by time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListOffsetsRequest {
    /// The follower, or `None` for a consumer. For a follower, "latest" is the log end.
    pub replica: Option<BrokerId>,
    /// The isolation level of the reader.
    pub isolation: Isolation,
    /// What to look up.
    pub partitions: Vec<ListOffset>,
}

/// One partition of a [`ListOffsetsRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListOffset {
    /// The partition.
    pub partition: TopicPartition,
    /// The leader epoch that the client knows, to be fenced by.
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// Milliseconds since the Unix epoch, or one of [`super::LATEST_TIMESTAMP`],
    /// [`super::EARLIEST_TIMESTAMP`], [`super::MAX_TIMESTAMP`], [`super::EARLIEST_LOCAL_TIMESTAMP`]
    /// and [`super::LATEST_TIERED_TIMESTAMP`].
    pub timestamp: i64,
}

/// The response to a [`ListOffsetsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListOffsetsResponse {
    /// One for each partition of the request.
    pub partitions: Vec<ListedOffset>,
}

/// One partition of a [`ListOffsetsResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListedOffset {
    /// The partition.
    pub partition: TopicPartition,
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// The timestamp of the record found; -1 if none.
    pub timestamp: i64,
    /// The offset found; -1 if none.
    pub offset: Offset,
    /// The epoch of the record found.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// Looks up the end offsets of leader epochs (KIP-101, KIP-320).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetForLeaderEpochRequest {
    /// What to look up.
    pub partitions: Vec<OffsetForLeaderEpoch>,
}

/// One partition of an [`OffsetForLeaderEpochRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OffsetForLeaderEpoch {
    /// The partition.
    pub partition: TopicPartition,
    /// The leader epoch that the client knows, to be fenced by.
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The epoch whose end is requested.
    pub leader_epoch: LeaderEpoch,
}

/// The response to an [`OffsetForLeaderEpochRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetForLeaderEpochResponse {
    /// One for each partition of the request.
    pub partitions: Vec<OffsetForLeaderEpochResult>,
}

/// One partition of an [`OffsetForLeaderEpochResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OffsetForLeaderEpochResult {
    /// The partition.
    pub partition: TopicPartition,
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// The end; `None` if the leader does not know that epoch.
    pub end: Option<EpochEndOffset>,
}

impl ProduceRequest {
    /// The newest version.
    pub const NEWEST: i16 = ApiKey::Produce.versions().1;

    /// The first version with which a leader adds the partition of a transactional batch to the
    /// transaction (KIP-890). In earlier versions the client has added the partition, and the
    /// leader verifies that.
    pub const ADDS_PARTITIONS: i16 = 12;

    /// The first version whose clients know `TRANSACTION_ABORTABLE` (KIP-890).
    pub const KNOWS_ABORTABLE: i16 = 11;
}

impl RequestBody for ProduceRequest {
    type Response = ProduceResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(self.partitions.iter().map(|p| p.partition));
    }

    fn refused(&self, error: ErrorCode) -> ProduceResponse {
        let refused = |p: &ProducePartition| ProducedPartition {
            partition: p.partition,
            error,
            base_offset: -1,
            log_append_time: -1,
            log_start_offset: -1,
            current_leader: None,
        };
        ProduceResponse { partitions: self.partitions.iter().map(refused).collect() }
    }

    fn size(&self) -> u64 {
        self.partitions.iter().map(|p| PARTITION + p.records.len() as u64).sum()
    }
}

impl ResponseBody for ProduceResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.partitions.iter().any(|p| p.error == error)
    }

    fn size(&self) -> u64 {
        self.partitions.len() as u64 * PARTITION
    }
}

impl RequestBody for FetchRequest {
    type Response = FetchResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(self.partitions.iter().map(|p| p.partition));
    }

    fn refused(&self, error: ErrorCode) -> FetchResponse {
        FetchResponse { error, session_id: FetchMetadata::NO_SESSION, partitions: Vec::new() }
    }

    fn size(&self) -> u64 {
        (self.partitions.len() + self.forgotten.len()) as u64 * PARTITION
    }
}

impl ResponseBody for FetchResponse {
    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(self.partitions.iter().map(|p| p.partition));
    }

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error || self.partitions.iter().any(|p| p.error == error)
    }

    fn size(&self) -> u64 {
        self.partitions.iter().map(|p| PARTITION + p.records.size()).sum()
    }
}

impl RequestBody for ListOffsetsRequest {
    type Response = ListOffsetsResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(self.partitions.iter().map(|p| p.partition));
    }

    fn refused(&self, error: ErrorCode) -> ListOffsetsResponse {
        let refused = |p: &ListOffset| ListedOffset {
            partition: p.partition,
            error,
            timestamp: -1,
            offset: -1,
            leader_epoch: None,
        };
        ListOffsetsResponse { partitions: self.partitions.iter().map(refused).collect() }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for ListOffsetsResponse {
    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(self.partitions.iter().map(|p| p.partition));
    }

    fn has_error(&self, error: ErrorCode) -> bool {
        self.partitions.iter().any(|p| p.error == error)
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for OffsetForLeaderEpochRequest {
    type Response = OffsetForLeaderEpochResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(self.partitions.iter().map(|p| p.partition));
    }

    fn refused(&self, error: ErrorCode) -> OffsetForLeaderEpochResponse {
        let refused = |p: &OffsetForLeaderEpoch| OffsetForLeaderEpochResult {
            partition: p.partition,
            error,
            end: None,
        };
        OffsetForLeaderEpochResponse { partitions: self.partitions.iter().map(refused).collect() }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for OffsetForLeaderEpochResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.partitions.iter().any(|p| p.error == error)
    }

    fn size(&self) -> u64 {
        SMALL
    }
}
