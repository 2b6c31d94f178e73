//! A process is paused: a long garbage collection, SIGSTOP, the migration of a virtual machine. Its
//! host keeps running: connections are accepted, data acknowledged, disk operations completed.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::{EventId, World};
use machine::{NodeId, Process};

fault! {
    /// The process is paused while its host keeps running, as in a long garbage collection. Inputs
    /// wait, and timers are late.
    Pause = "pause" {
        /// The nodes whose processes are paused.
        target: Targets<W>,
    }
}

impl Inflict for Pause<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Down
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            world.pause(node, id, event);
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            world.resume(node, id, event);
        }
    }
}
