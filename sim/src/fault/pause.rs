//! A process stands still: a long garbage collection, SIGSTOP, a virtual machine that is moved. Its
//! host goes on: connections are accepted, data acknowledged, disk operations completed.

use super::{ActiveId, Inflict};
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// A process stands still until this is undone. Inputs wait; timers are late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Whose process.
    #[serde(with = "text::node")]
    pub node: NodeId,
}

impl Inflict for Pause {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        let node = world.target(self.node);
        world.pause(node, id, event);
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        let node = world.target(self.node);
        world.resume(node, id, event);
    }
}
