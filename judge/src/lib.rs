//! Judges a run of a Kafka cluster by observations of the run.
//!
//! | module | contents |
//! |---|---|
//! | [`Observer`] | takes in facts, faults and ends of nodes while the run continues |
//! | [`evidence`] | the observations, indexed: logs, metadata, records, readers |
//! | [`check`] | the checks, each of which compares the evidence with one promise |
//! | [`verdict`] | the verdict: a finding is permitted by a row of the permission table, or is a violation |
//! | [`outcome`] | counts, violations and permissions as published formats have them |
//!
//! The history may come from anywhere: this crate uses neither the simulator nor scenario files,
//! and knows only the [`evidence::Setup`] of nodes. Imports go one way: `evidence`, `check`,
//! `verdict`.

pub mod check;
pub mod evidence;
mod observer;
pub mod outcome;
#[cfg(test)]
mod testing;
pub mod verdict;

pub use observer::Observer;
