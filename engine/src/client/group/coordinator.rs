//! Finding the coordinator of the group, and what its responses are for (`AbstractCoordinator`).

use super::GroupConsumer;
use super::state::Context;
use crate::Outbox;
use crate::client::metadata::Choice;
use crate::error::ErrorCode;
use crate::ids::peer;
use crate::net::Disconnected;
use crate::protocol::{
    CoordinatorType, FindCoordinatorRequest, FindCoordinatorResponse, Message, Request, Response,
};
use machine::{ConnId, Mono, NodeId, Now, Span};
use std::sync::Arc;

/// The progress of a look-up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lookup {
    is_in_flight: bool,
    failures: u32,
    /// The next one is not sent before this.
    pub(super) not_before: Mono,
}

impl GroupConsumer {
    /// Asks a broker for the coordinator, unless it is known.
    pub(super) fn look_up(&mut self, now: Mono, out: &mut Outbox) {
        if self.coordinator.is_some() || self.lookup.is_in_flight || now < self.lookup.not_before {
            return;
        }
        let metadata = self.consumer.metadata();
        match metadata.choose(now, &mut self.channels, &mut self.random, out) {
            Choice::Send(node) => {
                let (key_type, key) = (CoordinatorType::Group, Arc::clone(&self.group));
                let request = FindCoordinatorRequest { key_type, key };
                let timeout = self.config.request_timeout;
                self.lookup.is_in_flight = true;
                self.send(now, node, request, timeout, Context::FindCoordinator, out);
            }
            Choice::Connecting => {}
            Choice::NotBefore(at) => self.lookup.not_before = at,
        }
    }

    fn on_found(&mut self, now: Mono, response: &FindCoordinatorResponse, out: &mut Outbox) {
        self.lookup.is_in_flight = false;
        match response.node {
            Some(id) if response.error.is_none() => {
                let node = peer(self.node, id);
                self.coordinator = Some(node);
                self.lookup = Lookup::default();
                self.heartbeat.coordinator_found(now);
                self.channels.connect(now, node, out);
            }
            _ if response.error.is_retriable() => self.on_lookup_failed(now, out),
            _ => {
                self.on_lookup_failed(now, out);
                self.fail(response.error);
            }
        }
    }

    fn on_lookup_failed(&mut self, now: Mono, out: &mut Outbox) {
        self.lookup.is_in_flight = false;
        self.lookup.failures += 1;
        self.lookup.not_before = now + self.backoff.after(self.lookup.failures, &mut self.random);
        self.consumer.request_metadata();
        // Asynchronous commits wait for one look-up and no longer; in the consumer protocol for as long
        // as it takes.
        if self.membership.is_none() {
            self.fail_waiting_commits(now, out);
        }
    }

    /// The coordinator is not trusted any more: the connection to it is closed, with all requests in
    /// flight (`markCoordinatorUnknown`).
    pub(super) fn forget_coordinator(&mut self, now: Mono, out: &mut Outbox) {
        if let Some(node) = self.coordinator.take()
            && let Some(lost) = self.channels.close(now, node, out)
        {
            self.on_lost(now, lost, out);
        }
    }

    /// Whether a request can go to the coordinator now; connects if it is not connected.
    pub(super) fn is_ready(&mut self, now: Mono, node: NodeId, out: &mut Outbox) -> bool {
        if self.channels.is_open(node) {
            return self.channels.is_ready(now, node);
        }
        self.channels.connect(now, node, out);
        false
    }

    pub(super) fn send(
        &mut self,
        now: Mono,
        node: NodeId,
        request: impl Into<Request>,
        timeout: Span,
        context: Context,
        out: &mut Outbox,
    ) {
        self.channels.send(now, node, request, timeout, context, out);
    }

    /// Handles a response. Returns whether it was for the membership.
    pub(super) fn on_response(
        &mut self,
        whole: Now,
        conn: ConnId,
        message: &Message,
        out: &mut Outbox,
    ) -> bool {
        let now = whole.mono;
        let Message::Response { correlation_id, body } = message else { return false };
        let Some((node, context)) = self.channels.on_response(conn, *correlation_id) else {
            return false;
        };
        match (context, body) {
            (Context::FindCoordinator, Response::FindCoordinator(it)) => {
                self.on_found(now, it, out)
            }
            (Context::Join(sent), Response::JoinGroup(it)) => self.on_joined(now, &sent, it, out),
            (Context::Sync(sent), Response::SyncGroup(it)) => self.on_synced(now, &sent, it, out),
            (Context::Heartbeat(sent), Response::Heartbeat(it)) => {
                self.on_heartbeat(now, &sent, it.error, out);
            }
            (Context::Beat, Response::ConsumerGroupHeartbeat(it)) => self.on_beat(now, it, out),
            (Context::Farewell, Response::ConsumerGroupHeartbeat(_)) => {}
            (Context::Leave, Response::LeaveGroup(_) | Response::ConsumerGroupHeartbeat(_)) => {
                self.on_left()
            }
            (Context::Commit(number, sent), Response::OffsetCommit(it)) => {
                self.on_committed(now, number, &sent, it, out);
            }
            (Context::Fetch(question), Response::OffsetFetch(it)) => {
                self.on_committed_shown(whole, node.node, question, it, out);
            }
            (context, body) => panic!("{context:?} got the response {}", body.name()),
        }
        true
    }

    /// A connection has ended. Returns whether it was one of the membership.
    pub(super) fn on_closed(&mut self, now: Mono, conn: ConnId, out: &mut Outbox) -> bool {
        let Some(lost) = self.channels.on_closed(now, conn) else { return false };
        self.on_lost(now, lost, out);
        true
    }

    /// A connection has ended, with all requests in flight. The coordinator behind it is looked for
    /// again.
    pub(super) fn on_lost(&mut self, now: Mono, lost: Disconnected<Context>, out: &mut Outbox) {
        if self.coordinator == Some(lost.peer) {
            self.coordinator = None;
        }
        for context in lost.failed {
            match context {
                Context::FindCoordinator => self.on_lookup_failed(now, out),
                Context::Join(_) | Context::Sync(_) => {
                    self.on_join_failed(ErrorCode::NetworkException);
                }
                Context::Heartbeat(_) => {
                    self.heartbeat.failed(now, self.backoff, &mut self.random);
                }
                Context::Beat => self.on_beat_lost(now),
                Context::Farewell => {}
                Context::Leave => self.on_left(),
                Context::Commit(number, _) => self.on_commit_lost(now, number, out),
                Context::Fetch(_) => self.on_committed_lost(now),
            }
        }
    }
}
