//! A process is killed between two disk operations of one handler: after the log was appended to
//! and before its index was, after a file was renamed and before its directory was synced. Or in
//! the middle of one: of a write that begins then a part may be there.

use super::{ActiveId, Inflict, Undoing};
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// Waits for a handler, or a boot, that makes at least `nth` operations that change the disk, and
/// kills the process when the `nth` begins. Undoing it disarms it, or starts the process again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashAtDiskOp {
    /// Whose process.
    #[serde(with = "text::node")]
    pub node: NodeId,
    /// Which operation, from one.
    pub nth: u32,
}

impl Inflict for CrashAtDiskOp {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn undoing(&self) -> Undoing {
        Undoing::StartsAgain
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        world.node_mut(node).crash_at.push((id, self.nth.max(1)));
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        let node = world.target(self.node);
        world.node_mut(node).crash_at.retain(|(by, _)| *by != id);
        world.release_node(node, id, event);
    }
}
