//! A process is killed. Its unsynced writes stay in the page cache of its host, which also closes
//! its connections.
//!
//! A crash between two disk operations of one handler is, for example, one after the append to a
//! log and before the append to its index, or after the renaming of a file and before the sync of
//! its directory. The file may have a prefix of the write in progress.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::node::{Ambush, Blow};
use crate::{EventId, World};
use machine::{NodeId, Process};

fault! {
    /// The process dies, and the page cache of its host survives. It is started again when the fault
    /// ends.
    Crash = "crash" {
        /// The nodes whose processes die.
        target: Targets<W>,
        /// The number, from 1, of a disk operation within a handler: the process dies when that
        /// operation begins, in the next handler that reaches it.
        at_disk_operation: Option<u32>,
        /// With `at_disk_operation`: only in the handler of a clean shutdown, which writes what the
        /// next start relies on.
        during_stop: bool,
    }
}

impl Inflict for Crash<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Down
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            if let Some(nth) = self.at_disk_operation {
                let (nth, blow, during_stop) = (nth.max(1), Blow::Crash, self.during_stop);
                world.node_mut(node).ambushes.push(Ambush { fault: id, nth, blow, during_stop });
                continue;
            }
            if world.node_mut(node).process.is_some() {
                world.has_effect(id);
            }
            world.kill(node, None, event);
            world.node_mut(node).down_by.push(id);
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            world.node_mut(node).ambushes.retain(|ambush| ambush.fault != id);
            world.release_node(node, id, event);
        }
    }
}
