//! A disk is lost with everything on it, and replaced by an empty one.

use super::table::fault;
use super::{ActiveFault, ActiveId, DiskOperation, Fault, Harm, Inflict, Targets};
use crate::disk::FailingOperations;
use crate::exercised::Effect;
use crate::{EventId, World};
use machine::{NodeId, Process};

fault! {
    /// The disk is lost with all that is on it: every operation fails. When the fault ends an empty
    /// disk is in its place, and a process that gave up is started again; one that runs on its other
    /// disks uses the new one from its next start on.
    LostDisk = "lost-disk" {
        /// The nodes whose disks are lost.
        target: Targets<W>,
        /// Only the disk that holds this log directory.
        directory: Option<String>,
    }
}

impl Inflict for LostDisk<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Disk
    }

    fn contradicts<'a>(&self, active: &'a [ActiveFault]) -> Option<&'a ActiveFault> {
        let is_lost = |active: &&ActiveFault| match &active.fault {
            Fault::LostDisk(other) => {
                let apart = matches!(
                    (&self.directory, &other.directory),
                    (Some(one), Some(other)) if one != other
                );
                !apart && self.target.0.iter().any(|node| other.target.0.contains(node))
            }
            _ => false,
        };
        active.iter().find(is_lost)
    }

    fn shown_by(&self) -> Option<Effect> {
        Some(Effect::DiskOperationFailed)
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            world.lose_disk(node, self.directory.as_deref(), id, event);
            let (on, remaining) = (DiskOperation::Any, u32::MAX);
            let failing = FailingOperations { fault: id, on, remaining };
            let disk = &mut world.node_mut(node).disk;
            for conditions in disk.conditions_of(self.directory.as_deref()) {
                conditions.failing.push(failing.clone());
            }
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            for conditions in world.node_mut(node).disk.conditions_of(None) {
                conditions.failing.retain(|failing| failing.fault != id);
            }
            world.start_if_failed(node, event);
        }
    }
}
