//! Events about in-sync replicas, for explanations: proposals of leaders, refusals, replicas
//! admitted without all committed records, and high watermarks that passed the log end of a member.

use super::loss::Committed;
use super::observed::Moment;
use super::partition::{Lacking, Partition};
use super::replica_set::ReplicaSet;
use super::story::Happening;
use super::view::{Effect, View};
use engine::error::ErrorCode;
use engine::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use machine::NodeId;

impl View {
    /// A leader proposed other in-sync replicas.
    pub(super) fn proposed(
        &mut self,
        moment: &Moment,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        (from, to): (&[BrokerId], &[BrokerId]),
    ) -> Effect {
        let index = self.partition(moment.node.cluster, partition);
        let partition = &mut self.partitions[index];
        let (from, to) = (partition.members(from), partition.members(to));
        let replica = partition.replica(moment.node);
        partition.story.push(moment, replica, Happening::Proposed { epoch, from, to });
        Effect::Nothing
    }

    /// The controller refused a leader's proposal.
    pub(super) fn refused(
        &mut self,
        moment: &Moment,
        partition: TopicPartition,
        error: ErrorCode,
    ) -> Effect {
        let index = self.partition(moment.node.cluster, partition);
        let partition = &mut self.partitions[index];
        let replica = partition.replica(moment.node);
        partition.story.push(moment, replica, Happening::Refused(error));
        Effect::Nothing
    }
}

impl Partition {
    /// The known replicas of brokers.
    pub fn members(&self, brokers: &[BrokerId]) -> ReplicaSet {
        let node = |id: &BrokerId| NodeId { cluster: self.cluster, node: *id };
        brokers.iter().filter_map(|id| self.find(node(id))).collect()
    }

    /// Records the replicas that the latest state admitted although they lack committed records.
    pub(super) fn note_admissions(&mut self, moment: &Moment) {
        let [.., before, state] = self.states.as_slice() else { return };
        let committed = self.last_committed().map_or(0, |batch| self.batches.get(batch).next);
        let known = state.leader.map(|leader| self.replicas[leader].high_watermark);
        for replica in 0..self.replicas.len() {
            let is_new = state.isr.contains(replica) && !before.isr.contains(replica);
            let end = self.replicas[replica].end;
            if is_new && end < committed && state.leader != Some(replica) {
                let admitted = Happening::Admitted { end, committed, known };
                self.story.push(moment, replica, admitted);
            }
        }
    }

    /// The high watermark of a leader that was replaced is at `offset`. Until it learns that it was
    /// replaced, it uses the ISR that was committed while it led. By Kafka's rules it commits
    /// records that those replicas have, even if an unclean election has lost them already.
    pub(super) fn advance_replaced(
        &mut self,
        (leader, epoch): (usize, LeaderEpoch),
        offset: Offset,
        (required, count): (&ReplicaSet, usize),
    ) {
        let led = |state: &Committed| (state.leader, state.leader_epoch) == (Some(leader), epoch);
        if !self.ruling(epoch).is_some_and(led) {
            return;
        }
        let log = &self.replicas[leader];
        let Some((_, last)) = log.covering(&self.batches, offset.saturating_sub(1)) else { return };
        let held = self.counted(last, required);
        if !required.is_within(&held) || held.len() < count {
            return;
        }
        let below = |batch: &&u32| self.batches.get(**batch).next <= offset;
        let end = log.log.iter().rposition(|batch| below(&batch)).map_or(0, |last| last + 1);
        for batch in self.replicas[leader].log[..end].iter().rev() {
            let it = self.batches.get_mut(*batch);
            if std::mem::replace(&mut it.committed, true) {
                break;
            }
        }
    }

    /// Records that a leader's high watermark passed the log end of members, once for the same
    /// members.
    pub(super) fn note_passing(
        &mut self,
        moment: &Moment,
        leader: usize,
        (offset, isr): (Offset, &ReplicaSet),
        lacking: &Lacking,
    ) {
        let by = &lacking.lacking;
        let said =
            |what: &Happening| matches!(what, Happening::Passed { lacking, .. } if lacking == by);
        let last = self.story.0.iter().rev().find(|scene| scene.replica == leader);
        if by.is_empty() || last.is_some_and(|scene| said(&scene.what)) {
            return;
        }
        let (isr, lacking) = (isr.clone(), by.clone());
        self.story.push(moment, leader, Happening::Passed { offset, isr, lacking });
    }
}
