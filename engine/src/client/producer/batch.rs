//! A batch on its way from `send` to its outcome (`ProducerBatch`).
//!
//! Its bytes are immutable once the batch is sealed, and requests in flight refer to them. So the
//! bytes of a batch that expires while its request is being sent are never replaced by records of
//! another partition (KAFKA-19012). As in Kafka, its share of `buffer.memory` is released when the
//! last request with it has ended.

use super::record::ProducerRecord;
use super::sequences::Sequence;
use crate::ids::LeaderEpoch;
use crate::record::{self, BatchBuilder, RecordError, advance_sequence, stamp_producer};
use bytes::Bytes;
use machine::{ConnId, Mono};

/// A batch of records, and the state of its delivery.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    body: Body,
    /// The application's tags of the records, in order.
    pub(super) tags: Vec<u64>,
    /// The number of its records, once it was sent. The tags are removed with its outcome.
    pub(super) records: usize,
    /// When the first record was appended; `delivery.timeout.ms` counts from here.
    pub(super) created: Mono,
    /// How often it was queued again after a failure.
    pub(super) attempts: u32,
    /// It is not sent again before this time, unless the leader changes.
    pub(super) retry_at: Mono,
    /// The known leader epoch when it was last sent.
    pub(super) sent_epoch: Option<LeaderEpoch>,
    /// The connection that it was last sent over.
    pub(super) sent_over: Option<ConnId>,
    /// Whether a request ended without a definite outcome, so that the log may contain the batch.
    pub(super) maybe_written: bool,
    /// Its share of `buffer.memory`.
    pub(super) charge: u64,
    /// Whether it is a part of a batch that was split.
    pub(super) is_split: bool,
    /// Whether its outcome was reported although a request with it is still in flight.
    pub(super) is_done: bool,
    /// The producer id, epoch and sequence, if the producer is idempotent and has sent the batch.
    pub(super) sequence: Option<Sequence>,
    /// Whether its sequence was changed, and it has not been sent with the new one.
    pub(super) is_reset: bool,
    /// Whether it belongs to a transaction.
    pub(super) is_transactional: bool,
}

#[derive(Clone, Debug)]
enum Body {
    Filling(BatchBuilder),
    Sealed(Bytes),
}

impl Batch {
    /// An empty batch with an initial capacity of `bytes` bytes and `records` records.
    pub(super) fn new(created: Mono, charge: u64, bytes: usize, records: usize) -> Self {
        Self {
            body: Body::Filling(BatchBuilder::with_capacity(bytes)),
            tags: Vec::with_capacity(records),
            records: 0,
            created,
            attempts: 0,
            retry_at: Mono::default(),
            sent_epoch: None,
            sent_over: None,
            maybe_written: false,
            charge,
            is_split: false,
            is_done: false,
            sequence: None,
            is_reset: false,
            is_transactional: false,
        }
    }

    /// Appends a record if there is room for it within `limit` bytes.
    #[inline]
    pub(super) fn try_append(
        &mut self,
        record: &ProducerRecord<'_>,
        timestamp: i64,
        tag: u64,
        limit: usize,
    ) -> bool {
        let Body::Filling(builder) = &mut self.body else { return false };
        let (key, value, headers) = (record.key, record.value, record.headers);
        // The exact size is expensive to compute, and matters only near the limit.
        let surely_fits = builder.estimated_size() + record.size_upper_bound() as usize <= limit;
        if !surely_fits && !builder.room_for(timestamp, key, value, headers, limit) {
            return false;
        }
        builder.append(timestamp, key, value, headers);
        self.tags.push(tag);
        true
    }

    /// Its size; before it is sealed, without compression.
    #[inline]
    pub(super) fn size(&self) -> usize {
        match &self.body {
            Body::Filling(builder) => builder.estimated_size(),
            Body::Sealed(bytes) => bytes.len(),
        }
    }

    /// Whether no more records are appended to it.
    #[inline]
    pub(super) fn is_full(&self, batch_size: usize) -> bool {
        matches!(self.body, Body::Sealed(_)) || self.size() >= batch_size
    }

    /// Its bytes for a request, with its sequence. The first call seals the batch.
    pub(super) fn seal(&mut self) -> Bytes {
        let is_reset = std::mem::take(&mut self.is_reset);
        match (&mut self.body, self.sequence) {
            (Body::Filling(builder), sequence) => {
                let mut builder = std::mem::take(builder).transactional(self.is_transactional);
                if let Some(Sequence { producer, first }) = sequence {
                    builder.set_producer(producer.id, producer.epoch, first);
                }
                self.body = Body::Sealed(builder.build());
            }
            (Body::Sealed(bytes), Some(Sequence { producer, first })) if is_reset => {
                let bytes = std::mem::take(bytes);
                let renamed = stamp_producer(bytes, producer.id, producer.epoch, first);
                self.body = Body::Sealed(renamed);
            }
            (Body::Sealed(_), _) => {}
        }
        match &self.body {
            Body::Sealed(bytes) => bytes.clone(),
            Body::Filling(_) => unreachable!("it has just been sealed"),
        }
    }

    /// Changes its sequence. Requests in flight keep the old one.
    pub(super) fn rename(&mut self, sequence: Sequence) {
        self.sequence = Some(sequence);
        self.is_reset = true;
    }

    /// The same records in batches of at most `batch_size` bytes each, if they fit; of half that
    /// size if this batch is itself a part of a split batch (KAFKA-8350). They keep the creation
    /// time, the sequences and `maybe_written` of this batch, and have no share of the memory.
    ///
    /// # Errors
    ///
    /// If the bytes are not a valid batch, which would be a defect of the producer.
    pub(super) fn split(mut self, batch_size: usize) -> Result<Vec<Self>, RecordError> {
        let bytes = self.seal();
        let limit = if self.is_split { bytes.len() / 2 } else { batch_size };
        let mut parts: Vec<Self> = Vec::new();
        let mut tags = self.tags.iter();
        record::for_each(&bytes, |view| {
            let headers: Vec<_> = view.headers().collect();
            let record = ProducerRecord {
                topic: "",
                partition: None,
                key: view.key,
                value: view.value,
                headers: &headers,
                timestamp: None,
            };
            let tag = *tags.next().expect("a tag for each record");
            let fits = parts
                .last_mut()
                .is_some_and(|part| part.try_append(&record, view.timestamp, tag, limit));
            if !fits {
                let mut part = Self::new(self.created, 0, limit.min(bytes.len()), 1);
                part.maybe_written = self.maybe_written;
                part.is_split = true;
                part.is_transactional = self.is_transactional;
                assert!(part.try_append(&record, view.timestamp, tag, limit), "the first fits");
                parts.push(part);
            }
        })?;
        let mut sequence = self.sequence;
        for part in &mut parts {
            part.sequence = sequence;
            part.seal();
            if let Some(Sequence { first, .. }) = &mut sequence {
                *first = advance_sequence(*first, part.tags.len() as i32);
            }
        }
        Ok(parts)
    }
}
