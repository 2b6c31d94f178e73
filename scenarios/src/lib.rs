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

/// What tells builds apart that have the same version: a fingerprint of the sources of everything
/// that takes part in a run. The same in debug and release, and on every machine.
pub const BUILD: &str = env!("FAULTLINE_BUILD");
