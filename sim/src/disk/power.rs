//! Crashes and power losses.
//!
//! A crash of the process keeps the completed operations, and any prefix of the write in progress.
//! A power loss keeps less:
//!
//! - of each file, the bytes that were synced or written back by the host, then any prefix of the
//!   later appends; zeros may follow in place of further bytes;
//! - a truncation since the last sync may be lost, and then every later append with it;
//! - of the changes of names in a directory since its last sync, any prefix. A rename between two
//!   directories is one change in both.

use super::age::Age;
use super::content::Content;
use super::device::Device;
use super::journal::{self, Cut, Undo, Undone};
use super::tree::{Change, File, Inode, Pending, Tree};
use super::{SimDisk, tree};
use crate::SimTime;
use crate::exercised::Effect;
use crate::random::{Draw, Sample};
use bytes::Bytes;
use serde::Serialize;

/// The losses of a power loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PowerLossReport {
    /// Lost bytes: unsynced bytes, and the content of files that have no name left.
    pub bytes: u64,
    /// Lost changes of names: created, changed or removed.
    pub names: u64,
    /// Files that end within a written piece, or in zeros.
    pub torn: u64,
    /// Truncations that were lost.
    pub truncations: u64,
}

const HALF: u32 = 500_000;
const PAGE: u64 = 4096;

impl SimDisk {
    /// The process died: incomplete operations are undone, appends perhaps only in part. Returns
    /// their number.
    pub(crate) fn crash(&mut self, cut: Cut) -> u64 {
        let undone = journal::cut(&mut self.journal, cut);
        let count = undone.len() as u64;
        for Undone { mut undo, in_progress } in undone {
            if let Undo::Append { file, length } = &mut undo
                && in_progress
            {
                *length += self.written_of(*file, *length);
            }
            journal::undo(&mut self.tree, undo);
        }
        if count > 0 {
            self.refresh();
        }
        self.devices.iter_mut().for_each(|device| device.reset(cut.now));
        count
    }

    /// The number of bytes that an append in progress has written to a file of `length` bytes.
    fn written_of(&mut self, file: Inode, length: u64) -> u64 {
        let bytes = self.tree.file(file).map_or(0, |file| file.content.len() - length);
        let mut draw = self.draw();
        let written = if draw.chance(HALF) { 0 } else { draw.below(bytes) };
        if written > 0 {
            self.exercised.count(Effect::WriteTorn);
        }
        written
    }

    /// The host lost power, after the crash of its process.
    pub(crate) fn lose_power(&mut self, now: SimTime) -> PowerLossReport {
        let mut report = PowerLossReport::default();
        self.write_back(now);
        self.lose_names(&mut report);
        let mut survivors = Vec::new();
        for (_, inode) in self.tree.files(true) {
            let mut draw = self.draw();
            let file = self.tree.file_mut(inode).expect("files are listed");
            lose_content(file, &mut draw, &mut report);
            survivors.push(inode);
        }
        survivors.sort_unstable();
        self.count_forgotten(&survivors, &mut report);
        self.tree.sweep(&[]);
        self.refresh();
        report
    }

    /// Makes data durable that is old enough for the host to have written it back.
    fn write_back(&mut self, now: SimTime) {
        let age = self.timeline.profile.write_back;
        // A hanging device writes nothing back.
        let until = |device: &Device| match device.conditions.hangs() {
            true => device.conditions.hung_since.min(now),
            false => now,
        };
        let until: Vec<SimTime> = self.devices.iter().map(|device| until(device) - age).collect();
        for inode in self.tree.inodes() {
            let Some(file) = self.tree.file_mut(inode) else { continue };
            let until = until[usize::from(file.device)];
            if !file.cut.is_empty() && file.cut_at <= until {
                file.cut.clear();
            }
            if file.cut.is_empty() {
                let old = file.age.older_than(until).min(file.content.len());
                file.durable = file.durable.max(old);
            }
        }
        let directories = |pending: &Pending, tree: &Tree| {
            let device = |change: &Change| tree.directory(change.directory).map(|d| d.device);
            pending.changes.iter().filter_map(device).map(|device| until[usize::from(device)]).min()
        };
        let tree = &self.tree;
        let is_old =
            |pending: &Pending| directories(pending, tree).is_none_or(|at| pending.at <= at);
        let old = tree.pending().filter(|(_, pending)| is_old(pending));
        let old: Vec<u64> = old.map(|(number, _)| number).collect();
        self.tree.settle(old);
    }

    /// Decides which pending changes of names survive; the surviving names become the visible ones.
    fn lose_names(&mut self, report: &mut PowerLossReport) {
        let mut lost_from: Vec<Inode> = Vec::new();
        for pending in self.tree.take_pending() {
            let survives = self.draw().chance(HALF);
            let directories = pending.changes.iter().map(|change| change.directory);
            if survives && directories.clone().all(|directory| !lost_from.contains(&directory)) {
                for change in &pending.changes {
                    self.tree.set_durable(change);
                }
            } else {
                report.names += pending.changes.len() as u64;
                lost_from.extend(directories);
            }
        }
        for inode in self.tree.inodes() {
            if let Some(directory) = self.tree.directory_mut(inode) {
                directory.names = directory.durable.clone();
            }
        }
    }

    /// Counts the bytes of visible files that have lost their names. `survivors` are sorted.
    fn count_forgotten(&self, survivors: &[Inode], report: &mut PowerLossReport) {
        for inode in self.tree.inodes() {
            if let Some(file) = self.tree.file(inode).filter(|file| file.linked)
                && inode != tree::ROOT
                && survivors.binary_search(&inode).is_err()
            {
                report.bytes += file.content.len();
            }
        }
    }
}

/// Decides which content is left of a file whose name has survived.
fn lose_content(file: &mut File, draw: &mut Draw, report: &mut PowerLossReport) {
    if file.is_dirty() {
        let unsynced = file.content.len() - file.durable;
        if !file.cut.is_empty() && draw.chance(HALF) {
            report.bytes += unsynced;
            report.truncations += 1;
            file.content = file.durable_content();
        } else {
            let (kept, zeros) = surviving_tail(unsynced, draw);
            report.bytes += unsynced - kept;
            report.torn += u64::from(zeros > 0 || splits_a_piece(file, kept));
            file.content.truncate(file.durable + kept);
            file.content.append(Bytes::from(vec![0; zeros as usize]));
        }
    }
    file.durable = file.content.len();
    file.cut.clear();
    file.age = Age::default();
}

/// The number of unsynced bytes that survive, and the number of zeros that follow.
fn surviving_tail(unsynced: u64, draw: &mut Draw) -> (u64, u64) {
    // All and none are the most common outcomes in practice, and those that reveal the most bugs.
    let kept = match draw.below(4) {
        0 => 0,
        1 => unsynced,
        _ => draw.below(unsynced + 1),
    };
    let zeros = if draw.chance(HALF / 2) { draw.below(PAGE).min(unsynced - kept) } else { 0 };
    (kept, zeros)
}

fn splits_a_piece(file: &File, kept: u64) -> bool {
    let at = file.durable + kept;
    at != 0 && at < file.content.len() && !ends_a_piece(&file.content, at)
}

fn ends_a_piece(content: &Content, at: u64) -> bool {
    let mut end = 0;
    content.pieces().any(|piece| {
        end += piece.len() as u64;
        end == at
    })
}
