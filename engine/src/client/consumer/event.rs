//! The events that a consumer reports to its application.

use crate::error::ErrorCode;
use crate::fact::Positioning;
use crate::ids::{BrokerId, Offset, TopicPartition};
use crate::protocol::EpochEndOffset;
use bytes::Bytes;

/// Records that a poll hands out.
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
    /// `to`: records outside `from..to` are not handed out.
    pub batches: Vec<Bytes>,
}

/// An event of a consumer, apart from records that a poll returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerEvent {
    /// Its position moved.
    Positioned {
        /// The partition.
        partition: TopicPartition,
        /// The position before; `None`: it had none.
        from: Option<Offset>,
        /// The position after.
        to: Offset,
        /// The reason.
        why: Positioning,
    },
    /// A leader returned the end of a partition, for a reset or after
    /// [`super::Consumer::request_end`].
    EndShown {
        /// The partition.
        partition: TopicPartition,
        /// The end of what may be read.
        offset: Offset,
        /// The broker that returned it.
        broker: BrokerId,
        /// The number of the question, as in [`crate::fact::ClientFact::EndAsked`].
        question: u64,
    },
    /// A leader returned the offset of the first record with the requested timestamp or a later
    /// one, after [`super::Consumer::request_time`].
    TimeShown {
        /// The partition.
        partition: TopicPartition,
        /// The timestamp that was asked for, in milliseconds.
        timestamp: i64,
        /// The offset of the record; `None`: no readable record has that timestamp or a later one.
        offset: Option<Offset>,
        /// The broker that returned it.
        broker: BrokerId,
    },
    /// The exception of Kafka's poll.
    Error {
        /// The partition.
        partition: TopicPartition,
        /// The error.
        error: ConsumerError,
    },
}

/// The exception of Kafka's poll.
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
    /// The log was cut below the position and there is no reset policy (`LogTruncationException`).
    /// The partition is not read until the application seeks.
    LogTruncation {
        /// The position.
        position: Offset,
        /// Where the logs diverge; `None`: the leader knows nothing of the position's epoch.
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
    /// Whether the consumer goes no further in the partition until the application seeks.
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
