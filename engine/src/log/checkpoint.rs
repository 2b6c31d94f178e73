//! Checkpoint files: a version, a number of lines, and the lines (`CheckpointFile`,
//! `OffsetCheckpointFile`). A file is replaced as a whole, so that a crash leaves the old or the
//! new one.

use super::files;
use bytes::Bytes;
use machine::{Disk, DiskError};
use std::collections::BTreeMap;

/// High watermarks, in a log directory.
pub const REPLICATION_OFFSETS: &str = "replication-offset-checkpoint";
/// Recovery points, in a log directory.
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// Log start offsets that lie above the first segment's base, in a log directory (KIP-107).
pub const LOG_START_OFFSETS: &str = "log-start-offset-checkpoint";

/// The only version of the format.
const VERSION: &str = "0";

/// The offset of each topic and partition.
pub type Offsets = BTreeMap<(String, u32), i64>;

/// Reads a checkpoint of offsets. A file that does not exist or is damaged counts as empty: the
/// offsets of its partitions are 0 then. Kafka does so for recovery points and log starts
/// (`LogManager.loadLogs`); a damaged file of high watermarks takes the log directory offline there
/// (`CheckpointFileWithFailureHandler.read`).
///
/// # Errors
///
/// Any error of the disk.
pub fn read(disk: &mut dyn Disk, path: &str) -> Result<Offsets, DiskError> {
    let Some(content) = files::read_all(disk, path)? else {
        return Ok(Offsets::new());
    };
    let offsets = lines(&content).and_then(|lines| lines.map(parse).collect());
    Ok(offsets.unwrap_or_default())
}

/// Replaces a checkpoint of offsets.
///
/// # Errors
///
/// Any error of the disk; the old content is then still there.
pub fn write<'a>(
    disk: &mut dyn Disk,
    path: &str,
    offsets: impl IntoIterator<Item = (&'a str, u32, i64)>,
) -> Result<(), DiskError> {
    use std::fmt::Write as _;
    let (mut body, mut count) = (String::new(), 0);
    for (topic, partition, offset) in offsets {
        let _ = writeln!(body, "{topic} {partition} {offset}");
        count += 1;
    }
    files::replace(disk, path, Bytes::from(text(count, &body)))
}

fn parse(line: &str) -> Option<((String, u32), i64)> {
    let mut words = line.split(' ');
    let topic = words.next()?.to_owned();
    let partition = words.next()?.parse().ok()?;
    let offset = words.next()?.parse().ok()?;
    words.next().is_none().then_some(((topic, partition), offset))
}

/// The content of a checkpoint file with `count` lines.
pub(super) fn text(count: usize, lines: &str) -> String {
    format!("{VERSION}\n{count}\n{lines}")
}

/// The lines of a checkpoint file, or `None` if its version is another one, or its number of lines
/// differs from the number that it states.
pub(super) fn lines(content: &[u8]) -> Option<impl Iterator<Item = &str>> {
    let text = std::str::from_utf8(content).ok()?;
    let (version, text) = text.split_once('\n')?;
    let (count, text) = text.split_once('\n')?;
    let count: usize = count.trim().parse().ok()?;
    (version.trim() == VERSION && text.lines().count() == count).then(|| text.lines())
}
