//! The checks of a leader before it appends a batch from a client (`LogValidator`,
//! `UnifiedLog.analyzeAndValidateRecords`), and those of a request before them.

use super::header::{BASE_OFFSET, HEADER_SIZE, LAST_OFFSET_DELTA, LENGTH, LOG_OVERHEAD, MAGIC};
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
    /// `UNKNOWN_SERVER_ERROR`: its codec does not exist.
    UnknownCodec,
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
            Self::UnknownCodec => ErrorCode::UnknownServerError,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().name())
    }
}

/// Limits from the topic's configuration.
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_588,
            compacted: false,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
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

/// The size of the batch that a Produce request has for a partition. Bytes after it that are no whole
/// batch are not looked at (`ProduceRequest.validateRecords`, `ByteBufferLogInputStream`).
///
/// # Errors
///
/// [`Invalid::InvalidRecord`] unless there is exactly one batch, of magic 2;
/// [`Invalid::CorruptMessage`] if its length or magic is impossible;
/// [`Invalid::UnsupportedCompressionType`] for zstd before version 7 (KIP-110).
pub fn validate_request(records: &[u8], version: i16) -> Result<usize, Invalid> {
    let size = next_batch(records)?.ok_or(Invalid::InvalidRecord)?;
    let (batch, rest) = records.split_at(size);
    if batch[MAGIC] != 2 {
        return Err(Invalid::InvalidRecord);
    }
    if version < 7 && Batch::new(batch).is_ok_and(|it| it.codec() == Ok(Codec::Zstd)) {
        return Err(Invalid::UnsupportedCompressionType);
    }
    match next_batch(rest)? {
        None => Ok(size),
        Some(_) => Err(Invalid::InvalidRecord),
    }
}

/// The size of the batch, of any magic, at the beginning of `bytes`; `None` if it is not whole.
fn next_batch(bytes: &[u8]) -> Result<Option<usize>, Invalid> {
    /// The smallest batch of magic 0, without offset and length.
    const SMALLEST: i32 = 14;
    let Some(length) = bytes.get(LENGTH..LOG_OVERHEAD) else { return Ok(None) };
    let length = i32::from_be_bytes(length.try_into().expect("four bytes"));
    if length < SMALLEST {
        return Err(Invalid::CorruptMessage);
    }
    match bytes.get(MAGIC) {
        None => return Ok(None),
        Some(0..=2) => {}
        Some(_) => return Err(Invalid::CorruptMessage),
    }
    let size = LOG_OVERHEAD + length as usize;
    Ok((bytes.len() >= size).then_some(size))
}

/// Checks a batch from a client before it is appended, in Kafka's order: the batch as a whole, then
/// its records.
///
/// # Errors
///
/// The first rule that the batch breaks.
pub fn validate_produce(batch: &[u8], limits: &Limits, now: Wall) -> Result<(), Invalid> {
    let view = Batch::new(batch).map_err(|_| match has_negative_offsets(batch) {
        true => Invalid::InvalidRecord,
        false => Invalid::CorruptMessage,
    })?;
    if view.base_offset() != 0 {
        return Err(Invalid::InvalidRecord);
    }
    if view.size() > limits.max_message_bytes as usize {
        return Err(Invalid::MessageTooLarge);
    }
    view.check_crc().map_err(|_| Invalid::CorruptMessage)?;
    let codec = view.codec().map_err(|_| Invalid::UnknownCodec)?;
    if !codec.is_supported() {
        return Err(Invalid::UnsupportedCompressionType);
    }
    validate_batch(view)?;
    validate_records(view, limits, now)
}

/// Whether the sign of the base offset or of the last offset delta is set.
fn has_negative_offsets(batch: &[u8]) -> bool {
    let is_negative = |at: usize| batch.get(at).is_some_and(|byte| byte & 0x80 != 0);
    batch.len() >= HEADER_SIZE && (is_negative(BASE_OFFSET) || is_negative(LAST_OFFSET_DELTA))
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

/// `LogValidator.validateRecord` for each record.
fn validate_records(batch: Batch<'_>, limits: &Limits, now: Wall) -> Result<(), Invalid> {
    let mut verdict = Ok(());
    let mut expected = batch.base_offset();
    for_each(batch.bytes(), |record| {
        if verdict.is_err() {
            return;
        }
        if record.offset != expected || (limits.compacted && record.key.is_none()) {
            verdict = Err(Invalid::InvalidRecord);
        } else if !is_timestamp_valid(batch, record.timestamp, limits, now) {
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

/// A client that says that the leader has set the timestamps is refused only where these are not looked
/// at (`validateTimestamp`).
fn is_timestamp_valid(batch: Batch<'_>, timestamp: i64, limits: &Limits, now: Wall) -> bool {
    if limits.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
        return now.0.saturating_sub(timestamp) <= limits.timestamp_before_max_ms
            && timestamp.saturating_sub(now.0) <= limits.timestamp_after_max_ms;
    }
    batch.timestamp_type() != TimestampType::LogAppendTime
}
