//! The leader: writes records, counts the voters that have them, and resigns when no majority
//! fetches (`LeaderState`).

use super::role::Role;
use super::{Quorum, failed};
use crate::Outbox;
use crate::fact::Fact;
use crate::ids::{BrokerId, Offset, TopicPartition};
use crate::protocol::{BeginQuorumEpochRequest, EndQuorumEpochRequest};
use crate::record::BatchBuilder;
use crate::record::control::LeaderChange;
use crate::rules::quorum::Majority;
use crate::timer::{QuorumTimer, Timer};
use bytes::Bytes;
use machine::{Disk, Halt, Mono, Now, Span};
use std::collections::BTreeSet;

impl Quorum {
    /// Writes the first record of the epoch. Records of earlier epochs are committed only together
    /// with this record.
    pub(super) fn append_leader_change(
        &mut self,
        granted: &BTreeSet<BrokerId>,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let change = LeaderChange {
            leader: i32::from(self.config.id),
            voters: self.config.voters.iter().copied().map(i32::from).collect(),
            granting: granted.iter().copied().map(i32::from).collect(),
        };
        let epoch_start = self.log.end_offset();
        self.write(change.batch(self.epoch, now.wall.0), now, disk, out)?;
        let epoch = self.epoch;
        self.changes.push(super::QuorumChange::BecameLeader { epoch, epoch_start });
        Ok(())
    }

    /// Writes the records that [`Quorum::append`] has collected.
    pub(super) fn flush_pending(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let Some(leader) = self.role.leader_mut() else { return Ok(()) };
        let pending = std::mem::take(&mut leader.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let mut batch = BatchBuilder::new();
        for value in &pending {
            batch.append(now.wall.0, None, Some(value), &[]);
        }
        self.write(batch.build(), now, disk, out)?;
        self.advance_high_watermark(disk, out)?;
        self.complete_parked(disk, out)
    }

    /// Appends and fsyncs one batch, so that the leader's own copy counts.
    fn write(
        &mut self,
        batch: Bytes,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let info = self.log.append_as_leader(batch, self.epoch, now.wall, disk).map_err(failed)?;
        self.log.flush(disk).map_err(failed)?;
        out.observe(Fact::Appended {
            partition: TopicPartition::METADATA,
            as_leader: true,
            leader_epoch: self.epoch,
            batch: info.batch,
        });
        Ok(())
    }

    /// A voter has fetched from `end`: it has fsynced all records below.
    pub(super) fn on_voter_fetched(
        &mut self,
        voter: BrokerId,
        end: Offset,
        now: Mono,
        out: &mut Outbox,
    ) {
        let others = self.majority() - 1;
        let Some(leader) = self.role.leader_mut() else { return };
        leader.ends.insert(voter, end);
        leader.fetched.insert(voter);
        if leader.fetched.len() >= others {
            self.restart_majority_timer(now, out);
        }
    }

    /// Raises the high watermark to the highest offset that a majority has reached, and completes
    /// the fetches parked for it.
    pub(super) fn advance_high_watermark(
        &mut self,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let Some(leader) = self.role.leader() else { return Ok(()) };
        let epoch_start = leader.epoch_start;
        let mut ends: Vec<Offset> = leader.ends.values().copied().collect();
        ends.push(self.log.end_offset());
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let Some(majority_end) = ends.get(self.majority() - 1).copied() else { return Ok(()) };
        let majority = Majority { end: majority_end, epoch_start };
        if self.rules.quorum_commits(out, majority) && self.commit(majority_end, out) {
            self.complete_parked(disk, out)?;
        }
        Ok(())
    }

    /// Restarts the check-quorum timer, because a majority has fetched. A leader from which no
    /// majority can fetch resigns; otherwise brokers that still reach it would wait forever
    /// (KAFKA-15489).
    pub(super) fn restart_majority_timer(&mut self, now: Mono, out: &mut Outbox) {
        let timeout = Span(self.config.fetch_timeout.0 / 2 * 3);
        let alone = self.majority() == 1;
        let Some(leader) = self.role.leader_mut() else { return };
        leader.fetched.clear();
        if !alone {
            out.set_timer(Timer::Quorum(QuorumTimer::Resign), now + timeout);
        }
    }

    /// Announces this leader to the other voters. The announcement is repeated, since a voter that
    /// knew the leader may have restarted without knowing it any more.
    pub(super) fn begin_epoch(&mut self, now: Now, out: &mut Outbox) {
        if !self.is_leader() {
            return;
        }
        self.requests.expire(now.mono);
        for voter in self.other_voters() {
            let request =
                BeginQuorumEpochRequest { leader: self.config.id, leader_epoch: self.epoch };
            self.send_request(now.mono, voter, request, out);
        }
        let again = Span(self.config.fetch_timeout.0 / 2);
        out.set_timer(Timer::Quorum(QuorumTimer::BeginEpoch), now.mono + again);
    }

    /// The other voters, in descending order of their log end offsets.
    pub(super) fn voters_by_end(&self) -> Vec<BrokerId> {
        let end = |voter: &BrokerId| {
            self.role.leader().and_then(|leader| leader.ends.get(voter)).copied().unwrap_or(0)
        };
        let mut voters: Vec<BrokerId> = self.other_voters().collect();
        voters.sort_by_key(|voter| (-end(voter), *voter));
        voters
    }

    /// Announces the end of the epoch to the voters that have not acknowledged it.
    pub(super) fn announce_end(&mut self, now: Mono, out: &mut Outbox) {
        let Role::Resigned { preferred_successors, acknowledged } = &self.role else { return };
        let request = EndQuorumEpochRequest {
            leader: self.config.id,
            leader_epoch: self.epoch,
            preferred_candidates: preferred_successors.clone(),
        };
        let unaware: Vec<BrokerId> =
            self.other_voters().filter(|voter| !acknowledged.contains(voter)).collect();
        for voter in unaware {
            self.send_request(now, voter, request.clone(), out);
        }
    }
}
