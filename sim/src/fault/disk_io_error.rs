//! Disk operations fail (EIO). An append that fails may leave a prefix of its bytes; of a sync that
//! fails nothing is durable.

use super::{ActiveId, Inflict};
use crate::disk::FailingOperations;
use crate::exercised::Effect;
use crate::{EventId, World, text};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// Kinds of disk operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskOperation {
    /// Reading, opening and listing.
    Read,
    /// Appending.
    Append,
    /// Syncing files and directories.
    Sync,
    /// Everything that changes the disk.
    Write,
}

/// The next so many operations of a kind fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskIoError {
    /// Whose disk.
    #[serde(with = "text::node")]
    pub node: NodeId,
    /// Which operations.
    pub on: DiskOperation,
    /// How many.
    pub times: u32,
}

impl Inflict for DiskIoError {
    fn nodes(&self) -> Vec<NodeId> {
        vec![self.node]
    }

    fn shown_by(&self) -> Option<(NodeId, Effect)> {
        Some((self.node, Effect::DiskOperationFailed))
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        let failing = FailingOperations { fault: id, on: self.on, remaining: self.times };
        world.node_mut(node).disk.conditions_mut().failing.push(failing);
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let node = world.target(self.node);
        world.node_mut(node).disk.conditions_mut().failing.retain(|failing| failing.fault != id);
    }
}
