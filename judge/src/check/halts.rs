//! A process ends itself only for a cause for which Kafka's ends itself as well: its last log
//! directory fails, or no controller registers it.
//!
//! Catches an engine that gives up where Kafka goes on. Any rule that loses what is committed in the
//! quorum shows here as well: a controller that misses committed records cannot go on.

use super::{Check, Finding, Findings, Ground};
use crate::evidence::{End, View};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Halts;

impl Halts {
    pub(super) const NAME: &'static str = "stops-explained";
}

impl Check for Halts {
    fn at_end(&mut self, view: &View, _: &End, out: &mut Findings) {
        out.0.extend(view.halts.iter().map(|halt| {
            Finding {
                check: Self::NAME,
                what: match halt.cause {
                    Some(_) => "a node stopped as Kafka does",
                    None => "a node stopped by itself and nothing explains it",
                },
                at: halt.moment.at,
                event: halt.moment.event,
                partition: None,
                offset: None,
                record: None,
                detail: format!("{}: {}", view.setup.name(halt.moment.node), halt.why),
                ground: halt.cause.map_or(Ground::Never, |cause| Ground::Halted {
                    node: halt.moment.node,
                    cause,
                }),
            }
        }));
    }
}
