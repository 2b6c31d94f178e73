//! A process is killed. What it wrote and did not sync stays in the page cache of its host, which
//! also closes its connections.

use super::{ActiveId, Inflict, Undoing};
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// A process is killed; its host stays on. Undoing it starts the process again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// Whose process.
    #[serde(with = "text::node")]
    pub node: NodeId,
}

impl Inflict for Crash {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn undoing(&self) -> Undoing {
        Undoing::StartsAgain
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        let node = world.target(self.node);
        if world.node_mut(node).process.is_some() {
            world.has_effect(id);
        }
        world.kill(node, None, event);
        world.node_mut(node).down_by.push(id);
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        let node = world.target(self.node);
        world.release_node(node, id, event);
    }
}
