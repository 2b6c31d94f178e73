//! The effects of faults on devices: hang, fill, wipe, corrupt a sector.

use super::conditions::Conditions;
use super::device::{Device, DeviceId};
use super::{HUNG, SimDisk, journal};
use crate::SimTime;
use crate::fault::ActiveId;
use crate::random::Sample;

/// The number of bytes that are corrupted together.
const SECTOR: u64 = 512;

impl SimDisk {
    /// Gives each of these directories a device of its own. Call it while the directories are
    /// empty.
    pub(crate) fn mount(&mut self, directories: &[String]) {
        self.devices.truncate(1);
        self.devices.extend(directories.iter().map(|path| Device::new(path.trim_matches('/'))));
    }

    /// Whether a device is that of `directory`; without `directory` every device is.
    fn is_meant(device: &Device, directory: Option<&str>) -> bool {
        directory.is_none_or(|directory| device.path == directory.trim_matches('/'))
    }

    /// The directories that have a device of their own.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.devices[1..].iter().map(|device| device.path.as_str())
    }

    /// The conditions of the device of a directory, or of all devices.
    pub(crate) fn conditions_of(
        &mut self,
        directory: Option<&str>,
    ) -> impl Iterator<Item = &mut Conditions> {
        let meant = self.devices.iter_mut().filter(move |it| Self::is_meant(it, directory));
        meant.map(|device| &mut device.conditions)
    }

    /// At most `after` more bytes fit on the device of a directory, or on each device.
    pub(crate) fn limit(&mut self, directory: Option<&str>, fault: ActiveId, after: u64) {
        for device in self.devices.iter_mut().filter(|it| Self::is_meant(it, directory)) {
            let limit = device.used.saturating_add(after);
            device.conditions.limits.push((fault, limit));
        }
    }

    /// A fault no longer limits any device.
    pub(crate) fn unlimit(&mut self, fault: ActiveId) {
        for device in &mut self.devices {
            device.conditions.limits.retain(|(by, _)| *by != fault);
        }
    }

    /// The device of a directory, or each device, begins to hang. Returns the lanes whose handlers
    /// wait for it.
    pub(crate) fn hang(
        &mut self,
        now: SimTime,
        directory: Option<&str>,
        fault: ActiveId,
    ) -> Vec<u8> {
        let mut begins = Vec::new();
        for (id, device) in self.devices.iter_mut().enumerate() {
            if Self::is_meant(device, directory) {
                if !device.conditions.hangs() {
                    device.conditions.hung_since = now;
                    device.shift(now, true);
                    begins.push(id as DeviceId);
                }
                device.conditions.hung_by.push(fault);
            }
        }
        journal::hang(&mut self.journal, now, &begins)
    }

    /// A fault no longer makes devices hang.
    pub(crate) fn unhang(&mut self, now: SimTime, fault: ActiveId) {
        for device in &mut self.devices {
            let hung = device.conditions.hangs();
            device.conditions.hung_by.retain(|by| *by != fault);
            if hung && !device.conditions.hangs() {
                device.shift(now, false);
            }
        }
        let devices = &self.devices;
        let hangs = |id: DeviceId| devices[usize::from(id)].conditions.hangs();
        journal::unhang(&mut self.journal, now, hangs);
    }

    /// Whether the handler on a lane waits for a device that hangs.
    pub(crate) fn holds(&self, lane: u8) -> bool {
        self.journal.iter().any(|operation| operation.lane == lane && operation.completes >= HUNG)
    }

    /// A fault no longer slows any device: operations in progress continue at the present speed of
    /// the device. Returns the lanes whose handlers complete earlier, and when.
    pub(crate) fn quicken(&mut self, now: SimTime, fault: ActiveId) -> Vec<(u8, SimTime)> {
        let mut speeds = Vec::new();
        for device in &mut self.devices {
            let before = device.conditions.slowness();
            device.conditions.slow.retain(|(by, _)| *by != fault);
            let speed = (device.conditions.slowness(), before);
            device.quicken(now, speed);
            speeds.push(speed);
        }
        journal::quicken(&mut self.journal, now, &speeds)
    }

    /// Everything on the device of a directory, or on each device, is gone. Returns the number of
    /// bytes, and the directories that had files on it.
    pub(crate) fn wipe(&mut self, directory: Option<&str>) -> (u64, Vec<String>) {
        let meant: Vec<bool> =
            self.devices.iter().map(|device| Self::is_meant(device, directory)).collect();
        let is_meant = |id: DeviceId| meant[usize::from(id)];
        let emptied = self.emptied(&is_meant);
        // An operation in progress there can neither complete nor be undone.
        self.journal.retain(|operation| !is_meant(operation.device));
        self.tree.wipe(&is_meant);
        let used = |(_, device): (bool, &mut Device)| std::mem::take(&mut device.used);
        let wiped = meant.iter().copied().zip(&mut self.devices).filter(|(meant, _)| *meant);
        (wiped.map(used).sum(), emptied)
    }

    /// The directories that have files on these devices.
    fn emptied(&self, is_meant: &impl Fn(DeviceId) -> bool) -> Vec<String> {
        let on_it = |inode| self.tree.file(inode).is_some_and(|file| is_meant(file.device));
        let files = self.tree.files(false).into_iter().filter(|(_, inode)| on_it(*inode));
        let mut all: Vec<String> = files.map(|(path, _)| parent(&path).to_owned()).collect();
        all.dedup();
        all
    }

    /// Changes the bytes of one sector of a file on the device of a directory, or on any device.
    /// Only files whose names end in `ending` qualify; with `closed`, the last of them in each
    /// directory does not. Returns the file and the byte at which the sector begins.
    pub(crate) fn corrupt_sector(
        &mut self,
        directory: Option<&str>,
        ending: &str,
        closed: bool,
    ) -> Option<(String, u64)> {
        let mut files = self.tree.files(false);
        files.retain(|(path, _)| path.ends_with(ending));
        if closed {
            let parents: Vec<_> = files.iter().map(|(path, _)| parent(path).to_owned()).collect();
            let last = |i: usize| parents.get(i + 1) != Some(&parents[i]);
            let mut place = 0..;
            files.retain(|_| place.next().is_some_and(|i| !last(i)));
        }
        files.retain(|(_, inode)| {
            let file = self.tree.file(*inode).expect("files are listed");
            !file.content.is_empty()
                && Self::is_meant(&self.devices[usize::from(file.device)], directory)
        });
        let mut draw = self.draw();
        let place = draw.below((files.len() as u64).max(1)) as usize;
        let (path, inode) = files.get(place)?.clone();
        let content = &mut self.tree.file_mut(inode)?.content;
        let at = draw.below(content.len().div_ceil(SECTOR)) * SECTOR;
        for at in at..content.len().min(at + SECTOR) {
            let byte = content.read(at, 1)[0];
            content.overwrite(at, byte ^ 0x5a);
        }
        Some((path, at))
    }
}

/// The path of the directory that a file is in.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
