//! Directories and files, each with two truths: what the process sees, and what is durable.

use super::age::Age;
use super::content::Content;
use super::device::DeviceId;
use crate::SimTime;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The number of a file or directory: 20 bits of slot and 12 of how often the slot was reused.
pub(super) type Inode = u32;

pub(super) const ROOT: Inode = 0;
const SLOT_BITS: u32 = 20;
/// Sweep when so many names have been removed.
const SWEEP_AFTER: u32 = 64;

pub(super) type Names = BTreeMap<Arc<str>, Inode>;

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// What the process sees.
    pub(super) content: Content,
    /// So many bytes at the start of `content` are durable as they are.
    pub(super) durable: u64,
    /// What is durable behind them, but was cut off since the last sync.
    pub(super) cut: Vec<Bytes>,
    /// Whether the process can still reach it by a name.
    pub(super) linked: bool,
    /// Where it is stored.
    pub(super) device: DeviceId,
    /// How old what it holds is.
    pub(super) age: Age,
    /// When something durable was cut off last.
    pub(super) cut_at: SimTime,
}

impl File {
    /// Whether power loss could change anything.
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
    /// What the process sees.
    pub(super) names: Names,
    /// What survives power loss.
    pub(super) durable: Names,
    /// Where it is stored.
    pub(super) device: DeviceId,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(File),
    Directory(Directory),
}

/// A name in a directory, and what it stands for after (or, in a journal, before) a change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) directory: Inode,
    pub(super) name: Arc<str>,
    pub(super) inode: Option<Inode>,
}

/// A change of names that is not durable yet. All of it survives power loss, or none.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    /// When it was made.
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
    /// In the order made.
    pub(super) pending: Vec<Pending>,
    pub(super) next_pending: u64,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Slot { generation: 0, node: Some(Node::Directory(Directory::default())) };
        Self {
            slots: vec![root],
            free: Vec::new(),
            removed: 0,
            pending: Vec::new(),
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

    /// What `path` stands for in the eyes of the process, or after a power loss.
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

    /// Changes names, and returns how they were before.
    pub(super) fn change(&mut self, at: SimTime, changes: Vec<Change>) -> Vec<Change> {
        let before = changes.iter().map(|change| self.set(change)).collect();
        self.pending.push(Pending { number: self.next_pending, at, changes });
        self.next_pending += 1;
        before
    }

    /// Sets a name without making a record of it, and returns how it was before.
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

    /// The directories whose durable names change when those of `directory` are made durable:
    /// a rename from elsewhere is one change in both, and takes with it what was changed there
    /// before. Returns also which pending changes become durable.
    pub(super) fn settles(&self, directory: Inode) -> (Vec<Inode>, Vec<bool>) {
        let mut directories = vec![directory];
        let mut settled = vec![false; self.pending.len()];
        for (pending, settled) in self.pending.iter().zip(&mut settled).rev() {
            *settled = pending.changes.iter().any(|c| directories.contains(&c.directory));
            if *settled {
                let others = pending.changes.iter().map(|change| change.directory);
                directories.extend(others);
                directories.sort_unstable();
                directories.dedup();
            }
        }
        (directories, settled)
    }

    /// Makes pending changes durable.
    pub(super) fn settle(&mut self, settled: &[bool]) {
        let pending = std::mem::take(&mut self.pending);
        for (pending, settled) in pending.into_iter().zip(settled) {
            match settled {
                true => pending.changes.iter().for_each(|change| self.set_durable(change)),
                false => self.pending.push(pending),
            }
        }
    }

    pub(super) fn set_durable(&mut self, change: &Change) {
        if let Some(directory) = self.directory_mut(change.directory) {
            match change.inode {
                Some(inode) => directory.durable.insert(change.name.clone(), inode),
                None => directory.durable.remove(&change.name),
            };
        }
    }

    /// All files below `path`, with their paths; sorted.
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

    /// Removes everything on some devices, and the directories on them but for those where another
    /// device begins.
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
        let slots = &self.slots;
        self.pending.retain(|p| !p.changes.iter().any(|change| on(slots, change.directory)));
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

    /// Frees what no name leads to, neither seen nor durable nor pending, and what is not `kept`.
    pub(super) fn sweep(&mut self, kept: &[Inode]) {
        self.removed = 0;
        let mut marked = vec![false; self.slots.len()];
        let mut todo = vec![ROOT];
        todo.extend_from_slice(kept);
        todo.extend(self.pending.iter().flat_map(|p| &p.changes).filter_map(|c| c.inode));
        todo.extend(self.pending.iter().flat_map(|p| &p.changes).map(|c| c.directory));
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
