//! A disk becomes slow, as disks do before they fail, or when a neighbour is busy.

use super::{ActiveId, Inflict};
use crate::exercised::Effect;
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// Disk operations take longer. Of several such faults the worst counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowDisk {
    /// Whose disk.
    #[serde(with = "text::node")]
    pub node: NodeId,
    /// How long they take, in percent of what they would: 1000 is ten times as long.
    pub percent: u32,
}

impl Inflict for SlowDisk {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn shown_by(&self) -> Option<(NodeId, Effect)> {
        Some((self.node, Effect::DiskOperationSlowed))
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        world.node_mut(node).disk.conditions_mut().slow.push((id, self.percent));
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        world.node_mut(node).disk.conditions_mut().slow.retain(|(by, _)| *by != id);
    }
}
