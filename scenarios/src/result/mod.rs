//! What a run leaves behind: its verdict and its record, as values and as files.

mod seeds;
mod verdict;

pub use seeds::{HazardSum, SeedFailure, SeedsReport};
pub use verdict::{
    BugReached, Counts, GroupCounts, Outcome, Permitted, VERSION, Verdict, Violation,
};
