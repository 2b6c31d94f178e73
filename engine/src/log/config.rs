//! The configuration of a log (`LogConfig`).

use crate::config::TopicConfig;
use crate::record::TimestampType;

/// Settings of a topic, or of the metadata log, that concern the log itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: the size at which a segment is full.
    pub segment_bytes: u32,
    /// `segment.ms`: the time, in record timestamps, after which a segment is full.
    pub segment_ms: i64,
    /// `segment.jitter.ms`, as drawn for this log: the time by which a segment is full earlier.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: the size of an index at which its segment is full.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: the approximate number of log bytes per index entry.
    pub index_interval_bytes: u32,
    /// `max.message.bytes`: the largest batch that a leader accepts.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`: whether timestamps come from the producer or from the leader.
    pub message_timestamp_type: TimestampType,
    /// `flush.messages`: the number of unflushed messages after which an append flushes the log. By
    /// default it never does: durability comes from replication.
    pub flush_messages: i64,
    /// `producer.id.expiration.ms`: how long a producer is remembered after its last batch.
    pub producer_id_expiration_ms: i64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3600 * 1000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            max_message_bytes: 1_048_588,
            message_timestamp_type: TimestampType::CreateTime,
            flush_messages: i64::MAX,
            producer_id_expiration_ms: 24 * 3600 * 1000,
        }
    }
}

impl From<&TopicConfig> for LogConfig {
    fn from(topic: &TopicConfig) -> Self {
        Self {
            segment_bytes: topic.segment_bytes,
            segment_ms: i64::try_from(topic.segment_ms.as_millis()).unwrap_or(i64::MAX),
            segment_index_bytes: topic.segment_index_bytes,
            index_interval_bytes: topic.index_interval_bytes,
            max_message_bytes: topic.max_message_bytes,
            flush_messages: topic.flush_messages,
            ..Self::default()
        }
    }
}
