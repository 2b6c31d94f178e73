//! Scenarios of Faultline: what is run, what breaks, what was promised, and what came of it.

pub mod catalog;
pub mod check;
pub mod evidence;
pub mod judge;
pub mod result;
pub mod spec;
