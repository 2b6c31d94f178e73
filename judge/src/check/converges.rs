//! The healed cluster comes back before a deadline that follows from the configuration. What is
//! still missing then is named.
//!
//! Catches over-strict rules: `may_join_isr`, `is_eligible_for_isr`, `elect_leader`,
//! `diverges`, which refuse for ever what Kafka allows.

use super::{Check, Finding, Findings, Ground};
use crate::evidence::{End, View};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Converges;

impl Converges {
    pub(super) const NAME: &'static str = "converges";
}

impl Check for Converges {
    fn at_end(&mut self, _: &View, end: &End, out: &mut Findings) {
        out.0.extend(end.missing.iter().map(|missing| Finding {
            check: Self::NAME,
            what: "the cluster did not come back",
            at: end.at,
            event: 0,
            partition: None,
            offset: None,
            record: None,
            detail: missing.what.clone(),
            ground: Ground::NotBack { about: missing.about },
        }));
    }
}
