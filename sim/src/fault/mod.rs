//! Faults: one file each, with what applying and undoing it does.
//!
//! A new one is a file with a struct that implements `Inflict`, and a row of the table below.
//! Faults are data: a plan of them can be written to a file, read back, and shrunk. Active faults
//! form a set, and what they do to a node or link is what all of them together do, so undoing one
//! never cancels another.

mod clock_jump;
mod crash;
mod crash_at_disk_op;
mod delay_inbound;
mod disk_full;
mod disk_io_error;
mod hung_disk;
mod lossy_link;
mod partition;
mod pause;
mod plan;
mod power_loss;
mod restart;
mod slow_disk;
mod slow_link;

pub use clock_jump::ClockJump;
pub use crash::Crash;
pub use crash_at_disk_op::CrashAtDiskOp;
pub use delay_inbound::DelayInbound;
pub use disk_full::DiskFull;
pub use disk_io_error::{DiskIoError, DiskOperation};
pub use hung_disk::HungDisk;
pub use lossy_link::LossyLink;
pub use partition::Partition;
pub use pause::Pause;
pub use plan::{ActiveFault, ActiveId, Entry, EntryId, Plan, Trigger};
pub use power_loss::PowerLoss;
pub use restart::Restart;
pub use slow_disk::SlowDisk;
pub use slow_link::SlowLink;

use crate::exercised::Effect;
use crate::net::LinkShape;
use crate::{EventId, World};
use machine::{NodeId, Process};
use serde::{Deserialize, Serialize};

/// What undoing a fault brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undoing {
    /// Everything is as if the fault had never been, but for what happened meanwhile.
    Restores,
    /// The node starts again; what was lost stays lost.
    StartsAgain,
}

/// What a fault does.
pub(crate) trait Inflict {
    /// The nodes that it names.
    fn nodes(&self) -> Vec<NodeId>;

    fn undoing(&self) -> Undoing {
        Undoing::Restores
    }

    /// What it does to nodes when it is applied.
    fn apply<P: Process>(&self, _world: &mut World<P>, _id: ActiveId, _event: EventId) {}

    /// What it does to nodes when it is undone.
    fn undo<P: Process>(&self, _world: &mut World<P>, _id: ActiveId, _event: EventId) {}

    /// Whether [`Inflict::shape`] does anything.
    fn shapes_links(&self) -> bool {
        false
    }

    /// The effect that shows that it does something, and on which node, if it is upon a disk or a
    /// clock. What is done to links and processes shows there.
    fn shown_by(&self) -> Option<(NodeId, Effect)> {
        None
    }

    /// What it does to a link for as long as it is active.
    fn shape(&self, _from: NodeId, _to: NodeId, _shape: &mut LinkShape) {}
}

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident = $name:literal / $code:literal,)*) => {
        /// A fault. Serialised with its name as `kind`.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Fault {
            $($(#[$doc])* #[serde(rename = $name)] $fault($fault),)*
        }

        impl Fault {
            /// The names of all faults.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// Its name in files and results.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$fault(_) => $name,)*
                }
            }

            /// The nodes that it names.
            pub fn nodes(&self) -> Vec<NodeId> {
                match self {
                    $(Self::$fault(fault) => fault.nodes(),)*
                }
            }

            /// What undoing it brings back.
            pub fn undoing(&self) -> Undoing {
                match self {
                    $(Self::$fault(fault) => fault.undoing(),)*
                }
            }

            pub(crate) fn code(&self) -> u64 {
                match self {
                    $(Self::$fault(_) => $code,)*
                }
            }

            pub(crate) fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
                match self {
                    $(Self::$fault(fault) => fault.apply(world, id, event),)*
                }
            }

            pub(crate) fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
                match self {
                    $(Self::$fault(fault) => fault.undo(world, id, event),)*
                }
            }

            pub(crate) fn shapes_links(&self) -> bool {
                match self {
                    $(Self::$fault(fault) => fault.shapes_links(),)*
                }
            }

            pub(crate) fn shown_by(&self) -> Option<(NodeId, Effect)> {
                match self {
                    $(Self::$fault(fault) => fault.shown_by(),)*
                }
            }

            pub(crate) fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
                match self {
                    $(Self::$fault(fault) => fault.shape(from, to, shape),)*
                }
            }
        }

        $(impl From<$fault> for Fault {
            fn from(fault: $fault) -> Self {
                Self::$fault(fault)
            }
        })*
    };
}

// The codes stand for the faults in digests; they are never reused.
faults! {
    /// A process is killed; its host stays on.
    Crash = "crash" / 1,
    /// A host loses power, and everything that is not durable.
    PowerLoss = "power_loss" / 2,
    /// A process stands still.
    Pause = "pause" / 3,
    /// A process is asked to stop and started again.
    Restart = "restart" / 4,
    /// Groups of nodes cannot reach each other.
    Partition = "partition" / 5,
    /// Links become slow.
    SlowLink = "slow_link" / 6,
    /// Links lose, duplicate and reorder packets.
    LossyLink = "lossy_link" / 7,
    /// What some nodes send to one node is late.
    DelayInbound = "delay_inbound" / 8,
    /// A wall clock is set.
    ClockJump = "clock_jump" / 9,
    /// No disk operation completes.
    HungDisk = "hung_disk" / 10,
    /// The disk is full.
    DiskFull = "disk_full" / 11,
    /// Disk operations fail.
    DiskIoError = "disk_io_error" / 12,
    /// Disk operations take longer.
    SlowDisk = "slow_disk" / 13,
    /// A process is killed in the middle of a handler's disk operations.
    CrashAtDiskOp = "crash_at_disk_op" / 14,
}

/// Whether a link leads from one of `from` to one of `to`, or, if `both_ways`, back.
fn leads((a, b): (NodeId, NodeId), from: &[NodeId], to: &[NodeId], both_ways: bool) -> bool {
    let forth = from.contains(&a) && to.contains(&b);
    forth || (both_ways && from.contains(&b) && to.contains(&a))
}
