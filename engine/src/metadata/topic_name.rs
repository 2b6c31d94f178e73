//! Names of topics (`org.apache.kafka.common.internals.Topic`).

/// The longest name, in bytes.
const MAX_LENGTH: usize = 249;

/// Whether a topic can have this name.
pub fn is_valid_topic_name(name: &str) -> bool {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= MAX_LENGTH && name.bytes().all(legal)
}

/// Whether only coordinators write to the topic of this name.
pub fn is_internal_topic(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state")
}
