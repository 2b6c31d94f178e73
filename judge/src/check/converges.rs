//! The healed cluster recovers before a deadline that follows from the configuration. A finding
//! names what has not recovered. Readers and producers that a transaction holds up are that
//! transaction's: what excuses that it does not end excuses them.
//!
//! Catches rules that are too strict (`may_join_isr`, `is_eligible_for_isr`, `elect_leader`,
//! `diverges`) and refuse forever what Kafka allows.

use super::{Check, Findings, Ground};
use crate::evidence::{End, View};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Converges;

impl Converges {
    pub(super) const NAME: &'static str = "converges";
}

impl Check for Converges {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for missing in end.missing.iter().filter(|it| it.group.is_none()) {
            let ground = match missing.held_by {
                Some(held) => view.ground_of(held.partition, held.producer_id),
                None => Ground::NotBack { about: missing.about },
            };
            let what = "the cluster did not come back";
            let finding = out.add_without_partition(Self::NAME, what, (missing.at, 0), ground);
            finding.partition = missing.held_by.map(|held| held.partition);
            finding.detail(missing.what.clone());
        }
    }
}
