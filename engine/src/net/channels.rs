//! Connections and the requests in flight on them (`NetworkClient`).
//!
//! Each peer has one connection, opened when it is first needed; responses come in the order of the
//! requests. An overdue request closes its connection, which fails every other request in flight
//! there: their outcome is unknown. After each failed attempt to connect the next one is delayed
//! longer. This module never sends a request twice: sending again is the caller's decision.

use crate::Outbox;
use crate::protocol::{Message, Request};
use crate::timer::{Channel, Timer};
use machine::{ConnId, Mono, NodeId, Span};
use std::collections::{BTreeMap, VecDeque};

/// The configuration of connections.
#[derive(Clone, Copy, Debug)]
pub struct ChannelConfig {
    /// How many requests may be in flight on one connection.
    pub max_in_flight: usize,
    /// How long to wait before connecting again, at first.
    pub reconnect_backoff: Span,
    /// How long to wait before connecting again, at most.
    pub reconnect_backoff_max: Span,
    /// How long a new connection may take.
    pub setup_timeout: Span,
}

impl Default for ChannelConfig {
    fn default() -> Self {
        Self {
            max_in_flight: 5,
            reconnect_backoff: Span::millis(50),
            reconnect_backoff_max: Span::secs(1),
            setup_timeout: Span::secs(10),
        }
    }
}

/// The connections of one purpose. `C` is the caller's context of a request, returned with its
/// response or its failure.
#[derive(Clone, Debug)]
pub struct Channels<C> {
    channel: Channel,
    config: ChannelConfig,
    peers: BTreeMap<NodeId, Peer<C>>,
    /// The time for which [`Timer::Requests`] is set, so that it is not set again for every
    /// request.
    armed: Mono,
}

#[derive(Clone, Debug)]
struct Peer<C> {
    connection: Option<Connection<C>>,
    failures: u32,
    not_before: Mono,
}

#[derive(Clone, Debug)]
struct Connection<C> {
    id: ConnId,
    /// The time by which it has to be open; `None`: it is open.
    open_by: Option<Mono>,
    next_correlation_id: u32,
    in_flight: VecDeque<InFlight<C>>,
}

#[derive(Clone, Debug)]
struct InFlight<C> {
    correlation_id: u32,
    deadline: Mono,
    context: C,
}

/// Requests that failed because their connection ended, oldest first.
#[derive(Clone, Debug)]
pub struct Disconnected<C> {
    /// The peer.
    pub peer: NodeId,
    /// The contexts of the requests in flight to it.
    pub failed: Vec<C>,
    /// Whether the connection had never been open.
    pub never_open: bool,
}

impl<C> Channels<C> {
    /// Channels without connections.
    pub fn new(channel: Channel, config: ChannelConfig) -> Self {
        Self { channel, config, peers: BTreeMap::new(), armed: Mono::MAX }
    }

    /// Whether a request to `peer` could be sent now: there is room on its connection, or a
    /// connection may be tried.
    pub fn is_ready(&self, now: Mono, peer: NodeId) -> bool {
        match self.peers.get(&peer) {
            None => true,
            Some(Peer { connection: Some(connection), .. }) => {
                connection.in_flight.len() < self.config.max_in_flight
            }
            Some(Peer { not_before, .. }) => now >= *not_before,
        }
    }

    /// The earliest time at which a connection to `peer` may be tried; in the past if there is one.
    pub fn not_before(&self, peer: NodeId) -> Mono {
        match self.peers.get(&peer) {
            Some(Peer { connection: None, not_before, .. }) => *not_before,
            _ => Mono::default(),
        }
    }

    /// How many requests are in flight to `peer`.
    pub fn in_flight(&self, peer: NodeId) -> usize {
        let connection = self.peers.get(&peer).and_then(|peer| peer.connection.as_ref());
        connection.map_or(0, |connection| connection.in_flight.len())
    }

    /// Whether there is a connection to `peer`, open or being opened.
    pub fn has_connection(&self, peer: NodeId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.connection.is_some())
    }

    /// Whether there is an open connection to `peer`.
    pub fn is_open(&self, peer: NodeId) -> bool {
        let connection = self.peers.get(&peer).and_then(|peer| peer.connection.as_ref());
        connection.is_some_and(|connection| connection.open_by.is_none())
    }

    /// Sends a request to `peer`, over a new connection if there is none. The response is due
    /// within `timeout`. The caller has checked [`Channels::is_ready`]. Returns the connection.
    pub fn send(
        &mut self,
        now: Mono,
        peer: NodeId,
        request: impl Into<Request>,
        timeout: Span,
        context: C,
        out: &mut Outbox,
    ) -> ConnId {
        let deadline = now + timeout;
        let connection = self.connection(now, peer, out);
        let correlation_id = connection.next_correlation_id();
        connection.in_flight.push_back(InFlight { correlation_id, deadline, context });
        let id = connection.id;
        out.send(id, Message::Request { correlation_id, body: request.into() });
        self.arm(deadline, out);
        id
    }

    /// Sends a request without a response (acks=0). Returns the connection.
    pub fn send_unanswered(
        &mut self,
        now: Mono,
        peer: NodeId,
        request: impl Into<Request>,
        out: &mut Outbox,
    ) -> ConnId {
        let connection = self.connection(now, peer, out);
        let correlation_id = connection.next_correlation_id();
        let id = connection.id;
        out.send(id, Message::Request { correlation_id, body: request.into() });
        id
    }

    /// Opens a connection to `peer` if there is none and one may be tried.
    pub fn connect(&mut self, now: Mono, peer: NodeId, out: &mut Outbox) {
        if self.is_ready(now, peer) {
            self.connection(now, peer, out);
        }
    }

    fn connection(&mut self, now: Mono, node: NodeId, out: &mut Outbox) -> &mut Connection<C> {
        let setup_timeout = self.config.setup_timeout;
        let peer = self.peers.entry(node).or_insert_with(|| Peer {
            connection: None,
            failures: 0,
            not_before: Mono::default(),
        });
        if peer.connection.is_none() {
            let open_by = now + setup_timeout;
            if open_by < self.armed {
                self.armed = open_by;
                out.set_timer(Timer::Requests(self.channel), open_by);
            }
            peer.connection = Some(Connection {
                id: out.connect(node),
                open_by: Some(open_by),
                next_correlation_id: 0,
                in_flight: VecDeque::new(),
            });
        }
        peer.connection.as_mut().expect("it was just made")
    }

    /// Whether `conn` is one of these connections.
    pub fn owns(&self, conn: ConnId) -> bool {
        self.peers.values().any(|peer| peer.connection.as_ref().is_some_and(|c| c.id == conn))
    }

    fn peer_of(&mut self, conn: ConnId) -> Option<(NodeId, &mut Peer<C>)> {
        self.peers
            .iter_mut()
            .find(|(_, peer)| peer.connection.as_ref().is_some_and(|c| c.id == conn))
            .map(|(node, peer)| (*node, peer))
    }

    /// A connection is open. Returns its peer, if it is one of these connections.
    pub fn on_opened(&mut self, conn: ConnId) -> Option<NodeId> {
        let (node, peer) = self.peer_of(conn)?;
        peer.failures = 0;
        peer.connection.as_mut()?.open_by = None;
        Some(node)
    }

    /// A connection has ended. Returns the failed requests, if it is one of these connections.
    pub fn on_closed(&mut self, now: Mono, conn: ConnId) -> Option<Disconnected<C>> {
        let (node, _) = self.peer_of(conn)?;
        self.disconnect(now, node)
    }

    /// A response has arrived. Returns the peer and the context of the request, if the connection
    /// is one of these.
    pub fn on_response(&mut self, conn: ConnId, correlation_id: u32) -> Option<(NodeId, C)> {
        let (node, peer) = self.peer_of(conn)?;
        let in_flight = &mut peer.connection.as_mut()?.in_flight;
        assert_eq!(
            in_flight.front().map(|request| request.correlation_id),
            Some(correlation_id),
            "responses come in the order of their requests"
        );
        in_flight.pop_front().map(|request| (node, request.context))
    }

    /// [`Timer::Requests`] is due: closes the overdue connections and returns the requests that
    /// fail with them.
    pub fn on_timer(&mut self, now: Mono, out: &mut Outbox) -> Vec<Disconnected<C>> {
        self.armed = Mono::MAX;
        let overdue: Vec<NodeId> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.deadline().is_some_and(|deadline| deadline <= now))
            .map(|(node, _)| *node)
            .collect();
        let failed = overdue.into_iter().filter_map(|node| self.close(now, node, out)).collect();
        if let Some(next) = self.peers.values().filter_map(Peer::deadline).min() {
            self.arm(next, out);
        }
        failed
    }

    /// Closes the connection to `peer` and returns the requests that fail with it.
    pub fn close(&mut self, now: Mono, peer: NodeId, out: &mut Outbox) -> Option<Disconnected<C>> {
        let conn = self.peers.get(&peer)?.connection.as_ref()?.id;
        out.close(conn);
        self.disconnect(now, peer)
    }

    /// Closes all connections. Requests in flight are dropped without being returned.
    pub fn close_all(&mut self, now: Mono, out: &mut Outbox) {
        let peers: Vec<NodeId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.close(now, peer, out);
        }
    }

    fn disconnect(&mut self, now: Mono, node: NodeId) -> Option<Disconnected<C>> {
        let peer = self.peers.get_mut(&node)?;
        let connection = peer.connection.take()?;
        let doubled = self.config.reconnect_backoff.0 << peer.failures.min(16);
        peer.not_before = now + Span(doubled.min(self.config.reconnect_backoff_max.0));
        peer.failures += 1;
        Some(Disconnected {
            peer: node,
            failed: connection.in_flight.into_iter().map(|request| request.context).collect(),
            never_open: connection.open_by.is_some(),
        })
    }

    fn arm(&mut self, deadline: Mono, out: &mut Outbox) {
        if deadline < self.armed {
            self.armed = deadline;
            out.set_timer(Timer::Requests(self.channel), deadline);
        }
    }
}

impl<C> Peer<C> {
    /// The earliest deadline of the connection to this peer or of a request on it.
    fn deadline(&self) -> Option<Mono> {
        let connection = self.connection.as_ref()?;
        let requests = connection.in_flight.iter().map(|request| request.deadline).min();
        match (connection.open_by, requests) {
            (Some(open), Some(request)) => Some(open.min(request)),
            (open, request) => open.or(request),
        }
    }
}

impl<C> Connection<C> {
    fn next_correlation_id(&mut self) -> u32 {
        let id = self.next_correlation_id;
        self.next_correlation_id += 1;
        id
    }
}
