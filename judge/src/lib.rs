//! What a run has shown: evidence, checks, and the judgement on what they found.
//!
//! Made from facts, bytes on disks and the histories of clients. Who made that history, and how, is
//! not known here.

pub mod check;
pub mod evidence;
pub mod judgement;
pub mod node;
pub mod outcome;
