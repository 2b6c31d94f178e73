//! Commits of positions: synchronous, asynchronous, by interval, and before partitions are given up
//! (`ConsumerCoordinator.commitOffsetsSync`, `commitOffsetsAsync`, `OffsetCommitResponseHandler`).

use super::state::{CommitError, Context, Generation, GroupEvent, MemberState};
use super::{GroupConsumer, later};
use crate::Outbox;
use crate::client::consumer::Committable;
use crate::error::ErrorCode;
use crate::fact::{CommitKind, MemberFact};
use crate::ids::{Offset, TopicPartition};
use crate::protocol::{OffsetCommitRequest, OffsetCommitResponse, OffsetToCommit};
use crate::rules::member::Denied;
use machine::{Mono, Now};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The commits of a member.
#[derive(Clone, Debug)]
pub(super) struct Commits {
    /// The number of the next one.
    pub(super) next: u64,
    /// Those without an outcome, by number.
    pending: BTreeMap<u64, Commit>,
    /// The outcomes of the commits that precede a rebalance.
    outcomes: BTreeMap<u64, Option<CommitError>>,
}

/// A commit without an outcome.
#[derive(Clone, Debug)]
struct Commit {
    kind: CommitKind,
    offsets: Vec<Committable>,
    /// It is repeated until it succeeds or fails for good.
    is_sync: bool,
    /// The consumer itself waits for it, not the application.
    is_internal: bool,
    is_in_flight: bool,
    failures: u32,
    not_before: Mono,
    deadline: Mono,
}

impl Commits {
    pub(super) fn new(next: u64) -> Self {
        Self { next, pending: BTreeMap::new(), outcomes: BTreeMap::new() }
    }

    /// Whether some commit has no outcome.
    pub(super) fn are_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether a commit by interval is under way.
    pub(super) fn has_auto_commit(&self) -> bool {
        self.pending.values().any(|commit| commit.kind == CommitKind::Auto)
    }

    /// The outcome of a commit that precedes a rebalance, once it has one.
    pub(super) fn take_outcome(&mut self, commit: u64) -> Option<Option<CommitError>> {
        self.outcomes.remove(&commit)
    }

    /// When a commit is repeated or given up.
    pub(super) fn next_due(&self, now: Mono) -> Mono {
        let waiting = self.pending.values().filter(|commit| !commit.is_in_flight);
        let due = waiting.flat_map(|commit| [commit.not_before, commit.deadline]);
        due.map(|at| later(at, now)).min().unwrap_or(Mono::MAX)
    }
}

impl GroupConsumer {
    /// Commits positions and waits (`commitSync`): those given, or of all that the polls have returned.
    /// Returns the number of the commit, which [`GroupEvent::Committed`] has. In a listener it counts as
    /// a commit before partitions are given up.
    pub fn commit_sync(
        &mut self,
        now: Now,
        offsets: Option<&[(TopicPartition, Offset)]>,
        out: &mut Outbox,
    ) -> u64 {
        let kind = match self.listening {
            Some(_) => CommitKind::OnRevoke,
            None => CommitKind::Sync,
        };
        let deadline = now.mono + self.config.default_api_timeout;
        let number = self.begin(kind, offsets, (true, false), deadline, out);
        self.run(now, out);
        number
    }

    /// Commits positions without waiting (`commitAsync`), in the same way. It is not repeated.
    pub fn commit_async(
        &mut self,
        now: Now,
        offsets: Option<&[(TopicPartition, Offset)]>,
        out: &mut Outbox,
    ) -> u64 {
        let number = self.begin(CommitKind::Async, offsets, (false, false), Mono::MAX, out);
        self.run(now, out);
        number
    }

    /// Offsets in the form in which a producer commits them in its transaction, and the number of the
    /// commit. Partitions that are not owned any more are left out.
    pub fn offsets_to_send(
        &mut self,
        offsets: &[(TopicPartition, Offset)],
        out: &mut Outbox,
    ) -> (u64, Vec<(TopicPartition, OffsetToCommit)>) {
        let number = self.commits.next;
        self.commits.next += 1;
        let positions = self.consumer.positions_to_commit(&self.owned, out);
        let all = positions_of(&self.consumer, offsets, &positions);
        (number, all.iter().map(|it| (it.partition, to_commit(it))).collect())
    }

    /// Commits by interval.
    pub(super) fn commit_positions(&mut self, now: Now, kind: CommitKind, out: &mut Outbox) {
        self.begin(kind, None, (false, true), Mono::MAX, out);
        self.send_commits(now.mono, out);
    }

    /// Commits before a rebalance.
    pub(super) fn commit_before_rebalance(&mut self, out: &mut Outbox) -> u64 {
        self.begin(CommitKind::OnRevoke, None, (false, true), Mono::MAX, out)
    }

    /// Commits before the consumer closes.
    pub(super) fn commit_before_close(&mut self, now: Now, deadline: Mono, out: &mut Outbox) {
        self.begin(CommitKind::OnRevoke, None, (true, true), deadline, out);
        self.send_commits(now.mono, out);
    }

    fn begin(
        &mut self,
        kind: CommitKind,
        offsets: Option<&[(TopicPartition, Offset)]>,
        (is_sync, is_internal): (bool, bool),
        deadline: Mono,
        out: &mut Outbox,
    ) -> u64 {
        let mut positions = self.consumer.positions_to_commit(&self.owned, out);
        if let Some(offsets) = offsets {
            positions = positions_of(&self.consumer, offsets, &positions);
        }
        let number = self.commits.next;
        self.commits.next += 1;
        let commit = Commit {
            kind,
            offsets: positions,
            is_sync,
            is_internal,
            is_in_flight: false,
            failures: 0,
            not_before: Mono::default(),
            deadline,
        };
        let asked = MemberFact::CommitAsked {
            group: Arc::clone(&self.group),
            commit: number,
            member: Arc::clone(&self.generation.member),
            generation: self.generation.id,
            offsets: commit.offsets.iter().map(|it| (it.partition, it.offset)).collect(),
            kind,
        };
        if commit.offsets.is_empty() {
            self.ended(number, &commit, None);
        } else {
            self.observe(asked, out);
            self.commits.pending.insert(number, commit);
        }
        number
    }

    /// Sends the commits that wait, in order.
    pub(super) fn send_commits(&mut self, now: Mono, out: &mut Outbox) {
        let waiting = self.commits.pending.iter().filter(|(_, commit)| !commit.is_in_flight);
        let waiting: Vec<u64> = waiting.map(|(number, _)| *number).collect();
        for number in waiting {
            let Some(commit) = self.commits.pending.get(&number) else { continue };
            if now >= commit.deadline {
                self.finish(now, number, Err(CommitError::TimedOut), None, out);
                continue;
            }
            let Some(node) = self.coordinator.filter(|_| now >= commit.not_before) else {
                continue;
            };
            if !self.is_ready(now, node, out) {
                continue;
            }
            if self.membership.is_some() {
                self.send_commit(now, number, out);
                continue;
            }
            match self.state {
                MemberState::Stable => self.send_commit(now, number, out),
                MemberState::Preparing | MemberState::Completing => {
                    let error = CommitError::RebalanceInProgress;
                    self.finish(now, number, Err(error), None, out);
                }
                MemberState::Unjoined => {
                    let error = self.ended_by.unwrap_or(ErrorCode::UnknownMemberId);
                    self.finish(now, number, Err(CommitError::NotMember(error)), None, out);
                }
            }
        }
    }

    fn send_commit(&mut self, now: Mono, number: u64, out: &mut Outbox) {
        let (Some(node), Some(commit)) = (self.coordinator, self.commits.pending.get_mut(&number))
        else {
            return;
        };
        commit.is_in_flight = true;
        let request = OffsetCommitRequest {
            version: OffsetCommitRequest::NEWEST,
            group: Arc::clone(&self.group),
            generation: self.generation.id,
            member: Arc::clone(&self.generation.member),
            instance: self.config.group_instance_id.0.clone(),
            retention_ms: None,
            offsets: commit.offsets.iter().map(to_commit).collect(),
        };
        let context = Context::Commit(number, self.generation.clone());
        self.send(now, node, request, self.config.request_timeout, context, out);
    }

    /// The coordinator has responded to a commit. The first partition with an error decides.
    pub(super) fn on_committed(
        &mut self,
        now: Mono,
        number: u64,
        sent: &Generation,
        response: &OffsetCommitResponse,
        out: &mut Outbox,
    ) {
        let failed = response.partitions.iter().map(|(_, error)| *error).find(|it| !it.is_none());
        let outcome = failed.map_or(Ok(()), |error| Err(self.class_of(now, error, sent, out)));
        self.finish(now, number, outcome, Some(response), out);
    }

    /// What an error of a commit means, and what follows for the membership.
    fn class_of(
        &mut self,
        now: Mono,
        error: ErrorCode,
        sent: &Generation,
        out: &mut Outbox,
    ) -> CommitError {
        let is_present = *sent == self.generation;
        let is_joining = self.state == MemberState::Preparing;
        match error {
            ErrorCode::CoordinatorLoadInProgress | ErrorCode::UnknownTopicOrPartition => {
                CommitError::Retriable(error)
            }
            ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::RequestTimedOut => {
                self.forget_coordinator(now, out);
                CommitError::Retriable(error)
            }
            // What becomes of the membership is the matter of heartbeats.
            ErrorCode::UnknownMemberId | ErrorCode::StaleMemberEpoch
                if self.membership.is_some() =>
            {
                CommitError::NotMember(error)
            }
            _ if self.membership.is_some() => CommitError::Fatal(error),
            ErrorCode::FencedInstanceId if is_present => CommitError::Fatal(error),
            ErrorCode::FencedInstanceId if is_joining => CommitError::RebalanceInProgress,
            ErrorCode::FencedInstanceId => CommitError::NotMember(error),
            ErrorCode::RebalanceInProgress => {
                self.needs_rejoin = true;
                CommitError::RebalanceInProgress
            }
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => {
                let denied = Denied { is_present, is_superseded: is_joining };
                if self.rules.ends_membership(out, denied) {
                    self.end_membership(error, out);
                    CommitError::NotMember(error)
                } else {
                    CommitError::RebalanceInProgress
                }
            }
            _ => CommitError::Fatal(error),
        }
    }

    /// The connection of a commit has ended.
    pub(super) fn on_commit_lost(&mut self, now: Mono, number: u64, out: &mut Outbox) {
        let error = CommitError::Retriable(ErrorCode::NetworkException);
        self.finish(now, number, Err(error), None, out);
    }

    /// A look-up of the coordinator has failed, for which asynchronous commits have waited.
    pub(super) fn fail_waiting_commits(&mut self, now: Mono, out: &mut Outbox) {
        let is_over = |commit: &Commit| !commit.is_in_flight && !commit.is_sync;
        let waiting = self.commits.pending.iter().filter(|(_, commit)| is_over(commit));
        let waiting: Vec<u64> = waiting.map(|(number, _)| *number).collect();
        for number in waiting {
            let error = CommitError::Retriable(ErrorCode::CoordinatorNotAvailable);
            self.finish(now, number, Err(error), None, out);
        }
    }

    /// A try of a commit has ended: the commit is over, unless it is synchronous and may be repeated.
    fn finish(
        &mut self,
        now: Mono,
        number: u64,
        outcome: Result<(), CommitError>,
        response: Option<&OffsetCommitResponse>,
        out: &mut Outbox,
    ) {
        let Some(mut commit) = self.commits.pending.remove(&number) else { return };
        if let Err(error) = outcome
            && commit.is_sync
            && error.is_retriable()
            && now < commit.deadline
        {
            commit.is_in_flight = false;
            commit.failures += 1;
            commit.not_before = now + self.backoff.after(commit.failures, &mut self.random);
            self.commits.pending.insert(number, commit);
            return;
        }
        let error = outcome.err();
        let result = |it: &Committable| {
            let code = error.map_or(ErrorCode::None, CommitError::code);
            let mut all = response.iter().flat_map(|it| &it.partitions);
            let own = all.find(|(partition, _)| *partition == it.named);
            (it.partition, own.map_or(code, |(_, error)| *error))
        };
        let answered = MemberFact::CommitAnswered {
            group: Arc::clone(&self.group),
            commit: number,
            results: commit.offsets.iter().map(result).collect(),
        };
        self.observe(answered, out);
        if commit.kind == CommitKind::Auto && error.is_some_and(CommitError::is_retriable) {
            self.auto_commit_at = now + self.pause();
        }
        if error == Some(CommitError::Fatal(ErrorCode::FencedInstanceId)) && !commit.is_sync {
            self.fail(ErrorCode::FencedInstanceId);
        }
        self.ended(number, &commit, error);
    }

    fn ended(&mut self, number: u64, commit: &Commit, error: Option<CommitError>) {
        if !commit.is_internal {
            self.events.push(GroupEvent::Committed { commit: number, error });
        } else if commit.kind == CommitKind::OnRevoke && !commit.is_sync {
            self.commits.outcomes.insert(number, error);
        }
    }
}

/// No leader epoch.
const NO_EPOCH: i32 = -1;

fn to_commit(it: &Committable) -> OffsetToCommit {
    OffsetToCommit {
        partition: it.named.clone(),
        offset: it.offset,
        leader_epoch: it.leader_epoch.unwrap_or(NO_EPOCH),
        metadata: Some("".into()),
    }
}

/// These offsets; with the leader epoch of a position where they are the position.
fn positions_of(
    consumer: &crate::client::Consumer,
    offsets: &[(TopicPartition, Offset)],
    positions: &[Committable],
) -> Vec<Committable> {
    let position = |(partition, offset): &(TopicPartition, Offset)| {
        let known = positions.iter().find(|it| it.partition == *partition && it.offset == *offset);
        let other = || {
            let (partition, offset) = (*partition, *offset);
            let named = consumer.name_of(partition)?;
            Some(Committable { named, partition, offset, leader_epoch: None })
        };
        known.cloned().or_else(other)
    };
    offsets.iter().filter_map(position).collect()
}
