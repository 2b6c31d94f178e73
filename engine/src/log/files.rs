//! Names of a log's files, and the two ways to write a file whole (`LogFileUtils`,
//! `CheckpointFile`).

use bytes::Bytes;
use machine::{Disk, DiskError, FileId};

/// `.log`: the batches of a segment.
pub const LOG: &str = "log";
/// `.index`: the offset index, from offsets to positions.
pub const INDEX: &str = "index";
/// `.timeindex`: the time index, from timestamps to offsets.
pub const TIME_INDEX: &str = "timeindex";
/// `.txnindex`: aborted transactions.
pub const TXN_INDEX: &str = "txnindex";
/// `.snapshot`: producer state.
pub const SNAPSHOT: &str = "snapshot";
/// The file of a log's leader epochs.
pub const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
/// The file with a log's topic id.
pub const PARTITION_METADATA: &str = "partition.metadata";

/// `dir/00000000000000000123.kind`: the file of this kind for offset 123.
pub fn at_offset(dir: &str, offset: i64, kind: &str) -> String {
    format!("{dir}/{offset:020}.{kind}")
}

/// The offset in the name of a file of this kind; `None` for other names.
pub fn offset_in(name: &str, kind: &str) -> Option<i64> {
    let stem = name.strip_suffix(kind)?.strip_suffix('.')?;
    let digits = stem.len() == 20 && stem.bytes().all(|b| b.is_ascii_digit());
    if digits { stem.parse().ok() } else { None }
}

/// The directory that contains a path; `""` for the root.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Replaces a file so that after a crash it is the old one or the new one: write beside it, fsync,
/// rename, fsync the directory.
///
/// # Errors
///
/// Any error of the disk. The old file is then still there, unless only the last step failed.
pub fn replace(disk: &mut dyn Disk, path: &str, content: Bytes) -> Result<(), DiskError> {
    let beside = format!("{path}.tmp");
    let file = create_anew(disk, &beside)?;
    disk.append(file, content)?;
    disk.sync(file)?;
    disk.rename(&beside, path)?;
    disk.sync_dir(parent(path))
}

/// Creates an empty file, and removes an existing one of the same name.
///
/// # Errors
///
/// Any error of the disk.
pub fn create_anew(disk: &mut dyn Disk, path: &str) -> Result<FileId, DiskError> {
    match disk.create(path) {
        Err(DiskError::AlreadyExists) => {
            let file = disk.open(path)?;
            disk.truncate(file, 0)?;
            Ok(file)
        }
        other => other,
    }
}

/// Opens a file, or creates it empty.
///
/// # Errors
///
/// Any error of the disk.
pub fn open_or_create(disk: &mut dyn Disk, path: &str) -> Result<FileId, DiskError> {
    match disk.open(path) {
        Err(DiskError::NotFound) => disk.create(path),
        other => other,
    }
}

/// The content of a file, or `None` if there is no such file.
///
/// # Errors
///
/// Any error of the disk but [`DiskError::NotFound`].
pub fn read_all(disk: &mut dyn Disk, path: &str) -> Result<Option<Bytes>, DiskError> {
    let file = match disk.open(path) {
        Err(DiskError::NotFound) => return Ok(None),
        other => other?,
    };
    let length = disk.len(file)?;
    disk.read(file, 0, length).map(Some)
}

/// Removes a file. That it does not exist is not an error.
///
/// # Errors
///
/// Any error of the disk but [`DiskError::NotFound`].
pub fn remove_if_there(disk: &mut dyn Disk, path: &str) -> Result<(), DiskError> {
    match disk.remove(path) {
        Err(DiskError::NotFound) => Ok(()),
        other => other,
    }
}
