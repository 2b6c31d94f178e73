//! Transitions between roles (`QuorumState`).

use super::role::{Role, Votes};
use super::{Quorum, QuorumChange, store};
use crate::Outbox;
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch};
use crate::timer::{QuorumTimer, Timer};
use machine::{Disk, Halt, Mono, Now};
use std::collections::BTreeSet;

impl Quorum {
    /// The first role of a life (`QuorumState.initialize`).
    ///
    /// A voter that led its epoch starts as resigned: it may have lost records of that epoch with
    /// its last life, so it must neither lead nor vote in that epoch again. A voter that had voted
    /// for itself continues with that election. The only voter elects itself at once.
    pub(super) fn initialize(
        &mut self,
        state: &store::QuorumState,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let own = self.config.id;
        let leader = state.leader.filter(|_| state.epoch == self.epoch);
        let only_voter = self.config.voters == [own];
        let led = leader == Some(own);
        if led && !only_voter {
            self.become_resigned(Vec::new(), now, out);
        } else if self.is_voter() && self.vote == Some(own) && !led {
            self.run_candidacy(now, disk, out)?;
        } else if only_voter {
            self.become_prospective(now, disk, out)?;
        } else if let Some(leader) = leader {
            self.follow(leader, now, out);
        } else {
            self.become_unattached(now, out);
        }
        if state.epoch < self.epoch {
            self.persist(disk)?;
        }
        Ok(())
    }

    /// Gives up leadership, so that the other voters need not wait for a time-out.
    pub fn resign(&mut self, now: Now, out: &mut Outbox) {
        if !self.is_leader() {
            return;
        }
        out.observe(Fact::QuorumResigned { epoch: self.epoch });
        let preferred_successors = self.voters_by_end();
        self.lose_leadership(out);
        self.become_resigned(preferred_successors, now, out);
        self.poll(now, out);
    }

    fn become_resigned(&mut self, preferred_successors: Vec<BrokerId>, now: Now, out: &mut Outbox) {
        self.turn_into(Role::Resigned { preferred_successors, acknowledged: BTreeSet::new() });
        self.restart_election_timer(now.mono, out);
    }

    /// The voters have had an election time-out to elect another leader. The epoch is raised, so
    /// that no member considers this member the leader of the present epoch any more.
    pub(super) fn leave_resigned(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        self.epoch += 1;
        self.vote = None;
        self.turn_into(Role::Unattached);
        out.observe(Fact::QuorumFollower { epoch: self.epoch, leader: None });
        self.persist(disk)?;
        self.become_prospective(now, disk, out)
    }

    /// Takes on a role. Responses to requests of the previous role are no longer awaited, and a
    /// request can be sent to every member at once (`resetConnections`).
    pub(super) fn turn_into(&mut self, role: Role) {
        self.role = role;
        self.requests.reset_all();
    }

    /// Makes epoch, vote and leader durable, before any message depends on them.
    pub(super) fn persist(&self, disk: &mut dyn Disk) -> Result<(), Halt> {
        let state =
            store::QuorumState { epoch: self.epoch, vote: self.vote, leader: self.leader() };
        store::write(&state, disk)
    }

    /// Leaves leadership, if it leads: parked fetches are refused, pending records are dropped.
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

    /// Takes the role of a member that knows no leader and stands for election if none appears. A
    /// member that was already waiting for the outcome of an election keeps its deadline: epochs
    /// that others raise again and again must not delay its own attempt.
    pub(super) fn become_unattached(&mut self, now: Now, out: &mut Outbox) {
        let keeps_time_out = match &self.role {
            Role::Unattached | Role::Candidate { .. } | Role::Resigned { .. } => {
                self.election_deadline < Mono::MAX
            }
            Role::Prospective { votes, .. } => !votes.is_rejected(self.config.voters.len()),
            Role::Follower { .. } | Role::Leader(_) => false,
        };
        self.lose_leadership(out);
        self.turn_into(Role::Unattached);
        out.observe(Fact::QuorumFollower { epoch: self.epoch, leader: None });
        if !self.is_voter() {
            self.set_election_deadline(Mono::MAX, out);
        } else if !keeps_time_out {
            self.restart_election_timer(now.mono, out);
        }
    }

    /// Follows `leader` in the present epoch.
    pub(super) fn follow(&mut self, leader: BrokerId, now: Now, out: &mut Outbox) {
        self.lose_leadership(out);
        self.turn_into(Role::Follower { leader, has_fetched: false, fetch_expired: false });
        self.changes.push(QuorumChange::LeaderKnown { leader, epoch: self.epoch });
        out.observe(Fact::QuorumFollower { epoch: self.epoch, leader: Some(leader) });
        self.set_election_deadline(now.mono + self.config.fetch_timeout, out);
    }

    /// Begins to send pre-votes. The epoch stays the same, so that a member that merely cannot
    /// reach the leader does not disturb the others (KIP-996).
    pub(super) fn become_prospective(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let own = self.config.id;
        let followed = self.leader().filter(|leader| *leader != own);
        self.turn_into(Role::Prospective { votes: Votes::of(own), followed });
        out.observe(Fact::QuorumCandidate { epoch: self.epoch, pre_vote: true });
        self.restart_election_timer(now.mono, out);
        self.act_on_votes(now, disk, out)
    }

    /// Adopts the epoch and the leader that a message names, if they are new (`maybeTransition`).
    /// Returns whether they were.
    ///
    /// # Errors
    ///
    /// If the message names another leader of the present epoch, as can be after voters have lost
    /// their disks: the member ends, as Kafka's does by an exception.
    pub(super) fn learn(
        &mut self,
        epoch: LeaderEpoch,
        leader: Option<BrokerId>,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<bool, Halt> {
        let leader = leader.filter(|leader| *leader != self.config.id);
        if let (true, Some(known), Some(other)) = (epoch == self.epoch, self.leader(), leader)
            && known != other
        {
            return Err(Halt::Failed(format!(
                "two leaders of the quorum in epoch {epoch}: {known} and {other}"
            )));
        }
        let is_news = epoch > self.epoch
            || (epoch == self.epoch && leader.is_some() && self.leader().is_none());
        if !is_news {
            return Ok(false);
        }
        if epoch > self.epoch {
            self.epoch = epoch;
            self.vote = None;
        }
        match leader {
            Some(leader) => self.follow(leader, now, out),
            None => self.become_unattached(now, out),
        }
        self.persist(disk)?;
        Ok(true)
    }

    /// Draws a new election time-out.
    pub(super) fn restart_election_timer(&mut self, now: Mono, out: &mut Outbox) {
        let time_out = self.election_timeout();
        self.set_election_deadline(now + time_out, out);
    }

    /// Sets the end of the wait of the present role; [`Mono::MAX`] for never.
    pub(super) fn set_election_deadline(&mut self, at: Mono, out: &mut Outbox) {
        self.election_deadline = at;
        let timer = Timer::Quorum(QuorumTimer::Election);
        if at == Mono::MAX {
            out.cancel_timer(timer);
        } else {
            out.set_timer(timer, at);
        }
    }
}
