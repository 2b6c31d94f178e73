//! Reading the records of a batch (`DefaultRecord.readFrom`, `DefaultRecordBatch.iterator`).

use super::header::{HEADER_SIZE, advance_sequence};
use super::{Batch, Codec, NO_SEQUENCE, RecordError, TimestampType, varint};
use bytes::Bytes;

/// A header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its key; several headers of a record may have the same.
    pub key: Bytes,
    /// Its value, or null.
    pub value: Option<Bytes>,
}

/// A record that shares the bytes of its batch, or of the decompressed batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds, or -1.
    pub timestamp: i64,
    /// Its sequence, or -1.
    pub sequence: i32,
    /// Its key, or null.
    pub key: Option<Bytes>,
    /// Its value, or null: a tombstone where the topic is compacted.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Vec<Header>,
}

/// A record that borrows from its batch: no allocation and no reference counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds, or -1.
    pub timestamp: i64,
    /// Its sequence, or -1.
    pub sequence: i32,
    /// Its key, or null.
    pub key: Option<&'a [u8]>,
    /// Its value, or null.
    pub value: Option<&'a [u8]>,
    headers: HeaderRefs<'a>,
}

impl<'a> RecordRef<'a> {
    /// Its headers.
    pub fn headers(&self) -> HeaderRefs<'a> {
        self.headers
    }
}

/// The headers of a [`RecordRef`]; they were checked when the record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRefs<'a> {
    left: i32,
    bytes: &'a [u8],
}

impl<'a> Iterator for HeaderRefs<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let key = take_field(&mut self.bytes).ok()??;
        let value = take_field(&mut self.bytes).ok()?;
        Some((key, value))
    }
}

/// An iterator over the records of a batch; see [`Records::new`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    left: i32,
    base_offset: i64,
    last_offset: i64,
    base_timestamp: i64,
    base_sequence: i32,
    append_time: Option<i64>,
    failed: bool,
}

impl<'a> Records<'a> {
    /// Reads the records of `batch`. `body`: the uncompressed records of the same batch, as
    /// [`body`] returns them.
    pub fn new(batch: Batch<'_>, body: &'a [u8]) -> Self {
        let append_time = match batch.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(batch.max_timestamp()),
        };
        Self {
            rest: body,
            left: batch.record_count(),
            base_offset: batch.base_offset(),
            last_offset: batch.last_offset(),
            base_timestamp: batch.base_timestamp(),
            base_sequence: batch.base_sequence(),
            append_time,
            failed: batch.record_count() < 0,
        }
    }

    #[inline]
    fn record(&mut self) -> Result<RecordRef<'a>, RecordError> {
        let length = varint::take(&mut self.rest)?;
        let mut record = take_bytes(&mut self.rest, length)?;
        let [_attributes, fields @ ..] = record else {
            return Err(RecordError::Malformed("an empty record"));
        };
        record = fields;
        let timestamp_delta = varint::take_long(&mut record)?;
        let offset_delta = varint::take(&mut record)?;
        let key = take_field(&mut record)?;
        let value = take_field(&mut record)?;
        let count = varint::take(&mut record)?;
        let headers = HeaderRefs { left: count, bytes: record };
        check_headers(headers)?;
        let offset = self.base_offset + i64::from(offset_delta);
        if offset_delta < 0 || offset > self.last_offset {
            return Err(RecordError::Malformed("a record's offset lies outside its batch"));
        }
        let sequence = match self.base_sequence {
            NO_SEQUENCE => NO_SEQUENCE,
            base => advance_sequence(base, offset_delta),
        };
        let created = self.base_timestamp.wrapping_add(timestamp_delta);
        let timestamp = self.append_time.unwrap_or(created);
        Ok(RecordRef { offset, timestamp, sequence, key, value, headers })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordRef<'a>, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.left == 0 {
            // Leftover bytes are reported once.
            self.failed = true;
            let whole = self.rest.is_empty();
            let error = RecordError::Malformed("bytes after the last record");
            return if whole { None } else { Some(Err(error)) };
        }
        self.left -= 1;
        let record = self.record();
        self.failed = record.is_err();
        Some(record)
    }
}

#[inline]
fn check_headers(headers: HeaderRefs<'_>) -> Result<(), RecordError> {
    let mut rest = headers.bytes;
    if headers.left < 0 {
        return Err(RecordError::Malformed("a negative number of headers"));
    }
    for _ in 0..headers.left {
        if take_field(&mut rest)?.is_none() {
            return Err(RecordError::Malformed("the key of a header is null"));
        }
        take_field(&mut rest)?;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(RecordError::Malformed("bytes after the last header of a record"))
    }
}

#[inline]
fn take_field<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordError> {
    match varint::take(bytes)? {
        length if length < 0 => Ok(None),
        length => take_bytes(bytes, length).map(Some),
    }
}

#[inline]
fn take_bytes<'a>(bytes: &mut &'a [u8], length: i32) -> Result<&'a [u8], RecordError> {
    let length = usize::try_from(length).map_err(|_| RecordError::Malformed("negative length"))?;
    let Some((taken, rest)) = bytes.split_at_checked(length) else {
        return Err(RecordError::Malformed("the batch ends within a record"));
    };
    *bytes = rest;
    Ok(taken)
}

/// The uncompressed records of a batch: a slice of the batch, or the decompressed bytes.
///
/// # Errors
///
/// Those of [`Batch::new`], [`Batch::codec`] and [`Codec::decompress`].
pub fn body(batch: &Bytes) -> Result<Bytes, RecordError> {
    let codec = Batch::new(batch)?.codec()?;
    codec.decompress(batch.slice(HEADER_SIZE..))
}

/// Calls `visit` with every record of a batch; allocates only if the batch is compressed.
///
/// # Errors
///
/// Any [`RecordError`] but [`RecordError::Crc`]; records before the malformed one have been
/// visited.
pub fn for_each(batch: &[u8], mut visit: impl FnMut(RecordRef<'_>)) -> Result<(), RecordError> {
    let view = Batch::new(batch)?;
    let decompressed = match view.codec()? {
        Codec::None => None,
        codec => Some(codec.decompress(Bytes::copy_from_slice(view.payload()))?),
    };
    for record in Records::new(view, decompressed.as_deref().unwrap_or(view.payload())) {
        visit(record?);
    }
    Ok(())
}

/// The records of a batch. Their bytes are slices of the batch, or of its decompressed records.
///
/// # Errors
///
/// Any [`RecordError`] but [`RecordError::Crc`]: the checksum is a matter of [`Batch::check_crc`],
/// called once on bytes from a disk or a network.
pub fn records(batch: &Bytes) -> Result<Vec<RecordView>, RecordError> {
    let body = body(batch)?;
    let view = Batch::new(batch)?;
    let mut records = Vec::with_capacity(view.record_count().clamp(0, 1 << 16) as usize);
    for record in Records::new(view, &body) {
        let record = record?;
        let owned = |bytes: &[u8]| body.slice_ref(bytes);
        records.push(RecordView {
            offset: record.offset,
            timestamp: record.timestamp,
            sequence: record.sequence,
            key: record.key.map(owned),
            value: record.value.map(owned),
            headers: record
                .headers()
                .map(|(key, value)| Header { key: owned(key), value: value.map(owned) })
                .collect(),
        });
    }
    Ok(records)
}
