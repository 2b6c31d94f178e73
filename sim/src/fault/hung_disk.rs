//! A disk hangs. Handlers that write do not complete, nor does what waits for their lanes and
//! locks; lanes that do not touch the disk go on.

use super::{ActiveId, Inflict};
use crate::exercised::Effect;
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// No disk operation completes until this is undone; then all do, after the time they would have
/// taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HungDisk {
    /// Whose disk.
    #[serde(with = "text::node")]
    pub node: NodeId,
}

impl Inflict for HungDisk {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn shown_by(&self) -> Option<(NodeId, Effect)> {
        Some((self.node, Effect::DiskOperationHung))
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        let hung_by = &mut world.node_mut(node).hung_by;
        hung_by.push(id);
        if hung_by.len() == 1 {
            world.set_disk_hangs(node, true);
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        let hung_by = &mut world.node_mut(node).hung_by;
        hung_by.retain(|by| *by != id);
        if hung_by.is_empty() {
            world.set_disk_hangs(node, false);
        }
    }
}
