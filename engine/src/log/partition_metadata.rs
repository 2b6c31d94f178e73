//! The id of the topic that a log belongs to, written before any data (`PartitionMetadataFile`,
//! KIP-516). It distinguishes a topic from a later one of the same name.

use super::files;
use bytes::Bytes;
use machine::{Disk, DiskError};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes the topic id of the log in `dir`, which has to exist.
///
/// # Errors
///
/// Any of the disk's.
pub fn write(disk: &mut dyn Disk, dir: &str, topic_id: u128) -> Result<(), DiskError> {
    let content = format!("version: 0\ntopic_id: {}\n", encode(topic_id));
    files::replace(disk, &path(dir), Bytes::from(content))
}

/// Reads the topic id of the log in `dir`; `None` if there is none or it cannot be understood.
///
/// # Errors
///
/// Any of the disk's.
pub fn read(disk: &mut dyn Disk, dir: &str) -> Result<Option<u128>, DiskError> {
    let content = files::read_all(disk, &path(dir))?;
    Ok(content.and_then(|content| {
        let text = std::str::from_utf8(&content).ok()?;
        let mut lines = text.lines();
        (lines.next()? == "version: 0").then_some(())?;
        decode(lines.next()?.strip_prefix("topic_id: ")?)
    }))
}

fn path(dir: &str) -> String {
    format!("{dir}/{}", files::PARTITION_METADATA)
}

/// Kafka's `Uuid.toString`: 16 bytes in the URL-safe base 64, without padding.
pub fn encode(id: u128) -> String {
    // 22 digits of six bits are 132: the last digit has four bits of filling.
    (0..22)
        .map(|digit| {
            let bits = if digit == 21 { id << 4 } else { id >> (122 - 6 * digit) };
            char::from(ALPHABET[(bits & 63) as usize])
        })
        .collect()
}

/// Undoes [`encode`].
pub fn decode(text: &str) -> Option<u128> {
    let text = text.as_bytes();
    let mut id = 0_u128;
    for (at, byte) in text.iter().enumerate() {
        let digit = ALPHABET.iter().position(|letter| letter == byte)? as u128;
        id = if at == 21 { (id << 2) | (digit >> 4) } else { (id << 6) | digit };
    }
    (text.len() == 22).then_some(id)
}
