//! The errors of a log.

use crate::error::ErrorCode;
use crate::record::RecordError;
use machine::DiskError;
use std::fmt;

/// Why an operation on a log failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogError {
    /// The disk failed. If it failed a write, the log is offline from now on.
    Disk(DiskError),
    /// `KAFKA_STORAGE_ERROR`: an earlier write failed, what is on disk is not known, and nothing
    /// is appended until the log has been opened again (KAFKA-10778).
    Offline,
    /// `OFFSET_OUT_OF_RANGE`: the log does not have this offset.
    OutOfRange {
        /// The requested offset.
        offset: i64,
        /// The first offset of the log.
        log_start: i64,
        /// The offset after its last.
        log_end: i64,
    },
    /// `RECORD_LIST_TOO_LARGE`: the batch is larger than a segment.
    RecordListTooLarge,
    /// A follower was given a batch that starts below its log end offset.
    OutOfOrder {
        /// The base offset of the batch.
        base_offset: i64,
        /// The log end offset.
        log_end: i64,
    },
    /// `CORRUPT_MESSAGE`: bytes to append, or read back, are no batch.
    Corrupt(RecordError),
}

impl LogError {
    /// The error code of the protocol.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Disk(_) | Self::Offline => ErrorCode::KafkaStorageError,
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::RecordListTooLarge => ErrorCode::RecordListTooLarge,
            Self::OutOfOrder { .. } => ErrorCode::UnknownServerError,
            Self::Corrupt(_) => ErrorCode::CorruptMessage,
        }
    }
}

impl From<DiskError> for LogError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<RecordError> for LogError {
    fn from(error: RecordError) -> Self {
        Self::Corrupt(error)
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "disk: {error}"),
            Self::Offline => f.write_str("the log is offline after a failed write"),
            Self::OutOfRange { offset, log_start, log_end } => {
                write!(f, "offset {offset} is outside {log_start}..={log_end}")
            }
            Self::RecordListTooLarge => f.write_str("the batch is larger than a segment"),
            Self::OutOfOrder { base_offset, log_end } => {
                write!(f, "a batch at {base_offset} cannot follow a log that ends at {log_end}")
            }
            Self::Corrupt(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for LogError {}
