//! The records of `__consumer_offsets`, read from their bytes (`OffsetCommitKey`, `OffsetCommitValue`,
//! `GroupMetadataKey`, `GroupMetadataValue`); those of the consumer protocol are read in
//! `consumer.rs`.

use super::consumer::{self, Said};
use crate::evidence::fields::Reader;
use bytes::Bytes;
use engine::ids::Offset;
use engine::record;

/// The generation of a group in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationValue {
    /// The generation.
    pub generation: i32,
    /// The assignor; `None` without members.
    pub protocol: Option<String>,
    /// The ids of the members, in order, each with its `group.instance.id`.
    pub members: Vec<(String, Option<String>)>,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// The committed offset of a partition, named as `orders-0`; `None`: it was deleted.
    Offset(String, Option<Offset>),
    /// The generation of the group; `None`: there is no such group any more.
    Generation(Option<GenerationValue>),
    /// Something of a group of the consumer protocol.
    Consumer(Said),
}

/// One record.
pub(super) struct Read {
    pub(super) offset: Offset,
    pub(super) group: String,
    pub(super) value: Value,
}

/// The records of a batch, in order. Records of other types are skipped.
///
/// # Errors
/// What is wrong with the first record that cannot be read.
pub(super) fn read(bytes: &Bytes) -> Result<Vec<Read>, &'static str> {
    let mut records = Vec::new();
    let mut wrong = None;
    let read = record::for_each(bytes, |record| match one(record.key, record.value) {
        Ok(None) => {}
        Ok(Some((group, value))) => records.push(Read { offset: record.offset, group, value }),
        Err(what) => wrong = wrong.or(Some(what)),
    });
    match (read, wrong) {
        (Ok(()), None) => Ok(records),
        (_, Some(what)) => Err(what),
        (Err(_), None) => Err("the batch cannot be read"),
    }
}

/// The group of a record and what the record says; `None`: it is of another type.
fn one(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Option<(String, Value)>, &'static str> {
    let mut key = Reader::new(key.ok_or("a record without key")?);
    match key.short()? {
        0 | 1 => {
            let group = text(&mut key)?;
            let topic = text(&mut key)?;
            let partition = format!("{topic}-{}", key.int()?);
            let value = value.map(offset).transpose()?;
            Ok(Some((group, Value::Offset(partition, value))))
        }
        2 => {
            let group = text(&mut key)?;
            let value = value.map(generation).transpose()?;
            Ok(Some((group, Value::Generation(value))))
        }
        kind @ 3..=8 => {
            let (group, said) = consumer::read(kind, &mut key, value)?;
            Ok(Some((group, Value::Consumer(said))))
        }
        _ => Ok(None),
    }
}

/// Of the value of an offset only the first field has the same place in every version.
fn offset(value: &[u8]) -> Result<Offset, &'static str> {
    let mut value = Reader::new(value);
    if !(0..=4).contains(&value.short()?) {
        return Err("an offset has an unknown version");
    }
    value.long()
}

fn generation(value: &[u8]) -> Result<GenerationValue, &'static str> {
    let mut value = Reader::new(value);
    let version = value.short()?;
    if !(0..=3).contains(&version) {
        return Err("a generation has an unknown version");
    }
    let _protocol_type = text(&mut value)?;
    let generation = value.int()?;
    let protocol = value.nullable_text()?;
    let _leader = value.nullable_text()?;
    if version >= 2 {
        let _time = value.long()?;
    }
    let mut members = Vec::new();
    for _ in 0..value.int()?.max(0) {
        let member = text(&mut value)?;
        let instance = if version >= 3 { value.nullable_text()? } else { None };
        let (_client_id, _client_host) = (text(&mut value)?, text(&mut value)?);
        if version >= 1 {
            let _rebalance_timeout = value.int()?;
        }
        let _session_timeout = value.int()?;
        // The subscription and the assignment.
        value.skip_bytes()?;
        value.skip_bytes()?;
        members.push((member, instance));
    }
    Ok(GenerationValue { generation, protocol, members })
}

pub(super) fn text(from: &mut Reader<'_>) -> Result<String, &'static str> {
    from.nullable_text()?.ok_or("a name is null")
}
