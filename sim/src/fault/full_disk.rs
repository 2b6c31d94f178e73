//! A disk runs out of space: the process itself fills it, or something else on the host does.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::exercised::Effect;
use crate::{EventId, World};
use machine::{NodeId, Process, Span};

fault! {
    /// The disk is full once `after` more bytes are written. A write that fails may be partly done.
    /// When the fault ends there is room again, and a process that gave up is started again.
    FullDisk = "full-disk" {
        /// The nodes whose disks are full.
        target: Targets<W>,
        /// Only the disk that holds this log directory.
        directory: Option<String>,
        /// The number of bytes that still fit when the fault begins; 0 unless given.
        after: Option<u64>,
        /// Another process on the host fills the disk and frees it again, alternating at this
        /// interval.
        neighbour: Option<Span>,
    }
}

impl FullDisk<NodeId> {
    fn fill<P: Process>(&self, world: &mut World<P>, node: usize, id: ActiveId) {
        let after = self.after.unwrap_or(0);
        world.node_mut(node).disk.limit(self.directory.as_deref(), id, after);
    }

    /// The neighbour frees the space, or fills the disk again.
    pub(crate) fn turn<P: Process>(&self, world: &mut World<P>, id: ActiveId, fills: bool) {
        for node in world.targets(&self.target) {
            match fills {
                true => self.fill(world, node, id),
                false => world.node_mut(node).disk.unlimit(id),
            }
        }
    }
}

impl Inflict for FullDisk<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Down
    }

    fn shown_by(&self) -> Option<Effect> {
        Some(Effect::DiskWasFull)
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        self.turn(world, id, true);
        if let Some(every) = self.neighbour {
            world.take_turns(id, every);
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            world.node_mut(node).disk.unlimit(id);
            world.start_if_failed(node, event);
        }
    }
}
