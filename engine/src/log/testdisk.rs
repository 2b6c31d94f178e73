//! A disk in memory for the tests of this crate: it can fail, and it can lose unsynced data.

use bytes::Bytes;
use machine::{Disk, DiskError, FileId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
struct File {
    content: Vec<u8>,
    synced: Vec<u8>,
}

/// The disk. Files are named by path; directories are a set of paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestDisk {
    files: BTreeMap<FileId, File>,
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    dirs: BTreeSet<String>,
    next: u32,
    /// The directory in which every call fails.
    pub(crate) broken: Option<&'static str>,
    /// Every fsync fails.
    pub(crate) broken_syncs: bool,
    /// How many calls that change something succeed from now on; then all fail.
    pub(crate) writes_left: Option<u32>,
    /// The calls so far that change something.
    pub(crate) writes: u32,
    /// The calls so far that fsync.
    pub(crate) syncs: u32,
    /// An fsync of a file whose path contains this reports success and makes nothing durable; nor
    /// does an fsync of its directory make its name durable.
    pub(crate) lies_about: Option<&'static str>,
}

impl TestDisk {
    /// Power loss: unsynced bytes and names are gone.
    pub(crate) fn lose_unsynced(&mut self) {
        self.names = self.durable_names.clone();
        for file in self.files.values_mut() {
            file.content = file.synced.clone();
        }
    }

    /// The operating system has written everything back.
    pub(crate) fn write_back(&mut self) {
        self.durable_names = self.names.clone();
        for file in self.files.values_mut() {
            file.synced = file.content.clone();
        }
    }

    /// As if a file had been written and never fsynced.
    pub(crate) fn forget_syncs(&mut self, path: &str) {
        let file = self.names[path];
        self.files.get_mut(&file).expect("a named file").synced.clear();
    }

    /// The content of a file.
    pub(crate) fn content(&self, path: &str) -> Option<&[u8]> {
        self.names.get(path).map(|file| &self.files[file].content[..])
    }

    /// Changes the content of a file, as corruption would.
    pub(crate) fn edit(&mut self, path: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let file = self.names[path];
        edit(&mut self.files.get_mut(&file).expect("a named file").content);
    }

    /// The paths of all files.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    fn change(&mut self) -> Result<(), DiskError> {
        self.writes += 1;
        match &mut self.writes_left {
            Some(0) => Err(DiskError::Io),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Fails if the path is in the broken directory.
    fn reach(&self, path: &str) -> Result<(), DiskError> {
        let hit = |dir| path == dir || within(dir, path).is_some();
        if self.broken.is_some_and(hit) { Err(DiskError::Io) } else { Ok(()) }
    }

    fn reach_file(&self, file: FileId) -> Result<(), DiskError> {
        let name = self.names.iter().find(|(_, id)| **id == file);
        name.map_or(Ok(()), |(path, _)| self.reach(path))
    }

    /// Removes the names of a file, or of a directory and its content.
    fn remove_all(&mut self, path: &str) -> Result<(), DiskError> {
        let kept = |other: &str| other != path && within(path, other).is_none();
        let before = self.names.len() + self.dirs.len();
        self.names.retain(|name, _| kept(name));
        self.dirs.retain(|name| kept(name));
        if self.names.len() + self.dirs.len() < before { Ok(()) } else { Err(DiskError::NotFound) }
    }

    fn file(&mut self, file: FileId) -> Result<&mut File, DiskError> {
        if self.names.values().any(|id| *id == file) {
            return self.files.get_mut(&file).ok_or(DiskError::NotFound);
        }
        Err(DiskError::NotFound)
    }
}

fn within<'a>(dir: &str, path: &'a str) -> Option<&'a str> {
    if dir.is_empty() { Some(path) } else { path.strip_prefix(dir)?.strip_prefix('/') }
}

impl Disk for TestDisk {
    fn create_dir(&mut self, path: &str) -> Result<(), DiskError> {
        self.reach(path)?;
        self.change()?;
        self.dirs.insert(path.to_owned());
        Ok(())
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, DiskError> {
        self.reach(dir)?;
        if !dir.is_empty() && !self.dirs.contains(dir) {
            return Err(DiskError::NotFound);
        }
        let names = self.names.keys().chain(&self.dirs).filter_map(|path| within(dir, path));
        let names: BTreeSet<&str> = names.filter(|name| !name.contains('/')).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.reach(path)?;
        self.names.get(path).copied().ok_or(DiskError::NotFound)
    }

    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.reach(path)?;
        self.change()?;
        if self.names.contains_key(path) {
            return Err(DiskError::AlreadyExists);
        }
        let file = FileId(self.next);
        self.next += 1;
        self.names.insert(path.to_owned(), file);
        self.files.insert(file, File::default());
        Ok(file)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        self.reach_file(file)?;
        Ok(self.file(file)?.content.len() as u64)
    }

    fn read(&mut self, file: FileId, at: u64, length: u64) -> Result<Bytes, DiskError> {
        self.reach_file(file)?;
        let content = &self.file(file)?.content;
        let at = content.len().min(at as usize);
        let end = content.len().min(at + length as usize);
        Ok(Bytes::copy_from_slice(&content[at..end]))
    }

    fn append(&mut self, file: FileId, bytes: Bytes) -> Result<u64, DiskError> {
        self.reach_file(file)?;
        let failed = self.change();
        let content = &mut self.file(file)?.content;
        let at = content.len() as u64;
        if failed.is_err() {
            content.extend_from_slice(&bytes[..bytes.len() / 2]);
        }
        failed?;
        content.extend_from_slice(&bytes);
        Ok(at)
    }

    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        self.reach_file(file)?;
        self.change()?;
        self.file(file)?.content.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        self.reach_file(file)?;
        if self.broken_syncs {
            return Err(DiskError::Io);
        }
        self.change()?;
        self.syncs += 1;
        let is = |(path, id): (&String, &FileId)| {
            *id == file && self.lies_about.is_some_and(|lie| path.contains(lie))
        };
        if self.names.iter().any(is) {
            return Ok(());
        }
        let file = self.file(file)?;
        file.synced = file.content.clone();
        Ok(())
    }

    fn sync_dir(&mut self, dir: &str) -> Result<(), DiskError> {
        self.reach(dir)?;
        self.change()?;
        self.syncs += 1;
        let lie = self.lies_about;
        let inside = |path: &str| {
            within(dir, path).is_some_and(|name| !name.contains('/'))
                && !lie.is_some_and(|lie| path.contains(lie))
        };
        self.durable_names.retain(|path, _| !inside(path));
        let now = self.names.iter().filter(|(path, _)| inside(path));
        self.durable_names.extend(now.map(|(path, file)| (path.clone(), *file)));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.reach(from)?;
        self.change()?;
        let moved = |path: &str| match within(from, path) {
            Some(name) => Some(format!("{to}/{name}")),
            None => (path == from).then(|| to.to_owned()),
        };
        let names: Vec<_> =
            self.names.iter().filter_map(|(path, file)| Some((moved(path)?, *file))).collect();
        let dirs: Vec<_> = self.dirs.iter().filter_map(|path| moved(path)).collect();
        self.remove_all(from)?;
        self.names.extend(names);
        self.dirs.extend(dirs);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.reach(path)?;
        self.change()?;
        self.remove_all(path)
    }
}
