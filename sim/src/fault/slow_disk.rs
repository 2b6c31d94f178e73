//! A disk becomes slow, as disks do before they fail, or when a neighbour is busy.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::exercised::Effect;
use crate::{EventId, World};
use machine::{NodeId, Process};

fault! {
    /// Disk operations take longer. The largest factor of several such faults counts. When the
    /// fault ends, operations in progress continue at the usual speed.
    SlowDisk = "slow-disk" {
        /// The nodes whose disks are slow.
        target: Targets<W>,
        /// Only the disk that holds this log directory.
        directory: Option<String>,
        /// The factor by which they take longer.
        factor: u32,
    }
}

impl Inflict for SlowDisk<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Slow
    }

    fn shown_by(&self) -> Option<Effect> {
        Some(Effect::DiskOperationSlowed)
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        for node in world.targets(&self.target) {
            let disk = &mut world.node_mut(node).disk;
            for conditions in disk.conditions_of(self.directory.as_deref()) {
                conditions.slow.push((id, self.factor));
            }
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        for node in world.targets(&self.target) {
            world.quicken_disks(node, id);
        }
    }
}
