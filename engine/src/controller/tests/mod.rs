//! Decisions on hand-made clusters, and whole controllers on disks.

mod bench;
mod isr;
mod life;
mod net;
mod placing;
mod process;
mod random;
mod topics;
