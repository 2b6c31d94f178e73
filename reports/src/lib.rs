//! Reports of Faultline: from what runs left behind to pages that people decide from.
//!
//! Nothing here runs anything: artefacts go in, and the files of a report come out. The same
//! artefacts give the same bytes, on every machine and whatever fonts it has.
//!
//! | a new … | is |
//! |---|---|
//! | report | a module beside [`acks`], made of the parts below |
//! | plot | one file in `plot/` and one row in [`plot::ACKS`] |

pub mod acks;
pub mod out;
pub mod page;
pub mod plot;
pub mod stat;
