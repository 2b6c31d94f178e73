//! The log directories of a broker (`log.dirs`; `LogManager`, `LogDirFailureChannel`; KIP-112,
//! KIP-858).
//!
//! A failed call to the disk takes its directory offline for the rest of this life: requests for
//! its replicas get `KAFKA_STORAGE_ERROR`, and the other directories continue. If no directory is
//! left, the broker ends. The metadata log has its own directory; if that one fails, the broker
//! ends as well.

use crate::broker::context::{Cx, Io};
use crate::fact::Fact;
use crate::ids::{BrokerEpoch, DirectoryId, TopicPartition};
use crate::log::{clean_shutdown, files, meta_properties};
use crate::timer::{BrokerTimer, Timer};
use machine::{Boot, DiskError, Halt};

/// A log directory by its position in `log.dirs`, from 0.
pub(in crate::broker) type DirIndex = u8;

/// The log directories, in the order of `log.dirs`.
#[derive(Clone, Debug)]
pub(in crate::broker) struct LogDirs {
    dirs: Vec<LogDir>,
}

/// A log directory.
#[derive(Clone, Debug)]
struct LogDir {
    /// Its path relative to the root of the disk, which is `""`.
    path: String,
    /// [`DirectoryId::LOST`] if its `meta.properties` could not be read.
    id: DirectoryId,
    state: State,
    /// All of its logs have been loaded, so it may get a clean-shutdown file.
    loaded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Online,
    /// A call has failed, and the replicas in the directory have not been stopped yet.
    Failing,
    Offline,
}

impl LogDirs {
    /// Opens the directories at a start. One without `meta.properties` is new, and formatted with
    /// a random id; one that cannot be read is offline.
    ///
    /// # Errors
    ///
    /// If no directory is online.
    pub(in crate::broker) fn open(
        paths: &[String],
        boot: &Boot,
        io: &mut Io<'_>,
    ) -> Result<Self, Halt> {
        let mut dirs = Self { dirs: Vec::with_capacity(paths.len()) };
        for (index, path) in (0..).zip(paths) {
            let opened = open(path, random_id(boot, index), boot.node.node, io);
            let state = if opened.is_ok() { State::Online } else { State::Offline };
            if let Err(error) = opened {
                let (path, error) = (path.clone(), error.to_string());
                io.out.observe(Fact::LogDirFailed { path, partition: None, error });
            }
            let id = opened.unwrap_or(DirectoryId::LOST);
            dirs.dirs.push(LogDir { path: path.clone(), id, state, loaded: false });
        }
        dirs.check_any_left()?;
        Ok(dirs)
    }

    /// The broker epoch in the clean-shutdown files, if all directories are online and agree
    /// (`LogManager.readBrokerEpochFromCleanShutdownFiles`).
    pub(in crate::broker) fn previous_broker_epoch(&self, io: &mut Io<'_>) -> Option<BrokerEpoch> {
        let mut common = None;
        for dir in &self.dirs {
            let online = dir.state == State::Online;
            let epoch = clean_shutdown::read(io.disk, &dir.path).ok().flatten();
            let epoch = epoch.filter(|_| online)?;
            if common.is_some_and(|other| other != epoch) {
                return None;
            }
            common = Some(epoch);
        }
        common
    }

    /// The ids of the directories that are online, in ascending order.
    pub(in crate::broker) fn online_ids(&self) -> Vec<DirectoryId> {
        let mut ids: Vec<_> = self.online().map(|index| self.id(index)).collect();
        ids.sort_unstable();
        ids
    }

    /// The directories that are online.
    pub(super) fn online(&self) -> impl Iterator<Item = DirIndex> {
        let dirs = (0..).zip(&self.dirs);
        dirs.filter(|(_, dir)| dir.state == State::Online).map(|(index, _)| index)
    }

    /// Whether some directory is not online.
    pub(super) fn any_offline(&self) -> bool {
        self.dirs.iter().any(|dir| dir.state != State::Online)
    }

    /// The directory with this id, if it is online.
    pub(super) fn with_id(&self, id: DirectoryId) -> Option<DirIndex> {
        self.online().find(|index| self.id(*index) == id)
    }

    /// The directory that contains the log in `path`.
    pub(super) fn of_log(&self, path: &str) -> Option<DirIndex> {
        let parent = files::parent(path);
        let found = self.dirs.iter().position(|dir| dir.path == parent)?;
        DirIndex::try_from(found).ok()
    }

    pub(super) fn id(&self, index: DirIndex) -> DirectoryId {
        self.dirs[usize::from(index)].id
    }

    pub(super) fn path(&self, index: DirIndex) -> &str {
        &self.dirs[usize::from(index)].path
    }

    /// The path of the file `name` in a directory.
    pub(super) fn join(&self, index: DirIndex, name: &str) -> String {
        match self.path(index) {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        }
    }

    /// Records that all logs of a directory have been loaded.
    pub(super) fn set_loaded(&mut self, index: DirIndex) {
        self.dirs[usize::from(index)].loaded = true;
    }

    /// The paths of the directories that may get a clean-shutdown file.
    pub(super) fn markable(&self) -> impl Iterator<Item = &str> {
        let may = |dir: &&LogDir| dir.state == State::Online && dir.loaded;
        self.dirs.iter().filter(may).map(|dir| dir.path.as_str())
    }

    /// Begins to take a directory offline, because a call to the disk has failed there, in the log
    /// of `partition` if given. A separate input stops the replicas, and waits for handlers that
    /// work on them.
    pub(super) fn failed(
        &mut self,
        index: DirIndex,
        partition: Option<TopicPartition>,
        error: &dyn std::fmt::Display,
        cx: &mut Cx<'_>,
    ) {
        let dir = &mut self.dirs[usize::from(index)];
        if dir.state == State::Online {
            dir.state = State::Failing;
            let (path, error) = (dir.path.clone(), error.to_string());
            cx.io.out.observe(Fact::LogDirFailed { path, partition, error });
            cx.io.out.set_timer(Timer::Broker(BrokerTimer::LogDirFailed(index)), cx.io.now.mono);
        }
    }

    /// Marks a directory as offline. Returns its id, or `None` if it was offline before.
    ///
    /// # Errors
    ///
    /// If it was the last directory online.
    pub(super) fn take_offline(&mut self, index: DirIndex) -> Result<Option<DirectoryId>, Halt> {
        let dir = &mut self.dirs[usize::from(index)];
        let before = std::mem::replace(&mut dir.state, State::Offline);
        let id = (before != State::Offline).then_some(dir.id);
        self.check_any_left()?;
        Ok(id)
    }

    fn check_any_left(&self) -> Result<(), Halt> {
        if self.dirs.iter().all(|dir| dir.state == State::Offline) {
            return Err(Halt::Failed("all log directories have failed".to_owned()));
        }
        Ok(())
    }
}

/// Opens a directory, and formats it if it is new.
fn open(
    path: &str,
    new_id: DirectoryId,
    node: u16,
    io: &mut Io<'_>,
) -> Result<DirectoryId, DiskError> {
    if !path.is_empty() {
        io.disk.create_dir(path)?;
        io.disk.sync_dir(files::parent(path))?;
    }
    if let Some(id) = meta_properties::read(io.disk, path)? {
        return Ok(id);
    }
    meta_properties::write(io.disk, path, node, new_id)?;
    Ok(new_id)
}

/// A new id for every directory that is formatted.
fn random_id(boot: &Boot, index: DirIndex) -> DirectoryId {
    let low = (u64::from(boot.node.node) << 32) | (u64::from(boot.incarnation) << 16);
    DirectoryId((u128::from(boot.entropy | 1) << 64) | u128::from(low | u64::from(index)))
}
