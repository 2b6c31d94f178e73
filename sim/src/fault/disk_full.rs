//! A disk runs out of space, as when something else on the host fills it.

use super::{ActiveId, Inflict};
use crate::exercised::Effect;
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// So many more bytes fit on a disk, and no more. A write that fails may leave a part of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFull {
    /// Whose disk.
    #[serde(with = "text::node")]
    pub node: NodeId,
    /// How many bytes more than now fit.
    #[serde(default)]
    pub after: u64,
}

impl Inflict for DiskFull {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn shown_by(&self) -> Option<(NodeId, Effect)> {
        Some((self.node, Effect::DiskWasFull))
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        let disk = &mut world.node_mut(node).disk;
        let limit = disk.used().saturating_add(self.after);
        disk.conditions_mut().limits.push((id, limit));
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        world.node_mut(node).disk.conditions_mut().limits.retain(|(by, _)| *by != id);
    }
}
