//! Judges a run of a Kafka cluster by what was observed of it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Observer`] | takes in facts, faults and ends of nodes while the run goes on |
//! | [`evidence`] | what was observed, in order: logs, metadata, records, readers |
//! | [`check`] | one promise each, held against the evidence; finds where it does not hold |
//! | [`verdict`] | weighs findings: a row of the permission table excuses one, or it is a violation |
//! | [`outcome`] | counts, violations and permissions as published formats have them |
//!
//! The history may come from anywhere: this crate knows neither the simulator nor scenario files, and
//! of nodes only what [`evidence::Setup`] says. Imports go one way: `evidence`, `check`, `verdict`.

pub mod check;
pub mod evidence;
mod observer;
pub mod outcome;
#[cfg(test)]
mod testing;
pub mod verdict;

pub use observer::Observer;
