//! A wall clock is set, as by an administrator or a time daemon gone wrong. The monotonic clock is
//! not concerned.

use super::{ActiveId, Inflict};
use crate::exercised::Effect;
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// A wall clock jumps; undoing it makes it jump back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockJump {
    /// Whose.
    #[serde(with = "text::node")]
    pub node: NodeId,
    /// How far, in milliseconds; backwards if negative.
    pub millis: i64,
}

impl Inflict for ClockJump {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn shown_by(&self) -> Option<(NodeId, Effect)> {
        Some((self.node, Effect::ClockJumpSeen))
    }

    fn apply<P: Process>(&self, world: &mut World<P>, _id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        world.jump_clock(node, self.millis);
    }

    fn undo<P: Process>(&self, world: &mut World<P>, _id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        world.jump_clock(node, self.millis.saturating_neg());
    }
}
