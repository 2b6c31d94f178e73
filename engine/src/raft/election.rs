//! Elections: pre-vote, vote, and what follows from the answers (KIP-595, KIP-996).

use super::role::{Role, Votes};
use super::{Leader, Quorum};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::BrokerId;
use crate::protocol::{
    BeginQuorumEpochRequest, BeginQuorumEpochResponse, EndQuorumEpochRequest,
    EndQuorumEpochResponse, VoteRequest, VoteResponse,
};
use crate::rules::quorum::{Ballot, LogEnd};
use crate::timer::{QuorumTimer, Timer};
use machine::{Disk, Halt, Mono, Now, Span};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};

impl Quorum {
    /// No leader was heard of, or no election was won, in time.
    pub(super) fn on_election_timer(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        if !self.is_voter() {
            // An observer looks for a leader among the voters. What it has asked it still awaits.
            self.role = Role::Unattached;
            out.observe(Fact::QuorumFollower { epoch: self.epoch, leader: None });
            return Ok(());
        }
        match &self.role {
            Role::Leader(_) => Ok(()),
            Role::Prospective { .. } => {
                self.give_up_prospect(now, out);
                Ok(())
            }
            Role::Follower { .. }
            | Role::Unattached
            | Role::Candidate { .. }
            | Role::Resigned { .. } => self.ask_for_prospect(now, disk, out),
        }
    }

    /// Asks the other voters whether they would vote for it. Its epoch stays, so that a member
    /// that merely cannot reach the leader disturbs nobody.
    fn ask_for_prospect(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let followed = self.leader();
        self.turn_into(Role::Prospective { votes: Votes::of(self.config.id), followed });
        out.observe(Fact::QuorumCandidate { epoch: self.epoch, pre_vote: true });
        let timeout = self.election_timeout();
        out.set_timer(Timer::Quorum(QuorumTimer::Election), now.mono + timeout);
        self.count_votes(now, disk, out)
    }

    /// It would not be elected: back to the leader it knew, or on waiting for one.
    fn give_up_prospect(&mut self, now: Now, out: &mut Outbox) {
        match self.role {
            Role::Prospective { followed: Some(leader), .. } => self.follow(leader, now, out),
            _ => self.wait_for_election(now, out),
        }
    }

    fn stand(&mut self, now: Now, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), Halt> {
        self.epoch += 1;
        self.vote = Some(self.config.id);
        self.turn_into(Role::Candidate { votes: Votes::of(self.config.id) });
        out.observe(Fact::QuorumCandidate { epoch: self.epoch, pre_vote: false });
        self.persist(disk)?;
        let timeout = self.election_timeout();
        out.set_timer(Timer::Quorum(QuorumTimer::Election), now.mono + timeout);
        self.count_votes(now, disk, out)
    }

    /// Asks the voters that have not answered, while it may still win.
    pub(super) fn ask_for_votes(&mut self, now: Mono, out: &mut Outbox) {
        let (votes, pre_vote) = match &self.role {
            Role::Prospective { votes, .. } => (votes, true),
            Role::Candidate { votes } => (votes, false),
            _ => return,
        };
        if votes.refused.len() >= self.too_many_refusals() {
            return;
        }
        let unrecorded: Vec<BrokerId> =
            self.other_voters().filter(|voter| !votes.has(*voter)).collect();
        let LogEnd { last_epoch: last_offset_epoch, end_offset: last_offset } = self.last();
        for voter in unrecorded {
            let request = VoteRequest {
                replica: self.config.id,
                replica_epoch: self.epoch,
                last_offset_epoch,
                last_offset,
                pre_vote,
            };
            self.ask(now, voter, request, out);
        }
    }

    fn too_many_refusals(&self) -> usize {
        self.config.voters.len() - self.majority() + 1
    }

    /// Acts on the votes so far.
    fn count_votes(&mut self, now: Now, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), Halt> {
        let majority = self.majority();
        let too_many_refusals = self.too_many_refusals();
        match &self.role {
            Role::Prospective { votes, .. } if votes.granted.len() >= majority => {
                self.stand(now, disk, out)
            }
            Role::Prospective { votes, .. } if votes.refused.len() >= too_many_refusals => {
                self.give_up_prospect(now, out);
                Ok(())
            }
            Role::Candidate { votes } if votes.granted.len() >= majority => {
                let granted = votes.granted.clone();
                self.lead(granted, now, disk, out)
            }
            Role::Candidate { votes } if votes.refused.len() >= too_many_refusals => {
                self.back_off(now.mono, out);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Lost: the next attempt waits a random time that grows with the number of losses.
    fn back_off(&mut self, now: Mono, out: &mut Outbox) {
        self.failed_elections += 1;
        let base = self.config.retry_backoff.0 << self.failed_elections.min(16);
        let most = base.min(self.config.election_backoff_max.0).max(1);
        let wait = Span(self.rng.random_range(0..most));
        out.set_timer(Timer::Quorum(QuorumTimer::Election), now + wait);
    }

    fn lead(
        &mut self,
        granted: BTreeSet<BrokerId>,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        self.failed_elections = 0;
        let epoch_start = self.log.end_offset();
        self.turn_into(Role::Leader(Leader {
            epoch_start,
            ends: BTreeMap::new(),
            fetched: BTreeSet::new(),
            pending: Vec::new(),
        }));
        out.cancel_timer(Timer::Quorum(QuorumTimer::Election));
        out.observe(Fact::QuorumLeader { epoch: self.epoch, epoch_start });
        self.persist(disk)?;
        self.append_leader_change(&granted, now, disk, out)?;
        self.restart_majority_timer(now.mono, out);
        self.begin_epoch(now, out);
        self.advance_high_watermark(disk, out)
    }

    /// Answers a vote request (`handleVoteRequest`).
    pub(super) fn on_vote_request(
        &mut self,
        request: &VoteRequest,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<VoteResponse, Halt> {
        if !self.is_voter() || !self.config.voters.contains(&request.replica) {
            return Ok(self.vote_response(ErrorCode::InconsistentVoterSet, false));
        }
        if request.replica_epoch < self.epoch {
            return Ok(self.vote_response(ErrorCode::FencedLeaderEpoch, false));
        }
        if request.replica_epoch > self.epoch {
            self.learn(request.replica_epoch, None, now, disk, out)?;
        }
        let has_leader = match self.role {
            Role::Leader(_) => true,
            Role::Follower { heard, .. } => heard || !request.pre_vote,
            Role::Prospective { followed: Some(_), .. } => !request.pre_vote,
            _ => false,
        };
        let ballot = Ballot {
            candidate: LogEnd {
                last_epoch: request.last_offset_epoch,
                end_offset: request.last_offset,
            },
            own: self.last(),
            voted_for_other: self.vote.is_some_and(|vote| vote != request.replica),
            has_leader,
            pre_vote: request.pre_vote,
        };
        let granted = self.rules.grants_vote(out, ballot);
        if granted && !request.pre_vote && self.vote.is_none() {
            self.vote = Some(request.replica);
            self.persist(disk)?;
            // Whoever has voted leaves the elected one time to make itself known.
            self.wait_for_election(now, out);
        }
        Ok(self.vote_response(ErrorCode::None, granted))
    }

    fn vote_response(&self, error: ErrorCode, vote_granted: bool) -> VoteResponse {
        VoteResponse { error, leader: self.leader(), leader_epoch: self.epoch, vote_granted }
    }

    /// A voter has answered what it was asked in this role.
    pub(super) fn on_vote_response(
        &mut self,
        from: BrokerId,
        response: &VoteResponse,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let news = self.learn(response.leader_epoch, response.leader, now, disk, out)?;
        if news || !response.error.is_none() {
            return Ok(());
        }
        if let Role::Prospective { votes, .. } | Role::Candidate { votes } = &mut self.role {
            votes.count(from, response.vote_granted);
        }
        self.count_votes(now, disk, out)
    }

    /// A leader makes itself known.
    pub(super) fn on_begin_epoch_request(
        &mut self,
        request: &BeginQuorumEpochRequest,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<BeginQuorumEpochResponse, Halt> {
        let error = if request.leader_epoch < self.epoch {
            ErrorCode::FencedLeaderEpoch
        } else {
            self.learn(request.leader_epoch, Some(request.leader), now, disk, out)?;
            ErrorCode::None
        };
        Ok(BeginQuorumEpochResponse { error, leader: self.leader(), leader_epoch: self.epoch })
    }

    /// A leader resigns: its followers stand for election, the one with the longest log first.
    pub(super) fn on_end_epoch_request(
        &mut self,
        request: &EndQuorumEpochRequest,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<EndQuorumEpochResponse, Halt> {
        let error = if request.leader_epoch < self.epoch {
            ErrorCode::FencedLeaderEpoch
        } else {
            self.learn(request.leader_epoch, Some(request.leader), now, disk, out)?;
            if self.is_voter() && self.leader() == Some(request.leader) {
                let place = request.preferred_candidates.iter().position(|c| *c == self.config.id);
                let wait = self.wait_in_line(place, request.preferred_candidates.len());
                out.set_timer(Timer::Quorum(QuorumTimer::Election), now.mono + wait);
            }
            ErrorCode::None
        };
        Ok(EndQuorumEpochResponse { error, leader: self.leader(), leader_epoch: self.epoch })
    }

    /// A voter knows that this member has resigned.
    pub(super) fn on_end_epoch_response(
        &mut self,
        from: BrokerId,
        response: &EndQuorumEpochResponse,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        self.learn(response.leader_epoch, response.leader, now, disk, out)?;
        if let Role::Resigned { candidates, told } = &mut self.role
            && candidates.contains(&from)
            && response.error.is_none()
        {
            told.insert(from);
        }
        Ok(())
    }

    /// How long to wait behind those with longer logs: not at all for the first, then doubling
    /// up to the longest back-off (`strictExponentialElectionBackoffMs`).
    fn wait_in_line(&self, place: Option<usize>, candidates: usize) -> Span {
        match place {
            Some(0) => Span::ZERO,
            Some(place) => {
                let behind = candidates.saturating_sub(place).min(16);
                Span(self.config.election_backoff_max.0 >> behind)
            }
            None => self.config.election_backoff_max,
        }
    }
}
