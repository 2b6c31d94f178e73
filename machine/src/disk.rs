//! The disk as a process sees it.
//!
//! Calls return at once. The host journals each with its completion time, holds the outputs of the
//! handler back until the last has completed, and after a crash keeps only completed operations and
//! a prefix of the write in progress. Less survives a *power loss*: synced bytes under synced
//! directory entries.
//!
//! Paths are relative, `/`-separated and without `.` or `..`. Every call can fail, and a process
//! has to handle the failure.

use bytes::Bytes;
use std::fmt;

/// An open file. Valid until the process ends or the file is removed; renaming keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// Why a disk call failed. Nothing has changed on disk, except that a failed append may have
/// left a prefix of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskError {
    /// No such file or directory (ENOENT), or a [`FileId`] whose file is gone.
    NotFound,
    /// The name is taken (EEXIST).
    AlreadyExists,
    /// No space is left (ENOSPC).
    Full,
    /// The device failed (EIO).
    Io,
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file or directory",
            Self::AlreadyExists => "file exists",
            Self::Full => "no space left on device",
            Self::Io => "input/output error",
        })
    }
}

/// The part of a POSIX file system that a Kafka node uses.
pub trait Disk {
    /// Makes a directory and its missing parents; no effect if it exists.
    fn create_dir(&mut self, path: &str) -> Result<(), DiskError>;

    /// The names directly inside a directory, sorted.
    fn list(&mut self, dir: &str) -> Result<Vec<String>, DiskError>;

    /// Opens a file that exists.
    fn open(&mut self, path: &str) -> Result<FileId, DiskError>;

    /// Creates an empty file; [`DiskError::AlreadyExists`] if the name is taken. The directory
    /// has to exist.
    fn create(&mut self, path: &str) -> Result<FileId, DiskError>;

    /// The size of a file in bytes.
    fn len(&mut self, file: FileId) -> Result<u64, DiskError>;

    /// The bytes from `at` onwards, at most `length`; fewer, or none, at the end of the file. A
    /// range within the bytes of one `append` is not copied.
    fn read(&mut self, file: FileId, at: u64, length: u64) -> Result<Bytes, DiskError>;

    /// Writes `bytes` at the end of the file, in the page cache only. Returns the position where
    /// they start.
    fn append(&mut self, file: FileId, bytes: Bytes) -> Result<u64, DiskError>;

    /// Cuts a file to `length` bytes; no effect if it is not longer than that.
    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError>;

    /// fsync: the file's content survives power loss from now on. Its name does so only after
    /// [`Disk::sync_dir`].
    fn sync(&mut self, file: FileId) -> Result<(), DiskError>;

    /// fsync of a directory: the names in it, as they are now, survive power loss.
    fn sync_dir(&mut self, dir: &str) -> Result<(), DiskError>;

    /// Renames a file or directory, atomically replacing a file of the new name.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file, or a directory with everything in it.
    fn remove(&mut self, path: &str) -> Result<(), DiskError>;
}
