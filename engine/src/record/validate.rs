//! The checks of a leader before it appends a batch from a client (`LogValidator`,
//! `UnifiedLog.analyzeAndValidateRecords`, `ProduceRequest.validateRecords`).

use super::{Batch, Codec, NO_TIMESTAMP, RecordError, TimestampType, for_each};
use crate::config::TopicConfig;
use crate::error::ErrorCode;
use machine::{Span, Wall};
use std::fmt;

/// Why a batch is refused; each is an error of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invalid {
    /// `INVALID_RECORD`: the batch breaks a rule.
    InvalidRecord,
    /// `MESSAGE_TOO_LARGE`: it is larger than `max.message.bytes`.
    MessageTooLarge,
    /// `CORRUPT_MESSAGE`: its checksum is wrong, or the bytes are not a batch.
    CorruptMessage,
    /// `UNSUPPORTED_COMPRESSION_TYPE`: the request's version does not allow its codec.
    UnsupportedCompressionType,
    /// `INVALID_TIMESTAMP`: a timestamp lies too far from the broker's clock.
    InvalidTimestamp,
}

impl Invalid {
    /// The error code of the protocol.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::InvalidRecord => ErrorCode::InvalidRecord,
            Self::MessageTooLarge => ErrorCode::MessageTooLarge,
            Self::CorruptMessage => ErrorCode::CorruptMessage,
            Self::UnsupportedCompressionType => ErrorCode::UnsupportedCompressionType,
            Self::InvalidTimestamp => ErrorCode::InvalidTimestamp,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().name())
    }
}

/// Limits from the topic's configuration and the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `max.message.bytes`: the largest batch, in bytes.
    pub max_message_bytes: u32,
    /// `cleanup.policy` contains `compact`: every record needs a key.
    pub compacted: bool,
    /// `message.timestamp.type`
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far in the past a timestamp may lie.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far in the future a timestamp may lie.
    pub timestamp_after_max_ms: i64,
    /// The version of the Produce request; zstd needs 7 (KIP-110).
    pub produce_version: i16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_588,
            compacted: false,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            produce_version: 12,
        }
    }
}

impl From<&TopicConfig> for Limits {
    fn from(topic: &TopicConfig) -> Self {
        let millis = |span: Span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self {
            max_message_bytes: topic.max_message_bytes,
            timestamp_before_max_ms: millis(topic.timestamp_before_max),
            timestamp_after_max_ms: millis(topic.timestamp_after_max),
            ..Self::default()
        }
    }
}

/// Checks a batch from a client, in Kafka's order: the request, then the batch as a whole, then its
/// records.
///
/// # Errors
///
/// The first rule that the batch breaks.
pub fn validate_produce(batch: &[u8], limits: &Limits, now: Wall) -> Result<(), Invalid> {
    // A request has to contain exactly one batch for each partition, of magic 2.
    let view = Batch::new(batch).map_err(|_| match Batch::first_of(batch) {
        Ok(_) => Invalid::InvalidRecord,
        Err(_) => Invalid::CorruptMessage,
    })?;
    let codec = view.codec();
    if codec == Ok(Codec::Zstd) && limits.produce_version < 7 {
        return Err(Invalid::UnsupportedCompressionType);
    }
    if view.base_offset() != 0 {
        return Err(Invalid::InvalidRecord);
    }
    if view.size() > limits.max_message_bytes as usize {
        return Err(Invalid::MessageTooLarge);
    }
    view.check_crc().map_err(|_| Invalid::CorruptMessage)?;
    let codec = codec.map_err(|_| Invalid::InvalidRecord)?;
    if !codec.is_supported() {
        return Err(Invalid::UnsupportedCompressionType);
    }
    validate_batch(view)?;
    validate_records(view, limits, now)
}

/// `LogValidator.validateBatch`
fn validate_batch(batch: Batch<'_>) -> Result<(), Invalid> {
    let count_by_offsets = i64::from(batch.last_offset_delta()) + 1;
    if i64::from(batch.record_count()) != count_by_offsets || batch.record_count() <= 0 {
        return Err(Invalid::InvalidRecord);
    }
    if batch.is_control() {
        return Err(Invalid::InvalidRecord);
    }
    if batch.has_producer_id() && batch.base_sequence() < 0 {
        return Err(Invalid::InvalidRecord);
    }
    Ok(())
}

/// `LogValidator.validateRecord` for each record. A client's batch with `LogAppendTime` is refused,
/// as in Kafka (`validateTimestamp`).
fn validate_records(batch: Batch<'_>, limits: &Limits, now: Wall) -> Result<(), Invalid> {
    if batch.timestamp_type() == TimestampType::LogAppendTime {
        return Err(Invalid::InvalidTimestamp);
    }
    let mut verdict = Ok(());
    let mut expected = batch.base_offset();
    for_each(batch.bytes(), |record| {
        if verdict.is_err() {
            return;
        }
        if record.offset != expected || (limits.compacted && record.key.is_none()) {
            verdict = Err(Invalid::InvalidRecord);
        } else if limits.timestamp_type == TimestampType::CreateTime
            && !timestamp_within(record.timestamp, limits, now)
        {
            verdict = Err(Invalid::InvalidTimestamp);
        }
        expected += 1;
    })
    .map_err(|error| match error {
        RecordError::Crc { .. } => Invalid::CorruptMessage,
        RecordError::UnsupportedCodec(_) => Invalid::UnsupportedCompressionType,
        RecordError::Malformed(_) => Invalid::InvalidRecord,
    })?;
    verdict
}

fn timestamp_within(timestamp: i64, limits: &Limits, now: Wall) -> bool {
    timestamp == NO_TIMESTAMP
        || (now.0.saturating_sub(timestamp) <= limits.timestamp_before_max_ms
            && timestamp.saturating_sub(now.0) <= limits.timestamp_after_max_ms)
}
