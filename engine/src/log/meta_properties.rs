//! `meta.properties`: the node that owns a log directory, and the id of the directory
//! (`MetaProperties`, KIP-858).

use super::{files, partition_metadata};
use crate::ids::{BrokerId, DirectoryId};
use bytes::Bytes;
use machine::{Disk, DiskError};

/// Its name in a log directory.
pub const META_PROPERTIES: &str = "meta.properties";

/// Formats the log directory `log_dir` of broker `node`.
///
/// # Errors
///
/// Any error of the disk.
pub fn write(
    disk: &mut dyn Disk,
    log_dir: &str,
    node: BrokerId,
    id: DirectoryId,
) -> Result<(), DiskError> {
    let id = partition_metadata::encode(id.0);
    let content = format!("node.id={node}\ndirectory.id={id}\nversion=1\n");
    files::replace(disk, &path(log_dir), Bytes::from(content))
}

/// The id of the log directory `log_dir`; `None` if it has not been formatted.
///
/// # Errors
///
/// Any error of the disk.
pub fn read(disk: &mut dyn Disk, log_dir: &str) -> Result<Option<DirectoryId>, DiskError> {
    let content = files::read_all(disk, &path(log_dir))?;
    Ok(content.and_then(|content| {
        let text = std::str::from_utf8(&content).ok()?;
        let id = text.lines().find_map(|line| line.strip_prefix("directory.id="))?;
        partition_metadata::decode(id).map(DirectoryId)
    }))
}

fn path(log_dir: &str) -> String {
    if log_dir.is_empty() { META_PROPERTIES.into() } else { format!("{log_dir}/{META_PROPERTIES}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testdisk::TestDisk;

    #[test]
    fn a_directory_keeps_the_id_that_it_was_formatted_with() {
        let mut disk = TestDisk::default();
        disk.create_dir("d0").unwrap();
        assert_eq!(read(&mut disk, "d0"), Ok(None));
        let id = DirectoryId(0x1234_5678_9abc_def0_0fed_cba9_8765_4321);
        write(&mut disk, "d0", 3, id).unwrap();
        assert_eq!(read(&mut disk, "d0"), Ok(Some(id)));
    }
}
