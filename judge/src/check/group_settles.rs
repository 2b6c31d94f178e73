//! In a healed cluster every partition that a group is subscribed to has an owner, before a deadline that
//! follows from the time-outs of its members.
//!
//! Catches a rebalance that never ends: a coordinator that waits for a member that is gone (KAFKA-12890,
//! KAFKA-9752), a member that is not in the group and does not know it, an assignment to an id that
//! no process has (KAFKA-9801).

use super::{Check, Findings, Ground};
use crate::evidence::{End, View};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupSettles;

impl GroupSettles {
    pub(super) const NAME: &'static str = "groups-settle";
}

impl Check for GroupSettles {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for missing in &end.missing {
            let Some(group) = &missing.group else { continue };
            // A group does not settle without its coordinator: what excuses that its partition has no
            // leader excuses the group.
            let cluster = missing.about.map(|(cluster, _)| cluster);
            let known = cluster.and_then(|cluster| view.groups.named(cluster, group));
            let log = known.and_then(|known| {
                let group = &view.groups.all()[known];
                let first = group.generations.first().map(|it| it.log);
                first.or(group.consumer.first().map(|it| it.log))
            });
            let about = log.map(|log| {
                let log = &view.partitions[log];
                (log.cluster, log.id)
            });
            let what = "a group has not settled";
            let ground = Ground::NotBack { about };
            let finding = out.add_without_partition(Self::NAME, what, (missing.at, 0), ground);
            finding.detail(missing.what.clone());
        }
    }
}
