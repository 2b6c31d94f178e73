//! Descriptions of transactions and producers: DescribeTransactions, ListTransactions,
//! DescribeProducers (KIP-664).

use super::api::{PARTITION, RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, TopicPartition, TransactionalId};
use std::fmt;

/// The state of a transactional id, by its number in `__transaction_state` (`TransactionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum TransactionState {
    /// There has been no transaction in this producer epoch.
    Empty = 0,
    /// A transaction is open.
    Ongoing = 1,
    /// The transaction is committed; some of its partitions may have no marker so far.
    PrepareCommit = 2,
    /// The transaction is aborted; some of its partitions may have no marker so far.
    PrepareAbort = 3,
    /// The last transaction was committed, and all of its partitions have the marker.
    CompleteCommit = 4,
    /// The last transaction was aborted, and all of its partitions have the marker.
    CompleteAbort = 5,
    /// The id expires. Never written: its record is a tombstone.
    Dead = 6,
    /// The producer is being fenced, and its transaction aborted. Never written.
    PrepareEpochFence = 7,
}

/// Requests the state of transactional ids from their coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeTransactionsRequest {
    /// The ids.
    pub transactional_ids: Vec<TransactionalId>,
}

/// The response to a [`DescribeTransactionsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeTransactionsResponse {
    /// One for each id of the request.
    pub transactions: Vec<DescribedTransaction>,
}

/// One id of a [`DescribeTransactionsResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribedTransaction {
    /// How it went.
    pub error: ErrorCode,
    /// `transactional.id`
    pub transactional_id: TransactionalId,
    /// Its state; `None` on error.
    pub state: Option<TransactionState>,
    /// `transaction.timeout.ms` of the producer, in milliseconds.
    pub timeout_ms: i32,
    /// When the last transaction began, in milliseconds since the Unix epoch; -1: there was none.
    pub start_ms: i64,
    /// The id that the producer has.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The partitions of the transaction, without those of topics that are gone.
    pub partitions: Vec<TopicPartition>,
}

/// Requests the transactional ids that a broker coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListTransactionsRequest {
    /// Only ids in one of these states; empty: in any.
    pub states: Vec<TransactionState>,
    /// Only ids with one of these producer ids; empty: with any.
    pub producer_ids: Vec<i64>,
    /// Only ids whose last transaction began more than this many milliseconds ago; negative: all.
    pub duration_ms: i64,
}

/// The response to a [`ListTransactionsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListTransactionsResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The ids.
    pub transactions: Vec<ListedTransaction>,
}

/// One id of a [`ListTransactionsResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListedTransaction {
    /// `transactional.id`
    pub transactional_id: TransactionalId,
    /// The id that the producer has.
    pub producer_id: i64,
    /// Its state.
    pub state: TransactionState,
}

/// Requests the state of producers in the logs of a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeProducersRequest {
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

/// The response to a [`DescribeProducersRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribeProducersResponse {
    /// One for each partition of the request.
    pub partitions: Vec<DescribedProducers>,
}

/// One partition of a [`DescribeProducersResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescribedProducers {
    /// The partition.
    pub partition: TopicPartition,
    /// How it went.
    pub error: ErrorCode,
    /// The producers whose state the log keeps.
    pub producers: Vec<DescribedProducer>,
}

/// One producer of a [`DescribeProducersResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DescribedProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The sequence of its last record; -1: it has sent none in this epoch.
    pub last_sequence: i32,
    /// The timestamp of its last batch or marker, in milliseconds.
    pub last_timestamp: i64,
    /// Coordinator epoch of its last marker; -1: it has none.
    pub coordinator_epoch: LeaderEpoch,
    /// The first offset of its open transaction; -1: it has none.
    pub current_txn_start_offset: Offset,
}

impl TransactionState {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// The state with this number.
    pub fn from_id(id: i8) -> Option<Self> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// Kafka's name of the state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// Whether the transaction is decided and some partition may have no marker so far.
    pub const fn is_prepared(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }

    /// Whether the last transaction has ended.
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::CompleteCommit | Self::CompleteAbort)
    }
}

impl fmt::Display for TransactionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl RequestBody for DescribeTransactionsRequest {
    type Response = DescribeTransactionsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> DescribeTransactionsResponse {
        let refused = |id: &TransactionalId| DescribedTransaction::refused(id.clone(), error);
        let transactions = self.transactional_ids.iter().map(refused).collect();
        DescribeTransactionsResponse { transactions }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl DescribedTransaction {
    /// An id without a description. Its numbers are 0, not -1.
    pub fn refused(transactional_id: TransactionalId, error: ErrorCode) -> Self {
        Self {
            error,
            transactional_id,
            state: None,
            timeout_ms: 0,
            start_ms: 0,
            producer_id: 0,
            producer_epoch: 0,
            partitions: Vec::new(),
        }
    }
}

impl ResponseBody for DescribeTransactionsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.transactions.iter().any(|it| it.error == error)
    }

    fn size(&self) -> u64 {
        self.transactions.iter().map(|it| (1 + it.partitions.len()) as u64 * PARTITION).sum()
    }
}

impl RequestBody for ListTransactionsRequest {
    type Response = ListTransactionsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> ListTransactionsResponse {
        ListTransactionsResponse { error, transactions: Vec::new() }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for ListTransactionsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        self.transactions.len() as u64 * PARTITION
    }
}

impl RequestBody for DescribeProducersRequest {
    type Response = DescribeProducersResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(&self.partitions);
    }

    fn refused(&self, error: ErrorCode) -> DescribeProducersResponse {
        let refused = |partition: &TopicPartition| DescribedProducers {
            partition: *partition,
            error,
            producers: Vec::new(),
        };
        DescribeProducersResponse { partitions: self.partitions.iter().map(refused).collect() }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for DescribeProducersResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.partitions.iter().any(|it| it.error == error)
    }

    fn size(&self) -> u64 {
        self.partitions.iter().map(|it| (1 + it.producers.len()) as u64 * PARTITION).sum()
    }
}
