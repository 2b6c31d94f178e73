//! Decisions on hand-made clusters, and whole controllers on disks.

mod bench;
mod directories;
mod isr;
mod life;
mod net;
mod placing;
mod power;
mod process;
mod producer_ids;
mod random;
mod script;
mod size;
mod topics;
