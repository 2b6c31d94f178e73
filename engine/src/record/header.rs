//! The 61-byte header of a record batch (`DefaultRecordBatch`).

use super::{Codec, RecordError};
use bytes::{Bytes, BytesMut};
use machine::Wall;

/// The size of the header, and of an empty batch.
pub const HEADER_SIZE: usize = 61;
/// The size of the fields that `batchLength` does not count: base offset and length.
pub const LOG_OVERHEAD: usize = 12;
/// The leader epoch of a batch that no leader has stamped.
pub const NO_EPOCH: i32 = -1;
/// The producer id of a batch without one.
pub const NO_PRODUCER_ID: i64 = -1;
/// The producer epoch of a batch without producer id.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The base sequence of a batch without one.
pub const NO_SEQUENCE: i32 = -1;
/// The timestamp of a record without one.
pub const NO_TIMESTAMP: i64 = -1;

pub(super) const BASE_OFFSET: usize = 0;
pub(super) const LENGTH: usize = 8;
pub(super) const LEADER_EPOCH: usize = 12;
pub(super) const MAGIC: usize = 16;
pub(super) const CRC: usize = 17;
pub(super) const ATTRIBUTES: usize = 21;
pub(super) const LAST_OFFSET_DELTA: usize = 23;
pub(super) const BASE_TIMESTAMP: usize = 27;
pub(super) const MAX_TIMESTAMP: usize = 35;
pub(super) const PRODUCER_ID: usize = 43;
pub(super) const PRODUCER_EPOCH: usize = 51;
pub(super) const BASE_SEQUENCE: usize = 53;
pub(super) const RECORD_COUNT: usize = 57;

pub(super) const TIMESTAMP_TYPE_BIT: i16 = 1 << 3;
pub(super) const TRANSACTIONAL_BIT: i16 = 1 << 4;
pub(super) const CONTROL_BIT: i16 = 1 << 5;
pub(super) const DELETE_HORIZON_BIT: i16 = 1 << 6;

/// The meaning of a batch's timestamps (`message.timestamp.type`, KIP-32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimestampType {
    /// `CreateTime`: the producer set them.
    #[default]
    CreateTime,
    /// `LogAppendTime`: the leader set one for all records.
    LogAppendTime,
}

/// A view of the bytes of exactly one batch. Length, magic and offsets in the header have been
/// checked; the checksum and the records have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch<'a>(&'a [u8]);

impl<'a> Batch<'a> {
    /// Views `bytes`, which have to be exactly one batch.
    ///
    /// # Errors
    ///
    /// [`RecordError::Malformed`] if they are not.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let batch = Self::first_of(bytes)?;
        if batch.size() != bytes.len() {
            return Err(RecordError::Malformed("bytes after the end of the batch"));
        }
        Ok(batch)
    }

    /// Views the batch at the beginning of `bytes`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Malformed`] if `bytes` do not begin with a whole batch.
    #[inline]
    pub fn first_of(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let size = Self::size_at(bytes)?;
        let Some(bytes) = bytes.get(..size) else {
            return Err(RecordError::Malformed("the batch ends early"));
        };
        Ok(Self(bytes))
    }

    /// The size of the batch whose header is at the beginning of `bytes`, which may end within the
    /// batch.
    ///
    /// # Errors
    ///
    /// [`RecordError::Malformed`] if `bytes` do not begin with the header of a batch v2.
    #[inline]
    pub fn size_at(bytes: &[u8]) -> Result<usize, RecordError> {
        Batch::header(bytes).map(Batch::size)
    }

    /// Views the header alone. Only the accessors of header fields may be used.
    #[inline]
    pub(crate) fn header(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() < HEADER_SIZE {
            return Err(RecordError::Malformed("the header ends early"));
        }
        let header = Self(bytes);
        if header.magic() != 2 {
            return Err(RecordError::Malformed("magic is not 2"));
        }
        let length = header.batch_length();
        if length < (HEADER_SIZE - LOG_OVERHEAD) as i32 || length > i32::MAX - LOG_OVERHEAD as i32 {
            return Err(RecordError::Malformed("batch length is impossible"));
        }
        if header.base_offset() < 0 || header.last_offset_delta() < 0 {
            return Err(RecordError::Malformed("offsets are negative"));
        }
        if header.base_offset().checked_add(i64::from(i32::MAX) + 1).is_none() {
            return Err(RecordError::Malformed("offsets overflow"));
        }
        Ok(header)
    }

    #[inline]
    fn at<const N: usize>(self, at: usize) -> [u8; N] {
        self.0[at..at + N].try_into().expect("a range of N bytes")
    }

    /// All bytes of the batch.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Its size in bytes, header included.
    #[inline]
    pub fn size(self) -> usize {
        self.batch_length() as usize + LOG_OVERHEAD
    }

    /// `baseOffset`: the offset of the first record when it was written; compaction keeps it.
    #[inline]
    pub fn base_offset(self) -> i64 {
        i64::from_be_bytes(self.at(BASE_OFFSET))
    }

    /// `batchLength`: the number of bytes after this field.
    #[inline]
    pub fn batch_length(self) -> i32 {
        i32::from_be_bytes(self.at(LENGTH))
    }

    /// `partitionLeaderEpoch`: the epoch of the leader that appended it first.
    #[inline]
    pub fn leader_epoch(self) -> i32 {
        i32::from_be_bytes(self.at(LEADER_EPOCH))
    }

    /// `magic`: the version of the format, 2.
    #[inline]
    pub fn magic(self) -> i8 {
        self.0[MAGIC] as i8
    }

    /// `crc`: the CRC-32C of the bytes from `attributes` to the end.
    #[inline]
    pub fn crc(self) -> u32 {
        u32::from_be_bytes(self.at(CRC))
    }

    /// `attributes`: codec, timestamp type and flags.
    #[inline]
    pub fn attributes(self) -> i16 {
        i16::from_be_bytes(self.at(ATTRIBUTES))
    }

    /// The codec of the records.
    ///
    /// # Errors
    ///
    /// [`RecordError::UnsupportedCodec`] if the number in the attributes stands for none.
    #[inline]
    pub fn codec(self) -> Result<Codec, RecordError> {
        Codec::from_id(self.attributes() as u8 & 7)
    }

    /// What its timestamps mean.
    #[inline]
    pub fn timestamp_type(self) -> TimestampType {
        if self.attributes() & TIMESTAMP_TYPE_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch is part of a transaction.
    #[inline]
    pub fn is_transactional(self) -> bool {
        self.attributes() & TRANSACTIONAL_BIT != 0
    }

    /// Whether it contains a control record, which applications never see.
    #[inline]
    pub fn is_control(self) -> bool {
        self.attributes() & CONTROL_BIT != 0
    }

    /// When the cleaner may drop its tombstones or marker, in milliseconds (KIP-534).
    #[inline]
    pub fn delete_horizon(self) -> Option<i64> {
        (self.attributes() & DELETE_HORIZON_BIT != 0).then(|| self.base_timestamp())
    }

    /// `lastOffsetDelta`: the last offset less the base offset.
    #[inline]
    pub fn last_offset_delta(self) -> i32 {
        i32::from_be_bytes(self.at(LAST_OFFSET_DELTA))
    }

    /// The offset of the last record when it was written; compaction keeps it.
    #[inline]
    pub fn last_offset(self) -> i64 {
        self.base_offset() + i64::from(self.last_offset_delta())
    }

    /// The offset after the last record.
    #[inline]
    pub fn next_offset(self) -> i64 {
        self.last_offset() + 1
    }

    /// `baseTimestamp`: the first record's timestamp, or the delete horizon.
    #[inline]
    pub fn base_timestamp(self) -> i64 {
        i64::from_be_bytes(self.at(BASE_TIMESTAMP))
    }

    /// `maxTimestamp`: the largest timestamp, or the append time of all records.
    #[inline]
    pub fn max_timestamp(self) -> i64 {
        i64::from_be_bytes(self.at(MAX_TIMESTAMP))
    }

    /// `producerId`, or [`NO_PRODUCER_ID`].
    #[inline]
    pub fn producer_id(self) -> i64 {
        i64::from_be_bytes(self.at(PRODUCER_ID))
    }

    /// Whether it has a producer id.
    #[inline]
    pub fn has_producer_id(self) -> bool {
        self.producer_id() > NO_PRODUCER_ID
    }

    /// `producerEpoch`, or [`NO_PRODUCER_EPOCH`].
    #[inline]
    pub fn producer_epoch(self) -> i16 {
        i16::from_be_bytes(self.at(PRODUCER_EPOCH))
    }

    /// `baseSequence`, or [`NO_SEQUENCE`].
    #[inline]
    pub fn base_sequence(self) -> i32 {
        i32::from_be_bytes(self.at(BASE_SEQUENCE))
    }

    /// The sequence of its last record, or [`NO_SEQUENCE`].
    #[inline]
    pub fn last_sequence(self) -> i32 {
        match self.base_sequence() {
            NO_SEQUENCE => NO_SEQUENCE,
            base => advance_sequence(base, self.last_offset_delta()),
        }
    }

    /// `recordCount`: how many records the batch has; compaction may have removed some.
    #[inline]
    pub fn record_count(self) -> i32 {
        i32::from_be_bytes(self.at(RECORD_COUNT))
    }

    /// The records, in compressed form if there is a codec.
    #[inline]
    pub fn payload(self) -> &'a [u8] {
        &self.0[HEADER_SIZE..]
    }

    /// Compares the checksum with the bytes.
    ///
    /// # Errors
    ///
    /// [`RecordError::Crc`] if they differ.
    pub fn check_crc(self) -> Result<(), RecordError> {
        let computed = crc32c::crc32c(&self.0[ATTRIBUTES..]);
        let stored = self.crc();
        if computed == stored { Ok(()) } else { Err(RecordError::Crc { stored, computed }) }
    }
}

/// The sequence `by` after `from`; sequences wrap from `i32::MAX` to 0
/// (`DefaultRecordBatch.incrementSequence`).
#[inline]
pub const fn advance_sequence(from: i32, by: i32) -> i32 {
    if from > i32::MAX - by { by - (i32::MAX - from) - 1 } else { from + by }
}

/// The batch with the base offset and leader epoch that a leader assigns. Both lie outside the
/// checksum, which stays valid. Bytes that are not shared are not copied.
///
/// # Panics
///
/// If the bytes are shorter than a header.
pub fn stamp(batch: Bytes, base_offset: i64, leader_epoch: i32) -> Bytes {
    let mut bytes = into_mut(batch);
    bytes[BASE_OFFSET..LENGTH].copy_from_slice(&base_offset.to_be_bytes());
    bytes[LEADER_EPOCH..MAGIC].copy_from_slice(&leader_epoch.to_be_bytes());
    bytes.freeze()
}

/// The batch with `now` as the time of all its records (`message.timestamp.type=LogAppendTime`),
/// and a new checksum.
///
/// # Panics
///
/// If the bytes are shorter than a header.
pub fn stamp_append_time(batch: Bytes, now: Wall) -> Bytes {
    let mut bytes = into_mut(batch);
    let attributes = i16::from_be_bytes([bytes[ATTRIBUTES], bytes[ATTRIBUTES + 1]]);
    let attributes = attributes | TIMESTAMP_TYPE_BIT;
    bytes[ATTRIBUTES..LAST_OFFSET_DELTA].copy_from_slice(&attributes.to_be_bytes());
    bytes[MAX_TIMESTAMP..PRODUCER_ID].copy_from_slice(&now.0.to_be_bytes());
    seal(bytes)
}

/// The batch with another producer id, epoch and base sequence, and a new checksum: a producer
/// changes its unsent batches so when its epoch is raised (KIP-360).
///
/// # Panics
///
/// If the bytes are shorter than a header.
pub fn stamp_producer(
    batch: Bytes,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
) -> Bytes {
    let mut bytes = into_mut(batch);
    bytes[PRODUCER_ID..PRODUCER_EPOCH].copy_from_slice(&producer_id.to_be_bytes());
    bytes[PRODUCER_EPOCH..BASE_SEQUENCE].copy_from_slice(&producer_epoch.to_be_bytes());
    bytes[BASE_SEQUENCE..RECORD_COUNT].copy_from_slice(&base_sequence.to_be_bytes());
    seal(bytes)
}

fn into_mut(bytes: Bytes) -> BytesMut {
    assert!(bytes.len() >= HEADER_SIZE, "a batch has a header");
    bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]))
}

pub(super) fn seal(mut batch: impl AsMut<[u8]> + Into<Bytes>) -> Bytes {
    let bytes = batch.as_mut();
    let crc = crc32c::crc32c(&bytes[ATTRIBUTES..]);
    bytes[CRC..ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

/// Splits concatenated batches, without copying.
///
/// # Errors
///
/// [`RecordError::Malformed`] if they do not end with a whole batch.
pub fn split(mut bytes: Bytes) -> Result<Vec<Bytes>, RecordError> {
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let size = Batch::first_of(&bytes)?.size();
        batches.push(bytes.split_to(size));
    }
    Ok(batches)
}
