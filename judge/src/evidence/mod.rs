//! The evidence that checks use: all observations of a run, indexed while it continues.
//!
//! It has three sources: the bytes that replicas hold (as they reported them on append, and as they
//! are on their disks after restarts and at the end), the committed metadata log of the
//! controllers, and the history of the clients. Decisions of rules are not among these, so that a
//! broken rule cannot excuse itself.

pub mod batch;
mod client;
pub mod disk;
mod end;
mod fields;
pub mod group;
mod halt;
mod hindrance;
mod isr;
mod kept;
mod life;
pub mod loss;
pub mod metadata;
pub mod observed;
pub mod partition;
mod quorum;
pub mod reader;
pub mod records;
pub mod replica;
mod replica_set;
mod runs;
pub mod setup;
mod spoil;
pub mod story;
pub mod transaction;
pub mod view;

pub use batch::{Batch, Batches, HOLE, NO_RECORD, NONE, Sequence};
pub use disk::{DiskLog, Disks};
pub use end::{ControllerAtEnd, End, Final, HeldBy, Missing, Source};
pub use group::{Groups, Life, Members, Processing};
pub use halt::{Cause, FailedDir, Halt};
pub use kept::Kept;
pub use loss::{Committed, Elected, Loss, Witness};
pub use observed::{Change, Fault, FaultKind, Moment, Observed};
pub use partition::{Append, Lacking, Partition};
pub use reader::{Piece, Reader};
pub use records::{Outcome, Record, Records, Retry};
pub use replica::{Bad, Replica};
pub use replica_set::ReplicaSet;
pub use runs::Runs;
pub use setup::{GroupSetup, ProducerSetup, Setup, TopicSetup};
pub use spoil::{Spoil, SpoilKind};
pub use transaction::{
    ClientTransaction, ClientTransactions, Coordinators, Fate, LineTransactions, Promise, State,
    StateValue, Stored, Tally, Transition,
};
pub use view::{Effect, View};
