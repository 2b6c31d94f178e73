//! The comparison of settings of `acks` and `min.insync.replicas` that `faultline report acks`
//! makes: all settings have the same seeds, arrivals and fault plans.
//!
//! ```text
//! study.jsonl -> Study -> Summary -> report.json, index.html, and a CSV, SVG and PNG for each plot
//! ```

mod confirm;
mod hazard;
#[cfg(any(test, feature = "made-up"))]
pub mod made_up;
mod method;
mod page;
mod pairs;
mod promise;
mod read;
mod report;
mod study;
mod summary;
mod words;

#[cfg(test)]
mod tests;

pub use confirm::{Acks, Setting};
pub use pairs::PairSummary;
pub use read::{ReadError, read};
pub use report::{OWN, STUDY_FILE, files};
pub use study::{
    CutShort, FORMAT, Header, Latencies, Loss, NotDefault, Produce, RecordCounts, Run, Seeds,
    Study, Violation, Why, write,
};
pub use summary::{
    FamilySummary, HazardSummary, LatencySummary, LoneSummary, REPORT_VERSION, SettingSummary,
    Summary, Worst, summarise,
};
pub use words::{idempotence, not_tested};
