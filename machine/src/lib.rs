//! The contract between a process and its host.
//!
//! A [`Process`] is a value with one entry, [`Process::handle`]. Its only inputs are the time, a
//! message, timer or connection event, and the [`Disk`] that it is given; its only outputs go to
//! the [`Outbox`]. It has no other way to affect the world, and [`Process::boot`] is its only way
//! back from a crash.
//!
//! Apart from [`Digest`] and [`Chain`], which everything else shares, the crate holds no logic: the
//! engine implements processes, the simulator hosts them, and neither knows the other.

mod chain;
mod digest;
mod disk;
mod id;
mod outbox;
mod process;
mod time;

pub use chain::{Chain, unsealed};
pub use digest::Digest;
pub use disk::{Disk, DiskError, FileId};
pub use id::{ClusterId, ConnId, NodeId};
pub use outbox::{Marks, Outbox, Output};
pub use process::{Boot, CloseReason, Halt, Input, Lane, Message, Process, Vocabulary};
pub use time::{Mono, Now, Span, Wall};
