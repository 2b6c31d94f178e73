//! From one role to another (`QuorumState`).

use super::role::Role;
use super::{Quorum, QuorumChange, store};
use crate::Outbox;
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch};
use crate::timer::{QuorumTimer, Timer};
use machine::{Disk, Halt, Now};
use std::collections::BTreeSet;

impl Quorum {
    /// Gives up leadership, so that the others need not wait for a time-out.
    pub fn resign(&mut self, now: Now, out: &mut Outbox) {
        if !self.is_leader() {
            return;
        }
        out.observe(Fact::QuorumResigned { epoch: self.epoch });
        let candidates = self.voters_by_end();
        self.lose_leadership(out);
        self.turn_into(Role::Resigned { candidates, told: BTreeSet::new() });
        let timeout = self.election_timeout();
        out.set_timer(Timer::Quorum(QuorumTimer::Election), now.mono + timeout);
        self.poll(now, out);
    }

    /// Takes on a role. Whom it may ask has nothing to do with what it asked in another, and no
    /// answer to that is waited for any more (`resetConnections`).
    pub(super) fn turn_into(&mut self, role: Role) {
        self.role = role;
        self.requests.reset_all();
    }

    /// Writes epoch, vote and leader down, before anybody is told.
    pub(super) fn persist(&self, disk: &mut dyn Disk) -> Result<(), Halt> {
        let state =
            store::QuorumState { epoch: self.epoch, vote: self.vote, leader: self.leader() };
        store::write(&state, disk)
    }

    /// Leaves leadership, if it leads: fetches that wait are refused, pending records are gone.
    pub(super) fn lose_leadership(&mut self, out: &mut Outbox) {
        if !self.is_leader() {
            return;
        }
        let epoch = self.epoch;
        self.turn_into(Role::Unattached);
        self.changes.push(QuorumChange::LostLeadership { epoch });
        for timer in [QuorumTimer::Resign, QuorumTimer::BeginEpoch, QuorumTimer::Linger] {
            out.cancel_timer(Timer::Quorum(timer));
        }
        self.refuse_waiting(out);
    }

    /// Has no leader, and stands for election if none turns up.
    pub(super) fn wait_for_election(&mut self, now: Now, out: &mut Outbox) {
        self.lose_leadership(out);
        self.turn_into(Role::Unattached);
        out.observe(Fact::QuorumFollower { epoch: self.epoch, leader: None });
        if self.is_voter() {
            let timeout = self.election_timeout();
            out.set_timer(Timer::Quorum(QuorumTimer::Election), now.mono + timeout);
        }
    }

    /// Follows `leader` in the present epoch.
    pub(super) fn follow(&mut self, leader: BrokerId, now: Now, out: &mut Outbox) {
        self.lose_leadership(out);
        self.turn_into(Role::Follower { leader, heard: false });
        self.failed_elections = 0;
        self.changes.push(QuorumChange::LeaderKnown { leader, epoch: self.epoch });
        out.observe(Fact::QuorumFollower { epoch: self.epoch, leader: Some(leader) });
        let timeout = self.config.fetch_timeout;
        out.set_timer(Timer::Quorum(QuorumTimer::Election), now.mono + timeout);
    }

    /// Takes over what another member says about epoch and leader; tells whether it was news.
    pub(super) fn learn(
        &mut self,
        epoch: LeaderEpoch,
        leader: Option<BrokerId>,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<bool, Halt> {
        let leader = leader.filter(|leader| *leader != self.config.id);
        let news = epoch > self.epoch
            || (epoch == self.epoch && leader.is_some() && self.leader().is_none());
        if !news {
            return Ok(false);
        }
        if epoch > self.epoch {
            self.epoch = epoch;
            self.vote = None;
        }
        match leader {
            Some(leader) => self.follow(leader, now, out),
            None => self.wait_for_election(now, out),
        }
        self.persist(disk)?;
        Ok(true)
    }
}
