//! Where each leader epoch starts in a log (`LeaderEpochFileCache`; KIP-101, KIP-279).
//!
//! A new leader assigns its epoch to its log end offset before it serves any request, so that the
//! end of an epoch without records is known as well (KAFKA-7415). Followers assign the epochs that
//! they find in batches.
//!
//! An assignment is written to disk before it takes effect. The file is written in the background
//! after a truncation (`truncateFromEndAsyncFlush`), so that a replica fetcher does not wait for an
//! fsync; a crash before that leaves a stale entry in the file.

use super::checkpoint;
use super::files;
use crate::protocol::EpochEndOffset;
use bytes::Bytes;
use machine::{Disk, DiskError};

/// No epoch, in a request or a response.
pub const UNDEFINED_EPOCH: i32 = -1;
/// No offset: the result for an epoch that has no known end.
pub const UNDEFINED_OFFSET: i64 = -1;

/// The first offset of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochEntry {
    /// The leader epoch.
    pub epoch: i32,
    /// The offset at which it starts; the first record of it may lie higher, or not exist.
    pub start_offset: i64,
}

/// Where each leader epoch starts. Epochs and offsets both grow strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<EpochEntry>,
    /// Whether the file is stale. Only entries that a truncation has removed may be left in it
    /// until the background write: they are removed again when the log is loaded, unless records of
    /// an older epoch have been appended past their start meanwhile.
    stale: bool,
}

impl EpochCache {
    /// All entries, in order.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// Whether the file is stale.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether no epoch is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The latest epoch.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// The greatest known epoch below `epoch`.
    pub fn previous(&self, epoch: i32) -> Option<EpochEntry> {
        let above = self.entries.partition_point(|entry| entry.epoch < epoch);
        above.checked_sub(1).map(|at| self.entries[at])
    }

    /// The epoch of the leader that wrote `offset`, if it is known.
    pub fn epoch_of(&self, offset: i64) -> Option<i32> {
        let above = self.entries.partition_point(|entry| entry.start_offset <= offset);
        above.checked_sub(1).map(|at| self.entries[at].epoch)
    }

    /// The end offset of `epoch` in a log that ends at `log_end`: `log_end` for the latest epoch,
    /// otherwise the start of the next higher one. For an epoch below all known ones, it is that
    /// epoch with the first start. `None` if `epoch` is undefined or above all known ones.
    pub fn end_offset_for(&self, epoch: i32, log_end: i64) -> Option<EpochEndOffset> {
        if epoch == UNDEFINED_EPOCH {
            return None;
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let floor = above.checked_sub(1).map(|at| self.entries[at].epoch);
        match self.entries.get(above) {
            Some(next) => Some(EpochEndOffset {
                epoch: floor.unwrap_or(epoch),
                end_offset: next.start_offset,
            }),
            None if floor == Some(epoch) => Some(EpochEndOffset { epoch, end_offset: log_end }),
            None => None,
        }
    }

    /// Assigns `epoch` to `start_offset`. Entries that contradict it are removed: an epoch at or
    /// after the same offset never had a record here. Returns whether anything changed; the caller
    /// then has to [`EpochCache::write`].
    pub fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        debug_assert!(epoch >= 0 && start_offset >= 0, "an epoch starts somewhere");
        if let Some(latest) = self.latest()
            && latest.epoch == epoch
            && latest.start_offset <= start_offset
        {
            return false;
        }
        while let Some(last) = self.entries.last()
            && (last.epoch >= epoch || last.start_offset >= start_offset)
        {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start_offset });
        self.stale = true;
        true
    }

    /// Removes the epochs that start at or after `end_offset`. Needed even if the log ends there
    /// already: the last epochs may have no record (KAFKA-10706).
    pub fn truncate_from_end(&mut self, end_offset: i64) {
        let keep = self.entries.partition_point(|entry| entry.start_offset < end_offset);
        self.stale |= keep < self.entries.len();
        self.entries.truncate(keep);
    }

    /// Removes the epochs below the first offset of the log. The epoch of that offset is kept, and
    /// starts there.
    pub fn truncate_from_start(&mut self, log_start: i64) {
        let above = self.entries.partition_point(|entry| entry.start_offset <= log_start);
        let Some(in_force) = above.checked_sub(1) else { return };
        if in_force == 0 && self.entries[0].start_offset == log_start {
            return;
        }
        self.entries.drain(..in_force);
        self.entries[0].start_offset = log_start;
        self.stale = true;
    }

    /// Removes all epochs.
    pub fn clear(&mut self) {
        self.stale |= !self.entries.is_empty();
        self.entries.clear();
    }

    /// Reads the file of the log in `dir`. Without a file there is no epoch. A file that cannot be
    /// parsed as a whole counts as none: a recovery finds the epochs in the batches that it scans,
    /// and those below are not known any more. In Kafka such a file takes the log directory offline
    /// (`CheckpointFileWithFailureHandler.read`).
    ///
    /// # Errors
    ///
    /// Any of the disk's.
    pub fn load(dir: &str, disk: &mut dyn Disk) -> Result<Self, DiskError> {
        let path = format!("{dir}/{}", files::LEADER_EPOCHS);
        let Some(content) = files::read_all(disk, &path)? else {
            return Ok(Self::default());
        };
        let mut cache = Self::default();
        let entries: Option<Vec<_>> =
            checkpoint::lines(&content).and_then(|lines| lines.map(parse).collect());
        for EpochEntry { epoch, start_offset } in entries.unwrap_or_default() {
            cache.assign(epoch, start_offset);
        }
        cache.stale = false;
        Ok(cache)
    }

    /// Writes the file of the log in `dir` if it is behind, and fsyncs it.
    ///
    /// # Errors
    ///
    /// Any of the disk's.
    pub fn write(&mut self, dir: &str, disk: &mut dyn Disk) -> Result<(), DiskError> {
        use std::fmt::Write as _;
        if !self.stale {
            return Ok(());
        }
        let mut text = String::new();
        for EpochEntry { epoch, start_offset } in &self.entries {
            let _ = writeln!(text, "{epoch} {start_offset}");
        }
        let content = checkpoint::text(self.entries.len(), &text);
        files::replace(disk, &format!("{dir}/{}", files::LEADER_EPOCHS), Bytes::from(content))?;
        self.stale = false;
        Ok(())
    }

    /// Panics if epochs or offsets do not grow.
    pub fn invariants(&self) {
        for pair in self.entries.windows(2) {
            assert!(pair[0].epoch < pair[1].epoch, "epochs grow");
            assert!(pair[0].start_offset < pair[1].start_offset, "start offsets grow");
        }
    }
}

fn parse(line: &str) -> Option<EpochEntry> {
    let (epoch, start) = line.split_once(' ')?;
    let entry = EpochEntry { epoch: epoch.parse().ok()?, start_offset: start.parse().ok()? };
    (entry.epoch >= 0 && entry.start_offset >= 0).then_some(entry)
}
