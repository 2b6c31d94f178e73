//! A process is restarted as an operator would: asked to stop, killed if that takes too long,
//! started again after a while.

use super::{ActiveId, Inflict, Undoing};
use crate::node::Restarting;
use crate::{EventId, World, text};
use machine::{NodeId, Process, Span};
use serde::{Deserialize, Serialize};

/// A process is asked to stop, and started again. Over when it has started; undoing it before
/// that starts it at once, or as soon as it has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Whose process.
    #[serde(with = "text::node")]
    pub node: NodeId,
    /// It is killed when it has not stopped after so long.
    #[serde(with = "text::span")]
    pub limit: Span,
    /// How long it is down.
    #[serde(with = "text::span")]
    pub down: Span,
}

impl Inflict for Restart {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn undoing(&self) -> Undoing {
        Undoing::StartsAgain
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        let host = world.node_mut(node);
        if host.process.is_none() || host.restarting.is_some() {
            // Others decide when it comes back.
            world.undo(id);
            return;
        }
        host.restarting = Some(Restarting { fault: id, down: self.down });
        world.has_effect(id);
        world.limit_stop(node, self.limit, id);
        world.stop(self.node);
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        let node = world.target(self.node);
        let host = world.node_mut(node);
        if host.restarting.is_some_and(|restarting| restarting.fault == id) {
            // It is still stopping, and is to come back as soon as it has.
            host.restarting = Some(Restarting { fault: id, down: Span::ZERO });
        }
        world.release_node(node, id, event);
    }
}
