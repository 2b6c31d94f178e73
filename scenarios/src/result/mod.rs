//! What a run leaves behind: its verdict and its record, as values and as files.

mod verdict;

pub use verdict::{
    BugReached, Counts, GroupCounts, Outcome, Permitted, VERSION, Verdict, Violation,
};
