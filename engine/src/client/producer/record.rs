//! The records that an application sends, and the events that the producer reports.

use super::transactions::{TransactionCall, TransactionError, TransactionFailure};
use crate::error::ErrorCode;
use crate::ids::{Offset, TopicPartition};
use crate::record::HEADER_SIZE;
use crate::record::builder::Headers;
use bytes::Bytes;
use machine::ConnId;

/// A record to send. It is copied into a batch.
#[derive(Clone, Copy, Debug)]
pub struct ProducerRecord<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition; `None` lets the partitioner choose.
    pub partition: Option<i32>,
    /// The key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null, a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Headers: keys, and values that may be null.
    pub headers: Headers<'a>,
    /// The timestamp in milliseconds; `None` means the node's wall clock.
    pub timestamp: Option<i64>,
}

impl ProducerRecord<'_> {
    /// The maximum size of a batch that contains only this record
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

    /// A copy, which can wait.
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
    /// Calls `visit` with the record.
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

/// The reason why `send` refused a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It is larger than `max.request.size` or `buffer.memory` (`RecordTooLargeException`).
    TooLarge {
        /// Its size, including that of a batch header.
        size: u64,
    },
    /// The partition is negative (`IllegalArgumentException`).
    InvalidPartition,
    /// There is no open transaction to which records can be added.
    Transaction(TransactionError),
}

/// An event of a producer. `tags` are the application's tags of the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProducerEvent {
    /// A record was added to a batch of its partition.
    Sent {
        /// The record.
        tag: u64,
        /// The partition.
        partition: TopicPartition,
    },
    /// A batch was confirmed. Its callbacks run now, in this order.
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
    /// An idempotent producer has a new id or epoch.
    Identified {
        /// The id.
        producer_id: i64,
        /// The epoch.
        producer_epoch: i16,
    },
    /// A batch that an idempotent producer had sent is sent again in another epoch, so that the
    /// leader no longer recognises it as a duplicate.
    Renumbered {
        /// The partition.
        partition: TopicPartition,
        /// The records in order.
        tags: Vec<u64>,
    },
    /// `initTransactions`, `commitTransaction` or `abortTransaction` returned.
    CallReturned {
        /// The call.
        call: TransactionCall,
    },
    /// Such a call threw an exception. Unless the error is fatal, the application aborts the
    /// transaction; if `initTransactions` threw, the application may call it again.
    CallThrew {
        /// The call.
        call: TransactionCall,
        /// The error.
        failure: TransactionFailure,
    },
    /// Such a call threw a `TimeoutException` after `max.block.ms`. The outcome is open, and the
    /// application has to repeat the call.
    CallTimedOut {
        /// The call.
        call: TransactionCall,
    },
    /// A batch will be sent again; its callbacks do not run yet.
    Retried {
        /// The partition.
        partition: TopicPartition,
        /// The error in the response, or of the client itself if there was none.
        error: ErrorCode,
        /// The records in order.
        tags: Vec<u64>,
    },
    /// Records have finally failed. Their callbacks run now, in this order.
    Failed {
        /// The partition; `None` if the record was never in a batch.
        partition: Option<TopicPartition>,
        /// The last error. `REQUEST_TIMED_OUT` also stands for `max.block.ms` and
        /// `delivery.timeout.ms`, as `TimeoutException` does.
        error: ErrorCode,
        /// Whether a request had no definite outcome, so that the log may contain the records.
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
    /// Batches queued to be sent again.
    pub retries: u64,
    /// Batches that finally failed, and calls of `send` that timed out.
    pub errors: u64,
    /// Batches split because they were too large.
    pub splits: u64,
    /// Sends that had to wait for memory or metadata.
    pub blocked: u64,
    /// New epochs of an idempotent producer.
    pub epochs: u64,
}
