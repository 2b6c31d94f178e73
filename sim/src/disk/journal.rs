//! Operations that have not completed yet, and how to undo them.
//!
//! A process sees the effect of its disk calls at once. Each call is journalled with the time at
//! which it completes; when the process dies before that time, the call is undone, except that a
//! prefix of an append in progress may stay, since the kernel copies it piece by piece. Operations
//! of one handler complete in order. Those of several lanes may complete in another order than they
//! were made: an operation that builds on an undone operation is undone as well.

use super::device::{DeviceId, scaled};
use super::tree::{Change, Inode, Settled, Tree};
use crate::SimTime;
use bytes::Bytes;
use machine::Span;

/// A completion time from here onwards means that the disk hangs: the operation completes as long
/// after the disk recovers as the time exceeds this constant.
pub(crate) const HUNG: SimTime = SimTime(1 << 62);

#[derive(Clone, Debug)]
pub(super) enum Undo {
    Append {
        file: Inode,
        length: u64,
    },
    Truncate {
        file: Inode,
        pieces: Vec<Bytes>,
        durable: u64,
        cut: Vec<Bytes>,
    },
    Sync {
        file: Inode,
        durable: u64,
        cut: Vec<Bytes>,
    },
    Names {
        before: Vec<Change>,
        first: u64,
        end: u64,
    },
    /// The directories concerned, and the changes that became durable.
    SyncDir {
        directories: Vec<Inode>,
        settled: Settled,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) starts: SimTime,
    pub(super) completes: SimTime,
    pub(super) lane: u8,
    /// Counts the operations of one handler, from one.
    pub(super) number: u32,
    pub(super) device: DeviceId,
    pub(super) undo: Undo,
}

impl Operation {
    /// Whether the operation builds on the state of `inode`.
    fn needs(&self, inode: Inode) -> bool {
        match &self.undo {
            Undo::Append { file, .. } | Undo::Truncate { file, .. } | Undo::Sync { file, .. } => {
                *file == inode
            }
            Undo::Names { before, .. } => before.iter().any(|c| c.inode == Some(inode)),
            Undo::SyncDir { directories, .. } => directories.contains(&inode),
        }
    }

    /// The inodes that change when the operation is undone.
    fn subjects(&self, out: &mut Vec<Inode>) {
        match &self.undo {
            Undo::Append { file, .. } | Undo::Truncate { file, .. } => out.push(*file),
            // An undone sync shows only at a power loss.
            Undo::Sync { .. } | Undo::SyncDir { .. } => {}
            Undo::Names { before, .. } => {
                out.extend(before.iter().flat_map(|c| [Some(c.directory), c.inode]).flatten());
            }
        }
    }

    /// The inodes that have to be kept while the operation could be undone.
    pub(super) fn keeps(&self, out: &mut Vec<Inode>) {
        match &self.undo {
            Undo::SyncDir { directories, settled } => {
                out.extend(directories);
                out.extend(settled.before.iter().filter_map(|change| change.inode));
                let changes = settled.changes.iter().flat_map(|(_, pending)| &pending.changes);
                out.extend(changes.filter_map(|change| change.inode));
            }
            Undo::Append { file, .. } | Undo::Truncate { file, .. } | Undo::Sync { file, .. } => {
                out.push(*file);
            }
            Undo::Names { .. } => self.subjects(out),
        }
    }
}

/// Which operations a crash keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Operations that completed by this time.
    pub(crate) now: SimTime,
    /// If set: of this lane's handler only the operations before this number.
    pub(crate) before: Option<(u8, u32)>,
}

impl Cut {
    fn keeps(&self, operation: &Operation) -> bool {
        match self.before {
            Some((lane, number)) if lane == operation.lane => operation.number < number,
            _ => operation.completes <= self.now,
        }
    }

    fn is_in_the_middle_of(&self, operation: &Operation) -> bool {
        operation.starts <= self.now && self.now < operation.completes
    }
}

/// An operation that a crash undoes.
#[derive(Clone, Debug)]
pub(super) struct Undone {
    pub(super) undo: Undo,
    /// Whether it was in progress, and everything on which it builds is kept.
    pub(super) in_progress: bool,
}

/// Splits the journal at a crash. Returns the operations to undo, latest first.
pub(super) fn cut(journal: &mut Vec<Operation>, cut: Cut) -> Vec<Undone> {
    let mut tainted: Vec<Inode> = Vec::new();
    let mut undone = Vec::new();
    for operation in journal.drain(..) {
        let is_tainted = tainted.iter().any(|inode| operation.needs(*inode));
        if is_tainted || !cut.keeps(&operation) {
            operation.subjects(&mut tainted);
            let in_progress = !is_tainted && cut.is_in_the_middle_of(&operation);
            undone.push(Undone { undo: operation.undo, in_progress });
        }
    }
    undone.reverse();
    undone
}

/// Devices begin to hang: shifts the completion of the incomplete operations there, and of the
/// later operations of their handlers. Returns the lanes of these handlers.
pub(super) fn hang(journal: &mut [Operation], now: SimTime, devices: &[DeviceId]) -> Vec<u8> {
    let mut lanes = Vec::new();
    for operation in journal {
        let waits = operation.completes > now && devices.contains(&operation.device);
        if waits || lanes.contains(&operation.lane) {
            operation.starts = shifted(operation.starts, now, true);
            operation.completes = shifted(operation.completes, now, true);
            if !lanes.contains(&operation.lane) {
                lanes.push(operation.lane);
            }
        }
    }
    lanes
}

/// A device no longer hangs: handlers that wait for no device that `hangs` continue.
pub(super) fn unhang(journal: &mut [Operation], now: SimTime, hangs: impl Fn(DeviceId) -> bool) {
    let waits = |operation: &&Operation| operation.completes >= HUNG;
    let held = |operation: &&Operation| waits(operation) && hangs(operation.device);
    let held: Vec<u8> = journal.iter().filter(held).map(|operation| operation.lane).collect();
    let mut lanes: Vec<u8> = journal.iter().filter(waits).map(|operation| operation.lane).collect();
    lanes.sort_unstable();
    lanes.dedup();
    lanes.retain(|lane| !held.contains(lane));
    for operation in journal.iter_mut().filter(|operation| lanes.contains(&operation.lane)) {
        operation.starts = shifted(operation.starts, now, false);
        operation.completes = shifted(operation.completes, now, false);
    }
}

/// Devices have become faster, each by its speeds (see [`scaled`]): the rest of their operations
/// takes less time, and later operations of their handlers begin earlier. Returns the lanes of
/// these handlers, and when they complete.
pub(super) fn quicken(
    journal: &mut [Operation],
    now: SimTime,
    speeds: &[(u64, u64)],
) -> Vec<(u8, SimTime)> {
    let mut lanes: Vec<(u8, SimTime)> = Vec::new();
    for operation in journal.iter_mut().filter(|it| it.completes > now && it.completes < HUNG) {
        let speed = speeds[usize::from(operation.device)];
        let place = lanes.iter().position(|(lane, _)| *lane == operation.lane);
        if place.is_none() && speed.0 == speed.1 {
            continue;
        }
        let left = scaled(operation.completes.since(operation.starts.max(now)), speed);
        let earliest = place.map_or(now, |place| lanes[place].1);
        if operation.starts > now {
            operation.starts = earliest;
        }
        operation.completes = earliest.max(now) + left;
        match place {
            Some(place) => lanes[place].1 = operation.completes,
            None => lanes.push((operation.lane, operation.completes)),
        }
    }
    lanes
}

/// A completion time after the disk began or ceased to hang.
pub(crate) fn shifted(completes: SimTime, now: SimTime, hangs: bool) -> SimTime {
    match hangs {
        true if completes > now && completes < HUNG => HUNG + completes.since(now),
        false if completes >= HUNG => now + Span(completes.0 - HUNG.0),
        _ => completes,
    }
}

/// Undoes an operation.
pub(super) fn undo(tree: &mut Tree, undo: Undo) {
    match undo {
        Undo::Append { file, length } => {
            if let Some(file) = tree.file_mut(file) {
                file.content.truncate(length);
            }
        }
        Undo::Truncate { file, pieces, durable, cut } => {
            if let Some(file) = tree.file_mut(file) {
                pieces.into_iter().for_each(|piece| file.content.append(piece));
                (file.durable, file.cut) = (durable, cut);
            }
        }
        Undo::Sync { file, durable, cut } => {
            if let Some(file) = tree.file_mut(file) {
                (file.durable, file.cut) = (durable, cut);
            }
        }
        Undo::Names { before, first, end } => {
            before.iter().rev().for_each(|change| {
                tree.set(change);
            });
            (first..end).for_each(|number| {
                tree.unpend(number);
            });
        }
        Undo::SyncDir { settled, .. } => tree.unsettle(settled),
    }
}
