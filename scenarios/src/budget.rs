//! The fault budget: the faults that the durable setting promises to survive, and no others.
//!
//! A generated plan must not break a promise that was never made, or every loss would be
//! disputable. The durable setting is acks=all, min.insync.replicas 2 of 3 replicas, eligible
//! leader replicas on, and no fsync per record. The faults that it survives follow from KIP-966:
//!
//! - Call a replica a *member* while the controller has committed it to the partition's ISR or
//!   ELR. The high watermark advances only to offsets that every member of the ISR has, and only
//!   while the ISR has at least min ISR members; a replica that leaves a smaller ISR joins the
//!   ELR. So every member has everything committed, until its host loses power.
//! - A **process crash** keeps the page cache. The replica still has everything, but the
//!   controller cannot distinguish that crash from a power loss. When the broker registers again
//!   without the mark of a clean shutdown, it is removed from ISR and ELR. If that empties both,
//!   the last leader is elected: it led from within the ISR, so it has everything as well. Hence
//!   process crashes alone, however many, lose nothing.
//! - A **power loss** takes unsynced data from a replica: call it *hurt*, in each of its
//!   partitions, until it has registered its new life (which removes it from ISR and ELR) and a
//!   committed ISR contains it again (for which it had to fetch everything from a complete leader).
//! - Call a member *sound* if it is not hurt and its membership will last: its present life is
//!   the registered one, or it was shut down cleanly; and no fault affects it. A member that
//!   crashed is not sound: it has everything, but will be removed before an election considers it.
//!   Neither is a member that is cut off: while hurt members are still in the ISR it may be fenced
//!   first, and leaves an ISR that is large enough without joining the ELR. A cut from the very
//!   broker that is about to lose power does not count: the other brokers keep their controllers.
//!
//! With one sound member every election ends with a replica that has everything: hurt members are
//! removed when they register and cannot lead before that. Without a sound member, the election of
//! the last leader may pick a hurt replica. Therefore:
//!
//! 1. a power loss is allowed if each partition of the broker keeps another sound member;
//! 2. any other fault on brokers (a crash, a cut, a pause, a slow link) is allowed if each of
//!    their partitions keeps a sound member apart from them *or* has no hurt replica.
//!
//! With min ISR m and a full ISR, rule 1 allows at least m-1 power losses in a row, which is
//! KIP-966's "up to min.insync.replicas - 1 unclean losses among ISR and ELR", and one more
//! whenever a member becomes sound again. Faults of controllers are never refused: they sync
//! records before they count them as replicated (KIP-595).
//!
//! While there is no active controller, no power loss is allowed, and no other fault on brokers while
//! any replica is hurt. Suppressed faults stay in the record of the run.

use crate::view::PartitionView;
use engine::ids::TopicPartition;
use machine::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The state of the brokers' lives and disks.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    lives: BTreeMap<NodeId, Life>,
    /// Replicas that may lack committed records.
    hurt: BTreeSet<(NodeId, TopicPartition)>,
    /// Replicas with corrupted bytes, which no registration heals. A replica that truncates its log
    /// below them and fetches these records again has everything; it is still not considered sound,
    /// which refuses more faults than necessary.
    bad: BTreeSet<(NodeId, TopicPartition)>,
}

/// Whether a broker's membership in ISR and ELR will last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// Its present life is registered.
    Registered,
    /// It was shut down cleanly and has not registered since.
    StoppedCleanly,
    /// It ended uncleanly and has not registered since.
    Doubtful,
}

/// Why a fault was not injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There was no active controller to name the in-sync replicas.
    NoController,
    /// A partition would keep no member that certainly has everything committed.
    LastSoundMember {
        /// The id of the partition.
        partition: TopicPartition,
        /// Its members, as committed by the controller.
        members: Vec<u16>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoController => {
                f.write_str("no active controller knows which replicas are in sync")
            }
            Self::LastSoundMember { partition, members } => write!(
                f,
                "beyond the fault budget: of the members {members:?} of partition {} no other is \
                 sure to have everything committed",
                partition.partition
            ),
        }
    }
}

impl Budget {
    /// A broker has registered its present life.
    pub fn registered(&mut self, broker: NodeId) {
        self.lives.insert(broker, Life::Registered);
    }

    /// A broker's process has ended without loss on its disk.
    pub fn stopped(&mut self, broker: NodeId, cleanly: bool) {
        let life = if cleanly { Life::StoppedCleanly } else { Life::Doubtful };
        // A clean shutdown cannot make up for an unclean end that has not been registered yet.
        if self.lives.get(&broker) != Some(&Life::Doubtful) {
            self.lives.insert(broker, life);
        }
    }

    /// A broker's host lost power. `partitions` are all partitions.
    pub fn lost_power<'a>(
        &mut self,
        broker: NodeId,
        partitions: impl IntoIterator<Item = &'a PartitionView>,
    ) {
        self.lives.insert(broker, Life::Doubtful);
        for view in partitions.into_iter().filter(|view| view.has_replica_on(broker)) {
            self.hurt.insert((broker, view.partition));
        }
    }

    /// Bytes on a broker's disk were corrupted in `partitions`: its replicas there are not sound
    /// for the rest of the run.
    pub fn went_bad<'a>(
        &mut self,
        broker: NodeId,
        partitions: impl IntoIterator<Item = &'a PartitionView>,
    ) {
        self.bad.extend(partitions.into_iter().map(|view| (broker, view.partition)));
    }

    /// Removes the replicas that are no longer hurt, by the committed state of the controller.
    pub fn refresh<'a>(&mut self, partitions: impl IntoIterator<Item = &'a PartitionView>) {
        if self.hurt.is_empty() {
            return;
        }
        for view in partitions {
            for broker in view.isr_nodes() {
                if self.lives.get(&broker) == Some(&Life::Registered) {
                    self.hurt.remove(&(broker, view.partition));
                }
            }
        }
    }

    /// Whether `broker` may lose power now. `troubled` are the nodes that faults affect;
    /// `partitions` is `None` if there is no active controller.
    ///
    /// # Errors
    ///
    /// The reason why not.
    pub fn may_lose_power(
        &mut self,
        broker: NodeId,
        troubled: &[NodeId],
        partitions: Option<&[PartitionView]>,
    ) -> Result<(), Refusal> {
        let partitions = partitions.ok_or(Refusal::NoController)?;
        self.refresh(partitions);
        self.check(&[broker], troubled, partitions, |_, _| true)
    }

    /// Whether a fault that loses no data on disk may strike all `brokers` now; the other
    /// parameters are those of [`Budget::may_lose_power`].
    ///
    /// # Errors
    ///
    /// The reason why not.
    pub fn may_strike(
        &mut self,
        brokers: &[NodeId],
        troubled: &[NodeId],
        partitions: Option<&[PartitionView]>,
    ) -> Result<(), Refusal> {
        if let Some(partitions) = partitions {
            self.refresh(partitions);
        }
        if self.hurt.is_empty() && self.bad.is_empty() {
            return Ok(());
        }
        let partitions = partitions.ok_or(Refusal::NoController)?;
        self.check(brokers, troubled, partitions, |budget, view| {
            let mut hurt = budget.hurt.iter().chain(&budget.bad);
            hurt.any(|(_, partition)| *partition == view.partition)
        })
    }

    fn check(
        &self,
        brokers: &[NodeId],
        troubled: &[NodeId],
        partitions: &[PartitionView],
        at_risk: impl Fn(&Self, &PartitionView) -> bool,
    ) -> Result<(), Refusal> {
        let theirs = partitions
            .iter()
            .filter(|view| brokers.iter().any(|broker| view.has_replica_on(*broker)));
        for view in theirs.filter(|view| at_risk(self, view)) {
            let is_sound_and_unaffected = |member: &NodeId| {
                !brokers.contains(member)
                    && !troubled.contains(member)
                    && self.is_sound(*member, view.partition)
            };
            if !view.member_nodes().any(|member| is_sound_and_unaffected(&member)) {
                return Err(Refusal::LastSoundMember {
                    partition: view.partition,
                    members: view.member_nodes().map(|member| member.node).collect(),
                });
            }
        }
        Ok(())
    }

    fn is_sound(&self, broker: NodeId, partition: TopicPartition) -> bool {
        matches!(self.lives.get(&broker), Some(Life::Registered | Life::StoppedCleanly))
            && !self.hurt.contains(&(broker, partition))
            && !self.bad.contains(&(broker, partition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::{BrokerId, TopicId};
    use machine::ClusterId;

    fn node(id: BrokerId) -> NodeId {
        NodeId::new(0, id)
    }

    fn view(isr: &[BrokerId], elr: &[BrokerId]) -> Vec<PartitionView> {
        vec![PartitionView {
            cluster: ClusterId(0),
            partition: TopicPartition::new(TopicId(9), 0),
            replicas: vec![1, 2, 3],
            isr: isr.to_vec(),
            elr: elr.to_vec(),
            leader: isr.first().copied(),
            leader_epoch: 0,
        }]
    }

    fn three_brokers() -> Budget {
        let mut budget = Budget::default();
        (1..=3).for_each(|id| budget.registered(node(id)));
        budget
    }

    #[test]
    fn power_losses_are_allowed_until_one_sound_member_is_left() {
        let mut budget = three_brokers();
        let full = view(&[1, 2, 3], &[]);
        for id in [1, 2] {
            assert_eq!(budget.may_lose_power(node(id), &[], Some(&full)), Ok(()));
            budget.lost_power(node(id), &full);
        }
        assert!(budget.may_lose_power(node(3), &[], Some(&full)).is_err());
        assert!(
            budget.may_strike(&[node(3)], &[], Some(&full)).is_err(),
            "1 or 2 might be elected"
        );
        assert_eq!(budget.may_strike(&[node(1)], &[], Some(&full)), Ok(()), "3 is still sound");
    }

    #[test]
    fn a_hurt_replica_counts_again_once_registered_and_back_in_the_isr() {
        let mut budget = three_brokers();
        budget.lost_power(node(1), &view(&[1, 2], &[]));
        // The committed ISR still contains broker 1, from before.
        assert!(budget.may_lose_power(node(2), &[], Some(&view(&[1, 2], &[]))).is_err());
        budget.registered(node(1));
        assert!(budget.may_lose_power(node(2), &[], Some(&view(&[2], &[]))).is_err());
        assert_eq!(budget.may_lose_power(node(2), &[], Some(&view(&[2, 1], &[]))), Ok(()));
    }

    #[test]
    fn crashes_alone_are_never_refused_but_a_crashed_member_is_not_sound() {
        let mut budget = three_brokers();
        for id in 1..=3 {
            assert_eq!(budget.may_strike(&[node(id)], &[], None), Ok(()));
            budget.stopped(node(id), false);
        }
        let mut budget = three_brokers();
        budget.stopped(node(2), false);
        assert!(budget.may_lose_power(node(1), &[], Some(&view(&[1], &[2]))).is_err());
        let mut budget = three_brokers();
        budget.stopped(node(2), true);
        assert_eq!(budget.may_lose_power(node(1), &[], Some(&view(&[1], &[2]))), Ok(()));
    }

    #[test]
    fn without_a_controller_no_risk_is_taken() {
        let mut budget = three_brokers();
        assert_eq!(budget.may_lose_power(node(1), &[], None), Err(Refusal::NoController));
        budget.lost_power(node(1), &view(&[1, 2, 3], &[]));
        assert_eq!(budget.may_strike(&[node(2)], &[], None), Err(Refusal::NoController));
    }

    #[test]
    fn a_member_that_is_cut_off_is_not_sound() {
        let mut budget = three_brokers();
        let full = view(&[1, 2, 3], &[]);
        budget.lost_power(node(1), &full);
        assert!(budget.may_lose_power(node(2), &[node(3)], Some(&full)).is_err());
        assert!(budget.may_strike(&[node(2), node(3)], &[], Some(&full)).is_err());
        assert_eq!(budget.may_strike(&[node(3)], &[], Some(&full)), Ok(()), "2 is still sound");
    }
}
