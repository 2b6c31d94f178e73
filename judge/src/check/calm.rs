//! In a run in which nothing can be late no producer has to send anything again, no leader proposes
//! to drop a replica from the ISR, no broker is fenced, and the quorum keeps its leader.
//!
//! Catches a corrupted `is_out_of_sync`, and any cause of a late response: a parked fetch that is
//! not completed, a timer that is forgotten, a response that waits for another request.

use super::{Check, Findings, Ground};
use crate::evidence::{Moment, View};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};
use machine::ClusterId;
use std::collections::BTreeSet;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Calm {
    /// The clusters that have had an active controller. The first election of a quorum is no
    /// finding.
    led: BTreeSet<ClusterId>,
}

impl Calm {
    pub(super) const NAME: &'static str = "calm-stays-calm";
}

impl Check for Calm {
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        if !view.setup.is_calm {
            return;
        }
        match fact {
            Fact::ControllerActive { .. } => {
                self.led.insert(at.node.cluster);
            }
            Fact::QuorumCandidate { epoch, .. } if self.led.contains(&at.node.cluster) => {
                let what = "the quorum elected again although nothing went wrong";
                let detail = format!("{} stood for election in epoch {epoch}", at.node);
                out.add_without_partition(Self::NAME, what, (at.at, at.event), Ground::Never)
                    .detail(detail);
            }
            Fact::BrokerFenced { broker, fenced: true, .. } => {
                let what = "a broker was fenced although nothing went wrong";
                let detail = format!("controller {} fenced broker {broker}", at.node);
                out.add_without_partition(Self::NAME, what, (at.at, at.event), Ground::Never)
                    .detail(detail);
            }
            _ => Self::of_partition(view, at, fact, out),
        }
    }
}

impl Calm {
    #[inline]
    fn of_partition(view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        let (partition, what, detail) = match fact {
            // A batch that is too large is sent again in parts in any run, and a leader asks a
            // coordinator for 100 ms whether the previous transaction has ended (KIP-890): its
            // marker may take longer.
            Fact::Client(ClientFact::Retried { partition, error, .. })
                if !matches!(
                    error,
                    ErrorCode::MessageTooLarge | ErrorCode::ConcurrentTransactions
                ) =>
            {
                (partition, "a producer sent again although nothing went wrong", error.to_string())
            }
            Fact::IsrProposed { partition, from, to, .. } if to.len() < from.len() => {
                let what = "a leader dropped a replica although nothing went wrong";
                (partition, what, format!("ISR {to:?} in place of {from:?}"))
            }
            _ => return,
        };
        let Some(index) = view.index_of(at.node.cluster, *partition) else { return };
        out.add(Self::NAME, what, at, index, Ground::Never).detail(detail);
    }
}
