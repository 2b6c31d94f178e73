//! Inspection of a disk from outside the world: free of cost, and without a trace.

use super::SimDisk;
use super::device::Handled;
use super::tree::File;
use crate::SimTime;
use crate::exercised::Exercised;
use bytes::Bytes;

/// A file, as an observer sees it.
#[derive(Clone, Copy, Debug)]
pub struct FileView<'a> {
    file: &'a File,
}

impl<'a> FileView<'a> {
    /// Its size, as the process sees it.
    pub fn len(&self) -> u64 {
        self.file.content.len()
    }

    /// Whether it holds no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes at its start that are durable.
    pub fn durable_len(&self) -> u64 {
        self.file.durable
    }

    /// At most `length` of its bytes from `at` onwards; not copied if one append wrote them.
    pub fn read(&self, at: u64, length: u64) -> Bytes {
        self.file.content.read(at, length)
    }

    /// Its bytes in the pieces in which they were appended, without copying.
    pub fn pieces(&self) -> impl Iterator<Item = &'a Bytes> + use<'a> {
        self.file.content.pieces()
    }

    /// The content that certainly survives a power loss, if its name is durable.
    pub fn durable(&self) -> Bytes {
        self.file.durable_content().read(0, u64::MAX)
    }
}

impl SimDisk {
    /// The paths of all files that the process sees, sorted.
    pub fn files(&self) -> Vec<String> {
        self.tree.files(false).into_iter().map(|(path, _)| path).collect()
    }

    /// The paths of all files whose names are durable, sorted.
    pub fn durable_files(&self) -> Vec<String> {
        self.tree.files(true).into_iter().map(|(path, _)| path).collect()
    }

    /// The names in a directory that the process sees, sorted; empty if there is none.
    pub fn names(&self, dir: &str) -> impl Iterator<Item = &str> {
        let directory = self.tree.find(dir, false).and_then(|inode| self.tree.directory(inode));
        directory.into_iter().flat_map(|d| d.names.keys()).map(|name| &**name)
    }

    /// The file that the process sees at `path`.
    pub fn file_at(&self, path: &str) -> Option<FileView<'_>> {
        let inode = self.tree.find(path, false)?;
        self.tree.file(inode).map(|file| FileView { file })
    }

    /// The file that `path` durably names.
    pub fn durable_file_at(&self, path: &str) -> Option<FileView<'_>> {
        let inode = self.tree.find(path, true)?;
        self.tree.file(inode).map(|file| FileView { file })
    }

    /// How many bytes are in files that the process sees, on all devices.
    pub fn used(&self) -> u64 {
        self.devices.iter().map(|device| device.used).sum()
    }

    /// Changes one byte of a file without an operation, for tests of checks. False if there is no
    /// such byte.
    pub fn corrupt(&mut self, path: &str, at: u64, byte: u8) -> bool {
        let inode = self.tree.find(path, false);
        let file = inode.and_then(|inode| self.tree.file_mut(inode));
        file.is_some_and(|file| file.content.overwrite(at, byte))
    }

    /// A handler begins on `lane`; see [`Handled::crash_at`] for `watch`.
    #[inline]
    pub(crate) fn begin(&mut self, now: SimTime, lane: u8, watch: u32) {
        self.timeline.begin(now, lane, watch);
    }

    /// Whether a handler has begun and not returned.
    pub(crate) fn is_in_handler(&self) -> bool {
        self.timeline.is_in_handler()
    }

    /// The handler has returned.
    #[inline]
    pub(crate) fn end(&mut self) -> Handled {
        self.timeline.end()
    }

    /// The operations of a lane's handler have completed: they can no longer be undone.
    #[inline]
    pub(crate) fn commit(&mut self, lane: u8) {
        self.journal.retain(|operation| operation.lane != lane);
    }

    /// The effects since the last call.
    #[inline]
    pub(crate) fn take_exercised(&mut self) -> Option<Exercised> {
        self.exercised.take()
    }
}
