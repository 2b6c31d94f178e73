//! The hash of the topics of a group, by which a coordinator notices that one of them has changed
//! (`Utils.computeTopicHash`, `Utils.computeGroupHash`; KIP-1101).

use crate::metadata::{MetadataImage, TopicImage};
use std::collections::BTreeMap;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// The version of the hash of a topic.
const MAGIC: u8 = 0;

/// The hash of those topics that exist; 0 if none does.
pub(super) fn of_topics(topics: &BTreeMap<Arc<str>, usize>, image: &MetadataImage) -> i64 {
    let mut bytes = Vec::new();
    for name in topics.keys() {
        if let Some(topic) = image.topic_by_name(name) {
            bytes.extend(of_topic(topic, image).to_le_bytes());
        }
    }
    if bytes.is_empty() { 0 } else { XxHash3_64::oneshot(&bytes) as i64 }
}

/// The id of the topic, its name, and for each partition the racks of its replicas.
fn of_topic(topic: &TopicImage, image: &MetadataImage) -> u64 {
    let mut bytes = vec![MAGIC];
    bytes.extend(((topic.id.0 >> 64) as u64).to_le_bytes());
    bytes.extend((topic.id.0 as u64).to_le_bytes());
    put_string(&mut bytes, &topic.name);
    put_int(&mut bytes, topic.partitions.len());
    for (index, partition) in topic.partitions.iter().enumerate() {
        put_int(&mut bytes, index);
        let replicas = partition.replicas.iter();
        let brokers = replicas.filter_map(|replica| image.broker(*replica));
        let mut racks: Vec<&String> = brokers.filter_map(|broker| broker.rack.as_ref()).collect();
        racks.sort_unstable();
        for rack in racks {
            put_int(&mut bytes, rack.encode_utf16().count());
            put_string(&mut bytes, rack);
        }
    }
    XxHash3_64::oneshot(&bytes)
}

/// The units of UTF-16, and then their number.
fn put_string(to: &mut Vec<u8>, text: &str) {
    for unit in text.encode_utf16() {
        to.extend(unit.to_le_bytes());
    }
    put_int(to, text.encode_utf16().count());
}

fn put_int(to: &mut Vec<u8>, number: usize) {
    to.extend(i32::try_from(number).unwrap_or(i32::MAX).to_le_bytes());
}
