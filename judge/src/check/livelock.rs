//! Processes come to rest: what they do is bounded by the records there are and by the timers of
//! the configuration.
//!
//! Catches a corrupted `read_position` that sends a reader back to where it is, and any other rule
//! under which processes answer each other without end and without a wait.

use super::{Check, Findings, Ground};
use crate::evidence::{End, View};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Livelock;

impl Livelock {
    pub(super) const NAME: &'static str = "no-livelock";
}

impl Check for Livelock {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        if let Some(what) = &view.livelock {
            let found = "processes keep each other busy without end";
            out.add_without_partition(Self::NAME, found, (end.at, 0), Ground::Never)
                .detail(what.clone());
        }
    }
}
