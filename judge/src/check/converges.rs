//! The healed cluster recovers before a deadline that follows from the configuration. A finding
//! names what has not recovered.
//!
//! Catches rules that are too strict (`may_join_isr`, `is_eligible_for_isr`, `elect_leader`,
//! `diverges`) and refuse for ever what Kafka allows.

use super::{Check, Findings, Ground};
use crate::evidence::{End, View};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Converges;

impl Converges {
    pub(super) const NAME: &'static str = "converges";
}

impl Check for Converges {
    fn at_end(&mut self, _: &View, end: &End, out: &mut Findings) {
        for missing in &end.missing {
            let (what, ground) =
                ("the cluster did not come back", Ground::NotBack { about: missing.about });
            out.add_without_partition(Self::NAME, what, (missing.at, 0), ground)
                .detail(missing.what.clone());
        }
    }
}
