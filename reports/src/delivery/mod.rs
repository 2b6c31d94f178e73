//! The delivery table that `faultline report delivery` makes: ways in which a group commits, what each
//! promises, and what was skipped and repeated when all had the same seeds, arrivals and faults.
//!
//! ```text
//! study.jsonl -> Study -> Summary -> report.json, index.html, delivery.csv, and a CSV, SVG and PNG for each chart
//! ```

mod chart;
mod page;
mod promise;
mod report;
mod study;
mod summary;

#[cfg(test)]
mod tests;

pub use promise::Delivery;
pub use report::{OWN, STUDY_FILE, files};
pub use study::{Counts, FORMAT, Header, Mode, Reason, Run, Setting, Study, read, write};
pub use summary::{Because, Measure, REPORT_VERSION, Row, Summary, summarise};
