//! The records that an application gives to a producer, and the events that the producer reports.

use super::transactions::{TransactionCall, TransactionError, TransactionFailure};
use crate::error::ErrorCode;
use crate::ids::{Offset, TopicPartition};
use crate::record::HEADER_SIZE;
use crate::record::builder::Headers;
use bytes::Bytes;
use machine::ConnId;

/// A record to send. Nothing of it is kept: it is copied into a batch.
#[derive(Clone, Copy, Debug)]
pub struct ProducerRecord<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition; `None`: the partitioner chooses.
    pub partition: Option<i32>,
    /// The key; `None`: null.
    pub key: Option<&'a [u8]>,
    /// The value; `None`: null, a tombstone where the topic is compacted.
    pub value: Option<&'a [u8]>,
    /// Headers: keys, and values that may be null.
    pub headers: Headers<'a>,
    /// The timestamp in milliseconds; `None`: the node's wall clock.
    pub timestamp: Option<i64>,
}

impl ProducerRecord<'_> {
    /// The size that a batch of this record alone has at most
    /// (`AbstractRecords.estimateSizeInBytesUpperBound`).
    pub(super) fn size_upper_bound(&self) -> u64 {
        // Length, attributes, timestamp, offset, and the lengths of key, value and headers.
        const RECORD_OVERHEAD: usize = 21;
        const LENGTHS: usize = 2 * 5;
        let headers: usize = self
            .headers
            .iter()
            .map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len) + LENGTHS)
            .sum();
        let fields = self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len);
        (HEADER_SIZE + RECORD_OVERHEAD + fields + headers) as u64
    }

    /// A copy that can wait.
    pub(super) fn to_owned(self) -> OwnedRecord {
        let copy = Bytes::copy_from_slice;
        OwnedRecord {
            topic: self.topic.to_owned(),
            partition: self.partition,
            key: self.key.map(copy),
            value: self.value.map(copy),
            headers: self.headers.iter().map(|(k, v)| (copy(k), v.map(copy))).collect(),
            timestamp: self.timestamp,
        }
    }
}

/// A record whose `send` waits for memory or metadata.
#[derive(Clone, Debug)]
pub(super) struct OwnedRecord {
    topic: String,
    partition: Option<i32>,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(Bytes, Option<Bytes>)>,
    timestamp: Option<i64>,
}

impl OwnedRecord {
    /// Lends the record to `visit`.
    pub(super) fn with<R>(&self, visit: impl FnOnce(&ProducerRecord<'_>) -> R) -> R {
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            self.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        visit(&ProducerRecord {
            topic: &self.topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
            timestamp: self.timestamp,
        })
    }
}

/// Why a record was refused at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It is larger than `max.request.size` or `buffer.memory` (`RecordTooLargeException`).
    TooLarge {
        /// Its size with that of a batch's header.
        size: u64,
    },
    /// The partition is negative (`IllegalArgumentException`).
    InvalidPartition,
    /// No transaction is open that can be written to.
    Transaction(TransactionError),
}

/// An event of a producer. `tags` are the application's tags of the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProducerEvent {
    /// A record has a partition, and is in a batch.
    Sent {
        /// The record.
        tag: u64,
        /// The partition.
        partition: TopicPartition,
    },
    /// A batch was confirmed: its callbacks run now, in this order.
    Confirmed {
        /// The partition.
        partition: TopicPartition,
        /// The offset of the first record; `None` with acks=0, which confirms nothing.
        base_offset: Option<Offset>,
        /// The records in order.
        tags: Vec<u64>,
        /// The connection that they were last sent over.
        over: Option<ConnId>,
    },
    /// An idempotent producer goes on under this id and epoch.
    Identified {
        /// The id.
        producer_id: i64,
        /// The epoch.
        producer_epoch: i16,
    },
    /// A batch that an idempotent producer had sent is sent under another epoch: the leader cannot
    /// know any more that it is the same.
    Renumbered {
        /// The partition.
        partition: TopicPartition,
        /// The records in order.
        tags: Vec<u64>,
    },
    /// `initTransactions`, `commitTransaction` or `abortTransaction` returns.
    CallReturned {
        /// The call.
        call: TransactionCall,
    },
    /// It throws. Unless the error is fatal, the application aborts the transaction; after
    /// `initTransactions` it may call that again.
    CallThrew {
        /// The call.
        call: TransactionCall,
        /// The error.
        failure: TransactionFailure,
    },
    /// It throws a `TimeoutException` after `max.block.ms`. The outcome is open, and the application
    /// has to make the same call again.
    CallTimedOut {
        /// The call.
        call: TransactionCall,
    },
    /// A batch goes back to be sent again; nothing is called back for it yet.
    Retried {
        /// The partition.
        partition: TopicPartition,
        /// The error that the batch got; of the client itself if there was no response.
        error: ErrorCode,
        /// The records in order.
        tags: Vec<u64>,
    },
    /// Records have finally failed: their callbacks run, in this order.
    Failed {
        /// The partition; `None` if the record never got into a batch.
        partition: Option<TopicPartition>,
        /// The last error. `REQUEST_TIMED_OUT` also stands for `max.block.ms` and
        /// `delivery.timeout.ms`, as `TimeoutException` does.
        error: ErrorCode,
        /// Some transmission had no definite outcome: the records may stand in the log.
        maybe_written: bool,
        /// The records in order.
        tags: Vec<u64>,
        /// The connection that they were last sent over; `None` if they never were.
        over: Option<ConnId>,
    },
}

/// Statistics of a producer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerStats {
    /// Produce requests sent.
    pub requests: u64,
    /// Batches put back to be sent again.
    pub retries: u64,
    /// Batches, and sends that timed out, that failed for good.
    pub errors: u64,
    /// Batches split because they were too large.
    pub splits: u64,
    /// Sends that had to wait for memory or metadata.
    pub blocked: u64,
    /// New epochs of an idempotent producer.
    pub epochs: u64,
}
