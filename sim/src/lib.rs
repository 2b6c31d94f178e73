//! The simulated world: one event queue, a network, disks, clocks, faults and a trace.
//!
//! The crate knows nothing of Kafka. It hosts values that implement [`machine::Process`], and it is
//! the only place where time passes, messages are lost and power fails.
//!
//! | module | holds |
//! |---|---|
//! | [`World`] | the nodes, the event heap, stepping, starting and stopping |
//! | `net` | links and connections: what TCP guarantees, and what it does not |
//! | `disk` | page cache against durable content, operations in time, power loss |
//! | `fault` | one file per fault, and the table that declares them |
//! | `node` | lanes, locks, timers |
//! | `trace` | typed events and the rolling digest that identifies a run |
//! | [`host`] | the madsim runtime in which a run happens |
//!
//! A world is plain data: it can be cloned at any moment, and a clone run to its end gives the
//! digest of the original.

#[cfg(not(madsim))]
compile_error!(
    "`sim` needs `--cfg madsim`, which .cargo/config.toml sets; a RUSTFLAGS environment variable \
     overrides that file silently, so add the flag there or unset it"
);

mod clock;
mod disk;
mod exercised;
mod fault;
mod heap;
pub mod host;
mod net;
mod node;
mod observe;
pub mod random;
pub mod text;
mod time;
mod trace;
mod world;

pub use clock::HostConfig;
pub use disk::{DiskProfile, FileView, PowerLossReport, SimDisk};
pub use exercised::{Effect, Exercised};
pub use fault::{
    ActiveFault, ActiveId, ClockJump, CorruptDisk, Crash, DelayMetadata, DiskError, DiskOperation,
    ENTRY_KEYS, Fault, Form, FullDisk, Groups, Harm, HungDisk, Key, Kind, LossyLink, LostDisk,
    Naming, OneWayPartition, Partition, Pause, PowerLoss, Ppm, Restart, SlowDisk, SlowLink,
    Targets, Value, Values, Written,
};
pub use net::{Latency, LinkProfile};
pub use node::Status;
pub use observe::{FaultChange, NodeChange, Observation, Seen};
pub use random::{Sample, stream};
pub use time::SimTime;
pub use trace::{EventId, TraceEvent, TraceKind};
pub use world::{World, WorldConfig};
