//! The events that a consumer reports to its application.

use crate::error::ErrorCode;
use crate::fact::Positioning;
use crate::ids::{BrokerId, Offset, TopicPartition};
use crate::protocol::EpochEndOffset;
use bytes::Bytes;

/// Records that a poll returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polled {
    /// The partition.
    pub partition: TopicPartition,
    /// The position before.
    pub from: Offset,
    /// The position after.
    pub to: Offset,
    /// The number of records; 0 if there were only control batches between the positions.
    pub records: u32,
    /// The batches that contain them. The first may begin below `from` and the last may end beyond
    /// `to`: records outside `from..to` are not returned.
    pub batches: Vec<Bytes>,
}

/// An event of a consumer, apart from records that a poll returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerEvent {
    /// Its position moved.
    Positioned {
        /// The partition.
        partition: TopicPartition,
        /// The position before; `None` if there was none.
        from: Option<Offset>,
        /// The position after.
        to: Offset,
        /// The reason.
        why: Positioning,
    },
    /// A leader returned the end offset of a partition, for a reset or after
    /// [`super::Consumer::request_end`].
    EndShown {
        /// The partition.
        partition: TopicPartition,
        /// The end of the readable records.
        offset: Offset,
        /// The broker that returned it.
        broker: BrokerId,
        /// The number of the request, as in [`crate::fact::ClientFact::EndAsked`].
        question: u64,
    },
    /// A leader returned the offset of the first record with the requested timestamp or a later
    /// one, after [`super::Consumer::request_time`].
    TimeShown {
        /// The partition.
        partition: TopicPartition,
        /// The requested timestamp in milliseconds.
        timestamp: i64,
        /// The offset of the record; `None` if no readable record has that timestamp or a later
        /// one.
        offset: Option<Offset>,
        /// The broker that returned it.
        broker: BrokerId,
    },
    /// An exception that Kafka's poll throws.
    Error {
        /// The partition.
        partition: TopicPartition,
        /// The error.
        error: ConsumerError,
    },
}

/// An exception that Kafka's poll throws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerError {
    /// There is no position and no reset policy (`auto.offset.reset=none`;
    /// `NoOffsetForPartitionException`). The partition is not read until the application seeks.
    NoOffset,
    /// The position is out of range and there is no reset policy (`OffsetOutOfRangeException`). The
    /// partition is not read until the application seeks.
    OffsetOutOfRange {
        /// The position.
        position: Offset,
    },
    /// The log was truncated below the position, and there is no reset policy
    /// (`LogTruncationException`). The partition is not read until the application seeks.
    LogTruncation {
        /// The position.
        position: Offset,
        /// The epoch and offset at which the logs diverge; `None` if the leader does not know the
        /// epoch of the position.
        diverging: Option<EpochEndOffset>,
    },
    /// The batch at the position is corrupt. The partition is not read until the application
    /// seeks.
    Corrupt {
        /// The position.
        position: Offset,
    },
    /// A broker returned an unexpected error. The consumer tries again.
    Unexpected(ErrorCode),
}

impl ConsumerError {
    /// Whether the partition is not read any further until the application seeks.
    pub fn ends_reading(&self) -> bool {
        match self {
            Self::NoOffset
            | Self::OffsetOutOfRange { .. }
            | Self::LogTruncation { .. }
            | Self::Corrupt { .. } => true,
            Self::Unexpected(_) => false,
        }
    }

    /// The exception that `KafkaConsumer.poll` throws for it.
    pub fn exception(&self) -> &'static str {
        match self {
            Self::NoOffset => "NoOffsetForPartitionException",
            Self::OffsetOutOfRange { .. } => "OffsetOutOfRangeException",
            Self::LogTruncation { .. } => "LogTruncationException",
            Self::Corrupt { .. } | Self::Unexpected(_) => "KafkaException",
        }
    }
}
