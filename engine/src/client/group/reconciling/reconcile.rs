//! From what a member owns to what it is assigned (`AbstractMembershipManager.maybeReconcile`).

use super::{Local, State};
use crate::Outbox;
use crate::client::group::GroupConsumer;
use crate::client::group::rebalance::Then;
use crate::client::group::state::CommitError;
use crate::error::ErrorCode;
use crate::fact::Revocation;
use crate::protocol::NamedPartition;
use machine::{Mono, Now};
use std::collections::BTreeSet;

/// A reconciliation under way.
#[derive(Clone, Debug)]
pub(super) struct Reconciliation {
    /// What the member is going to own.
    to: Local,
    assigned: Vec<NamedPartition>,
    revoked: Vec<NamedPartition>,
    step: Step,
    /// Without the commit from then on.
    deadline: Mono,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Positions are committed by the commit of this number.
    Committing(u64),
    /// The commit is repeated at this time.
    Waiting(Mono),
    /// The listener is to run, in a poll.
    Revoking,
    /// The listener runs.
    Listening,
    /// The assignment is to be taken over, in a poll.
    TakingOver,
}

impl Reconciliation {
    /// When it goes on by itself.
    pub(super) fn next(&self) -> Mono {
        match self.step {
            Step::Committing(_) => self.deadline,
            Step::Waiting(until) => until.min(self.deadline),
            Step::Revoking | Step::Listening | Step::TakingOver => Mono::MAX,
        }
    }
}

impl GroupConsumer {
    /// Begins or goes on.
    pub(super) fn reconcile(&mut self, now: Now, is_polling: bool, out: &mut Outbox) {
        self.begin_reconciliation(now, is_polling);
        while let Some(membership) = &mut self.membership
            && let Some(under_way) = &mut membership.reconciliation
        {
            let counts = membership.state == State::Reconciling && !membership.has_rejoined;
            match under_way.step {
                Step::Listening => return,
                _ if !counts => {
                    membership.reconciliation = None;
                    membership.has_rejoined = false;
                    return;
                }
                Step::Committing(_) | Step::Waiting(_) => {
                    if !self.commit_before_revocation(now.mono, out) {
                        return;
                    }
                }
                _ if !is_polling || self.listening.is_some() => return,
                Step::Revoking if under_way.revoked.is_empty() => under_way.step = Step::TakingOver,
                Step::Revoking => {
                    under_way.step = Step::Listening;
                    let revoked = under_way.revoked.clone();
                    self.listen(now.mono, revoked, Revocation::Rebalance, Then::Reconcile);
                    return;
                }
                Step::TakingOver => self.complete_reconciliation(now, out),
            }
        }
    }

    fn begin_reconciliation(&mut self, now: Now, is_polling: bool) {
        let Some(membership) = &self.membership else { return };
        let is_wanted = membership.state == State::Reconciling
            && membership.current != membership.target
            && membership.reconciliation.is_none();
        if !is_wanted {
            return;
        }
        let (to, assigned) = self.resolvable();
        let Some(membership) = &mut self.membership else { return };
        if membership.current.number.is_some() && membership.current.partitions == to.partitions {
            membership.current = to;
            membership.state = State::Acknowledging;
            return;
        }
        let commits = self.config.enable_auto_commit;
        if commits && !is_polling {
            return;
        }
        let revoked = self.owned.iter().filter(|it| !assigned.contains(it)).cloned();
        let revoked: Vec<NamedPartition> = revoked.collect();
        membership.has_rejoined = false;
        membership.reconciliation = Some(Reconciliation {
            to,
            assigned,
            revoked: revoked.clone(),
            step: if commits { Step::Waiting(now.mono) } else { Step::Revoking },
            deadline: now.mono + self.config.max_poll_interval,
            failures: 0,
        });
        self.consumer.stop_reading(&revoked);
    }

    /// The part of the assignment whose topics are known by name; the metadata of the others is asked
    /// for (`findResolvableAssignmentAndTriggerMetadataUpdate`).
    fn resolvable(&mut self) -> (Local, Vec<NamedPartition>) {
        let membership = self.membership.as_mut().expect("it is of the consumer protocol");
        let known = self.consumer.metadata().topics().map(|(name, topic)| (topic.id, name.into()));
        membership.names.extend(known);
        let mut to = membership.target.clone();
        to.partitions.retain(|topic, _| membership.names.contains_key(topic));
        if to.partitions.len() < membership.target.partitions.len() {
            self.consumer.request_metadata();
        }
        let named = |(topic, partitions): (&crate::ids::TopicId, &BTreeSet<i32>)| {
            let name = membership.names[topic].clone();
            partitions.iter().map(|index| (name.clone(), *index)).collect::<Vec<_>>()
        };
        let assigned = to.partitions.iter().flat_map(named).collect();
        (to, assigned)
    }

    /// Commits positions, again and again until that succeeds, fails for good, or takes too long. Returns
    /// whether that is over.
    fn commit_before_revocation(&mut self, now: Mono, out: &mut Outbox) -> bool {
        let is_member = self.generation.is_member();
        let Some(membership) = &mut self.membership else { return false };
        let Some(under_way) = &mut membership.reconciliation else { return false };
        let is_late = now >= under_way.deadline;
        match under_way.step {
            Step::Waiting(until) if now < until && !is_late => return false,
            Step::Waiting(_) if !is_late => {
                let commit = self.commit_before_rebalance(out);
                self.set_step(Step::Committing(commit));
                self.send_commits(now, out);
                return true;
            }
            Step::Committing(commit) => match self.commits.take_outcome(commit) {
                None if !is_late => return false,
                Some(Some(error)) if !is_late && is_repeated(error, is_member) => {
                    under_way.failures += 1;
                    let wait = self.backoff.after(under_way.failures, &mut self.random);
                    under_way.step = Step::Waiting(now + wait);
                    return false;
                }
                _ => {}
            },
            _ => {}
        }
        self.set_step(Step::Revoking);
        true
    }

    fn set_step(&mut self, step: Step) {
        let membership = self.membership.as_mut();
        if let Some(under_way) = membership.and_then(|it| it.reconciliation.as_mut()) {
            under_way.step = step;
        }
    }

    /// The listener has returned, and its partitions are given up.
    pub(in crate::client::group) fn listener_returned_for_reconciliation(&mut self) {
        self.set_step(Step::TakingOver);
    }

    fn complete_reconciliation(&mut self, now: Now, out: &mut Outbox) {
        let Some(membership) = &mut self.membership else { return };
        let Some(done) = membership.reconciliation.take() else { return };
        membership.current = done.to;
        membership.state = State::Acknowledging;
        let assigned = &membership.current.partitions;
        membership.names.retain(|topic, _| assigned.contains_key(topic));
        self.take_over(now, done.assigned, self.generation.clone(), out);
    }
}

/// Whether a commit before partitions are given up is repeated after this error: also if the epoch of the
/// member has risen since.
fn is_repeated(error: CommitError, is_member: bool) -> bool {
    match error {
        CommitError::Retriable(ErrorCode::UnknownTopicOrPartition) => false,
        CommitError::NotMember(ErrorCode::StaleMemberEpoch) => is_member,
        error => error.is_retriable(),
    }
}
