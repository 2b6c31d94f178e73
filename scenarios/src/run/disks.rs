//! The disks of a world, as checks read them.

use crate::node::Node;
use bytes::Bytes;
use engine::ids::{Offset, TopicPartition};
use engine::log::files;
use engine::log::meta_properties::META_PROPERTIES;
use judge::evidence::Disks;
use machine::NodeId;
use sim::{SimDisk, World};

/// The directory of a log: at the top of the disk, or in one of several log directories. A log
/// directory has its `meta.properties`, and no hyphen in its name.
fn log_in(disk: &SimDisk, log: &str) -> Option<String> {
    if disk.file_at(META_PROPERTIES).is_some() {
        return Some(log.to_owned());
    }
    let dirs = disk.names("").filter(|name| !name.contains('-'));
    dirs.map(|dir| format!("{dir}/{log}")).find(|path| disk.names(path).next().is_some())
}

/// The log directory that contains a log.
fn dir_of(disk: &SimDisk, log: &str) -> Option<String> {
    let path = log_in(disk, log)?;
    Some(path.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned())
}

/// Reads the disks of a world, without simulated time and without trace events.
pub(super) struct WorldDisks<'w>(pub(super) &'w World<Node>);

impl Disks for WorldDisks<'_> {
    fn segments(&self, node: NodeId, id: TopicPartition, name: &str) -> Option<Vec<Vec<Bytes>>> {
        let disk = self.0.disk(node);
        let dir = match id {
            TopicPartition::METADATA => id.to_string(),
            _ => log_in(disk, name)?,
        };
        // Names of segments are their base offsets with leading zeros, so this is their order.
        let logs = disk.names(&dir).filter(|file| file.ends_with(".log"));
        let contents = logs.filter_map(|file| {
            let view = disk.file_at(&format!("{dir}/{file}"))?;
            Some(view.pieces().cloned().collect())
        });
        let contents: Vec<_> = contents.collect();
        (!contents.is_empty()).then_some(contents)
    }

    fn snapshots(&self, node: NodeId, id: TopicPartition, name: &str) -> Vec<(Offset, Bytes)> {
        let disk = self.0.disk(node);
        let dir = match id {
            TopicPartition::METADATA => Some(id.to_string()),
            _ => log_in(disk, name),
        };
        let Some(dir) = dir else { return Vec::new() };
        let files = disk.names(&dir).filter_map(|file| {
            let offset = files::offset_in(file, files::SNAPSHOT)?;
            let view = disk.file_at(&format!("{dir}/{file}"))?;
            let pieces: Vec<Bytes> = view.pieces().cloned().collect();
            Some((offset, Bytes::from(pieces.concat())))
        });
        files.collect()
    }

    fn log_dir(&self, node: NodeId, id: TopicPartition, name: &str) -> Option<String> {
        (id != TopicPartition::METADATA).then(|| dir_of(self.0.disk(node), name))?
    }
}
