//! The times of a membership, and its heartbeats (`Heartbeat`, `HeartbeatThread`).

use super::state::{Context, MemberState};
use super::{GroupConsumer, later};
use crate::Outbox;
use crate::client::random::{Backoff, Random};
use crate::config::ConsumerConfig;
use crate::error::ErrorCode;
use crate::fact::Leaving;
use crate::protocol::HeartbeatRequest;
use crate::rules::member::Denied;
use machine::{Mono, Span};
use std::sync::Arc;

/// When a member has to send a heartbeat, to doubt its coordinator, and to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    interval: Span,
    session: Span,
    max_poll: Span,
    /// Heartbeats are sent: the member is completing or stable.
    pub(super) is_enabled: bool,
    send_at: Mono,
    /// Without a response until then, the coordinator is looked for again.
    session_ends: Mono,
    /// Without a poll until then, the member leaves.
    poll_by: Mono,
    failures: u32,
}

impl Heartbeat {
    pub(super) fn new(config: &ConsumerConfig) -> Self {
        Self {
            interval: config.heartbeat_interval,
            session: config.session_timeout,
            max_poll: config.max_poll_interval,
            is_enabled: false,
            send_at: Mono::MAX,
            session_ends: Mono::MAX,
            poll_by: Mono::MAX,
            failures: 0,
        }
    }

    /// The application polls.
    pub(super) fn polled(&mut self, now: Mono) {
        self.poll_by = now + self.max_poll;
    }

    /// Without a poll until then, the member leaves.
    pub(super) fn poll_by(&self) -> Mono {
        self.poll_by
    }

    /// Begins, with all times anew.
    pub(super) fn enable(&mut self, now: Mono) {
        self.is_enabled = true;
        self.send_at = now + self.interval;
        self.polled(now);
        self.coordinator_found(now);
    }

    /// The coordinator has been found, or has responded.
    pub(super) fn coordinator_found(&mut self, now: Mono) {
        self.session_ends = now + self.session;
    }

    fn sent(&mut self, now: Mono) {
        self.send_at = now + self.interval;
    }

    /// A heartbeat has had its response.
    fn received(&mut self, now: Mono) {
        self.failures = 0;
        self.coordinator_found(now);
    }

    /// A heartbeat has failed.
    pub(super) fn failed(&mut self, now: Mono, backoff: Backoff, random: &mut Random) {
        self.failures += 1;
        self.send_at = now + backoff.after(self.failures, random);
    }

    /// When there is something to do.
    pub(super) fn next(&self, now: Mono, has_coordinator: bool, is_polling: bool) -> Mono {
        if !self.is_enabled {
            return Mono::MAX;
        }
        // Without a coordinator there is nothing to do but to look for one.
        if !has_coordinator {
            return Mono::MAX;
        }
        let poll_by = if is_polling { Mono::MAX } else { self.poll_by };
        let times = [self.send_at, self.session_ends, poll_by];
        times.into_iter().fold(Mono::MAX, |first, at| first.min(later(at, now)))
    }
}

impl GroupConsumer {
    /// One turn of the heartbeat thread.
    pub(super) fn beat(&mut self, now: Mono, out: &mut Outbox) {
        if matches!(self.state, MemberState::Unjoined | MemberState::Preparing) {
            self.heartbeat.is_enabled = false;
        }
        // Without a coordinator the thread does nothing but look for one.
        let Some(node) = self.coordinator.filter(|_| self.heartbeat.is_enabled) else { return };
        if now >= self.heartbeat.session_ends {
            self.forget_coordinator(now, out);
        } else if now >= self.heartbeat.poll_by && !self.is_polling {
            self.leave_group(now, Leaving::PollTimeout, out);
        } else if now >= self.heartbeat.send_at && self.is_ready(now, node, out) {
            self.heartbeat.sent(now);
            let request = HeartbeatRequest {
                group: Arc::clone(&self.group),
                generation: self.generation.id,
                member: Arc::clone(&self.generation.member),
                instance: self.config.group_instance_id.0.clone(),
            };
            let context = Context::Heartbeat(self.generation.clone());
            self.send(now, node, request, self.config.request_timeout, context, out);
        }
    }

    /// The coordinator has responded to a heartbeat.
    pub(super) fn on_heartbeat(
        &mut self,
        now: Mono,
        sent: &super::state::Generation,
        error: ErrorCode,
        out: &mut Outbox,
    ) {
        match error {
            ErrorCode::None => self.heartbeat.received(now),
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
                self.forget_coordinator(now, out);
                self.heartbeat.failed(now, self.backoff, &mut self.random);
            }
            // A member goes on with its heartbeats while the group rebalances.
            ErrorCode::RebalanceInProgress => {
                if self.state == MemberState::Stable {
                    self.needs_rejoin = true;
                }
                self.heartbeat.received(now);
            }
            ErrorCode::IllegalGeneration
            | ErrorCode::UnknownMemberId
            | ErrorCode::FencedInstanceId => {
                let denied = Denied { is_present: *sent == self.generation, is_superseded: true };
                if !self.rules.ends_membership(out, denied) {
                    self.heartbeat.received(now);
                    return;
                }
                self.end_membership(error, out);
                if error == ErrorCode::FencedInstanceId {
                    self.heartbeat.is_enabled = false;
                    self.fail(error);
                } else {
                    self.heartbeat.failed(now, self.backoff, &mut self.random);
                }
            }
            _ => self.heartbeat.failed(now, self.backoff, &mut self.random),
        }
    }
}
