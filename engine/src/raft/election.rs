//! Elections: pre-votes, votes, and the end of an epoch (KIP-595, KIP-996).

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
use machine::{Disk, Halt, Mono, Now, Span};
use std::collections::{BTreeMap, BTreeSet};

impl Quorum {
    /// The wait of the present role has ended: for the leader, or for the outcome of an election.
    pub(super) fn on_election_timer(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let is_voter = self.is_voter();
        match &mut self.role {
            Role::Leader(_) => Ok(()),
            // An observer keeps its leader: brokers continue sending heartbeats to the leader
            // (`pollFollowerAsObserver`).
            Role::Follower { fetch_expired, .. } if !is_voter => {
                *fetch_expired = true;
                Ok(())
            }
            Role::Unattached if !is_voter => Ok(()),
            Role::Prospective { followed: Some(leader), .. } => {
                let leader = *leader;
                self.follow(leader, now, out);
                Ok(())
            }
            Role::Resigned { .. } => self.leave_resigned(now, disk, out),
            Role::Follower { .. }
            | Role::Unattached
            | Role::Prospective { followed: None, .. }
            | Role::Candidate { .. } => self.become_prospective(now, disk, out),
        }
    }

    fn stand(&mut self, now: Now, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), Halt> {
        self.epoch += 1;
        self.vote = Some(self.config.id);
        self.persist_candidacy(disk)?;
        self.run_candidacy(now, disk, out)
    }

    /// Persists that a candidate knows no leader of its epoch, whatever its role was before.
    fn persist_candidacy(&mut self, disk: &mut dyn Disk) -> Result<(), Halt> {
        self.role = Role::Candidate { votes: Votes::of(self.config.id) };
        self.persist(disk)
    }

    /// Takes the role of a candidate of the present epoch, after a durable vote for itself.
    pub(super) fn run_candidacy(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        self.turn_into(Role::Candidate { votes: Votes::of(self.config.id) });
        out.observe(Fact::QuorumCandidate { epoch: self.epoch, pre_vote: false });
        self.restart_election_timer(now.mono, out);
        self.act_on_votes(now, disk, out)
    }

    /// Sends vote requests to the voters whose vote is not recorded, while the election can
    /// still be won.
    pub(super) fn request_votes(&mut self, now: Mono, out: &mut Outbox) {
        let (votes, pre_vote) = match &self.role {
            Role::Prospective { votes, .. } => (votes, true),
            Role::Candidate { votes } => (votes, false),
            _ => return,
        };
        if votes.is_rejected(self.config.voters.len()) {
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
            self.send_request(now, voter, request, out);
        }
    }

    /// Acts on the votes received so far. A candidate that can no longer win waits for the rest of
    /// its election time-out before it sends pre-votes again (`maybeHandleElectionLoss`).
    pub(super) fn act_on_votes(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let voters = self.config.voters.len();
        match &self.role {
            Role::Prospective { votes, .. } if votes.is_granted(voters) => {
                self.stand(now, disk, out)
            }
            Role::Prospective { votes, followed } if votes.is_rejected(voters) => {
                match *followed {
                    Some(leader) => self.follow(leader, now, out),
                    None => self.become_unattached(now, out),
                }
                Ok(())
            }
            Role::Candidate { votes } if votes.is_granted(voters) => {
                let granted = votes.granted.clone();
                self.lead(granted, now, disk, out)
            }
            _ => Ok(()),
        }
    }

    fn lead(
        &mut self,
        granted: BTreeSet<BrokerId>,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let epoch_start = self.log.end_offset();
        self.turn_into(Role::Leader(Leader {
            epoch_start,
            ends: BTreeMap::new(),
            fetched: BTreeSet::new(),
            pending: Vec::new(),
        }));
        self.set_election_deadline(Mono::MAX, out);
        out.observe(Fact::QuorumLeader { epoch: self.epoch, epoch_start });
        self.persist(disk)?;
        self.append_leader_change(&granted, now, disk, out)?;
        self.restart_majority_timer(now.mono, out);
        self.begin_epoch(now, out);
        self.advance_high_watermark(disk, out)
    }

    /// Handles a vote request (`handleVoteRequest`).
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
            Role::Follower { has_fetched, .. } => has_fetched || !request.pre_vote,
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
            self.vote_for(request.replica, now, disk, out)?;
        }
        Ok(self.vote_response(ErrorCode::None, granted))
    }

    /// Votes for another member. The candidate has at least as good a chance as this member, so
    /// the election time-out restarts; a member that was sending pre-votes continues sending them
    /// (`unattachedAddVotedState`, `prospectiveAddVotedState`).
    fn vote_for(
        &mut self,
        candidate: BrokerId,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        self.vote = Some(candidate);
        if let Role::Prospective { votes, .. } = &mut self.role {
            *votes = Votes::of(self.config.id);
        }
        self.persist(disk)?;
        self.restart_election_timer(now.mono, out);
        Ok(())
    }

    fn vote_response(&self, error: ErrorCode, vote_granted: bool) -> VoteResponse {
        VoteResponse { error, leader: self.leader(), leader_epoch: self.epoch, vote_granted }
    }

    /// Handles the vote of a voter that was requested in the present role.
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
            votes.record(from, response.vote_granted);
        }
        self.act_on_votes(now, disk, out)
    }

    /// Handles the announcement of a leader (`handleBeginQuorumEpochRequest`).
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

    /// A leader has resigned: its followers stand for election, the one with the longest log first.
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
            if let Role::Follower { leader, .. } = self.role
                && leader == request.leader
            {
                let wait = self.successor_wait(&request.preferred_candidates);
                self.set_election_deadline(now.mono + wait, out);
            }
            ErrorCode::None
        };
        Ok(EndQuorumEpochResponse { error, leader: self.leader(), leader_epoch: self.epoch })
    }

    /// A voter has acknowledged that this member resigned.
    pub(super) fn on_end_epoch_response(
        &mut self,
        from: BrokerId,
        response: &EndQuorumEpochResponse,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        self.learn(response.leader_epoch, response.leader, now, disk, out)?;
        if let Role::Resigned { acknowledged, .. } = &mut self.role
            && response.error.is_none()
        {
            acknowledged.insert(from);
        }
        Ok(())
    }

    /// How long this member waits for the successors before it: not at all if it is the first or
    /// the list is empty. The wait doubles with each place up to
    /// `controller.quorum.election.backoff.max.ms`, which is also the wait of a member that is not
    /// in the list (`endEpochElectionBackoff`).
    fn successor_wait(&self, successors: &[BrokerId]) -> Span {
        let total = successors.len();
        let own = self.config.id;
        let place = successors.iter().position(|successor| *successor == own).unwrap_or(total);
        let longest = self.config.election_backoff_max;
        if place == 0 {
            Span::ZERO
        } else if place == total {
            longest
        } else {
            let shortest = longest.0 >> (total - 1).min(63);
            Span(shortest.checked_shl(place as u32 - 1).unwrap_or(u64::MAX).min(longest.0))
        }
    }
}
