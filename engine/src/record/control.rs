//! Control records: keys and values that brokers and controllers write for themselves
//! (`ControlRecordType`, `EndTransactionMarker`, `ControlRecordUtils`; KIP-98, KIP-595, KIP-630).

use super::{Batch, BatchBuilder, NO_SEQUENCE, RecordError, RecordRef, for_each, varint};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The type of a control record, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlType {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A Raft leader begins its epoch.
    LeaderChange,
    /// The first record of a metadata snapshot.
    SnapshotHeader,
    /// The last record of a metadata snapshot.
    SnapshotFooter,
    /// `kraft.version` from this offset onwards (KIP-853).
    KraftVersion,
    /// The voter set from this offset onwards (KIP-853).
    KraftVoters,
}

impl ControlType {
    const ALL: [Self; 7] = [
        Self::Abort,
        Self::Commit,
        Self::LeaderChange,
        Self::SnapshotHeader,
        Self::SnapshotFooter,
        Self::KraftVersion,
        Self::KraftVoters,
    ];

    /// The key of such a record: version 0 and the type.
    pub const fn key(self) -> [u8; 4] {
        [0, 0, 0, self as u8]
    }

    /// The type in the key of a control record; `None` for unknown types, which readers skip.
    ///
    /// # Errors
    ///
    /// [`RecordError::Malformed`] if `key` is not the key of a control record.
    pub fn from_key(key: Option<&[u8]>) -> Result<Option<Self>, RecordError> {
        let mut key = key.ok_or(RecordError::Malformed("a control record without key"))?;
        let short = |_| RecordError::Malformed("the key of a control record ends early");
        if key.try_get_i16().map_err(short)? < 0 {
            return Err(RecordError::Malformed("a control record of a negative version"));
        }
        let id = key.try_get_i16().map_err(short)?;
        Ok(usize::try_from(id).ok().and_then(|id| Self::ALL.get(id).copied()))
    }

    /// Whether it ends a transaction.
    pub const fn ends_transaction(self) -> bool {
        matches!(self, Self::Abort | Self::Commit)
    }
}

/// The marker that a transaction coordinator has written to every partition of a transaction that
/// has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Whether the transaction was committed, not aborted.
    pub committed: bool,
    /// The leader epoch of the coordinator's partition, which fences zombies.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// Its type of control record.
    pub const fn control_type(self) -> ControlType {
        if self.committed { ControlType::Commit } else { ControlType::Abort }
    }

    /// The value of the control record: version 0 and the coordinator epoch.
    pub fn value(self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }

    /// The marker in a control record, or `None` if the record is of another type.
    ///
    /// # Errors
    ///
    /// [`RecordError::Malformed`] if `record` is not a well-formed control record.
    pub fn read(record: &RecordRef<'_>) -> Result<Option<Self>, RecordError> {
        let Some(kind) = ControlType::from_key(record.key)? else {
            return Ok(None);
        };
        if !kind.ends_transaction() {
            return Ok(None);
        }
        let short = |_| RecordError::Malformed("an end transaction marker ends early");
        let mut value = record
            .value
            .ok_or(RecordError::Malformed("an end transaction marker without value"))?;
        if value.try_get_i16().map_err(short)? < 0 {
            return Err(RecordError::Malformed("a marker of a negative version"));
        }
        let coordinator_epoch = value.try_get_i32().map_err(short)?;
        Ok(Some(Self { committed: kind == ControlType::Commit, coordinator_epoch }))
    }

    /// The marker in a control batch, or `None` if the batch has none.
    ///
    /// # Errors
    ///
    /// If its record cannot be read.
    pub fn of(batch: Batch<'_>) -> Result<Option<Self>, RecordError> {
        let mut marker = Ok(None);
        let mut first = true;
        for_each(batch.bytes(), |record| {
            if std::mem::take(&mut first) {
                marker = Self::read(&record);
            }
        })?;
        marker
    }

    /// The whole batch: one record, transactional and control, with the producer's id and epoch
    /// but no sequence.
    pub fn batch(self, producer_id: i64, producer_epoch: i16, timestamp: i64) -> Bytes {
        let mut batch = BatchBuilder::with_capacity(78)
            .producer(producer_id, producer_epoch, NO_SEQUENCE)
            .transactional(true)
            .control();
        let (key, value) = (self.control_type().key(), self.value());
        batch.append(timestamp, Some(&key), Some(&value), &[]);
        batch.build()
    }
}

/// The first record that a Raft leader appends in its epoch (`LeaderChangeMessage`, version 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderChange {
    /// The leader's node id.
    pub leader: i32,
    /// The voters.
    pub voters: Vec<i32>,
    /// The voters that elected it.
    pub granting: Vec<i32>,
}

impl LeaderChange {
    /// The value of the control record.
    pub fn value(&self) -> Bytes {
        let mut value = BytesMut::with_capacity(16 + 5 * (self.voters.len() + self.granting.len()));
        value.put_i16(0);
        value.put_i32(self.leader);
        for voters in [&self.voters, &self.granting] {
            put_unsigned(&mut value, voters.len() as u64 + 1);
            for voter in voters {
                value.put_i32(*voter);
                value.put_u8(0);
            }
        }
        value.put_u8(0);
        value.freeze()
    }

    /// The whole batch, as the leader of `epoch` appends it.
    pub fn batch(&self, epoch: i32, timestamp: i64) -> Bytes {
        let mut batch = BatchBuilder::new().leader_epoch(epoch).control();
        let key = ControlType::LeaderChange.key();
        batch.append(timestamp, Some(&key), Some(&self.value()), &[]);
        batch.build()
    }

    /// Reads the value of the control record.
    ///
    /// # Errors
    ///
    /// [`RecordError::Malformed`] if `value` is not a leader change of version 0.
    pub fn read(mut value: &[u8]) -> Result<Self, RecordError> {
        let short = |_| RecordError::Malformed("a leader change ends early");
        if value.try_get_i16().map_err(short)? != 0 {
            return Err(RecordError::Malformed("a leader change of another version"));
        }
        let leader = value.try_get_i32().map_err(short)?;
        let mut lists = [Vec::new(), Vec::new()];
        for list in &mut lists {
            let count = take_unsigned(&mut value)?;
            for _ in 1..count {
                list.push(value.try_get_i32().map_err(short)?);
                skip_tags(&mut value)?;
            }
        }
        skip_tags(&mut value)?;
        let [voters, granting] = lists;
        Ok(Self { leader, voters, granting })
    }
}

/// The batch that opens a metadata snapshot (`SnapshotHeaderRecord`, version 0).
pub fn snapshot_header(last_contained_log_timestamp: i64, timestamp: i64) -> Bytes {
    let mut value = BytesMut::with_capacity(11);
    value.put_i16(0);
    value.put_i64(last_contained_log_timestamp);
    value.put_u8(0);
    control_batch(ControlType::SnapshotHeader, &value, timestamp)
}

/// The batch that closes a metadata snapshot (`SnapshotFooterRecord`, version 0).
pub fn snapshot_footer(timestamp: i64) -> Bytes {
    control_batch(ControlType::SnapshotFooter, &[0, 0, 0], timestamp)
}

fn control_batch(kind: ControlType, value: &[u8], timestamp: i64) -> Bytes {
    let mut batch = BatchBuilder::new().control();
    batch.append(timestamp, Some(&kind.key()), Some(value), &[]);
    batch.build()
}

fn put_unsigned(buffer: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        buffer.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}

fn take_unsigned(bytes: &mut &[u8]) -> Result<u64, RecordError> {
    // The zig-zag reader folds the lowest bit into the sign; this undoes it.
    let value = varint::take_long(bytes)?;
    Ok(((value << 1) ^ (value >> 63)) as u64)
}

fn skip_tags(bytes: &mut &[u8]) -> Result<(), RecordError> {
    for _ in 0..take_unsigned(bytes)? {
        take_unsigned(bytes)?;
        let size = take_unsigned(bytes)?;
        let Some(rest) = usize::try_from(size).ok().and_then(|size| bytes.get(size..)) else {
            return Err(RecordError::Malformed("a tagged field ends early"));
        };
        *bytes = rest;
    }
    Ok(())
}
