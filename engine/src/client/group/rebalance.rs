//! What a poll does for the membership: it gives up partitions, joins, and takes over assignments
//! (`AbstractCoordinator.joinGroupIfNeeded`, `ConsumerCoordinator.onJoinPrepare`, `onJoinComplete`).

use super::join::Join;
use super::state::{Generation, GroupEvent, MemberState};
use super::subscription::Refreshed;
use super::{GroupConsumer, later};
use crate::Outbox;
use crate::client::assignor::wire;
use crate::error::ErrorCode;
use crate::fact::{CommitKind, Fact, MemberFact, Revocation};
use crate::protocol::NamedPartition;
use crate::reach::Reach;
use crate::rules::member::Rejoin;
use bytes::Bytes;
use machine::{Mono, Now};
use std::sync::Arc;

/// The positions are committed before partitions are given up (`enable.auto.commit`).
#[derive(Clone, Copy, Debug)]
pub(super) enum Prepare {
    /// There is no such commit.
    NotBegun,
    /// The commit of this number is under way. At the deadline the member goes on without it.
    Committing { commit: u64, deadline: Mono },
    /// The commit is repeated at this time.
    Waiting { until: Mono, deadline: Mono },
}

/// How far a poll came with what precedes a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prepared {
    Done,
    Waiting,
    Listening,
}

/// The listener of the application runs, and these partitions are given up after it.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    partitions: Vec<NamedPartition>,
    why: Revocation,
    then: Then,
}

/// What follows when the listener has returned.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// JoinGroup.
    Join,
    /// The member takes over an assignment of this generation, and joins once more.
    TakeOver(Vec<NamedPartition>, Generation),
    /// The assignment of the consumer protocol is taken over.
    Reconcile,
    /// A membership of the consumer protocol that has ended begins anew.
    Release,
    /// The consumer closes.
    Leave,
    /// The poll goes on with what was assigned (`onPartitionsAssigned` has returned).
    Read,
}

impl GroupConsumer {
    /// What a poll does before it looks for records.
    pub(super) fn coordinate(&mut self, now: Now, out: &mut Outbox) {
        while self.needs_rejoin || !matches!(self.join, Join::None) {
            if self.coordinator.is_none() {
                return;
            }
            if matches!(self.join, Join::None) && !self.is_refreshed(out) {
                return;
            }
            if self.needs_prepare {
                self.needs_prepare = false;
                match self.prepare(now.mono, out) {
                    Prepared::Done => {}
                    Prepared::Waiting => {
                        self.needs_prepare = true;
                        return;
                    }
                    Prepared::Listening => return,
                }
            }
            if !self.advance_join(now, out) {
                return;
            }
        }
        if self.config.enable_auto_commit && now.mono >= self.auto_commit_at {
            self.auto_commit_at = now.mono + self.config.auto_commit_interval;
            self.commit_positions(now, CommitKind::Auto, out);
        }
    }

    /// One step of a join. Returns whether to go on.
    fn advance_join(&mut self, now: Now, out: &mut Outbox) -> bool {
        match std::mem::replace(&mut self.join, Join::None) {
            Join::None => {
                self.send_join(now.mono, out);
                false
            }
            Join::Pausing(until) if now.mono >= until => true,
            Join::Synced(assignment) => self.complete(now, assignment, out),
            Join::Failed(error) => {
                self.needs_rejoin = true;
                let is_again_at_once = matches!(
                    error,
                    ErrorCode::UnknownMemberId
                        | ErrorCode::IllegalGeneration
                        | ErrorCode::RebalanceInProgress
                        | ErrorCode::MemberIdRequired
                );
                if !is_again_at_once {
                    self.join = Join::Pausing(now.mono + self.pause());
                }
                is_again_at_once
            }
            Join::Threw(error) => {
                self.needs_rejoin = true;
                self.fail(error);
                false
            }
            waiting @ (Join::InFlight | Join::Assigning(_) | Join::Pausing(_)) => {
                self.join = waiting;
                false
            }
        }
    }

    /// Commits positions if the consumer does that by itself, then gives up what has to be given up.
    fn prepare(&mut self, now: Mono, out: &mut Outbox) -> Prepared {
        let deadline = match self.prepare {
            Prepare::NotBegun => now + self.config.max_poll_interval,
            Prepare::Committing { deadline, .. } | Prepare::Waiting { deadline, .. } => deadline,
        };
        let is_over = now >= deadline;
        match self.prepare {
            Prepare::Waiting { until, .. } if now < until && !is_over => return Prepared::Waiting,
            Prepare::NotBegun | Prepare::Waiting { .. }
                if self.config.enable_auto_commit && !is_over =>
            {
                let commit = self.commit_before_rebalance(out);
                self.prepare = Prepare::Committing { commit, deadline };
                self.send_commits(now, out);
            }
            _ => {}
        }
        if let Prepare::Committing { commit, .. } = self.prepare {
            match self.commits.take_outcome(commit) {
                None if !is_over => return Prepared::Waiting,
                Some(Some(error)) if error.is_retriable() && !is_over => {
                    let until = now + self.pause();
                    self.prepare = Prepare::Waiting { until, deadline };
                    return Prepared::Waiting;
                }
                _ => {}
            }
        }
        self.prepare = Prepare::NotBegun;
        self.give_up(now, out)
    }

    fn give_up(&mut self, now: Mono, out: &mut Outbox) -> Prepared {
        let is_member = self.generation.is_member();
        let rejoin = Rejoin { is_member, is_cooperative: self.config.assignors.are_cooperative() };
        if !self.rules.gives_up_before_join(out, rejoin) || self.owned.is_empty() {
            return Prepared::Done;
        }
        let why = match is_member {
            true => Revocation::Rebalance,
            false => Revocation::Lost { error: self.ended_by },
        };
        self.listen(now, self.owned.clone(), why, Then::Join);
        Prepared::Listening
    }

    /// Takes over an assignment. Returns whether the poll goes on.
    fn complete(&mut self, now: Now, assignment: Bytes, out: &mut Outbox) -> bool {
        if self.generation.is_reset() || self.state != MemberState::Stable {
            // The membership has ended since, so that the assignment counts for nothing.
            self.state = MemberState::Unjoined;
            self.generation = Generation::default();
            self.needs_rejoin = true;
            self.needs_prepare = true;
            return true;
        }
        let Ok(assigned) = wire::read_assignment(&assignment) else {
            self.fail(ErrorCode::UnknownServerError);
            return false;
        };
        if !assigned.iter().all(|(topic, _)| self.takes_topic(topic)) {
            self.needs_rejoin = true;
            self.needs_prepare = true;
            return true;
        }
        if assigned.iter().any(|it| self.consumer.id_of(it).is_none()) {
            // The metadata has not come yet.
            self.consumer.request_metadata();
            self.join = Join::Synced(assignment);
            return false;
        }
        self.needs_prepare = true;
        let is_cooperative = self.config.assignors.are_cooperative();
        let revoked: Vec<_> =
            self.owned.iter().filter(|it| !assigned.contains(it)).cloned().collect();
        if is_cooperative && !revoked.is_empty() {
            let then = Then::TakeOver(assigned, self.generation.clone());
            self.listen(now.mono, revoked, Revocation::Rebalance, then);
            return false;
        }
        let generation = self.generation.clone();
        self.take_over(now, assigned, generation, out);
        self.listening.is_none()
    }

    pub(super) fn take_over(
        &mut self,
        now: Now,
        assigned: Vec<NamedPartition>,
        generation: Generation,
        out: &mut Outbox,
    ) {
        let protocol = generation.protocol.clone().unwrap_or_else(|| "".into());
        if let Some(assignor) = self.config.assignors.named(&protocol) {
            self.remember(assignor, &assigned, generation.id);
        }
        self.auto_commit_at = now.mono + self.config.auto_commit_interval;
        self.refreshed = Refreshed::No;
        let added = self.ids(assigned.iter().filter(|it| !self.owned.contains(it)));
        self.owned = assigned;
        self.owned_in = generation;
        self.consumer.assign_group(now, &self.owned, out);
        let joined = MemberFact::Joined {
            group: Arc::clone(&self.group),
            member: Arc::clone(&self.owned_in.member),
            instance: self.config.group_instance_id.0.clone(),
            generation: self.owned_in.id,
            protocol,
            partitions: self.ids(&self.owned),
        };
        self.observe(joined, out);
        self.events.push(GroupEvent::Assigned { added });
        if self.listens_to_assignments {
            self.is_polling = false;
            self.heartbeat.polled(now.mono);
            let (partitions, why) = (Vec::new(), Revocation::Rebalance);
            self.listening = Some(Listening { partitions, why, then: Then::Read });
        }
    }

    /// Calls the listener of the application, which runs within the poll.
    pub(super) fn listen(
        &mut self,
        now: Mono,
        partitions: Vec<NamedPartition>,
        why: Revocation,
        then: Then,
    ) {
        self.is_polling = false;
        self.heartbeat.polled(now);
        self.events.push(GroupEvent::Revoking { partitions: self.ids(&partitions), why });
        self.listening = Some(Listening { partitions, why, then });
    }

    /// The listener of the application returns: the partitions are given up, and the poll, or the
    /// closing, goes on. No effect without a listener that runs.
    pub fn listener_returned(&mut self, now: Now, out: &mut Outbox) {
        let Some(Listening { partitions, why, then }) = self.listening.take() else { return };
        if matches!(then, Then::Read) {
            self.is_polling = true;
            self.run(now, out);
            return;
        }
        let revoked = MemberFact::Revoked {
            group: Arc::clone(&self.group),
            member: Arc::clone(&self.owned_in.member),
            generation: self.owned_in.id,
            partitions: self.ids(&partitions),
            why,
        };
        self.observe(revoked, out);
        if why.is_lost() {
            out.observe(Fact::Reached(Reach::PartitionsLost));
        }
        self.owned.retain(|it| !partitions.contains(it));
        match then {
            Then::Join => {
                self.consumer.assign_group(now, &self.owned, out);
                self.is_polling = true;
            }
            Then::TakeOver(assigned, generation) => {
                self.needs_rejoin = true;
                self.take_over(now, assigned, generation, out);
                self.is_polling = self.listening.is_none();
            }
            Then::Reconcile => {
                self.consumer.assign_group(now, &self.owned, out);
                self.listener_returned_for_reconciliation();
                self.is_polling = true;
            }
            Then::Release => {
                self.consumer.assign_group(now, &self.owned, out);
                self.released();
                self.is_polling = true;
            }
            Then::Leave => {
                self.consumer.assign_group(now, &self.owned, out);
                self.listener_returned_for_leave();
            }
            Then::Read => {}
        }
        self.run(now, out);
    }

    /// The membership is over: the member joins again, and its partitions are lost
    /// (`resetStateOnResponseError`).
    pub(super) fn end_membership(&mut self, error: ErrorCode, out: &mut Outbox) {
        self.state = MemberState::Unjoined;
        let member = match self.rules.keeps_member_id(out, error) {
            true => Arc::clone(&self.generation.member),
            false => "".into(),
        };
        self.generation = Generation { member, ..Generation::default() };
        self.ended_by = Some(error);
        self.needs_rejoin = true;
        self.needs_prepare = true;
    }

    /// When a poll goes on with a rebalance by itself.
    pub(super) fn next_of_rebalance(&self, now: Mono) -> Mono {
        let prepare = match self.prepare {
            Prepare::NotBegun => Mono::MAX,
            Prepare::Committing { deadline, .. } => deadline,
            Prepare::Waiting { until, deadline } => until.min(deadline),
        };
        let join = match self.join {
            Join::Pausing(until) => until,
            _ => Mono::MAX,
        };
        later(prepare.min(join), now)
    }
}
