//! The transaction index of a segment: the transactions that markers in this segment aborted, for
//! readers of committed records (`TransactionIndex`, `AbortedTxn`; KIP-98).
//!
//! An entry has 34 bytes: version i16 (0), producer id i64, first offset of the transaction i64,
//! offset of its marker i64, and last stable offset after the marker i64. The file is created with
//! the first entry. Unlike the other indexes it is written at once.

use super::files::{self, TXN_INDEX};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use machine::{Disk, DiskError, FileId};

const VERSION: i16 = 0;
const ENTRY_SIZE: usize = 34;

/// A transaction that a marker aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// The producer id.
    pub producer_id: i64,
    /// The offset of its first record in the partition.
    pub first_offset: i64,
    /// The offset of its marker.
    pub last_offset: i64,
    /// The first offset of the oldest transaction that was still open after the marker was written,
    /// or the offset after the marker. Transactions that end with later markers begin there or
    /// later.
    pub last_stable_offset: i64,
}

impl AbortedTxn {
    fn put(self, buffer: &mut BytesMut) {
        buffer.put_i16(VERSION);
        buffer.put_i64(self.producer_id);
        buffer.put_i64(self.first_offset);
        buffer.put_i64(self.last_offset);
        buffer.put_i64(self.last_stable_offset);
    }

    /// Reads an entry of exactly [`ENTRY_SIZE`] bytes; `None` if it is of another version.
    fn get(mut bytes: &[u8]) -> Option<Self> {
        (bytes.get_i16() == VERSION).then(|| Self {
            producer_id: bytes.get_i64(),
            first_offset: bytes.get_i64(),
            last_offset: bytes.get_i64(),
            last_stable_offset: bytes.get_i64(),
        })
    }
}

/// The index of one segment.
#[derive(Clone, Debug, Default)]
pub(super) struct TransactionIndex {
    file: Option<FileId>,
    entries: Vec<AbortedTxn>,
    synced: bool,
}

impl TransactionIndex {
    /// The index of the segment at `base_offset`. `None` if its file is corrupt: an entry is not whole, is
    /// of another version, or of a marker before the segment. It has to be rebuilt then.
    pub(super) fn load(
        dir: &str,
        base_offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<Option<Self>, DiskError> {
        let file = match disk.open(&files::at_offset(dir, base_offset, TXN_INDEX)) {
            Err(DiskError::NotFound) => return Ok(Some(Self::default())),
            other => other?,
        };
        let length = disk.len(file)?;
        let bytes = disk.read(file, 0, length)?;
        let entries: Option<Vec<_>> = bytes.chunks_exact(ENTRY_SIZE).map(AbortedTxn::get).collect();
        let whole = bytes.len().is_multiple_of(ENTRY_SIZE);
        let Some(entries) = entries.filter(|entries| whole && are_sound(entries, base_offset))
        else {
            return Ok(None);
        };
        Ok(Some(Self { file: Some(file), entries, synced: true }))
    }

    /// An empty index for the segment at `base_offset`, which replaces its present one.
    pub(super) fn reset(
        dir: &str,
        base_offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<Self, DiskError> {
        let file = match disk.open(&files::at_offset(dir, base_offset, TXN_INDEX)) {
            Err(DiskError::NotFound) => return Ok(Self::default()),
            other => other?,
        };
        disk.truncate(file, 0)?;
        Ok(Self { file: Some(file), entries: Vec::new(), synced: false })
    }

    pub(super) fn entries(&self) -> &[AbortedTxn] {
        &self.entries
    }

    /// Adds a transaction, and the file if there is none. Returns whether the file is new.
    pub(super) fn push(
        &mut self,
        entry: AbortedTxn,
        dir: &str,
        base_offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<bool, DiskError> {
        let is_new = self.file.is_none();
        let file = match self.file {
            Some(file) => file,
            None => files::create_anew(disk, &files::at_offset(dir, base_offset, TXN_INDEX))?,
        };
        self.file = Some(file);
        let mut buffer = BytesMut::with_capacity(ENTRY_SIZE);
        entry.put(&mut buffer);
        disk.append(file, Bytes::from(buffer))?;
        self.entries.push(entry);
        self.synced = false;
        Ok(is_new)
    }

    /// Removes the transactions whose marker is at `offset` or later.
    pub(super) fn truncate_to(
        &mut self,
        offset: i64,
        disk: &mut dyn Disk,
    ) -> Result<(), DiskError> {
        let keep = self.entries.partition_point(|entry| entry.last_offset < offset);
        if keep < self.entries.len()
            && let Some(file) = self.file
        {
            disk.truncate(file, (keep * ENTRY_SIZE) as u64)?;
            self.entries.truncate(keep);
            self.synced = false;
        }
        Ok(())
    }

    /// Fsyncs the file, if there is one.
    pub(super) fn flush(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        if let Some(file) = self.file
            && !self.synced
        {
            disk.sync(file)?;
            self.synced = true;
        }
        Ok(())
    }
}

/// Whether all markers are in the segment, and in order.
fn are_sound(entries: &[AbortedTxn], base_offset: i64) -> bool {
    let grow = entries.windows(2).all(|two| two[0].last_offset < two[1].last_offset);
    grow && entries.first().is_none_or(|first| first.last_offset >= base_offset)
}
