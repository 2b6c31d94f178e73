//! A snapshot of producers on a disk agrees with the log before it (`ProducerStateManager`).
//!
//! Catches a log whose snapshot covers more or fewer batches than the log has up to its offset, is
//! kept beyond a truncation, or counts a batch twice. A broker's next start would take over the
//! error.

use super::{Check, Findings, Ground};
use crate::evidence::{DiskLog, End, Moment, View};
use bytes::Bytes;
use engine::ids::Offset;
use engine::record::{self, Batch, EndTransactionMarker, advance_sequence};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshots;

impl Snapshots {
    pub(super) const NAME: &'static str = "snapshots-of-producers";
}

/// The entry of a producer in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    epoch: i16,
    last_sequence: i32,
    last_offset: Offset,
    offset_delta: i32,
    timestamp: i64,
    coordinator_epoch: i32,
    transaction: Option<Offset>,
}

type Entries = BTreeMap<i64, Entry>;

const NOTHING: Entry = Entry {
    epoch: -1,
    last_sequence: -1,
    last_offset: -1,
    offset_delta: 0,
    timestamp: -1,
    coordinator_epoch: -1,
    transaction: None,
};

impl Check for Snapshots {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for log in end.disks() {
            let partition = &view.partitions[log.partition];
            // A corrupted sector may be one of the log or of the snapshot.
            let is_sound = partition.replicas[log.replica].bad.is_empty();
            if partition.topic.is_some() && is_sound && !log.snapshots.is_empty() {
                check(view, end, log, out);
            }
        }
    }
}

fn check(view: &View, end: &End, log: &DiskLog, out: &mut Findings) {
    let mut known = Entries::new();
    let mut batches = log.batches.iter().peekable();
    let starts_at_zero = base(log.batches.first()) == Some(0);
    for (offset, bytes) in &log.snapshots {
        while let Some(batch) = batches.next_if(|batch| next(batch).is_some_and(|it| it <= *offset))
        {
            account_for(batch, &mut known);
        }
        // Loading skips a torn snapshot, and removes one beyond the log end.
        let reaches = log.batches.last().and_then(next).is_some_and(|it| it >= *offset);
        let Some(found) = decode(bytes).filter(|_| reaches) else { continue };
        let may_forget = view.may_forget_producers(end.at);
        // A producer in the snapshot alone may have batches below the log start.
        let wrong = found
            .iter()
            .find(|(id, entry)| match known.get(id) {
                Some(known) => known != *entry && !(may_forget && is_forgotten(known, entry)),
                None => starts_at_zero,
            })
            .map(|(id, entry)| (*id, Some(*entry)));
        let missing = known.keys().find(|id| !found.contains_key(id) && !may_forget);
        let Some((id, entry)) = wrong.or(missing.map(|id| (*id, None))) else { continue };
        let node = view.partitions[log.partition].replicas[log.replica].node;
        let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
        let what = "a snapshot of producers differs from the log";
        let detail = format!(
            "producer {id} at {node}: the snapshot has {}, the log {}",
            in_words(entry.as_ref()),
            in_words(known.get(&id))
        );
        let ground = Ground::Snapshot { replica: log.replica };
        out.add(Snapshots::NAME, what, &at, log.partition, ground).offset(*offset).detail(detail);
    }
}

/// Whether the two differ only in the coordinator epoch. A broker that has forgotten a producer
/// does not learn that epoch from the producer's next batch.
fn is_forgotten(log: &Entry, snapshot: &Entry) -> bool {
    *snapshot == Entry { coordinator_epoch: NOTHING.coordinator_epoch, ..*log }
}

fn in_words(entry: Option<&Entry>) -> String {
    entry.map_or_else(
        || "nothing".to_owned(),
        |it| {
            let Entry { epoch, last_sequence, last_offset, offset_delta, .. } = it;
            let Entry { timestamp, coordinator_epoch, transaction, .. } = it;
            let open = transaction.map_or_else(String::new, |at| format!(", open since {at}"));
            format!(
                "sequence {last_sequence} of epoch {epoch} at {last_offset} (less {offset_delta}, \
                 timestamp {timestamp}, coordinator epoch {coordinator_epoch}{open})"
            )
        },
    )
}

fn base(batch: Option<&Bytes>) -> Option<Offset> {
    Some(Batch::new(batch?).ok()?.base_offset())
}

fn next(batch: &Bytes) -> Option<Offset> {
    Some(Batch::new(batch).ok()?.next_offset())
}

/// Accounts for a batch of the log.
fn account_for(bytes: &Bytes, known: &mut Entries) {
    let Ok(batch) = Batch::new(bytes) else { return };
    if !batch.has_producer_id() {
        return;
    }
    let mut marker = None;
    if batch.is_control() {
        let _ = record::for_each(bytes, |record| {
            marker = marker.or(EndTransactionMarker::read(&record).ok().flatten());
        });
        if marker.is_none() {
            return;
        }
    }
    let entry = known.entry(batch.producer_id()).or_insert(NOTHING);
    if entry.epoch != batch.producer_epoch() {
        let coordinator_epoch = entry.coordinator_epoch;
        *entry = Entry { transaction: entry.transaction, coordinator_epoch, ..NOTHING };
        entry.epoch = batch.producer_epoch();
    }
    entry.timestamp = batch.max_timestamp();
    if let Some(marker) = marker {
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.transaction = None;
        return;
    }
    entry.last_sequence = advance_sequence(batch.base_sequence(), batch.last_offset_delta());
    entry.last_offset = batch.last_offset();
    entry.offset_delta = batch.last_offset_delta();
    if batch.is_transactional() && entry.transaction.is_none() {
        entry.transaction = Some(batch.base_offset());
    }
}

/// The entries of a snapshot: version, CRC-32C, their number, 46 bytes each. `None` if the bytes
/// are no snapshot.
fn decode(bytes: &[u8]) -> Option<Entries> {
    let (version, rest) = bytes.split_first_chunk()?;
    let (crc, entries) = rest.split_first_chunk()?;
    let valid =
        i16::from_be_bytes(*version) == 1 && u32::from_be_bytes(*crc) == crc32c::crc32c(entries);
    let (count, entries) = entries.split_first_chunk::<4>().filter(|_| valid)?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let entries = entries.chunks_exact(46);
    (entries.len() == count && entries.remainder().is_empty()).then_some(())?;
    entries.map(entry).collect()
}

fn entry(bytes: &[u8]) -> Option<(i64, Entry)> {
    let long = |at: usize| Some(i64::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let int = |at: usize| Some(i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let entry = Entry {
        epoch: i16::from_be_bytes(*bytes.get(8..)?.first_chunk()?),
        last_sequence: int(10)?,
        last_offset: long(14)?,
        offset_delta: int(22)?,
        timestamp: long(26)?,
        coordinator_epoch: int(34)?,
        transaction: long(38).filter(|offset| *offset >= 0),
    };
    Some((long(0)?, entry))
}
