//! Snapshots of producer state (`ProducerStateManager.writeSnapshot`, `ProducerSnapshot`).
//!
//! Version i16 (1), CRC-32C u32 of the rest, the number of entries i32, and per producer 46
//! bytes: id i64, epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp i64,
//! coordinator epoch i32, first offset of the open transaction i64. The name is the offset of the
//! state. Bytes and order of the entries are Kafka's.

use super::files::{self, SNAPSHOT};
use super::producers::{Producers, SnapshotEntry};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use machine::{Disk, DiskError, Wall};

const VERSION: i16 = 1;
const ENTRIES: usize = 6;
const ENTRY_SIZE: usize = 46;

/// Writes a snapshot of `producers`, with fsync or without: a lost snapshot is rebuilt from the
/// log, and the checksum shows a torn one.
pub(super) fn write(
    dir: &str,
    producers: &Producers,
    synced: bool,
    disk: &mut dyn Disk,
) -> Result<(), DiskError> {
    let path = files::at_offset(dir, producers.end_offset, SNAPSHOT);
    let file = files::create_anew(disk, &path)?;
    disk.append(file, encode(producers))?;
    if synced { disk.sync(file) } else { Ok(()) }
}

/// Fsyncs the snapshot at `offset`, if there is one.
pub(super) fn sync(dir: &str, offset: i64, disk: &mut dyn Disk) -> Result<(), DiskError> {
    match disk.open(&files::at_offset(dir, offset, SNAPSHOT)) {
        Ok(file) => disk.sync(file),
        Err(DiskError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The offsets of all snapshots, in order.
pub(super) fn offsets(dir: &str, disk: &mut dyn Disk) -> Result<Vec<i64>, DiskError> {
    let names = disk.list(dir)?;
    // Names sort as their offsets do.
    Ok(names.iter().filter_map(|name| files::offset_in(name, SNAPSHOT)).collect())
}

/// Loads the newest snapshot between `log_start` and `log_end` that can be read, without the
/// expired producers. Removes unreadable snapshots and those outside of this range
/// (`ProducerStateManager.truncateAndReload`). Without a snapshot, the state is empty, at
/// `log_start`.
pub(super) fn load_newest(
    dir: &str,
    log_start: i64,
    log_end: i64,
    expiry: Expiry,
    disk: &mut dyn Disk,
) -> Result<Producers, DiskError> {
    let mut producers = Producers::default();
    producers.clear(log_start);
    let mut loaded = false;
    for offset in offsets(dir, disk)?.into_iter().rev() {
        let path = files::at_offset(dir, offset, SNAPSHOT);
        // A snapshot at the log start has no producers with batches in the log.
        let within = log_start < offset && offset <= log_end;
        if within && loaded {
            continue;
        }
        if within {
            let content = files::read_all(disk, &path)?.unwrap_or_default();
            if decode(&content, &mut producers).is_some() {
                producers.expire(expiry.now, |silent| silent >= expiry.after_ms);
                producers.end_offset = offset;
                loaded = true;
                continue;
            }
            producers.clear(log_start);
        }
        files::remove_if_there(disk, &path)?;
    }
    Ok(producers)
}

/// The time at which producers expire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry {
    /// The broker's clock.
    pub(super) now: Wall,
    /// `producer.id.expiration.ms`.
    pub(super) after_ms: i64,
}

/// Removes the snapshot at `offset`, if there is one.
pub(super) fn remove(dir: &str, offset: i64, disk: &mut dyn Disk) -> Result<(), DiskError> {
    files::remove_if_there(disk, &files::at_offset(dir, offset, SNAPSHOT))
}

/// Removes all snapshots.
pub(super) fn remove_all(dir: &str, disk: &mut dyn Disk) -> Result<(), DiskError> {
    for name in disk.list(dir)? {
        if files::offset_in(&name, SNAPSHOT).is_some() {
            disk.remove(&format!("{dir}/{name}"))?;
        }
    }
    Ok(())
}

fn encode(producers: &Producers) -> Bytes {
    let count = producers.len();
    let mut bytes = BytesMut::with_capacity(ENTRIES + 4 + count * ENTRY_SIZE);
    bytes.put_i16(VERSION);
    bytes.put_u32(0);
    bytes.put_i32(i32::try_from(count).expect("fewer producers than 2^31"));
    for (producer_id, producer) in producers.in_snapshot_order() {
        let entry = SnapshotEntry::from(producer);
        bytes.put_i64(producer_id);
        bytes.put_i16(entry.epoch);
        bytes.put_i32(entry.last_sequence);
        bytes.put_i64(entry.last_offset);
        bytes.put_i32(entry.offset_delta);
        bytes.put_i64(entry.timestamp);
        bytes.put_i32(entry.coordinator_epoch);
        bytes.put_i64(entry.current_txn_first_offset.unwrap_or(-1));
    }
    let crc = crc32c::crc32c(&bytes[ENTRIES..]);
    bytes[2..ENTRIES].copy_from_slice(&crc.to_be_bytes());
    bytes.freeze()
}

fn decode(content: &[u8], producers: &mut Producers) -> Option<()> {
    let mut bytes = content;
    (bytes.try_get_i16().ok()? == VERSION).then_some(())?;
    let crc = bytes.try_get_u32().ok()?;
    (crc32c::crc32c(&content[ENTRIES..]) == crc).then_some(())?;
    let count = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    (bytes.len() == count.checked_mul(ENTRY_SIZE)?).then_some(())?;
    for _ in 0..count {
        let producer_id = bytes.get_i64();
        let entry = SnapshotEntry {
            epoch: bytes.get_i16(),
            last_sequence: bytes.get_i32(),
            last_offset: bytes.get_i64(),
            offset_delta: bytes.get_i32(),
            timestamp: bytes.get_i64(),
            coordinator_epoch: bytes.get_i32(),
            current_txn_first_offset: Some(bytes.get_i64()).filter(|offset| *offset >= 0),
        };
        producers.restore(producer_id, entry);
    }
    Some(())
}
