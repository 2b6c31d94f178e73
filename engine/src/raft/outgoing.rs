//! Sending requests to other members (`KafkaNetworkChannel`, `InterBrokerSendThread`).
//!
//! A connection has at most one request in flight. A request that comes meanwhile is queued until
//! there is room, until it times out, or until the connection ends, which fails everything queued
//! for it. A request that comes before a broken connection may be tried again fails at once.

use super::requests::RequestId;
use crate::Outbox;
use crate::ids::BrokerId;
use crate::net::{ChannelConfig, Channels, Disconnected};
use crate::protocol::Request;
use crate::timer::Channel;
use machine::{ConnId, Mono, NodeId, Span};
use std::collections::{BTreeMap, VecDeque};

/// A request that failed, and the member that it was for.
pub(super) type Failed = (BrokerId, RequestId);

/// The requests in flight and in the queues.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    timeout: Span,
    channels: Channels<RequestId>,
    unsent: BTreeMap<NodeId, VecDeque<Unsent>>,
}

#[derive(Clone, Debug)]
struct Unsent {
    id: RequestId,
    request: Request,
    deadline: Mono,
}

impl Outgoing {
    pub(super) fn new(timeout: Span) -> Self {
        let config = ChannelConfig {
            max_in_flight: 1,
            reconnect_backoff: Span::millis(50),
            reconnect_backoff_max: Span::millis(500),
            setup_timeout: timeout,
        };
        Self { timeout, channels: Channels::new(Channel::Quorum, config), unsent: BTreeMap::new() }
    }

    /// Queues a request, and sends it if its connection has room. If the connection is broken and
    /// may not be tried again yet, the request fails at once; returns when it may be tried.
    pub(super) fn send(
        &mut self,
        now: Mono,
        to: NodeId,
        id: RequestId,
        request: Request,
        out: &mut Outbox,
    ) -> Option<Mono> {
        let not_before = self.channels.not_before(to);
        if !self.channels.has_connection(to) && now < not_before {
            return Some(not_before);
        }
        if !self.unsent.contains_key(&to) && self.channels.is_ready(now, to) {
            self.channels.send(now, to, request, self.timeout, id, out);
            return None;
        }
        let deadline = now + self.timeout;
        self.unsent.entry(to).or_default().push_back(Unsent { id, request, deadline });
        self.send_next(now, to, out);
        None
    }

    /// Sends the oldest request in the queue of `to`, if its connection has room.
    fn send_next(&mut self, now: Mono, to: NodeId, out: &mut Outbox) {
        if !self.channels.is_ready(now, to) {
            return;
        }
        let Some(queue) = self.unsent.get_mut(&to) else { return };
        if let Some(Unsent { id, request, .. }) = queue.pop_front() {
            self.channels.send(now, to, request, self.timeout, id, out);
        }
        if queue.is_empty() {
            self.unsent.remove(&to);
        }
    }

    /// Sends what can be sent by now, and returns the queued requests that have timed out.
    pub(super) fn on_time(&mut self, now: Mono, out: &mut Outbox) -> Vec<Failed> {
        let mut failed = Vec::new();
        if self.unsent.is_empty() {
            return failed;
        }
        for (to, queue) in &mut self.unsent {
            let overdue = queue.iter().take_while(|unsent| unsent.deadline <= now).count();
            failed.extend(queue.drain(..overdue).map(|unsent| (to.node, unsent.id)));
        }
        self.unsent.retain(|_, queue| !queue.is_empty());
        for to in self.unsent.keys().copied().collect::<Vec<_>>() {
            self.send_next(now, to, out);
        }
        failed
    }

    /// When [`Outgoing::on_time`] is due next.
    pub(super) fn next_due(&self) -> Option<Mono> {
        let due = |(to, queue): (&NodeId, &VecDeque<Unsent>)| {
            let overdue = queue.front()?.deadline;
            let busy = self.channels.has_connection(*to);
            Some(if busy { overdue } else { overdue.min(self.channels.not_before(*to)) })
        };
        self.unsent.iter().filter_map(due).min()
    }

    /// Whether `conn` is one of its connections.
    pub(super) fn owns(&self, conn: ConnId) -> bool {
        self.channels.owns(conn)
    }

    /// A connection is open. Returns whether it is one of these.
    pub(super) fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channels.on_opened(conn).is_some()
    }

    /// Handles a response, after which its connection has room. Returns its request.
    pub(super) fn on_response(
        &mut self,
        now: Mono,
        conn: ConnId,
        correlation_id: u32,
        out: &mut Outbox,
    ) -> Option<(BrokerId, RequestId)> {
        let (from, id) = self.channels.on_response(conn, correlation_id)?;
        self.send_next(now, from, out);
        Some((from.node, id))
    }

    /// A connection has ended. Returns the requests that failed with it, if it was one of these.
    pub(super) fn on_closed(&mut self, now: Mono, conn: ConnId) -> Option<Vec<Failed>> {
        let disconnected = self.channels.on_closed(now, conn)?;
        Some(self.fail(disconnected))
    }

    /// Ends the connections on which a response is overdue, and returns the requests that failed
    /// with them.
    pub(super) fn on_requests_timer(&mut self, now: Mono, out: &mut Outbox) -> Vec<Failed> {
        let ended = self.channels.on_timer(now, out);
        ended.into_iter().flat_map(|disconnected| self.fail(disconnected)).collect()
    }

    /// Fails the requests that were in flight on a connection or queued for it.
    fn fail(&mut self, disconnected: Disconnected<RequestId>) -> Vec<Failed> {
        let Disconnected { peer, failed, .. } = disconnected;
        let unsent = self.unsent.remove(&peer).into_iter().flatten().map(|unsent| unsent.id);
        failed.into_iter().chain(unsent).map(|id| (peer.node, id)).collect()
    }

    /// Panics if the state contradicts itself.
    pub(super) fn invariants(&self) {
        for (to, queue) in &self.unsent {
            assert!(!queue.is_empty());
            assert!(self.channels.in_flight(*to) <= 1, "a connection has one request in flight");
        }
    }
}
