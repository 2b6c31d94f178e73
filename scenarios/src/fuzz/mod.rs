//! The same scenarios with many seeds, and their combined result.
//!
//! This module does not depend on threads, clocks or files: it defines the runs and the part that
//! makes each ([`Plan`], [`Part`]), the data kept of each run ([`SeedRecord`]), the journal that
//! holds them ([`Writer`], [`Reader`]), the sums over them ([`Tally`]), and the result
//! ([`FuzzReport`]). Sums do not depend on the order in which runs end, so neither the number of
//! threads nor the number of shards changes the result.

mod harm;
mod journal;
mod latency;
mod merge;
mod plan;
mod ran;
mod record;
mod report;
mod sums;
mod tally;

pub use harm::Affected;
pub use journal::{Damage, End, Header, Reader, Stop, Writer};
pub use latency::{LongestRead, LongestSilence, LongestWaits, Waited};
pub use merge::{Merged, Refusal, merge};
pub use plan::{Part, Plan, SeedRange, Shard, Target};
pub use ran::Ran;
pub use record::{Failure, Hazard, SeedRecord};
pub use report::{
    BugSeeds, Case, FailingRun, FuzzReport, HazardSum, InScenario, Loss, ScenarioRow,
    SignatureGroup, Vacuous,
};
pub use sums::Sums;
pub use tally::Tally;
