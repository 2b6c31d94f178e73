//! The way of a request to another member (`KafkaNetworkChannel`, `InterBrokerSendThread`).
//!
//! A connection has at most one request in flight. What is to be sent meanwhile, or before a
//! connection may be tried again, waits: until there is room, or until it is overdue, or until the
//! connection ends, with which all of it fails. Kafka's fails as well if it came before a connection
//! may be tried again; here it waits for the try, which Kafka's next attempt is.

use super::requests::RequestId;
use crate::Outbox;
use crate::ids::BrokerId;
use crate::net::{ChannelConfig, Channels, Disconnected};
use crate::protocol::Request;
use crate::timer::Channel;
use machine::{ConnId, Mono, NodeId, Span};
use std::collections::{BTreeMap, VecDeque};

/// A request that came to nothing, and whom it was for.
pub(super) type Failed = (BrokerId, RequestId);

/// Requests that are on their way or will be.
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

    /// Takes a request, and sends it when its turn has come.
    pub(super) fn send(
        &mut self,
        now: Mono,
        to: NodeId,
        id: RequestId,
        request: Request,
        out: &mut Outbox,
    ) {
        let deadline = now + self.timeout;
        self.unsent.entry(to).or_default().push_back(Unsent { id, request, deadline });
        self.send_next(now, to, out);
    }

    /// Sends the request that has waited longest for `to`, if its connection has room.
    fn send_next(&mut self, now: Mono, to: NodeId, out: &mut Outbox) {
        if !self.channels.is_ready(now, to) {
            return;
        }
        let Some(waiting) = self.unsent.get_mut(&to) else { return };
        if let Some(Unsent { id, request, .. }) = waiting.pop_front() {
            self.channels.send(now, to, request, self.timeout, id, out);
        }
        if waiting.is_empty() {
            self.unsent.remove(&to);
        }
    }

    /// Sends what can be sent by now, and answers what has waited too long.
    pub(super) fn on_time(&mut self, now: Mono, out: &mut Outbox) -> Vec<Failed> {
        let mut failed = Vec::new();
        for (to, waiting) in &mut self.unsent {
            let overdue = waiting.iter().take_while(|unsent| unsent.deadline <= now).count();
            failed.extend(waiting.drain(..overdue).map(|unsent| (to.node, unsent.id)));
        }
        self.unsent.retain(|_, waiting| !waiting.is_empty());
        for to in self.unsent.keys().copied().collect::<Vec<_>>() {
            self.send_next(now, to, out);
        }
        failed
    }

    /// When [`Outgoing::on_time`] has something to do next.
    pub(super) fn next_due(&self) -> Option<Mono> {
        let due = |(to, waiting): (&NodeId, &VecDeque<Unsent>)| {
            let overdue = waiting.front()?.deadline;
            let busy = self.channels.has_connection(*to);
            Some(if busy { overdue } else { overdue.min(self.channels.not_before(*to)) })
        };
        self.unsent.iter().filter_map(due).min()
    }

    /// Whether `conn` is one of its connections.
    pub(super) fn owns(&self, conn: ConnId) -> bool {
        self.channels.owns(conn)
    }

    /// A connection is open; answers whether it is one of these.
    pub(super) fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channels.on_opened(conn).is_some()
    }

    /// A request was answered, and its connection has room.
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

    /// A connection has ended; answers what failed with it, if it was one of these.
    pub(super) fn on_closed(&mut self, now: Mono, conn: ConnId) -> Option<Vec<Failed>> {
        let disconnected = self.channels.on_closed(now, conn)?;
        Some(self.fail(disconnected))
    }

    /// Ends the connections on which an answer is overdue, and answers what failed with them.
    pub(super) fn on_requests_timer(&mut self, now: Mono, out: &mut Outbox) -> Vec<Failed> {
        let ended = self.channels.on_timer(now, out);
        ended.into_iter().flat_map(|disconnected| self.fail(disconnected)).collect()
    }

    /// With a connection fails what was in flight, and what waited for it.
    fn fail(&mut self, disconnected: Disconnected<RequestId>) -> Vec<Failed> {
        let Disconnected { peer, failed, .. } = disconnected;
        let unsent = self.unsent.remove(&peer).into_iter().flatten().map(|unsent| unsent.id);
        failed.into_iter().chain(unsent).map(|id| (peer.node, id)).collect()
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        for (to, waiting) in &self.unsent {
            assert!(!waiting.is_empty());
            assert!(self.channels.in_flight(*to) <= 1, "a connection has one request in flight");
        }
    }
}
