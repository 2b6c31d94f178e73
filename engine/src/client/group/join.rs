//! Joining: JoinGroup, SyncGroup, and their outcomes (`JoinGroupResponseHandler`,
//! `SyncGroupResponseHandler`). Responses are handled when they come, whether or not the application
//! polls; what follows from them for its partitions waits for a poll.

use super::GroupConsumer;
use super::assign::Assigning;
use super::state::{Context, Generation, MemberState};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::MemberId;
use crate::protocol::{JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};
use crate::rules::member::Denied;
use bytes::Bytes;
use machine::{Mono, Span};
use std::sync::Arc;

/// The kind of protocols of consumers.
const CONSUMER: &str = "consumer";
/// A join may take as long as a rebalance, and this much longer (`JOIN_GROUP_TIMEOUT_LAPSE`).
const LAPSE: Span = Span::secs(5);

/// The progress of a join.
#[derive(Clone, Debug)]
pub(super) enum Join {
    /// There is none.
    None,
    /// JoinGroup or SyncGroup is in flight.
    InFlight,
    /// The leader waits for metadata of the group's topics.
    Assigning(Box<Assigning>),
    /// There is an assignment, which the next poll takes over.
    Synced(Bytes),
    /// It has failed, which the next poll handles.
    Failed(ErrorCode),
    /// It has failed, and the next poll throws.
    Threw(ErrorCode),
    /// It has failed, and is repeated at this time.
    Pausing(Mono),
}

impl GroupConsumer {
    /// Sends JoinGroup.
    pub(super) fn send_join(&mut self, now: Mono, out: &mut Outbox) {
        let Some(node) = self.coordinator else { return };
        if !self.is_ready(now, node, out) {
            return;
        }
        self.state = MemberState::Preparing;
        self.joined_topics = self.pattern.is_some().then(|| self.topics.clone());
        let max_poll = self.config.max_poll_interval;
        let request = JoinGroupRequest {
            version: JoinGroupRequest::NEWEST,
            client_id: Arc::clone(&self.client_id),
            group: Arc::clone(&self.group),
            session_timeout_ms: millis(self.config.session_timeout),
            rebalance_timeout_ms: millis(max_poll),
            member: Arc::clone(&self.generation.member),
            instance: self.config.group_instance_id.0.clone(),
            protocol_type: CONSUMER.into(),
            protocols: self.protocols(),
        };
        let timeout = self.config.request_timeout.max(max_poll.saturating_add(LAPSE));
        let context = Context::Join(self.generation.clone());
        self.join = Join::InFlight;
        self.send(now, node, request, timeout, context, out);
    }

    /// A join has failed in a way that the member can mend.
    pub(super) fn on_join_failed(&mut self, error: ErrorCode) {
        self.join = Join::Failed(error);
    }

    /// The coordinator has responded to JoinGroup.
    pub(super) fn on_joined(
        &mut self,
        now: Mono,
        sent: &Generation,
        response: &JoinGroupResponse,
        out: &mut Outbox,
    ) {
        match response.error {
            // The member has left in the meantime.
            ErrorCode::None if self.state != MemberState::Preparing => {
                self.on_join_failed(ErrorCode::NetworkException);
            }
            ErrorCode::None => self.on_generation(now, response, out),
            ErrorCode::MemberIdRequired => {
                self.generation =
                    Generation { member: Arc::clone(&response.member), ..Generation::default() };
                self.needs_rejoin = true;
                self.on_join_failed(response.error);
            }
            ErrorCode::UnknownMemberId => {
                self.end_if_present(sent, response.error, out);
                self.on_join_failed(response.error);
            }
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
                self.forget_coordinator(now, out);
                self.on_join_failed(response.error);
            }
            ErrorCode::CoordinatorLoadInProgress | ErrorCode::RebalanceInProgress => {
                self.on_join_failed(response.error);
            }
            error => self.join = Join::Threw(error),
        }
    }

    /// The membership ends if the refused request was sent in its name.
    fn end_if_present(&mut self, sent: &Generation, error: ErrorCode, out: &mut Outbox) {
        let denied = Denied { is_present: *sent == self.generation, is_superseded: true };
        if self.rules.ends_membership(out, denied) {
            self.end_membership(error, out);
        }
    }

    /// The member has a generation.
    fn on_generation(&mut self, now: Mono, response: &JoinGroupResponse, out: &mut Outbox) {
        let name = response.protocol_name.clone();
        let assignor = name.as_deref().and_then(|name| self.config.assignors.named(name));
        let Some(assignor) = assignor else {
            self.join = Join::Threw(ErrorCode::InconsistentGroupProtocol);
            return;
        };
        self.state = MemberState::Completing;
        self.heartbeat.enable(now);
        let (id, member) = (response.generation, Arc::clone(&response.member));
        self.generation = Generation { id, member, protocol: name };
        if response.leader != response.member {
            self.snapshot = None;
            self.send_sync(now, Vec::new(), out);
            return;
        }
        let Some(assigning) = self.read_members(assignor, response) else {
            self.join = Join::Threw(ErrorCode::UnknownServerError);
            return;
        };
        if response.skip_assignment {
            self.skip_assignment(&assigning);
            self.send_sync(now, Vec::new(), out);
        } else {
            self.join = Join::Assigning(Box::new(assigning));
            self.assign_when_known(now, out);
        }
    }

    /// A leader assigns once it knows the topics.
    pub(super) fn assign_when_known(&mut self, now: Mono, out: &mut Outbox) {
        let Join::Assigning(assigning) = &self.join else { return };
        if self.state != MemberState::Completing {
            self.on_join_failed(ErrorCode::NetworkException);
        } else if self.knows_topics(assigning) {
            let assigning = assigning.clone();
            let assignments = self.assign(&assigning);
            self.send_sync(now, assignments, out);
        }
    }

    fn send_sync(&mut self, now: Mono, assignments: Vec<(MemberId, Bytes)>, out: &mut Outbox) {
        let Some(node) = self.coordinator.filter(|node| self.channels.is_open(*node)) else {
            self.on_join_failed(ErrorCode::CoordinatorNotAvailable);
            return;
        };
        let request = SyncGroupRequest {
            version: SyncGroupRequest::NEWEST,
            group: Arc::clone(&self.group),
            generation: self.generation.id,
            member: Arc::clone(&self.generation.member),
            instance: self.config.group_instance_id.0.clone(),
            protocol_type: Some(CONSUMER.into()),
            protocol_name: self.generation.protocol.clone(),
            assignments,
        };
        self.join = Join::InFlight;
        let context = Context::Sync(self.generation.clone());
        self.send(now, node, request, self.config.request_timeout, context, out);
    }

    /// The coordinator has responded to SyncGroup.
    pub(super) fn on_synced(
        &mut self,
        now: Mono,
        sent: &Generation,
        response: &SyncGroupResponse,
        out: &mut Outbox,
    ) {
        match response.error {
            ErrorCode::None => self.on_assignment(response),
            ErrorCode::RebalanceInProgress => self.on_join_failed(response.error),
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => {
                self.end_if_present(sent, response.error, out);
                self.on_join_failed(response.error);
            }
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
                self.forget_coordinator(now, out);
                self.on_join_failed(response.error);
            }
            // Also when the coordinator is loading, which a consumer does not expect here.
            error => self.join = Join::Threw(error),
        }
    }

    fn on_assignment(&mut self, response: &SyncGroupResponse) {
        if self.generation.is_reset() || self.state != MemberState::Completing {
            self.on_join_failed(ErrorCode::IllegalGeneration);
        } else if response.protocol_name.is_some()
            && response.protocol_name != self.generation.protocol
        {
            self.join = Join::Threw(ErrorCode::InconsistentGroupProtocol);
        } else {
            self.state = MemberState::Stable;
            // They may have changed while the assignment was on its way.
            self.needs_rejoin = self.is_outdated();
            self.join = Join::Synced(response.assignment.clone());
        }
    }
}

/// A time in whole milliseconds, as requests have it.
pub(super) fn millis(span: Span) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}
