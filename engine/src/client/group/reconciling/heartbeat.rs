//! ConsumerGroupHeartbeat (`ConsumerHeartbeatRequestManager`, `HeartbeatRequestState`).

use super::{JOINS, LEAVES, LEAVES_FOR_A_TIME, Local, Membership, State};
use crate::Outbox;
use crate::client::group::GroupConsumer;
use crate::client::group::join::millis;
use crate::client::group::state::Context;
use crate::client::random::{Backoff, Random};
use crate::error::ErrorCode;
use crate::fact::{Fact, Leaving, MemberFact};
use crate::protocol::{
    ApiKey, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, OwnedPartitions,
};
use crate::reach::Reach;
use machine::{Mono, NodeId, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When heartbeats are sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beats {
    /// The interval that the coordinator has named; zero until then.
    interval: Span,
    send_at: Mono,
    /// Not before this, after a failure.
    not_before: Mono,
    failures: u32,
    is_in_flight: bool,
}

/// What the last heartbeat has said, and the next one need not repeat (`SentFields`).
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// The time-out, the topics and the assignor, none of which changes.
    rest: bool,
    owned: Option<Local>,
}

impl Beats {
    fn sent(&mut self, now: Mono) {
        self.is_in_flight = true;
        self.send_at = now + self.interval;
    }

    fn succeeded(&mut self, now: Mono, interval: Span) {
        if interval != self.interval {
            self.interval = interval;
            self.send_at = now + interval;
        }
        (self.is_in_flight, self.failures, self.not_before) = (false, 0, now);
    }

    fn failed(&mut self, now: Mono, backoff: Backoff, random: &mut Random) {
        self.is_in_flight = false;
        self.failures += 1;
        self.send_at = now;
        self.not_before = now + backoff.after(self.failures, random);
    }

    /// The next one is due at once.
    fn reset(&mut self, now: Mono) {
        *self = Self { interval: self.interval, send_at: now, ..Self::default() };
    }
}

impl Membership {
    /// Whether heartbeats do not wait for their interval.
    fn is_urgent(&self) -> bool {
        matches!(self.state, State::Acknowledging | State::Leaving | State::Joining)
    }

    /// When the next heartbeat is due, or the member leaves because its application does not poll.
    pub(super) fn next_beat(&self, is_polling: bool, poll_by: Mono) -> Mono {
        if self.is_out() {
            return Mono::MAX;
        }
        let poll_by = if is_polling { Mono::MAX } else { poll_by };
        let beat = match self.beats.is_in_flight {
            true => Mono::MAX,
            false => self.beats.send_at.max(self.beats.not_before),
        };
        beat.min(poll_by)
    }

    /// After an error the next heartbeat says everything.
    fn forget_said(&mut self) {
        self.said = Said::default();
    }
}

impl GroupConsumer {
    /// Sends a heartbeat if one is due. A member whose application does not poll leaves.
    pub(super) fn send_heartbeat(&mut self, now: Mono, out: &mut Outbox) {
        let Some(membership) = &self.membership else { return };
        let Some(node) = self.coordinator.filter(|_| !membership.is_out()) else { return };
        let beats = membership.beats;
        let has_polled = self.is_polling || now < self.heartbeat.poll_by();
        if !has_polled && membership.state != State::Leaving && self.closing.is_none() {
            if self.is_ready(now, node, out) {
                self.leave_stale(now, node, out);
            }
            return;
        }
        let is_due = now >= beats.send_at && now >= beats.not_before;
        if beats.is_in_flight || !(is_due || membership.is_urgent()) {
            return;
        }
        if self.is_ready(now, node, out) {
            self.beat_now(now, node, Context::Beat, out);
        }
    }

    fn beat_now(&mut self, now: Mono, node: NodeId, context: Context, out: &mut Outbox) {
        let request = self.heartbeat_request();
        let Some(membership) = &mut self.membership else { return };
        membership.beats.sent(now);
        if membership.state == State::Acknowledging {
            membership.state = match membership.current == membership.target {
                true => State::Stable,
                false => State::Reconciling,
            };
        }
        self.send(now, node, request, self.config.request_timeout, context, out);
    }

    fn heartbeat_request(&mut self) -> ConsumerGroupHeartbeatRequest {
        let topics = self.topics.clone();
        let assignor = self.config.group_remote_assignor.0.clone();
        let max_poll = millis(self.config.max_poll_interval);
        let (group, client_id) = (Arc::clone(&self.group), Arc::clone(&self.client_id));
        let instance = self.config.group_instance_id.0.clone();
        let membership = self.membership.as_mut().expect("it is of the consumer protocol");
        let all = membership.state == State::Joining;
        let says_rest = all || !membership.said.rest;
        let says_owned = all || membership.said.owned.as_ref() != Some(&membership.current);
        membership.said = Said { rest: true, owned: Some(membership.current.clone()) };
        ConsumerGroupHeartbeatRequest {
            version: ApiKey::ConsumerGroupHeartbeat.versions().1,
            client_id,
            group,
            member: Arc::clone(&membership.member),
            epoch: membership.epoch,
            instance,
            rack: None,
            rebalance_timeout_ms: if says_rest { max_poll } else { -1 },
            topics: says_rest.then_some(topics),
            assignor: assignor.filter(|_| says_rest),
            owned: says_owned.then(|| partitions_of(&membership.current)),
        }
    }

    /// The application has not polled within `max.poll.interval.ms`: the member leaves, and its
    /// partitions are lost.
    fn leave_stale(&mut self, now: Mono, node: NodeId, out: &mut Outbox) {
        out.observe(Fact::Reached(Reach::PollIntervalExceeded));
        self.begin_to_leave(Leaving::PollTimeout, out);
        self.ended_by = None;
        self.beat_now(now, node, Context::Farewell, out);
        let Some(membership) = &mut self.membership else { return };
        membership.state = State::Stale;
        membership.has_to_release = true;
        membership.forget_said();
        membership.beats.reset(now);
    }

    fn begin_to_leave(&mut self, why: Leaving, out: &mut Outbox) {
        let is_static = self.config.group_instance_id.0.is_some();
        let Some(membership) = &mut self.membership else { return };
        let member = Arc::clone(&membership.member);
        membership.current = Local::default();
        membership.state = State::Leaving;
        self.take_epoch(if is_static { LEAVES_FOR_A_TIME } else { LEAVES });
        self.observe(MemberFact::Left { group: Arc::clone(&self.group), member, why }, out);
    }

    /// The consumer closes. Returns whether a heartbeat that leaves the group was sent.
    pub(in crate::client::group) fn leave_on_close(&mut self, now: Mono, out: &mut Outbox) -> bool {
        let Some(membership) = &self.membership else { return false };
        if membership.is_out() {
            return false;
        }
        let node = self.coordinator.filter(|node| self.channels.is_open(*node));
        self.begin_to_leave(Leaving::Closed, out);
        if let Some(node) = node {
            self.beat_now(now, node, Context::Leave, out);
        }
        if let Some(membership) = &mut self.membership {
            membership.state = State::Unsubscribed;
        }
        node.is_some()
    }

    /// The coordinator has responded to a heartbeat.
    pub(in crate::client::group) fn on_beat(
        &mut self,
        now: Mono,
        response: &ConsumerGroupHeartbeatResponse,
        out: &mut Outbox,
    ) {
        let Some(membership) = &mut self.membership else { return };
        if response.error.is_none() {
            let interval = Span::millis(u64::try_from(response.heartbeat_interval_ms).unwrap_or(0));
            membership.beats.succeeded(now, interval);
            if !membership.is_out() && membership.state != State::Leaving && response.epoch >= JOINS
            {
                self.take_epoch(response.epoch);
                self.take_assignment(response.assignment.as_deref());
            }
            return;
        }
        membership.forget_said();
        membership.beats.failed(now, self.backoff, &mut self.random);
        match response.error {
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                membership.beats.reset(now);
                self.forget_coordinator(now, out);
            }
            ErrorCode::CoordinatorLoadInProgress => {}
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId => {
                membership.beats.reset(now);
                self.on_fenced(response.error);
            }
            error if !membership.is_out() || membership.state == State::Unsubscribed => {
                membership.state = State::Fatal;
                self.ended_by = Some(error);
                self.take_epoch(JOINS);
                self.fail(error);
            }
            _ => {}
        }
    }

    fn take_assignment(&mut self, assignment: Option<&[OwnedPartitions]>) {
        let (Some(membership), Some(assigned)) = (&mut self.membership, assignment) else { return };
        let mut partitions: BTreeMap<_, std::collections::BTreeSet<i32>> = BTreeMap::new();
        for (topic, all) in assigned {
            partitions.entry(*topic).or_default().extend(all);
        }
        let target = &mut membership.target;
        if target.number.is_none() || target.partitions != partitions {
            let number = Some(target.number.map_or(0, |number| number + 1));
            *target = Local { number, partitions };
        }
        if membership.current != membership.target {
            membership.state = State::Reconciling;
        } else if matches!(membership.state, State::Reconciling | State::Joining) {
            membership.state = State::Stable;
        }
    }

    /// The member is none any more: it releases its partitions, and joins again.
    fn on_fenced(&mut self, error: ErrorCode) {
        let Some(membership) = &mut self.membership else { return };
        if membership.is_out() || membership.state == State::Leaving {
            return;
        }
        membership.state = State::Fenced;
        membership.has_to_release = true;
        self.ended_by = Some(error);
        self.take_epoch(JOINS);
    }

    /// The connection of a heartbeat has ended.
    pub(in crate::client::group) fn on_beat_lost(&mut self, now: Mono) {
        let Some(membership) = &mut self.membership else { return };
        membership.forget_said();
        membership.beats.failed(now, self.backoff, &mut self.random);
    }
}

fn partitions_of(local: &Local) -> Vec<OwnedPartitions> {
    let all = local.partitions.iter();
    all.map(|(topic, partitions)| (*topic, partitions.iter().copied().collect())).collect()
}
