//! Disk operations fail (EIO). A failing append may leave a prefix of its bytes; a failing sync
//! makes nothing durable.

use super::table::{fault, plain};
use super::{ActiveId, Form, Harm, Inflict, Targets};
use crate::disk::FailingOperations;
use crate::exercised::Effect;
use crate::{EventId, World};
use machine::{NodeId, Process};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Kinds of disk operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskOperation {
    /// Reading, opening and listing.
    Read,
    /// Appending.
    Append,
    /// Syncing files and directories.
    Sync,
    /// Everything that changes the disk.
    Write,
    /// Everything.
    Any,
}

impl DiskOperation {
    /// The names, in the order of the variants.
    pub const NAMES: &'static [&'static str] = &["read", "append", "sync", "write", "any"];
}

plain!(
    DiskOperation,
    Form::Word(DiskOperation::NAMES),
    true,
    None,
    |it| DiskOperation::NAMES[*it as usize].to_owned(),
    DiskOperation::deserialize,
    DiskOperation::serialize
);

fault! {
    /// Disk operations fail with an I/O error. When the fault ends the disk works again, and a
    /// process that gave up is started again.
    DiskError = "disk-error" {
        /// The nodes whose disks fail.
        target: Targets<W>,
        /// Only the disk that holds this log directory.
        directory: Option<String>,
        /// Which operations: `read`, `append`, `sync`, `write` (all that change the disk) or `any`.
        on: DiskOperation,
        /// The number of operations that fail; all operations during the fault unless given.
        times: Option<u32>,
    }
}

impl Inflict for DiskError<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Down
    }

    fn shown_by(&self) -> Option<Effect> {
        Some(Effect::DiskOperationFailed)
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        for node in world.targets(&self.target) {
            let failing = FailingOperations {
                fault: id,
                on: self.on,
                remaining: self.times.unwrap_or(u32::MAX),
            };
            let disk = &mut world.node_mut(node).disk;
            for conditions in disk.conditions_of(self.directory.as_deref()) {
                conditions.failing.push(failing.clone());
            }
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            for conditions in world.node_mut(node).disk.conditions_of(None) {
                conditions.failing.retain(|failing| failing.fault != id);
            }
            world.start_if_failed(node, event);
        }
    }
}
