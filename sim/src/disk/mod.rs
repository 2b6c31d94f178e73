//! The simulated disk: the view of the process, the durable state, and the cost of operations.

mod age;
mod conditions;
mod content;
mod device;
mod faulty;
mod inspect;
mod journal;
mod power;
mod profile;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use conditions::FailingOperations;
pub use inspect::FileView;
pub(crate) use journal::{Cut, HUNG, shifted};
pub use power::PowerLossReport;
pub use profile::DiskProfile;
pub(crate) use profile::transfer;

use crate::exercised::{Effect, Exercised};
use crate::random::{Key, Sample, node_stream};
use bytes::Bytes;
use conditions::Kind;
use device::{Device, DeviceId, Timeline, Timing};
use journal::{Operation, Undo};
use machine::{Disk, DiskError, FileId, NodeId, Span};
use std::sync::Arc;
use tree::{Change, Directory, File, Inode, Node, Tree};

/// A host's disk. It outlives the processes of the host.
///
/// A process uses it through [`Disk`], and every change takes time. The inherent methods are for
/// observers: they cost nothing and leave no trace.
#[derive(Clone, Debug)]
pub struct SimDisk {
    tree: Tree,
    timeline: Timeline,
    /// The first device holds everything that no other does.
    devices: Vec<Device>,
    journal: Vec<Operation>,
    key: Key,
    draws: u64,
    exercised: Exercised,
}

impl SimDisk {
    /// An empty disk.
    pub(crate) fn new(seed: u64, node: NodeId, profile: DiskProfile) -> Self {
        Self {
            tree: Tree::new(),
            timeline: Timeline::new(profile),
            devices: vec![Device::new("")],
            journal: Vec::new(),
            key: Key::new(seed, "disk", node_stream(node)),
            draws: 0,
            exercised: Exercised::default(),
        }
    }

    fn draw(&mut self) -> crate::random::Draw {
        self.draws += 1;
        self.key.draw(self.draws, 0)
    }

    /// Fails if a fault makes operations of this kind fail on the device.
    #[inline]
    fn check(&mut self, device: DeviceId, kind: Kind) -> Result<(), DiskError> {
        if self.devices[usize::from(device)].conditions.fails(kind) {
            self.exercised.count(Effect::DiskOperationFailed);
            return Err(DiskError::Io);
        }
        Ok(())
    }

    /// Fails if a fault makes such operations fail on the device of `path`.
    fn check_path(&mut self, path: &str, kind: Kind) -> Result<(), DiskError> {
        if self.devices.len() == 1 {
            return self.check(0, kind);
        }
        self.check(self.device_of(path), kind)
    }

    /// The device that holds a path.
    fn device_of(&self, path: &str) -> DeviceId {
        let path = path.trim_matches('/');
        let holds = |device: &&Device| {
            path.strip_prefix(device.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let place = self.devices[1..].iter().position(|device| holds(&device));
        place.map_or(0, |place| (place + 1) as DeviceId)
    }

    /// The number of bytes that still fit on a device.
    fn free(&self, device: DeviceId) -> u64 {
        let device = &self.devices[usize::from(device)];
        let capacity = self.timeline.profile.capacity.min(device.conditions.limit());
        capacity.saturating_sub(device.used)
    }

    #[inline]
    fn used_mut(&mut self, device: DeviceId) -> &mut u64 {
        &mut self.devices[usize::from(device)].used
    }

    /// Lets an operation take its time, and journals it unless it completes at once.
    #[inline]
    fn complete(&mut self, id: DeviceId, cost: Span, sync: bool, undo: impl FnOnce() -> Undo) {
        let device = &mut self.devices[usize::from(id)];
        let slowness = device.conditions.slowness();
        if slowness > 1 {
            self.exercised.count(Effect::DiskOperationSlowed);
        }
        let cost = Span(cost.0.saturating_mul(slowness));
        let completed = self.timeline.operation(cost, device, sync);
        if let Some(Timing { starts, completes, lane, number }) = completed {
            if completes >= HUNG {
                self.exercised.count(Effect::DiskOperationHung);
            }
            let undo = undo();
            self.journal.push(Operation { starts, completes, lane, number, device: id, undo });
        }
    }

    fn change(&mut self, device: DeviceId, changes: Vec<Change>) {
        let first = self.tree.next_pending;
        let before = self.tree.change(self.timeline.now, changes);
        let end = self.tree.next_pending;
        let cost = self.timeline.profile.metadata;
        self.complete(device, cost, false, || Undo::Names { before, first, end });
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
        let found = self.tree.file(file.0).filter(|file| file.linked);
        found.ok_or_else(|| self.missing())
    }

    /// Why a file is missing: its disk was lost, or the file does not exist.
    fn missing(&self) -> DiskError {
        match self.devices.iter().any(|device| device.conditions.is_lost()) {
            true => DiskError::Io,
            false => DiskError::NotFound,
        }
    }

    /// Marks a file, or all files in a directory, as removed, and lists the necessary changes of
    /// names, innermost first.
    fn unlink(&mut self, inode: Inode, changes: &mut Vec<Change>) {
        if let Some(file) = self.tree.file_mut(inode) {
            file.linked = false;
            let (device, length) = (file.device, file.content.len());
            *self.used_mut(device) -= length;
        } else if let Some(directory) = self.tree.directory(inode) {
            for (name, child) in directory.names.clone() {
                self.unlink(child, changes);
                changes.push(Change { directory: inode, name, inode: None });
            }
        }
    }

    /// After a crash: derives used space and linked files from the names.
    fn refresh(&mut self) {
        for inode in self.tree.inodes() {
            if let Some(file) = self.tree.file_mut(inode) {
                file.linked = false;
            }
        }
        self.devices.iter_mut().for_each(|device| device.used = 0);
        for (_, inode) in self.tree.files(false) {
            if let Some(file) = self.tree.file_mut(inode) {
                file.linked = true;
                self.devices[usize::from(file.device)].used += file.content.len();
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
        self.check_path(path, Kind::Metadata)?;
        let device = self.device_of(path);
        let mut inode = tree::ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let directory = self.tree.directory(inode).ok_or(DiskError::AlreadyExists)?;
            inode = match directory.names.get(name) {
                Some(inode) => *inode,
                None => {
                    let directory = Directory { device, ..Directory::default() };
                    let new = self.tree.insert(Node::Directory(directory));
                    let change = Change { directory: inode, name: name.into(), inode: Some(new) };
                    self.change(device, vec![change]);
                    new
                }
            };
        }
        self.tree.directory(inode).map(|_| ()).ok_or(DiskError::AlreadyExists)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, DiskError> {
        self.check_path(dir, Kind::Read)?;
        let inode = self.tree.find(dir, false).ok_or(DiskError::NotFound)?;
        let directory = self.tree.directory(inode).ok_or(DiskError::NotFound)?;
        Ok(directory.names.keys().map(|name| name.to_string()).collect())
    }

    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.check_path(path, Kind::Read)?;
        let inode = self.tree.find(path, false).ok_or(DiskError::NotFound)?;
        self.tree.file(inode).map(|_| FileId(inode)).ok_or(DiskError::NotFound)
    }

    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.check_path(path, Kind::Metadata)?;
        let (directory, name) = self.place(path)?;
        let device = self.tree.directory(directory).map_or(0, |directory| directory.device);
        if self.tree.directory(directory).is_some_and(|d| d.names.contains_key(&name)) {
            return Err(DiskError::AlreadyExists);
        }
        if self.free(device) == 0 {
            self.exercised.count(Effect::DiskWasFull);
            return Err(DiskError::Full);
        }
        let inode = self.tree.insert(Node::File(File { linked: true, device, ..File::default() }));
        self.change(device, vec![Change { directory, name, inode: Some(inode) }]);
        Ok(FileId(inode))
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.file(file)?.content.len())
    }

    fn read(&mut self, file: FileId, at: u64, length: u64) -> Result<Bytes, DiskError> {
        let device = self.file(file)?.device;
        self.check(device, Kind::Read)?;
        Ok(self.file(file)?.content.read(at, length))
    }

    fn append(&mut self, file: FileId, mut bytes: Bytes) -> Result<u64, DiskError> {
        let place = self.file(file)?;
        let (at, device) = (place.content.len(), place.device);
        let mut outcome = self.check(device, Kind::Append).map(|()| at);
        if outcome.is_ok() && self.free(device) < bytes.len() as u64 {
            self.exercised.count(Effect::DiskWasFull);
            outcome = Err(DiskError::Full);
        }
        if outcome.is_err() {
            // A prefix that fits may have been written before the failure.
            let fits = self.free(device).min(bytes.len() as u64);
            let written = self.draw().below(fits + 1);
            bytes.truncate(written as usize);
        }
        let length = bytes.len() as u64;
        *self.used_mut(device) += length;
        let profile = &self.timeline.profile;
        let place = self.tree.file_mut(file.0).expect("the file was looked up before");
        place.content.append(bytes);
        place.age.grows(at + length, self.timeline.now, profile.write_back);
        let transfer = transfer(length, profile.append_bytes_per_second);
        let cost = profile.append.saturating_add(transfer);
        self.complete(device, cost, false, || Undo::Append { file: file.0, length: at });
        outcome
    }

    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        let device = self.file(file)?.device;
        self.check(device, Kind::Metadata)?;
        let before = self.file(file)?.content.len();
        if before <= length {
            return Ok(());
        }
        *self.used_mut(device) -= before - length;
        let now = self.timeline.now;
        let place = self.tree.file_mut(file.0).expect("the file was looked up before");
        place.age.cut(length);
        let pieces = place.content.truncate(length);
        let (durable, cut) = (place.durable, place.cut.clone());
        if length < durable {
            // The first of the bytes cut off are still durable, until the next sync.
            let mut still_durable = durable - length;
            let mut kept = Vec::new();
            for piece in &pieces {
                let part = still_durable.min(piece.len() as u64);
                still_durable -= part;
                kept.extend((part > 0).then(|| piece.slice(..part as usize)));
            }
            kept.append(&mut place.cut);
            (place.durable, place.cut, place.cut_at) = (length, kept, now);
        }
        let cost = self.timeline.profile.metadata;
        self.complete(device, cost, false, || Undo::Truncate {
            file: file.0,
            pieces,
            durable,
            cut,
        });
        Ok(())
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        let device = self.file(file)?.device;
        self.check(device, Kind::Sync)?;
        let mut latency = self.draw();
        let place = self.tree.file_mut(file.0).expect("the file was looked up before");
        if !place.is_dirty() {
            return Ok(());
        }
        let length = place.content.len();
        let durable = std::mem::replace(&mut place.durable, length);
        let cut = std::mem::take(&mut place.cut);
        let profile = &self.timeline.profile;
        let transfer = transfer(length - durable, profile.sync_bytes_per_second);
        let cost = profile.sync.sample(&mut latency).saturating_add(transfer);
        self.complete(device, cost, true, || Undo::Sync { file: file.0, durable, cut });
        Ok(())
    }

    fn sync_dir(&mut self, dir: &str) -> Result<(), DiskError> {
        let directory = self.tree.find(dir, false).ok_or_else(|| self.missing())?;
        let device = self.tree.directory(directory).ok_or(DiskError::NotFound)?.device;
        self.check(device, Kind::Sync)?;
        let numbers = self.tree.settles(directory);
        if numbers.is_empty() {
            return Ok(());
        }
        let settled = self.tree.settle(numbers);
        let mut latency = self.draw();
        let cost = self.timeline.profile.sync.sample(&mut latency);
        self.complete(device, cost, true, || {
            let mut directories: Vec<Inode> =
                settled.before.iter().map(|change| change.directory).collect();
            directories.sort_unstable();
            directories.dedup();
            Undo::SyncDir { directories, settled }
        });
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.check_path(from, Kind::Metadata)?;
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
        let device = self.device_of(to);
        self.change(
            device,
            vec![
                Change { directory: old_directory, name: old_name, inode: None },
                Change { directory, name, inode: Some(inode) },
            ],
        );
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.check_path(path, Kind::Metadata)?;
        let device = self.device_of(path);
        let inode = self.tree.find(path, false).ok_or(DiskError::NotFound)?;
        let (directory, name) = self.place(path)?;
        let mut changes = Vec::new();
        self.unlink(inode, &mut changes);
        changes.push(Change { directory, name, inode: None });
        // Each name is a change of its own: a power loss can leave a directory half removed.
        for change in changes {
            self.change(device, vec![change]);
        }
        self.sweep();
        Ok(())
    }
}
