//! The results of a run: its verdict and its record, as values and as files.

mod clients;
mod explain;
pub mod files;
mod panic;
mod record;
mod series;
mod verdict;

pub(crate) use clients::rounded;
pub use clients::{Errors, Notice, Reads, Silence, Writes};
pub use explain::{describe, explain, fate, moment, what, where_in_run};
pub use panic::Panic;
pub use record::{RunRecord, command};
pub(crate) use series::Series;
pub use sim::text::span_in_words;
pub use verdict::{BugReached, GroupCounts, Outcome, VERSION, Verdict};
