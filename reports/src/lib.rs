//! Reports of Faultline: artefacts of runs in, pages for people out.
//!
//! This crate runs nothing: artefacts go in, and the files of a report come out. The same artefacts
//! give the same bytes on every machine, whatever fonts are installed.
//!
//! | a new … | is |
//! |---|---|
//! | report | a module beside [`acks`], made of the parts below |
//! | plot | one file in `plot/` and one row in [`plot::ACKS`] |

pub mod acks;
pub mod delivery;
pub mod out;
pub mod page;
pub mod plot;
pub mod run;
pub mod stat;
