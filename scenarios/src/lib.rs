//! Scenarios of Faultline: the workload, the faults, the promises, and the results.

pub mod budget;
pub mod catalog;
pub mod condition;
pub mod escape;
pub mod fuzz;
pub mod museum;
pub mod node;
pub mod plan;
pub mod result;
pub(crate) mod roles;
pub mod run;
pub mod study;
pub mod view;
pub mod workload;

/// A fingerprint of all sources that affect a run. It distinguishes builds of the same version, and
/// is the same in debug and release, and on every machine.
pub const BUILD: &str = env!("FAULTLINE_BUILD");
