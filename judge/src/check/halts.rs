//! A process stops by itself only for a cause for which Kafka's process stops
//! ([`Cause`](crate::evidence::Cause)): its last log directory fails, no controller registers it,
//! or the quorum has lost committed metadata with its disks. A log directory goes offline only if
//! its disk fails, is full or lost, or if bytes of the partition concerned have changed on it.
//!
//! Catches an engine that stops where Kafka continues, and any rule that loses committed records of
//! the quorum: a controller that lacks them cannot continue.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Halts;

impl Halts {
    pub(super) const NAME: &'static str = "stops-explained";
}

impl Check for Halts {
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        let Fact::LogDirFailed { path, error, .. } = fact else { return };
        if view.last_failed_dir(at.node).is_none_or(|dir| dir.cause.is_some()) {
            return;
        }
        let path = if path.is_empty() { "log directory" } else { path };
        let what = "a log directory went offline, and no fault explains it";
        out.add_without_partition(Self::NAME, what, (at.at, at.event), Ground::Never)
            .detail(format!("{path} of {}: {error}", view.setup.name(at.node)));
    }

    fn at_end(&mut self, view: &View, _: &End, out: &mut Findings) {
        for halt in &view.halts {
            let node = halt.moment.node;
            let what = match halt.cause {
                Some(_) => "a process stopped for a cause for which Kafka's stops too",
                None => "a process stopped by itself, and no fault explains it",
            };
            let ground = halt.cause.map_or(Ground::Never, |cause| Ground::Halted { node, cause });
            out.add_without_partition(
                Self::NAME,
                what,
                (halt.moment.at, halt.moment.event),
                ground,
            )
            .detail(format!("{}: {}", view.setup.name(node), halt.why));
        }
    }
}
