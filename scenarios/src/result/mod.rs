//! What a run leaves behind: its verdict and its record, as values and as files.

mod explain;
pub mod files;
mod panic;
mod record;
mod seeds;
mod series;
mod verdict;

pub use explain::{describe, explain, fate, moment, what, where_in_run};
pub use panic::Panic;
pub use record::{RunRecord, command, quoted};
pub use seeds::{HazardSum, SeedFailure, SeedLoss, SeedsReport};
pub(crate) use series::Series;
pub use verdict::{BugReached, GroupCounts, Outcome, VERSION, Verdict};
