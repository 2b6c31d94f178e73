//! A host loses power. Only what was synced is sure to be left, and nobody is told: the other ends
//! of its connections stay half open.

use super::{ActiveId, Inflict, Undoing};
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// A host loses power. Undoing it starts host and process again, without what was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerLoss {
    /// Whose host.
    #[serde(with = "text::node")]
    pub node: NodeId,
}

impl Inflict for PowerLoss {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn undoing(&self) -> Undoing {
        Undoing::StartsAgain
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        let node = world.target(self.node);
        if world.node_mut(node).powered {
            world.has_effect(id);
        }
        world.lose_power(node, event);
        world.node_mut(node).down_by.push(id);
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        let node = world.target(self.node);
        world.release_node(node, id, event);
    }
}
