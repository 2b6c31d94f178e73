//! A sector of a file is corrupted without an error: reading it returns other bytes.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::{EventId, World};
use machine::{NodeId, Process};

fault! {
    /// One sector (512 bytes) of one file holds other bytes from now on. The seed decides which
    /// file and which sector. It cannot be undone.
    CorruptDisk = "corrupt-disk" {
        /// The nodes on whose disks a sector is corrupted.
        target: Targets<W>,
        /// Only the disk that holds this log directory.
        directory: Option<String>,
        /// The end of the file's name: `.log` for segments, `.index`, `.timeindex`, `checkpoint`.
        file: String,
        /// Only a file that is no longer written to, such as a closed segment: any matching file of
        /// a directory but the last.
        closed: bool,
    }
}

impl Inflict for CorruptDisk<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Disk
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            let directory = self.directory.as_deref();
            if world.corrupt_disk(node, directory, &self.file, self.closed, event) {
                world.has_effect(id);
            }
        }
    }
}
