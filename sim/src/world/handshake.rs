//! Opening connections, and closing those of a process that is gone.

use super::World;
use super::step::{Event, Handshake};
use super::transport::BARE_PACKET;
use crate::exercised::Effect;
use crate::net::{Connection, EndState, Retransmission, Segment};
use crate::random::Sample;
use crate::{EventId, TraceKind};
use machine::{CloseReason, ConnId, Input, NodeId, Process, Span};

/// The size of a packet of the handshake, in bytes.
const HANDSHAKE_PACKET: u64 = 74;
/// Distinguishes the draws of handshakes from those of numbered packets.
const HANDSHAKE: u64 = 1 << 42;
/// The chance, in parts per million, that a kernel without unread data closes with a reset.
const RESET_AT_DEATH: u32 = 500_000;

impl<P: Process> World<P> {
    /// A process opens a connection. A `peer` that does not exist refuses it, and so does the node
    /// itself: there is no loopback.
    pub(super) fn connect(&mut self, node: usize, conn: ConnId, peer: NodeId, event: EventId) {
        self.record(node, event, TraceKind::Connecting { conn, peer });
        let slot = self.connections.find(conn).unwrap_or_else(|| self.reserve(node, conn, peer));
        self.send_handshake(slot, Handshake::Syn { attempt: 0 }, Span::ZERO);
    }

    /// Creates the connection that a handler with disk operations in progress has opened: other
    /// handlers of the process know its id already, and their messages wait.
    pub(super) fn reserve(&mut self, node: usize, conn: ConnId, peer: NodeId) -> usize {
        let acceptor = self.by_id.get(&peer).copied().unwrap_or(node);
        let incarnation = self.nodes[node].incarnation();
        self.connections.insert(Connection::new(conn, node, incarnation, acceptor))
    }

    /// Sends a part of a handshake, after a pause.
    fn send_handshake(&mut self, slot: usize, step: Handshake, pause: Span) {
        let connection = self.connections.get_mut(slot);
        let (part, attempt) = match step {
            Handshake::Syn { attempt } => (0, attempt),
            Handshake::SynAck { attempt } => (1, attempt),
            Handshake::Refused { attempt } => (1, attempt),
        };
        let (from, to) = connection.route(part);
        let about = HANDSHAKE | ((part as u64) << 32) | u64::from(attempt);
        let mut draw = self.network.draw(connection.id.0, about);
        let passage = self.links.pass(from, to, HANDSHAKE_PACKET, self.now, &mut draw);
        connection.uses += 1;
        let wake_up = draw.below(self.nodes[to].host.wake_up.0);
        let at = passage.arrives + pause + Span(wake_up);
        let order = self.links.link_mut(from, to).source.next();
        self.push(at, order, Event::Handshake { slot: slot as u32, step });
    }

    /// A part of a handshake arrives.
    pub(super) fn shake_hands(&mut self, slot: usize, step: Handshake) {
        let connection = self.connections.get_mut(slot);
        connection.uses -= 1;
        let (opener, acceptor) = connection.route(0);
        let state = connection.ends[0].state;
        let opening = state == EndState::Opening;
        let answered = self.reaches(acceptor, opener);
        match step {
            Handshake::Syn { attempt } if opening => {
                if self.reaches(opener, acceptor) {
                    self.answer_syn(slot, attempt);
                } else {
                    self.stopped(opener, acceptor);
                    self.unanswered(slot, attempt);
                }
            }
            Handshake::SynAck { attempt } | Handshake::Refused { attempt }
                if opening && !answered =>
            {
                self.stopped(acceptor, opener);
                self.unanswered(slot, attempt);
            }
            Handshake::SynAck { .. } if opening => self.opened(slot),
            Handshake::SynAck { .. } if answered && state == EndState::Gone => {
                self.send_reset(slot, 1, true);
            }
            Handshake::Refused { .. } if opening => {
                self.exercised.count(Effect::ConnectionRefused);
                self.ended(slot, 0, EventId::NONE, CloseReason::Refused);
            }
            _ => {}
        }
        self.connections.tidy(slot);
    }

    /// The kernel of the acceptor accepts for a process that listens, or refuses.
    fn answer_syn(&mut self, slot: usize, attempt: u32) {
        let connection = self.connections.get_mut(slot);
        let (opener, acceptor) = connection.route(0);
        let host = &self.nodes[acceptor];
        let accepted = &mut connection.ends[1];
        if accepted.state == EndState::Absent && host.listens() && opener != acceptor {
            accepted.state = EndState::Open;
            accepted.incarnation = host.incarnation();
        }
        let step = match accepted.state {
            EndState::Open => Handshake::SynAck { attempt },
            _ => Handshake::Refused { attempt },
        };
        self.send_handshake(slot, step, Span::ZERO);
    }

    /// There was no response: the opener tries again, until its process gives up.
    fn unanswered(&mut self, slot: usize, attempt: u32) {
        let conn = self.connections.get(slot).id;
        let opener = self.connections.get(slot).ends[0].node;
        self.exercised.count(Effect::ConnectionUnanswered);
        self.record(opener, EventId::NONE, TraceKind::Cut { conn });
        let step = Handshake::Syn { attempt: attempt + 1 };
        self.send_handshake(slot, step, Retransmission::syn(attempt));
    }

    fn opened(&mut self, slot: usize) {
        let connection = self.connections.get_mut(slot);
        connection.ends[0].state = EndState::Open;
        let (conn, opener) = (connection.id, connection.ends[0].node);
        let peer = self.nodes[connection.ends[1].node].id;
        let waiting = std::mem::take(&mut connection.ways[0].parked);
        for packet in waiting {
            self.transmit(slot, 0, packet);
        }
        self.offer_on(slot, 0, opener, EventId::NONE, Input::Opened { conn, peer });
    }

    /// A process is gone but its host is not: the kernel closes its connections.
    ///
    /// A connection with unread data is reset, and the reset is not repeated. Other connections are
    /// closed or, unless the end was clean, perhaps reset; a close is resent until it arrives.
    pub(super) fn close_connections(&mut self, node: usize, cause: EventId, orderly: bool) {
        let unread = self.unread_connections(node);
        for slot in self.connections.slots() {
            for end in 0..2 {
                let connection = self.connections.get_mut(slot);
                if connection.ends[end].node != node {
                    continue;
                }
                connection.ends[end].closed = true;
                match connection.ends[end].state {
                    EndState::Opening => {
                        let now = self.now;
                        connection.forget(end, now);
                    }
                    EndState::Open => {
                        self.exercised.count(Effect::ConnectionCutShort);
                        let about = HANDSHAKE | (1 << 41) | end as u64;
                        let mut draw = self.network.draw(connection.id.0, about);
                        let resets = draw.chance(RESET_AT_DEATH) && !orderly;
                        if resets || unread.binary_search(&slot).is_ok() {
                            let now = self.now;
                            connection.forget(end, now);
                            self.send_reset(slot, 1 - end, false);
                        } else {
                            connection.ends[end].state = EndState::Closing;
                            self.queue(slot, end, cause, BARE_PACKET, Segment::Fin);
                        }
                    }
                    EndState::Absent | EndState::Closing | EndState::Gone => {}
                }
            }
            self.connections.tidy(slot);
        }
    }

    /// The slots of connections with inputs that wait at a node; sorted.
    fn unread_connections(&self, node: usize) -> Vec<usize> {
        let queues = self.nodes[node].lanes.iter().flat_map(|lane| &lane.queue);
        let mut slots: Vec<usize> =
            queues.filter_map(|queued| queued.connection).map(|(slot, _)| slot as usize).collect();
        slots.sort_unstable();
        slots
    }

    /// A host has lost power: it forgets all connections, and the other ends do not learn of it.
    pub(super) fn drop_connections(&mut self, node: usize) {
        let now = self.now;
        for slot in self.connections.slots() {
            for end in 0..2 {
                let connection = self.connections.get_mut(slot);
                let state = connection.ends[end].state;
                if connection.ends[end].node != node
                    || matches!(state, EndState::Absent | EndState::Gone)
                {
                    continue;
                }
                connection.ends[end].closed = true;
                connection.forget(end, now);
                if state == EndState::Open {
                    self.exercised.count(Effect::ConnectionCutShort);
                    if connection.ends[1 - end].state == EndState::Open {
                        self.exercised.count(Effect::ConnectionHalfOpen);
                    }
                }
            }
            self.connections.tidy(slot);
        }
    }
}
