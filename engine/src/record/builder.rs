//! Building a batch record by record (`MemoryRecordsBuilder`, `DefaultRecord`).

use super::header::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, CONTROL_BIT, HEADER_SIZE,
    LAST_OFFSET_DELTA, LEADER_EPOCH, LENGTH, LOG_OVERHEAD, MAGIC, MAX_TIMESTAMP, PRODUCER_EPOCH,
    PRODUCER_ID, RECORD_COUNT, TIMESTAMP_TYPE_BIT, TRANSACTIONAL_BIT, TimestampType, seal,
};
use super::{
    Codec, NO_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, varint,
};
use bytes::Bytes;

/// A record's headers: keys, and values that may be null.
pub type Headers<'a> = &'a [(&'a [u8], Option<&'a [u8]>)];

/// A batch that is being filled.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    /// The header, which is blank until [`BatchBuilder::build`], and the uncompressed records.
    buffer: Vec<u8>,
    base_offset: i64,
    leader_epoch: i32,
    codec: Codec,
    timestamp_type: TimestampType,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    transactional: bool,
    control: bool,
    count: i32,
    last_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty, uncompressed batch at offset 0, without a leader epoch or a producer.
    pub fn new() -> Self {
        Self::with_capacity(512)
    }

    /// An empty batch as by [`BatchBuilder::new`], with room for `bytes` bytes, header included.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes.max(HEADER_SIZE));
        buffer.resize(HEADER_SIZE, 0);
        Self {
            buffer,
            base_offset: 0,
            leader_epoch: NO_EPOCH,
            codec: Codec::None,
            timestamp_type: TimestampType::CreateTime,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            transactional: false,
            control: false,
            count: 0,
            last_offset_delta: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
        }
    }

    /// Sets the base offset; producers leave it at 0, and leaders assign offsets on append.
    pub fn base_offset(mut self, offset: i64) -> Self {
        self.base_offset = offset;
        self
    }

    /// Sets the leader epoch; producers leave it out, and leaders stamp theirs on append.
    pub fn leader_epoch(mut self, epoch: i32) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// Compresses the records with `codec`.
    ///
    /// # Panics
    ///
    /// If this build does not support `codec`; configuration has to be checked before.
    pub fn codec(mut self, codec: Codec) -> Self {
        assert!(codec.is_supported(), "no codec {} in this build", codec.name());
        self.codec = codec;
        self
    }

    /// Gives all records the time `now` (`LogAppendTime`). To be called before the first record.
    pub fn append_time(mut self, now: i64) -> Self {
        self.timestamp_type = TimestampType::LogAppendTime;
        self.max_timestamp = now;
        self
    }

    /// Sets whether the batch is part of a transaction.
    pub fn transactional(mut self, transactional: bool) -> Self {
        self.transactional = transactional;
        self
    }

    /// Marks the batch as a control batch.
    pub fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// Sets the producer id, epoch and base sequence.
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.set_producer(id, epoch, base_sequence);
        self
    }

    /// [`BatchBuilder::producer`] for a batch that waits in an accumulator: the sequence is known
    /// only when it is drained.
    pub fn set_producer(&mut self, id: i64, epoch: i16, base_sequence: i32) {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
    }

    /// Appends a record at the next offset.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers<'_>,
    ) {
        self.append_at(self.last_offset_delta + 1, timestamp, key, value, headers);
    }

    /// Appends a record `offset_delta` after the base offset, leaving a hole as compaction does.
    ///
    /// # Panics
    ///
    /// If that offset is not after the previous record.
    pub fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers<'_>,
    ) {
        assert!(offset_delta > self.last_offset_delta, "offsets grow within a batch");
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let body = body_size(timestamp_delta, offset_delta, key, value, headers);
        self.buffer.reserve(varint::size(body as i64) + body);
        varint::put(&mut self.buffer, body as i64);
        self.buffer.push(0);
        varint::put(&mut self.buffer, timestamp_delta);
        varint::put(&mut self.buffer, i64::from(offset_delta));
        put_field(&mut self.buffer, key);
        put_field(&mut self.buffer, value);
        varint::put(&mut self.buffer, headers.len() as i64);
        for (name, content) in headers {
            put_field(&mut self.buffer, Some(name));
            put_field(&mut self.buffer, *content);
        }
        self.count += 1;
        self.last_offset_delta = offset_delta;
        if self.timestamp_type == TimestampType::CreateTime {
            self.max_timestamp = self.max_timestamp.max(timestamp);
        }
    }

    /// Extends the batch to `delta`, as compaction does when it removes the last records.
    pub fn extend_to(&mut self, delta: i32) {
        self.last_offset_delta = self.last_offset_delta.max(delta);
    }

    /// The number of records in the batch.
    pub fn record_count(&self) -> i32 {
        self.count
    }

    /// Whether the batch has no record.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The uncompressed size of the batch in bytes, header included.
    pub fn estimated_size(&self) -> usize {
        self.buffer.len()
    }

    /// Whether one more record keeps the batch within `limit` bytes. The first record always
    /// fits, whatever its size: `batch.size` bounds batches, not records
    /// (`MemoryRecordsBuilder.hasRoomFor`).
    pub fn room_for(
        &self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers<'_>,
        limit: usize,
    ) -> bool {
        let delta = timestamp.wrapping_sub(self.base_timestamp);
        self.is_empty()
            || self.buffer.len()
                + record_size(delta, self.last_offset_delta + 1, key, value, headers)
                <= limit
    }

    /// The finished batch.
    pub fn build(mut self) -> Bytes {
        if self.codec != Codec::None {
            let records = self.codec.compress(&self.buffer[HEADER_SIZE..]);
            let records = records.expect("codec() refuses an unsupported codec");
            self.buffer.truncate(HEADER_SIZE);
            self.buffer.extend_from_slice(&records);
        }
        let length = i32::try_from(self.buffer.len() - LOG_OVERHEAD);
        let length = length.expect("a batch is smaller than 2 GiB");
        let attributes = self.attributes();
        let mut put = |at: usize, field: &[u8]| {
            self.buffer[at..at + field.len()].copy_from_slice(field);
        };
        put(BASE_OFFSET, &self.base_offset.to_be_bytes());
        put(LENGTH, &length.to_be_bytes());
        put(LEADER_EPOCH, &self.leader_epoch.to_be_bytes());
        put(MAGIC, &[2]);
        put(ATTRIBUTES, &attributes.to_be_bytes());
        put(LAST_OFFSET_DELTA, &self.last_offset_delta.max(0).to_be_bytes());
        put(BASE_TIMESTAMP, &self.base_timestamp.to_be_bytes());
        put(MAX_TIMESTAMP, &self.max_timestamp.to_be_bytes());
        put(PRODUCER_ID, &self.producer_id.to_be_bytes());
        put(PRODUCER_EPOCH, &self.producer_epoch.to_be_bytes());
        put(BASE_SEQUENCE, &self.base_sequence.to_be_bytes());
        put(RECORD_COUNT, &self.count.to_be_bytes());
        seal(self.buffer)
    }

    fn attributes(&self) -> i16 {
        let mut attributes = i16::from(self.codec.id());
        if self.timestamp_type == TimestampType::LogAppendTime {
            attributes |= TIMESTAMP_TYPE_BIT;
        }
        if self.transactional {
            attributes |= TRANSACTIONAL_BIT;
        }
        if self.control {
            attributes |= CONTROL_BIT;
        }
        attributes
    }
}

/// The size of a record within a batch, its own length field included.
pub fn record_size(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: Headers<'_>,
) -> usize {
    let body = body_size(timestamp_delta, offset_delta, key, value, headers);
    varint::size(body as i64) + body
}

fn body_size(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: Headers<'_>,
) -> usize {
    let headers_size: usize =
        headers.iter().map(|(name, content)| field_size(Some(name)) + field_size(*content)).sum();
    1 + varint::size(timestamp_delta)
        + varint::size(i64::from(offset_delta))
        + field_size(key)
        + field_size(value)
        + varint::size(headers.len() as i64)
        + headers_size
}

fn field_size(field: Option<&[u8]>) -> usize {
    match field {
        None => 1,
        Some(bytes) => varint::size(bytes.len() as i64) + bytes.len(),
    }
}

fn put_field(buffer: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => varint::put(buffer, -1),
        Some(bytes) => {
            varint::put(buffer, bytes.len() as i64);
            buffer.extend_from_slice(bytes);
        }
    }
}
