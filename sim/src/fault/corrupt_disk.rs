//! A sector of a file goes bad, and the disk does not notice: reading it returns other bytes.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::{EventId, World};
use machine::{NodeId, Process};

fault! {
    /// One sector (512 bytes) of one file holds other bytes from now on. Which file and which sector
    /// the seed decides. It cannot be undone.
    CorruptDisk = "corrupt-disk" {
        /// The nodes whose disks go bad.
        target: Targets<W>,
        /// Only the disk that holds this log directory.
        directory: Option<String>,
        /// Files whose names end so: `.log` for segments, `.index`, `.timeindex`, `checkpoint`.
        file: String,
        /// Files that are no longer written to, as closed segments: of those whose names end so in
        /// one directory, all but the last.
        closed: bool,
    }
}

impl Inflict for CorruptDisk<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Disk
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        for node in world.targets(&self.target) {
            let directory = self.directory.as_deref();
            if world.corrupt_disk(node, directory, &self.file, self.closed) {
                world.has_effect(id);
            }
        }
    }
}
