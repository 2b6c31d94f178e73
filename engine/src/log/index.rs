//! The sparse indexes of a segment: offsets to positions, timestamps to offsets (`OffsetIndex`,
//! `TimeIndex`; KIP-33).
//!
//! Kafka maps these files into memory: entries are visible at once, are written to disk when the
//! segment is flushed, and are rebuilt from the log if the node goes down before. Here they are
//! kept in memory, and appended to the file when the segment is flushed.

use super::files;
use bytes::{BufMut, Bytes, BytesMut};
use machine::{Disk, DiskError, FileId};

/// An entry of an index.
pub(super) trait Entry: Copy {
    /// The size of an entry in the file, in bytes.
    const SIZE: usize;

    /// Writes the entry.
    fn put(self, buffer: &mut BytesMut);

    /// Reads an entry from exactly [`Entry::SIZE`] bytes.
    fn get(bytes: &[u8]) -> Self;

    /// The offset of the entry, relative to the segment's base.
    fn relative_offset(self) -> i32;
}

/// The batch that ends at `relative_offset` starts at `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetEntry {
    pub(super) relative_offset: i32,
    pub(super) position: i32,
}

impl Entry for OffsetEntry {
    const SIZE: usize = 8;

    fn put(self, buffer: &mut BytesMut) {
        buffer.put_i32(self.relative_offset);
        buffer.put_i32(self.position);
    }

    fn get(bytes: &[u8]) -> Self {
        let (offset, position) = bytes.split_at(4);
        Self {
            relative_offset: i32::from_be_bytes(offset.try_into().expect("four bytes")),
            position: i32::from_be_bytes(position.try_into().expect("four bytes")),
        }
    }

    fn relative_offset(self) -> i32 {
        self.relative_offset
    }
}

/// No record up to `relative_offset` is later than `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeEntry {
    pub(super) timestamp: i64,
    pub(super) relative_offset: i32,
}

impl Entry for TimeEntry {
    const SIZE: usize = 12;

    fn put(self, buffer: &mut BytesMut) {
        buffer.put_i64(self.timestamp);
        buffer.put_i32(self.relative_offset);
    }

    fn get(bytes: &[u8]) -> Self {
        let (timestamp, offset) = bytes.split_at(8);
        Self {
            timestamp: i64::from_be_bytes(timestamp.try_into().expect("eight bytes")),
            relative_offset: i32::from_be_bytes(offset.try_into().expect("four bytes")),
        }
    }

    fn relative_offset(self) -> i32 {
        self.relative_offset
    }
}

/// An index: its entries, and the number of those in its file.
#[derive(Clone, Debug)]
pub(super) struct Index<E> {
    file: FileId,
    entries: Vec<E>,
    written: usize,
    synced: bool,
}

impl<E: Entry> Index<E> {
    /// An empty index in a new file.
    pub(super) fn create(disk: &mut dyn Disk, path: &str) -> Result<Self, DiskError> {
        let file = files::create_anew(disk, path)?;
        Ok(Self { file, entries: Vec::new(), written: 0, synced: false })
    }

    /// The index in a file. `None` if there is no such file, it does not end with a whole entry,
    /// or its offsets do not grow: then it has to be rebuilt.
    pub(super) fn load(disk: &mut dyn Disk, path: &str) -> Result<Option<Self>, DiskError> {
        let file = match disk.open(path) {
            Err(DiskError::NotFound) => return Ok(None),
            other => other?,
        };
        let length = disk.len(file)?;
        let bytes = disk.read(file, 0, length)?;
        let entries: Vec<E> = bytes.chunks_exact(E::SIZE).map(E::get).collect();
        let whole = bytes.len().is_multiple_of(E::SIZE);
        let grow =
            entries.windows(2).all(|two| two[0].relative_offset() < two[1].relative_offset());
        let positive = entries.first().is_none_or(|first| first.relative_offset() >= 0);
        let written = entries.len();
        let index = Self { file, entries, written, synced: true };
        Ok((whole && grow && positive).then_some(index))
    }

    pub(super) fn entries(&self) -> &[E] {
        &self.entries
    }

    pub(super) fn push(&mut self, entry: E) {
        self.entries.push(entry);
    }

    /// Keeps the first `count` entries.
    pub(super) fn truncate(&mut self, count: usize, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.entries.truncate(count);
        if self.written > count {
            disk.truncate(self.file, (count * E::SIZE) as u64)?;
            self.written = count;
            self.synced = false;
        }
        Ok(())
    }

    /// Appends the entries that the file does not have.
    pub(super) fn write(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        let missing = &self.entries[self.written..];
        if missing.is_empty() {
            return Ok(());
        }
        let mut buffer = BytesMut::with_capacity(missing.len() * E::SIZE);
        for entry in missing {
            entry.put(&mut buffer);
        }
        disk.append(self.file, Bytes::from(buffer))?;
        self.written = self.entries.len();
        self.synced = false;
        Ok(())
    }

    /// Brings the file up to date and fsyncs it.
    pub(super) fn flush(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.write(disk)?;
        if !self.synced {
            disk.sync(self.file)?;
            self.synced = true;
        }
        Ok(())
    }
}
