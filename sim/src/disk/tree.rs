//! Directories and files, each in two versions: that of the process, and the durable one.

use super::age::Age;
use super::content::Content;
use super::device::DeviceId;
use crate::SimTime;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The number of a file or directory: 20 bits of slot and 12 bits of reuses of the slot.
pub(super) type Inode = u32;

pub(super) const ROOT: Inode = 0;
const SLOT_BITS: u32 = 20;
/// Sweep when this many names have been removed.
const SWEEP_AFTER: u32 = 64;

pub(super) type Names = BTreeMap<Arc<str>, Inode>;

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// The state that the process sees.
    pub(super) content: Content,
    /// The number of bytes at the start of `content` that are durable.
    pub(super) durable: u64,
    /// Durable bytes after those, which were truncated since the last sync.
    pub(super) cut: Vec<Bytes>,
    /// Whether the process can still reach it by a name.
    pub(super) linked: bool,
    /// The device that stores it.
    pub(super) device: DeviceId,
    /// The age of its bytes.
    pub(super) age: Age,
    /// The time of the latest truncation of durable bytes.
    pub(super) cut_at: SimTime,
}

impl File {
    /// Whether a power loss could change the content.
    pub(super) fn is_dirty(&self) -> bool {
        self.durable < self.content.len() || !self.cut.is_empty()
    }

    /// The durable content.
    pub(super) fn durable_content(&self) -> Content {
        let mut content = self.content.clone();
        content.truncate(self.durable);
        self.cut.iter().for_each(|bytes| content.append(bytes.clone()));
        content
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    /// The state that the process sees.
    pub(super) names: Names,
    /// The durable names.
    pub(super) durable: Names,
    /// Where it is stored.
    pub(super) device: DeviceId,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(File),
    Directory(Directory),
}

/// A name in a directory, and its inode after (or, in a journal, before) a change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) directory: Inode,
    pub(super) name: Arc<str>,
    pub(super) inode: Option<Inode>,
}

/// A change of names that is not durable yet. A power loss keeps all of it or nothing.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// The time of the change.
    pub(super) at: SimTime,
    pub(super) changes: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Slot {
    generation: u32,
    node: Option<Node>,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    slots: Vec<Slot>,
    free: Vec<u32>,
    removed: u32,
    /// By number, in the order of the changes.
    pending: BTreeMap<u64, Pending>,
    /// The numbers of the changes by directory, so that a sync of one directory visits only its own
    /// changes.
    pending_in: BTreeSet<(Inode, u64)>,
    pub(super) next_pending: u64,
}

/// Changes of names that were made durable, and the durable names before.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    /// The changes with their numbers.
    pub(super) changes: Vec<(u64, Pending)>,
    /// The replaced durable names, in the order of their replacement.
    pub(super) before: Vec<Change>,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Slot { generation: 0, node: Some(Node::Directory(Directory::default())) };
        Self {
            slots: vec![root],
            free: Vec::new(),
            removed: 0,
            pending: BTreeMap::new(),
            pending_in: BTreeSet::new(),
            next_pending: 0,
        }
    }

    #[inline]
    fn slot(&self, inode: Inode) -> Option<&Node> {
        let slot = self.slots.get((inode & ((1 << SLOT_BITS) - 1)) as usize)?;
        (slot.generation == inode >> SLOT_BITS).then_some(slot.node.as_ref())?
    }

    #[inline]
    fn slot_mut(&mut self, inode: Inode) -> Option<&mut Node> {
        let slot = self.slots.get_mut((inode & ((1 << SLOT_BITS) - 1)) as usize)?;
        (slot.generation == inode >> SLOT_BITS).then_some(slot.node.as_mut())?
    }

    #[inline]
    pub(super) fn file(&self, inode: Inode) -> Option<&File> {
        match self.slot(inode)? {
            Node::File(file) => Some(file),
            Node::Directory(_) => None,
        }
    }

    #[inline]
    pub(super) fn file_mut(&mut self, inode: Inode) -> Option<&mut File> {
        match self.slot_mut(inode)? {
            Node::File(file) => Some(file),
            Node::Directory(_) => None,
        }
    }

    pub(super) fn directory(&self, inode: Inode) -> Option<&Directory> {
        match self.slot(inode)? {
            Node::Directory(directory) => Some(directory),
            Node::File(_) => None,
        }
    }

    pub(super) fn directory_mut(&mut self, inode: Inode) -> Option<&mut Directory> {
        match self.slot_mut(inode)? {
            Node::Directory(directory) => Some(directory),
            Node::File(_) => None,
        }
    }

    /// The inode of `path`, for the process or, with `durable`, after a power loss.
    pub(super) fn find(&self, path: &str, durable: bool) -> Option<Inode> {
        let mut inode = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let directory = self.directory(inode)?;
            let names = if durable { &directory.durable } else { &directory.names };
            inode = *names.get(name)?;
        }
        Some(inode)
    }

    pub(super) fn insert(&mut self, node: Node) -> Inode {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            place.node = Some(node);
            return slot | (place.generation << SLOT_BITS);
        }
        let slot = self.slots.len() as u32;
        assert!(slot < 1 << SLOT_BITS, "a disk holds fewer than a million files");
        self.slots.push(Slot { generation: 0, node: Some(node) });
        slot
    }

    /// Changes names, and returns the previous state.
    pub(super) fn change(&mut self, at: SimTime, changes: Vec<Change>) -> Vec<Change> {
        let before = changes.iter().map(|change| self.set(change)).collect();
        self.pend(self.next_pending, Pending { at, changes });
        self.next_pending += 1;
        before
    }

    /// Sets a name without recording the change as pending, and returns the previous state.
    pub(super) fn set(&mut self, change: &Change) -> Change {
        let directory = self.directory_mut(change.directory).expect("names are set in directories");
        let inode = match change.inode {
            Some(inode) => directory.names.insert(change.name.clone(), inode),
            None => directory.names.remove(&change.name),
        };
        if change.inode.is_none() {
            self.removed += 1;
        }
        Change { inode, ..change.clone() }
    }

    /// Records a change of names that is not durable.
    fn pend(&mut self, number: u64, pending: Pending) {
        let directories = pending.changes.iter().map(|change| (change.directory, number));
        self.pending_in.extend(directories);
        self.pending.insert(number, pending);
    }

    /// Removes a change of names from those that are not durable.
    pub(super) fn unpend(&mut self, number: u64) -> Option<Pending> {
        let pending = self.pending.remove(&number)?;
        for change in &pending.changes {
            self.pending_in.remove(&(change.directory, number));
        }
        Some(pending)
    }

    /// The changes of names that are not durable, with their numbers, in the order made.
    pub(super) fn pending(&self) -> impl Iterator<Item = (u64, &Pending)> {
        self.pending.iter().map(|(number, pending)| (*number, pending))
    }

    /// Takes all pending changes.
    pub(super) fn take_pending(&mut self) -> impl Iterator<Item = Pending> + use<> {
        self.pending_in.clear();
        std::mem::take(&mut self.pending).into_values()
    }

    fn pending_in(&self, directory: Inode) -> impl Iterator<Item = u64> {
        let all = (directory, 0)..=(directory, u64::MAX);
        self.pending_in.range(all).map(|(_, number)| *number)
    }

    /// The numbers of the pending changes that become durable when the names of `directory` do: a
    /// rename from another directory is one change in both, and includes the earlier changes in the
    /// other directory.
    pub(super) fn settles(&self, directory: Inode) -> BTreeSet<u64> {
        let mut settled = BTreeSet::new();
        let mut todo: BTreeSet<u64> = self.pending_in(directory).collect();
        let mut directories = BTreeSet::from([directory]);
        while let Some(number) = todo.pop_last() {
            settled.insert(number);
            for change in &self.pending[&number].changes {
                if directories.insert(change.directory) {
                    let before = self.pending_in(change.directory).take_while(|it| *it < number);
                    todo.extend(before);
                }
            }
        }
        settled
    }

    /// Makes pending changes durable, in the order of their numbers.
    pub(super) fn settle(&mut self, numbers: impl IntoIterator<Item = u64>) -> Settled {
        let mut settled = Settled { changes: Vec::new(), before: Vec::new() };
        for number in numbers {
            let Some(pending) = self.unpend(number) else { continue };
            let before = pending.changes.iter().filter_map(|change| self.set_durable(change));
            settled.before.extend(before);
            settled.changes.push((number, pending));
        }
        settled
    }

    /// Undoes [`Tree::settle`].
    pub(super) fn unsettle(&mut self, settled: Settled) {
        for change in settled.before.iter().rev() {
            self.set_durable(change);
        }
        for (number, pending) in settled.changes {
            self.pend(number, pending);
        }
    }

    /// Sets a durable name, and returns the previous state.
    pub(super) fn set_durable(&mut self, change: &Change) -> Option<Change> {
        let directory = self.directory_mut(change.directory)?;
        let inode = match change.inode {
            Some(inode) => directory.durable.insert(change.name.clone(), inode),
            None => directory.durable.remove(&change.name),
        };
        Some(Change { inode, ..change.clone() })
    }

    /// All files with their paths, sorted.
    pub(super) fn files(&self, durable: bool) -> Vec<(String, Inode)> {
        let mut found = Vec::new();
        let mut todo = vec![(String::new(), ROOT)];
        while let Some((path, inode)) = todo.pop() {
            match self.slot(inode) {
                Some(Node::File(_)) => found.push((path, inode)),
                Some(Node::Directory(directory)) => {
                    let names = if durable { &directory.durable } else { &directory.names };
                    let join = |name: &str| match path.as_str() {
                        "" => name.to_owned(),
                        path => format!("{path}/{name}"),
                    };
                    todo.extend(names.iter().map(|(name, inode)| (join(name), *inode)));
                }
                None => {}
            }
        }
        found.sort_unstable();
        found
    }

    /// Removes everything on some devices, except the directories in which another device begins.
    pub(super) fn wipe(&mut self, is_meant: &impl Fn(DeviceId) -> bool) {
        let mut todo = vec![ROOT];
        while let Some(inode) = todo.pop() {
            let Some(directory) = self.directory(inode) else { continue };
            let (device, names) = (directory.device, directory.names.clone());
            for (name, child) in names {
                match self.slot(child) {
                    Some(Node::Directory(below)) if below.device != device => {
                        todo.push(child);
                        continue;
                    }
                    Some(Node::Directory(_)) => todo.push(child),
                    Some(Node::File(_)) | None => {}
                }
                if !is_meant(device) {
                    continue;
                }
                if let Some(file) = self.file_mut(child) {
                    file.linked = false;
                }
                if let Some(directory) = self.directory_mut(inode) {
                    directory.names.remove(&name);
                }
            }
            if is_meant(device)
                && let Some(directory) = self.directory_mut(inode)
            {
                directory.durable = directory.names.clone();
            }
        }
        let on = |slots: &[Slot], inode: Inode| match &slots
            [(inode & ((1 << SLOT_BITS) - 1)) as usize]
            .node
        {
            Some(Node::Directory(directory)) => is_meant(directory.device),
            _ => true,
        };
        let is_gone = |pending: &Pending| {
            pending.changes.iter().any(|change| on(&self.slots, change.directory))
        };
        let gone = self.pending().filter(|(_, pending)| is_gone(pending));
        for number in gone.map(|(number, _)| number).collect::<Vec<_>>() {
            self.unpend(number);
        }
    }

    /// Every inode in use.
    pub(super) fn inodes(&self) -> Vec<Inode> {
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.node.is_some());
        used.map(|(i, slot)| i as u32 | (slot.generation << SLOT_BITS)).collect()
    }

    /// Whether enough names have been removed to make a sweep worthwhile.
    pub(super) fn wants_sweep(&self) -> bool {
        self.removed >= SWEEP_AFTER
    }

    /// Frees the inodes to which no visible, durable or pending name leads and that are not in
    /// `kept`.
    pub(super) fn sweep(&mut self, kept: &[Inode]) {
        self.removed = 0;
        let mut marked = vec![false; self.slots.len()];
        let mut todo = vec![ROOT];
        todo.extend_from_slice(kept);
        let changes = self.pending.values().flat_map(|pending| &pending.changes);
        todo.extend(changes.flat_map(|change| [Some(change.directory), change.inode]).flatten());
        while let Some(inode) = todo.pop() {
            let slot = (inode & ((1 << SLOT_BITS) - 1)) as usize;
            if self.slot(inode).is_none() || std::mem::replace(&mut marked[slot], true) {
                continue;
            }
            if let Some(directory) = self.directory(inode) {
                todo.extend(directory.names.values().chain(directory.durable.values()));
            }
        }
        for (i, slot) in self.slots.iter_mut().enumerate() {
            if !marked[i] && slot.node.take().is_some() {
                slot.generation = (slot.generation + 1) & ((1 << (32 - SLOT_BITS)) - 1);
                self.free.push(i as u32);
            }
        }
    }
}
