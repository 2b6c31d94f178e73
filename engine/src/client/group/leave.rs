//! Leaving a group: `close`, and an application that does not poll
//! (`AbstractCoordinator.maybeLeaveGroup`, `ConsumerCoordinator.close`).

use super::rebalance::Then;
use super::state::{Context, Generation, GroupEvent, MemberState};
use super::{GroupConsumer, later};
use crate::Outbox;
use crate::fact::{Fact, Leaving, MemberFact, Revocation};
use crate::protocol::{LeaveGroupRequest, LeavingMember};
use crate::reach::Reach;
use machine::{Mono, Now, Span};
use std::sync::Arc;

/// How long `close` may take (`DEFAULT_CLOSE_TIMEOUT_MS`).
const CLOSE_TIMEOUT: Span = Span::secs(30);

/// The progress of `close`.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    step: Step,
    deadline: Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Positions are committed, and commits end.
    Committing,
    /// The listener runs.
    Listening,
    /// LeaveGroup is in flight.
    Leaving,
    /// All is done but the end of the connections.
    Left,
    /// The consumer is closed.
    Closed,
}

impl Closing {
    /// Whether it needs to know the coordinator.
    pub(super) fn needs_coordinator(&self) -> bool {
        self.step == Step::Committing
    }
}

impl GroupConsumer {
    /// Closes the consumer: commits its positions if it does that by itself, calls the listener, leaves
    /// the group unless the member is static, and closes all connections. [`GroupEvent::Closed`] ends it,
    /// after 30 s at the latest. A listener that runs has to return first.
    pub fn close(&mut self, now: Now, out: &mut Outbox) {
        if self.closing.is_some() {
            return;
        }
        self.is_polling = false;
        let mut timeout = CLOSE_TIMEOUT;
        if self.membership.is_some() {
            timeout = timeout.min(self.config.request_timeout);
        }
        let deadline = now.mono + timeout;
        self.closing = Some(Closing { step: Step::Committing, deadline });
        if self.config.enable_auto_commit && !self.owned.is_empty() {
            self.commit_before_close(now, deadline, out);
        }
        self.run(now, out);
    }

    /// Advances `close`.
    pub(super) fn go_on_closing(&mut self, now: Now, out: &mut Outbox) {
        let Some(closing) = &mut self.closing else { return };
        let is_late = now.mono >= closing.deadline;
        if self.listening.is_some() {
            return;
        }
        match closing.step {
            Step::Committing if self.commits.are_pending() && !is_late => return,
            Step::Committing if !self.owned.is_empty() => {
                closing.step = Step::Listening;
                let is_settled = self.generation.is_member()
                    && (self.state == MemberState::Stable || self.membership.is_some());
                let why = match (is_settled, self.generation.is_member()) {
                    (true, _) => Revocation::Leaving,
                    (false, true) => Revocation::LostLeaving,
                    (false, false) => Revocation::Lost { error: self.ended_by },
                };
                self.listen(now.mono, self.owned.clone(), why, Then::Leave);
                return;
            }
            Step::Committing => {
                closing.step = Step::Leaving;
                if !self.leave_group(now.mono, Leaving::Closed, out) {
                    self.on_left();
                }
            }
            Step::Leaving if is_late => closing.step = Step::Left,
            Step::Listening | Step::Leaving | Step::Left | Step::Closed => {}
        }
        if let Some(closing) = &mut self.closing
            && closing.step == Step::Left
        {
            closing.step = Step::Closed;
            self.end_connections(now.mono, out);
            self.events.push(GroupEvent::Closed);
        }
    }

    fn end_connections(&mut self, now: Mono, out: &mut Outbox) {
        self.coordinator = None;
        self.channels.close_all(now, out);
        self.consumer.close(now, out);
    }

    /// The listener that `close` has called has returned.
    pub(super) fn listener_returned_for_leave(&mut self) {
        if let Some(closing) = &mut self.closing {
            closing.step = Step::Committing;
        }
    }

    /// LeaveGroup has its response, or never will.
    pub(super) fn on_left(&mut self) {
        if let Some(closing) = &mut self.closing
            && closing.step == Step::Leaving
        {
            closing.step = Step::Left;
        }
    }

    /// Leaves the group. A static member only forgets its membership: its partitions wait for it until
    /// its session ends. Returns whether LeaveGroup was sent.
    pub(super) fn leave_group(&mut self, now: Mono, why: Leaving, out: &mut Outbox) -> bool {
        if self.membership.is_some() {
            return self.leave_on_close(now, out);
        }
        let is_member = self.state != MemberState::Unjoined && !self.generation.member.is_empty();
        let is_dynamic = self.config.group_instance_id.0.is_none();
        let node = self.coordinator.filter(|node| self.channels.is_open(*node));
        let mut is_sent = false;
        if is_member {
            let left = MemberFact::Left {
                group: Arc::clone(&self.group),
                member: Arc::clone(&self.generation.member),
                why,
            };
            self.observe(left, out);
            if let Some(node) = node.filter(|_| is_dynamic) {
                let member = Arc::clone(&self.generation.member);
                let members = vec![LeavingMember { member, instance: None }];
                let request = LeaveGroupRequest { group: Arc::clone(&self.group), members };
                let timeout = self.config.request_timeout;
                self.send(now, node, request, timeout, Context::Leave, out);
                is_sent = true;
            }
        }
        if why == Leaving::PollTimeout {
            out.observe(Fact::Reached(Reach::PollIntervalExceeded));
        }
        self.heartbeat.is_enabled = false;
        self.state = MemberState::Unjoined;
        self.generation = Generation::default();
        self.ended_by = None;
        self.needs_rejoin = true;
        self.needs_prepare = true;
        is_sent
    }

    /// When `close` goes on without what it waits for.
    pub(super) fn next_of_closing(&self, now: Mono) -> Mono {
        self.closing.as_ref().map_or(Mono::MAX, |closing| later(closing.deadline, now))
    }
}
