//! Crashes and power losses.
//!
//! A crash of the process keeps what its completed operations did, and of the write in progress any
//! prefix. A power loss keeps less:
//!
//! - of each file, what was synced or has been written back by the host, then any prefix of what was appended since; the last piece may
//!   be torn, or its place be taken but hold zeros;
//! - a truncation since the last sync has happened, or has not; then nothing after it has;
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

/// What a power loss took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PowerLossReport {
    /// Bytes that had been appended and were not synced.
    pub bytes: u64,
    /// Names that had been created, changed or removed.
    pub names: u64,
    /// Files whose last write is torn: partly there, or zeros.
    pub torn: u64,
    /// Truncations that did not happen after all.
    pub truncations: u64,
}

const HALF: u32 = 500_000;
const PAGE: u64 = 4096;

impl SimDisk {
    /// The process died: operations that had not completed did not happen, or in part. Returns
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

    /// How many bytes have been written by an append in progress to a file of `length` bytes.
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

    /// Makes durable what is so old that the host has written it back by itself.
    fn write_back(&mut self, now: SimTime) {
        let age = self.timeline.profile.write_back;
        // A device that hangs has written nothing back since it does.
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

    /// Decides which pending changes of names have survived, and makes them all there is.
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

    /// Files that the process saw and that are gone with their names. `survivors` are sorted.
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

/// Decides what is left of a file whose name has survived.
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

/// How many unsynced bytes survive, and how many zeros follow them.
fn surviving_tail(unsynced: u64, draw: &mut Draw) -> (u64, u64) {
    // All and nothing are the commonest outcomes in the field, and the ones that bugs like.
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
