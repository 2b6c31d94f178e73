//! The in-sync replicas, with at most one change under way (KIP-497; `PartitionState`,
//! `PendingExpandIsr`, `PendingShrinkIsr`).

use crate::Outbox;
use crate::ids::{BrokerId, LeaderEpoch, PartitionEpoch};
use crate::protocol::BrokerState;
use crate::rules::Rulebook;
use crate::rules::isr::Membership;

/// The in-sync replicas as the leader knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Isr {
    /// The in-sync replicas that the controller has committed.
    pub(super) committed: Vec<BrokerId>,
    /// The leader's proposal, while its outcome is unknown.
    pub(super) pending: Option<PendingIsr>,
}

/// A proposal. While it is pending, the controller may or may not have adopted it, so the members
/// of both ISRs count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PendingIsr {
    /// The members with their broker epochs at the time of the proposal: a replica in a later life
    /// may no longer be eligible (KIP-903).
    pub(super) proposed: Vec<BrokerState>,
    /// The partition epoch that it changes, by which its response is recognized.
    pub(super) partition_epoch: PartitionEpoch,
    pub(super) leader_epoch: LeaderEpoch,
}

impl PendingIsr {
    fn contains(&self, id: BrokerId) -> bool {
        self.proposed.iter().any(|state| state.id == id)
    }
}

impl Isr {
    pub(super) fn committed(isr: &[BrokerId]) -> Self {
        Self { committed: isr.to_vec(), pending: None }
    }

    /// Whether `id` counts as in sync at present.
    pub(super) fn is_effective(&self, id: BrokerId, rules: &Rulebook, out: &mut Outbox) -> bool {
        let membership = Membership {
            committed: self.committed.contains(&id),
            proposed: self.pending.as_ref().map(|pending| pending.contains(id)),
        };
        rules.is_in_effective_isr(out, membership)
    }

    /// The number of `replicas` that count as in sync at present.
    pub(super) fn effective_len(
        &self,
        replicas: &[BrokerId],
        rules: &Rulebook,
        out: &mut Outbox,
    ) -> usize {
        if self.pending.is_none() {
            return self.committed.len();
        }
        replicas.iter().filter(|id| self.is_effective(**id, rules, out)).count()
    }
}
