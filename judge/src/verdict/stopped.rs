//! Nodes that stopped by themselves as Kafka's do, and what cannot come back for that.

use super::permission::Excuse;
use crate::check::{Finding, Ground};
use crate::evidence::{Cause, Halt, View};

/// The hazards of nodes that stop by themselves, each with its meaning for users.
pub const HAZARDS: &[(&str, &str)] = &[
    ("full-disk", "a broker stops when its last log directory has no space left"),
    ("failed-disk", "a broker stops when its last log directory fails"),
    ("unregistered", "a broker stops when no controller registers it in time"),
];

const fn hazard(cause: Cause) -> &'static str {
    match cause {
        Cause::FullDisk => HAZARDS[0].0,
        Cause::FailedDisk => HAZARDS[1].0,
        Cause::Unregistered => HAZARDS[2].0,
    }
}

/// Excuses a node that stopped as Kafka's does, and a cluster that has not come back while one that
/// stopped for its disk is still down.
pub(super) fn excuse(view: &View, finding: &Finding) -> Option<Excuse> {
    let halt = match &finding.ground {
        Ground::Halted { node, .. } => {
            let own = |halt: &&Halt| halt.moment.node == *node && halt.moment.at == finding.at;
            view.halts.iter().find(own)?
        }
        Ground::NotBack => view.down_by_disk().next()?,
        _ => return None,
    };
    let cause = halt.cause?;
    let (node, at) = (view.setup.name(halt.moment.node), view.time(halt.moment.at));
    let because = match cause {
        Cause::FullDisk => {
            format!("a full log directory stops a broker, and {node} stopped at {at}")
        }
        Cause::FailedDisk => {
            format!("a log directory that fails stops a broker, and {node} stopped at {at}")
        }
        Cause::Unregistered => {
            format!("a broker that no controller registers stops, and {node} stopped at {at}")
        }
    };
    Some(Excuse { hazard: hazard(cause), because: format!("{because}: {}", halt.why) })
}
