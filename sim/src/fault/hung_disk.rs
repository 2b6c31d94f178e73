//! A disk hangs. Handlers that write do not complete, nor do inputs that wait for their lanes and
//! locks; lanes that do not use the disk continue.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::exercised::Effect;
use crate::{EventId, World};
use machine::{NodeId, Process};

fault! {
    /// No disk operation completes. When the fault ends, each completes after the time that it
    /// would have taken.
    HungDisk = "hung-disk" {
        /// The nodes whose disks hang.
        target: Targets<W>,
        /// Only the disk that holds this log directory.
        directory: Option<String>,
    }
}

impl Inflict for HungDisk<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Down
    }

    fn shown_by(&self) -> Option<Effect> {
        Some(Effect::DiskOperationHung)
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        for node in world.targets(&self.target) {
            world.hang_disks(node, self.directory.as_deref(), id);
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        for node in world.targets(&self.target) {
            world.unhang_disks(node, id);
        }
    }
}
