//! A producer id is given to one producer.
//!
//! Catches a corrupted `first_of_block` (KAFKA-13357, KAFKA-15552), with which the records of the
//! second producer with an id are treated as copies of those of the first.

use super::{Check, Finding, Findings, Ground};
use crate::evidence::{Moment, View};
use engine::fact::Fact;
use machine::{ClusterId, NodeId};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct ProducerIds {
    /// The broker that gave each id.
    given: BTreeMap<(ClusterId, i64), NodeId>,
}

impl ProducerIds {
    pub(super) const NAME: &'static str = "producer-id-once";
}

impl Check for ProducerIds {
    fn on_fact(&mut self, _: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        let Fact::ProducerIdIssued { producer_id } = fact else { return };
        let before = self.given.insert((at.node.cluster, *producer_id), at.node);
        let Some(before) = before else { return };
        out.0.push(Finding {
            check: Self::NAME,
            what: "a producer id was given away again",
            at: at.at,
            event: at.event,
            partition: None,
            offset: None,
            record: None,
            detail: format!("id {producer_id} by broker {before} and by broker {}", at.node),
            ground: Ground::Never,
        });
    }
}
