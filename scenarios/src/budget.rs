//! The fault budget: what the durable setting promises to survive, and nothing beyond it.
//!
//! A generated plan must not break a promise that was never made, or every loss would have to be
//! argued about. The durable setting is acks=all, min.insync.replicas 2 of 3 replicas, eligible
//! leader replicas on, and no fsync per record. What it survives follows from KIP-966:
//!
//! - Call a replica a *member* while the controller has committed it to the partition's ISR or
//!   ELR. The high watermark moves only past what every member of the ISR has, and only while
//!   there are min ISR of them; whoever leaves a smaller ISR goes to the ELR. So every member has
//!   everything committed, until its host loses power.
//! - A **process crash** keeps the page cache. The replica still has everything; but the
//!   controller cannot distinguish that crash from a power loss. When the broker registers again without
//!   the mark of a clean shutdown, it is taken out of ISR and ELR. If that empties both, the last
//!   leader is elected: it led from within the ISR, so it has everything as well. Hence process
//!   crashes alone, however many, lose nothing.
//! - A **power loss** takes from a replica what it had not synced: call it *hurt*, in each of its
//!   partitions, until it has registered its new life (which takes it out of ISR and ELR) and a
//!   committed ISR has it again (for which it had to fetch everything from a leader that has it).
//! - Call a member *sound* if it is not hurt and its membership will last: its present life is
//!   the registered one, or it was shut down cleanly; and no fault affects it. A member that
//!   crashed is not sound: it has everything, but will be taken out before it is asked. Nor is
//!   one that is cut off: while hurt members still stand in the ISR it may be fenced first, and
//!   leaves an ISR that is large enough without going to the ELR. A cut from the very broker that
//!   is about to lose its power is no such fault: the others keep their controllers.
//!
//! With one sound member every election ends with a replica that has everything: hurt ones are
//! taken out when they register and cannot lead before that. With none, the election of the last
//! leader may pick a hurt one. Therefore:
//!
//! 1. a power loss is allowed if each partition of the broker keeps another sound member;
//! 2. any other fault upon brokers (a crash, a cut, a pause, a slow link) is allowed if each of
//!    their partitions keeps a sound member beside them *or* has no hurt replica.
//!
//! With min ISR m and a full ISR rule 1 allows m-1 power losses in a row at the least, which is
//! KIP-966's "up to min.insync.replicas - 1 unclean losses among ISR and ELR", and one more each
//! time that a member is sound again. Faults of controllers are never refused: they sync what
//! they count (KIP-595).
//!
//! Where no active controller can be asked, no power loss and nothing beside a hurt replica is
//! allowed. Suppressed faults stay in the record of the run.

use crate::view::PartitionView;
use engine::ids::TopicPartition;
use machine::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is known of the brokers' lives and disks.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    lives: BTreeMap<NodeId, Life>,
    /// Replicas that may lack something committed.
    hurt: BTreeSet<(NodeId, TopicPartition)>,
    /// Replicas of which some bytes went bad, which no registration heals. A replica that is cut below
    /// them and fetches them again has everything; it is not counted on all the same, which refuses
    /// more than is needed.
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
    /// No active controller could be asked which replicas are in sync.
    NoController,
    /// A partition would keep no member that is sure to have everything committed.
    LastSoundMember {
        /// The cluster's name for it.
        partition: TopicPartition,
        /// Its members, as the controller has them.
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

    /// A broker's process has ended, and nothing on its disk was lost.
    pub fn stopped(&mut self, broker: NodeId, cleanly: bool) {
        let life = if cleanly { Life::StoppedCleanly } else { Life::Doubtful };
        // A clean shutdown cannot make up for an unclean end that has not been registered yet.
        if self.lives.get(&broker) != Some(&Life::Doubtful) {
            self.lives.insert(broker, life);
        }
    }

    /// A broker's host lost power. `partitions` are all that there are.
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

    /// Bytes on a broker's disk went bad in `partitions`: its replicas there are not counted on for
    /// the rest of the run.
    pub fn went_bad<'a>(
        &mut self,
        broker: NodeId,
        partitions: impl IntoIterator<Item = &'a PartitionView>,
    ) {
        self.bad.extend(partitions.into_iter().map(|view| (broker, view.partition)));
    }

    /// Forgets the wounds that have healed, by what the controller has committed.
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

    /// Whether `broker` may lose power now. `troubled` are the nodes that faults affect; `None`
    /// for `partitions`: no active controller can be asked.
    ///
    /// # Errors
    ///
    /// The reason why it may not.
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

    /// Whether a fault that takes nothing from a disk may strike `brokers` now, all of them
    /// together; the rest as above.
    ///
    /// # Errors
    ///
    /// The reason why it may not.
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
            let is_guard = |member: &NodeId| {
                !brokers.contains(member)
                    && !troubled.contains(member)
                    && self.is_sound(*member, view.partition)
            };
            if !view.member_nodes().any(|member| is_guard(&member)) {
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
    fn power_losses_go_on_until_one_sound_member_is_left() {
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
        // The committed ISR still has it, from before.
        assert!(budget.may_lose_power(node(2), &[], Some(&view(&[1, 2], &[]))).is_err());
        budget.registered(node(1));
        assert!(budget.may_lose_power(node(2), &[], Some(&view(&[2], &[]))).is_err());
        assert_eq!(budget.may_lose_power(node(2), &[], Some(&view(&[2, 1], &[]))), Ok(()));
    }

    #[test]
    fn crashes_alone_are_never_refused_but_a_crashed_member_guards_nothing() {
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
    fn without_a_controller_nothing_is_risked() {
        let mut budget = three_brokers();
        assert_eq!(budget.may_lose_power(node(1), &[], None), Err(Refusal::NoController));
        budget.lost_power(node(1), &view(&[1, 2, 3], &[]));
        assert_eq!(budget.may_strike(&[node(2)], &[], None), Err(Refusal::NoController));
    }

    #[test]
    fn who_is_cut_off_guards_nothing() {
        let mut budget = three_brokers();
        let full = view(&[1, 2, 3], &[]);
        budget.lost_power(node(1), &full);
        assert!(budget.may_lose_power(node(2), &[node(3)], Some(&full)).is_err());
        assert!(budget.may_strike(&[node(2), node(3)], &[], Some(&full)).is_err());
        assert_eq!(budget.may_strike(&[node(3)], &[], Some(&full)), Ok(()), "2 is still sound");
    }
}
