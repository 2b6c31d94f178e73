//! The simulated disk: what a process sees, what survives power loss, and how long things take.

mod conditions;
mod content;
mod device;
mod inspect;
mod journal;
mod power;
mod profile;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use conditions::{Conditions, FailingOperations};
pub use inspect::FileView;
pub(crate) use journal::{Cut, HUNG, shifted};
pub use power::PowerLossReport;
pub use profile::DiskProfile;
pub(crate) use profile::transfer;

use crate::exercised::{Effect, Exercised};
use crate::random::{Key, Sample, node_stream};
use bytes::Bytes;
use conditions::Kind;
use device::{Device, Timing};
use journal::{Operation, Undo};
use machine::{Disk, DiskError, FileId, NodeId, Span};
use std::sync::Arc;
use tree::{Change, Directory, File, Inode, Names, Node, Tree};

/// A host's disk. It outlives the processes of the host.
///
/// A process gets at it through [`Disk`], and every change takes time. The methods of its own
/// are for observers: they cost nothing and leave no trace.
#[derive(Clone, Debug)]
pub struct SimDisk {
    tree: Tree,
    device: Device,
    conditions: Conditions,
    journal: Vec<Operation>,
    /// Bytes in files that the process sees.
    used: u64,
    key: Key,
    draws: u64,
    exercised: Exercised,
}

impl SimDisk {
    /// An empty disk.
    pub(crate) fn new(seed: u64, node: NodeId, profile: DiskProfile) -> Self {
        Self {
            tree: Tree::new(),
            device: Device::new(profile),
            conditions: Conditions::default(),
            journal: Vec::new(),
            used: 0,
            key: Key::new(seed, "disk", node_stream(node)),
            draws: 0,
            exercised: Exercised::default(),
        }
    }

    fn draw(&mut self) -> crate::random::Draw {
        self.draws += 1;
        self.key.draw(self.draws, 0)
    }

    /// Fails if the device is to fail operations of this kind.
    fn check(&mut self, kind: Kind) -> Result<(), DiskError> {
        if self.conditions.fails(kind) {
            self.exercised.count(Effect::DiskOperationFailed);
            return Err(DiskError::Io);
        }
        Ok(())
    }

    /// How many more bytes fit.
    fn free(&self) -> u64 {
        let capacity = self.device.profile.capacity.min(self.conditions.limit());
        capacity.saturating_sub(self.used)
    }

    /// Lets an operation take its time, and journals it if that is not over at once.
    #[inline]
    fn complete(&mut self, cost: Span, on_device: bool, undo: impl FnOnce() -> Undo) {
        let slow = self.conditions.slow_percent();
        if slow > 100 {
            self.exercised.count(Effect::DiskOperationSlowed);
        }
        let cost = Span(cost.0.saturating_mul(slow) / 100);
        let completed = self.device.operation(cost, on_device, self.conditions.hangs);
        if let Some(Timing { starts, completes, lane, number }) = completed {
            if completes >= HUNG {
                self.exercised.count(Effect::DiskOperationHung);
            }
            self.journal.push(Operation { starts, completes, lane, number, undo: undo() });
        }
    }

    fn change(&mut self, changes: Vec<Change>) {
        let first = self.tree.next_pending;
        let before = self.tree.change(changes);
        let end = self.tree.next_pending;
        let cost = self.device.profile.metadata;
        self.complete(cost, false, || Undo::Names { before, first, end });
    }

    /// The directory that holds `path`, and the name in it.
    fn place(&self, path: &str) -> Result<(Inode, Arc<str>), DiskError> {
        let path = path.trim_end_matches('/');
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = self.tree.find(parent, false).ok_or(DiskError::NotFound)?;
        self.tree.directory(directory).ok_or(DiskError::NotFound)?;
        Ok((directory, name.into()))
    }

    #[inline]
    fn file(&self, file: FileId) -> Result<&File, DiskError> {
        self.tree.file(file.0).filter(|file| file.linked).ok_or(DiskError::NotFound)
    }

    /// Marks a file, or all files in a directory, as removed, and lists the changes of names that
    /// removing it takes, innermost first.
    fn unlink(&mut self, inode: Inode, changes: &mut Vec<Change>) {
        if let Some(file) = self.tree.file_mut(inode) {
            file.linked = false;
            self.used -= file.content.len();
        } else if let Some(directory) = self.tree.directory(inode) {
            for (name, child) in directory.names.clone() {
                self.unlink(child, changes);
                changes.push(Change { directory: inode, name, inode: None });
            }
        }
    }

    /// After a crash: what is used and linked follows from the names.
    fn refresh(&mut self) {
        for inode in self.tree.inodes() {
            if let Some(file) = self.tree.file_mut(inode) {
                file.linked = false;
            }
        }
        self.used = 0;
        for (_, inode) in self.tree.files(false) {
            if let Some(file) = self.tree.file_mut(inode) {
                file.linked = true;
                self.used += file.content.len();
            }
        }
    }

    fn sweep(&mut self) {
        if self.tree.wants_sweep() {
            let mut kept = Vec::new();
            self.journal.iter().for_each(|operation| operation.keeps(&mut kept));
            self.tree.sweep(&kept);
        }
    }
}

impl Disk for SimDisk {
    fn create_dir(&mut self, path: &str) -> Result<(), DiskError> {
        self.check(Kind::Metadata)?;
        let mut inode = tree::ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let directory = self.tree.directory(inode).ok_or(DiskError::AlreadyExists)?;
            inode = match directory.names.get(name) {
                Some(inode) => *inode,
                None => {
                    let new = self.tree.insert(Node::Directory(Directory::default()));
                    let change = Change { directory: inode, name: name.into(), inode: Some(new) };
                    self.change(vec![change]);
                    new
                }
            };
        }
        self.tree.directory(inode).map(|_| ()).ok_or(DiskError::AlreadyExists)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, DiskError> {
        self.check(Kind::Read)?;
        let inode = self.tree.find(dir, false).ok_or(DiskError::NotFound)?;
        let directory = self.tree.directory(inode).ok_or(DiskError::NotFound)?;
        Ok(directory.names.keys().map(|name| name.to_string()).collect())
    }

    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.check(Kind::Read)?;
        let inode = self.tree.find(path, false).ok_or(DiskError::NotFound)?;
        self.tree.file(inode).map(|_| FileId(inode)).ok_or(DiskError::NotFound)
    }

    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.check(Kind::Metadata)?;
        let (directory, name) = self.place(path)?;
        if self.tree.directory(directory).is_some_and(|d| d.names.contains_key(&name)) {
            return Err(DiskError::AlreadyExists);
        }
        if self.free() == 0 {
            self.exercised.count(Effect::DiskWasFull);
            return Err(DiskError::Full);
        }
        let inode = self.tree.insert(Node::File(File { linked: true, ..File::default() }));
        self.change(vec![Change { directory, name, inode: Some(inode) }]);
        Ok(FileId(inode))
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.file(file)?.content.len())
    }

    fn read(&mut self, file: FileId, at: u64, length: u64) -> Result<Bytes, DiskError> {
        self.check(Kind::Read)?;
        Ok(self.file(file)?.content.read(at, length))
    }

    fn append(&mut self, file: FileId, mut bytes: Bytes) -> Result<u64, DiskError> {
        let at = self.file(file)?.content.len();
        let mut outcome = self.check(Kind::Append).map(|()| at);
        if outcome.is_ok() && self.free() < bytes.len() as u64 {
            self.exercised.count(Effect::DiskWasFull);
            outcome = Err(DiskError::Full);
        }
        if outcome.is_err() {
            // What fits may have been written before the failure.
            let fits = self.free().min(bytes.len() as u64);
            let written = self.draw().below(fits + 1);
            bytes.truncate(written as usize);
        }
        let length = bytes.len() as u64;
        self.used += length;
        let place = self.tree.file_mut(file.0).expect("it was there a moment ago");
        place.content.append(bytes);
        let profile = &self.device.profile;
        let transfer = transfer(length, profile.append_bytes_per_second);
        let cost = profile.append.saturating_add(transfer);
        self.complete(cost, false, || Undo::Append { file: file.0, length: at });
        outcome
    }

    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        self.check(Kind::Metadata)?;
        if self.file(file)?.content.len() <= length {
            return Ok(());
        }
        let place = self.tree.file_mut(file.0).expect("it was there a moment ago");
        self.used -= place.content.len() - length;
        let pieces = place.content.truncate(length);
        let (durable, cut) = (place.durable, place.cut.clone());
        if length < durable {
            // The first so many of the bytes cut off are durable until the next sync.
            let mut still_durable = durable - length;
            let mut kept = Vec::new();
            for piece in &pieces {
                let part = still_durable.min(piece.len() as u64);
                still_durable -= part;
                kept.extend((part > 0).then(|| piece.slice(..part as usize)));
            }
            kept.append(&mut place.cut);
            (place.durable, place.cut) = (length, kept);
        }
        let cost = self.device.profile.metadata;
        self.complete(cost, false, || Undo::Truncate { file: file.0, pieces, durable, cut });
        Ok(())
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        self.file(file)?;
        self.check(Kind::Sync)?;
        let mut latency = self.draw();
        let place = self.tree.file_mut(file.0).expect("it was there a moment ago");
        if !place.is_dirty() {
            return Ok(());
        }
        let length = place.content.len();
        let durable = std::mem::replace(&mut place.durable, length);
        let cut = std::mem::take(&mut place.cut);
        let profile = &self.device.profile;
        let transfer = transfer(length - durable, profile.sync_bytes_per_second);
        let cost = profile.sync.sample(&mut latency).saturating_add(transfer);
        self.complete(cost, true, || Undo::Sync { file: file.0, durable, cut });
        Ok(())
    }

    fn sync_dir(&mut self, dir: &str) -> Result<(), DiskError> {
        let directory = self.tree.find(dir, false).ok_or(DiskError::NotFound)?;
        self.tree.directory(directory).ok_or(DiskError::NotFound)?;
        self.check(Kind::Sync)?;
        let (directories, settled) = self.tree.settles(directory);
        if !settled.contains(&true) {
            return Ok(());
        }
        let names = |inode: &Inode| -> Option<(Inode, Names)> {
            Some((*inode, self.tree.directory(*inode)?.durable.clone()))
        };
        let durable = directories.iter().filter_map(names).collect();
        let (pending, next) = (self.tree.pending.clone(), self.tree.next_pending);
        self.tree.settle(&settled);
        let mut latency = self.draw();
        let cost = self.device.profile.sync.sample(&mut latency);
        self.complete(cost, true, || Undo::SyncDir { durable, pending, next });
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.check(Kind::Metadata)?;
        let inode = self.tree.find(from, false).ok_or(DiskError::NotFound)?;
        let (old_directory, old_name) = self.place(from)?;
        let (directory, name) = self.place(to)?;
        if let Some(replaced) = self.tree.find(to, false) {
            if replaced == inode {
                return Ok(());
            }
            let over_file = self.tree.file(replaced).is_some() && self.tree.file(inode).is_some();
            if !over_file {
                return Err(DiskError::AlreadyExists);
            }
            self.unlink(replaced, &mut Vec::new());
        }
        self.change(vec![
            Change { directory: old_directory, name: old_name, inode: None },
            Change { directory, name, inode: Some(inode) },
        ]);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.check(Kind::Metadata)?;
        let inode = self.tree.find(path, false).ok_or(DiskError::NotFound)?;
        let (directory, name) = self.place(path)?;
        let mut changes = Vec::new();
        self.unlink(inode, &mut changes);
        changes.push(Change { directory, name, inode: None });
        // Each name goes on its own: a power loss can leave a directory half removed.
        for change in changes {
            self.change(vec![change]);
        }
        self.sweep();
        Ok(())
    }
}
