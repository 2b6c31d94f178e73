//! Records of `__transaction_state`, byte for byte (`TransactionLog`, `TransactionLogKey.json`,
//! `TransactionLogValue.json`; KIP-98, KIP-915, KIP-890).
//!
//! | part | layout |
//! |---|---|
//! | key | version i16 = 0, transactional id as string |
//! | value | version i16: 0 at level 0 of `transaction.version`, else 1; producer id i64, epoch i16, timeout i32 in ms, state i8, partitions by topic (null if Empty), last update i64, start i64 |
//! | tagged, version 1 | 0 previous producer id i64, 1 next producer id i64, 2 version of the client i16; 3 (next epoch) is never written |
//!
//! The topics of a transaction are in order of name here, and in the order of a hash table in
//! Kafka's records.

use super::state::{Partitions, TransactionMetadata};
use crate::broker::fields::{
    Malformed, put_compact_string, put_string, put_unsigned, take, take_compact_string, take_i16,
    take_i32, take_i64, take_string, take_tag, take_unsigned,
};
use crate::error::ErrorCode;
use crate::ids::TransactionalId;
use crate::protocol::TransactionState;
use crate::record::{BatchBuilder, NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use bytes::Bytes;
use std::collections::BTreeSet;

/// The version of keys, which also identifies the type of a record.
const KEY_VERSION: i16 = 0;
/// The only version of values without flexible fields (KIP-482).
const INFLEXIBLE: i16 = 0;
const FLEXIBLE: i16 = 1;
const PREVIOUS_PRODUCER_ID: u64 = 0;
const NEXT_PRODUCER_ID: u64 = 1;
const CLIENT_VERSION: u64 = 2;

/// The batch with one record: the state of a transactional id.
///
/// # Errors
///
/// [`ErrorCode::UnsupportedVersion`] if a record at this level of `transaction.version` cannot
/// contain `metadata.client_version`.
pub(super) fn batch(
    id: &str,
    metadata: &TransactionMetadata,
    level: u16,
    rotates: bool,
    now_ms: i64,
) -> Result<Bytes, ErrorCode> {
    let value = value(metadata, level, rotates)?;
    let mut batch = BatchBuilder::with_capacity(128);
    batch.append(now_ms, Some(&key(id)), Some(&value), &[]);
    Ok(batch.build())
}

/// The batch of tombstones by which transactional ids are forgotten.
pub(super) fn tombstones<'a>(ids: impl Iterator<Item = &'a str>, now_ms: i64) -> Bytes {
    let mut batch = BatchBuilder::new();
    for id in ids {
        batch.append(now_ms, Some(&key(id)), None, &[]);
    }
    batch.build()
}

/// The key of a transactional id.
pub(super) fn key(id: &str) -> Vec<u8> {
    let mut key = KEY_VERSION.to_be_bytes().to_vec();
    put_string(&mut key, id);
    key
}

/// The transactional id in a key; `None` for a record of another type, which readers skip.
pub(super) fn read_key(mut key: &[u8]) -> Result<Option<TransactionalId>, Malformed> {
    if take_i16(&mut key)? != KEY_VERSION {
        return Ok(None);
    }
    take_string(&mut key).map(Some)
}

/// The value of a record with `metadata`. With `rotates` it also names the previous and the next
/// producer id.
pub(super) fn value(
    metadata: &TransactionMetadata,
    level: u16,
    rotates: bool,
) -> Result<Vec<u8>, ErrorCode> {
    let version = if level == 0 { INFLEXIBLE } else { FLEXIBLE };
    if version == INFLEXIBLE && metadata.client_version != 0 {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let mut to = version.to_be_bytes().to_vec();
    to.extend(metadata.producer_id.to_be_bytes());
    to.extend(metadata.producer_epoch.to_be_bytes());
    to.extend(metadata.timeout_ms.to_be_bytes());
    to.extend((metadata.state as i8).to_be_bytes());
    let partitions = (metadata.state != TransactionState::Empty).then_some(&metadata.partitions);
    put_partitions(&mut to, partitions, version == FLEXIBLE);
    to.extend(metadata.last_update_ms.to_be_bytes());
    to.extend(metadata.start_ms.to_be_bytes());
    if version == FLEXIBLE {
        put_tagged(&mut to, metadata, rotates);
    }
    Ok(to)
}

fn put_partitions(to: &mut Vec<u8>, partitions: Option<&Partitions>, flexible: bool) {
    let put_count = |to: &mut Vec<u8>, count: usize| {
        if flexible {
            put_unsigned(to, count as u64 + 1);
        } else {
            to.extend((count as i32).to_be_bytes());
        }
    };
    let Some(partitions) = partitions else {
        match flexible {
            true => put_unsigned(to, 0),
            false => to.extend((-1_i32).to_be_bytes()),
        }
        return;
    };
    put_count(to, partitions.len());
    for (topic, indexes) in partitions {
        if flexible {
            put_compact_string(to, topic);
        } else {
            put_string(to, topic);
        }
        put_count(to, indexes.len());
        to.extend(indexes.iter().flat_map(|index| index.to_be_bytes()));
        if flexible {
            put_unsigned(to, 0);
        }
    }
}

fn put_tagged(to: &mut Vec<u8>, metadata: &TransactionMetadata, rotates: bool) {
    let mut tagged: Vec<(u64, Vec<u8>)> = Vec::new();
    if rotates {
        let ids = [
            (PREVIOUS_PRODUCER_ID, metadata.previous_producer_id),
            (NEXT_PRODUCER_ID, metadata.next_producer_id),
        ];
        let ids = ids.into_iter().filter(|(_, id)| *id != NO_PRODUCER_ID);
        tagged.extend(ids.map(|(tag, id)| (tag, id.to_be_bytes().to_vec())));
    }
    if metadata.client_version != 0 {
        tagged.push((CLIENT_VERSION, metadata.client_version.to_be_bytes().to_vec()));
    }
    put_unsigned(to, tagged.len() as u64);
    for (tag, bytes) in tagged {
        put_unsigned(to, tag);
        put_unsigned(to, bytes.len() as u64);
        to.extend(bytes);
    }
}

/// Reads the state in a value.
pub(super) fn read_value(mut from: &[u8]) -> Result<TransactionMetadata, Malformed> {
    let from = &mut from;
    let flexible = match take_i16(from)? {
        INFLEXIBLE => false,
        FLEXIBLE => true,
        _ => return Err(Malformed("a value of another version")),
    };
    let producer_id = take_i64(from)?;
    let producer_epoch = take_i16(from)?;
    let timeout_ms = take_i32(from)?;
    let [state] = take(from)?;
    let state = TransactionState::from_id(state as i8).ok_or(Malformed("an unknown state"))?;
    let partitions = take_partitions(from, flexible)?;
    let last_update_ms = take_i64(from)?;
    let start_ms = take_i64(from)?;
    let partitions = match partitions {
        _ if state == TransactionState::Empty => Partitions::new(),
        Some(partitions) => partitions,
        None => return Err(Malformed("a state without partitions")),
    };
    let mut metadata = TransactionMetadata {
        producer_id,
        previous_producer_id: NO_PRODUCER_ID,
        next_producer_id: NO_PRODUCER_ID,
        producer_epoch,
        last_producer_epoch: NO_PRODUCER_EPOCH,
        timeout_ms,
        state,
        partitions,
        start_ms,
        last_update_ms,
        client_version: 0,
    };
    if flexible {
        take_tagged(from, &mut metadata)?;
    }
    Ok(metadata)
}

fn take_partitions(from: &mut &[u8], flexible: bool) -> Result<Option<Partitions>, Malformed> {
    let take_count = |from: &mut &[u8]| match flexible {
        true => Ok(take_unsigned(from)? as i64 - 1),
        false => take_i32(from).map(i64::from),
    };
    let topics = take_count(from)?;
    if topics < 0 {
        return Ok(None);
    }
    let mut partitions = Partitions::new();
    for _ in 0..topics {
        let topic = if flexible { take_compact_string(from) } else { take_string(from) }?;
        let mut indexes = BTreeSet::new();
        for _ in 0..take_count(from)? {
            indexes.insert(take_i32(from)?);
        }
        if flexible {
            for _ in 0..take_unsigned(from)? {
                take_tag(from)?;
            }
        }
        partitions.insert(topic, indexes);
    }
    Ok(Some(partitions))
}

fn take_tagged(from: &mut &[u8], metadata: &mut TransactionMetadata) -> Result<(), Malformed> {
    for _ in 0..take_unsigned(from)? {
        let (tag, mut bytes) = take_tag(from)?;
        match tag {
            PREVIOUS_PRODUCER_ID => metadata.previous_producer_id = take_i64(&mut bytes)?,
            NEXT_PRODUCER_ID => metadata.next_producer_id = take_i64(&mut bytes)?,
            CLIENT_VERSION => metadata.client_version = u16::from_be_bytes(take(&mut bytes)?),
            _ => {}
        }
    }
    Ok(())
}
