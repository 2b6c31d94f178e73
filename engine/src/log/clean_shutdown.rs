//! The clean-shutdown file, and the broker epoch in it (`CleanShutdownFileHandler`, KIP-966).
//!
//! It is written last, when every log has been flushed and closed, and deleted first, before any
//! log is loaded: whatever happens in between, a second start does not mistake a crash for a clean
//! shutdown. A broker that finds it registers with the epoch, and keeps its place in the ELR.

use super::files;
use bytes::Bytes;
use machine::{Disk, DiskError};

/// Its name in a log directory.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// Writes the file at the end of a clean shutdown in `broker_epoch`.
///
/// # Errors
///
/// Any of the disk's; the shutdown is then not a clean one.
pub fn write(disk: &mut dyn Disk, log_dir: &str, broker_epoch: i64) -> Result<(), DiskError> {
    let content = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
    files::replace(disk, &path(log_dir), Bytes::from(content))
}

/// The broker epoch in the mark, which stays. `None` if there is no mark, or one without an epoch.
///
/// # Errors
///
/// Any of the disk's.
pub fn read(disk: &mut dyn Disk, log_dir: &str) -> Result<Option<i64>, DiskError> {
    let content = files::read_all(disk, &path(log_dir))?;
    Ok(content.and_then(|content| epoch_in(&content)))
}

/// Removes the file durably. Returns whether there was one: if not, the last life ended in a crash.
///
/// # Errors
///
/// Any of the disk's.
pub fn take(disk: &mut dyn Disk, log_dir: &str) -> Result<bool, DiskError> {
    let path = path(log_dir);
    match disk.remove(&path) {
        Ok(()) => disk.sync_dir(log_dir).map(|()| true),
        Err(DiskError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

fn path(log_dir: &str) -> String {
    if log_dir.is_empty() { CLEAN_SHUTDOWN.into() } else { format!("{log_dir}/{CLEAN_SHUTDOWN}") }
}

/// The one number that the file is about; there is no need for a JSON parser.
fn epoch_in(content: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(content).ok()?;
    let (_, rest) = text.split_once("\"brokerEpoch\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
