//! Messages in flight: sending, arriving, loss and retransmission.

use super::World;
use super::step::Event;
use crate::exercised::Effect;
use crate::net::{EndState, Packet, Retransmission, Segment, insert};
use crate::node::Queued;
use crate::random::Sample;
use crate::{EventId, SimTime, TraceKind};
use machine::{CloseReason, ConnId, Input, Message, Process, Span, Vocabulary};

type MessageOf<P> = <<P as Process>::Vocabulary as Vocabulary>::Message;

/// The size of a packet without data, in bytes.
pub(super) const BARE_PACKET: u64 = 66;
/// Distinguishes the draws of resets from those of numbered packets.
const RESET: u64 = 1 << 41;

impl<P: Process> World<P> {
    /// A process sends a message.
    #[inline]
    pub(super) fn send(
        &mut self,
        node: usize,
        conn: ConnId,
        message: MessageOf<P>,
        event: EventId,
    ) {
        let Some((slot, end)) = self.end_of(node, conn) else { return };
        let connection = self.connections.get_mut(slot);
        let state = connection.ends[end].state;
        if !matches!(state, EndState::Open | EndState::Opening) {
            return;
        }
        let to = self.nodes[connection.ends[1 - end].node].id;
        let bytes = message.wire_size();
        let kind = TraceKind::Sent { conn, to, message: message.name(), bytes };
        let cause = self.record(node, event, kind);
        message.fold(self.recorder.digest_mut());
        self.queue(slot, end, cause, bytes, Segment::Data(Box::new(message)));
    }

    /// A process closes a connection.
    pub(super) fn close(&mut self, node: usize, conn: ConnId, event: EventId) {
        let Some((slot, end)) = self.end_of(node, conn) else { return };
        let now = self.now;
        let connection = self.connections.get_mut(slot);
        connection.ends[end].closed = true;
        match connection.ends[end].state {
            EndState::Opening => connection.forget(end, now),
            EndState::Open => {
                connection.ends[end].state = EndState::Closing;
                let cause = self.record(node, event, TraceKind::Closing { conn });
                self.queue(slot, end, cause, BARE_PACKET, Segment::Fin);
            }
            EndState::Absent | EndState::Closing | EndState::Gone => {}
        }
        self.connections.tidy(slot);
    }

    /// The slot of a connection, and the end that the current life of a node holds.
    #[inline]
    fn end_of(&self, node: usize, conn: ConnId) -> Option<(usize, usize)> {
        let slot = self.connections.find(conn)?;
        let end = self.connections.get(slot).end_of(node, self.nodes[node].incarnation())?;
        Some((slot, end))
    }

    /// Numbers a segment within its direction, and sends it.
    #[inline]
    pub(super) fn queue(
        &mut self,
        slot: usize,
        way: usize,
        cause: EventId,
        bytes: u64,
        segment: Segment<P::Vocabulary>,
    ) {
        let now = self.now;
        let connection = self.connections.get_mut(slot);
        let opening = connection.ends[way].state == EndState::Opening;
        let number = connection.ways[way].next;
        connection.ways[way].next += 1;
        let packet = Packet { number, sent: now, cause, bytes, segment };
        if opening {
            connection.ways[way].parked.push_back(packet);
        } else {
            self.transmit(slot, way, packet);
        }
    }

    /// Puts a packet on its link.
    #[inline]
    pub(super) fn transmit(&mut self, slot: usize, way: usize, packet: Packet<P::Vocabulary>) {
        let connection = self.connections.get_mut(slot);
        let (from, to) = connection.route(way);
        if self.links.link(from, to).shape.cut {
            self.stopped(from, to);
            self.park(slot, way, packet);
            return;
        }
        // The fate of a packet depends on its identity, not on when it is sent.
        let about = ((way as u64) << 40) | u64::from(packet.number);
        let mut draw = self.network.draw(connection.id.0, about);
        let passage = self.links.pass(from, to, packet.bytes, self.now, &mut draw);
        if passage.lost > 0 {
            self.exercised.add(Effect::MessageLost, passage.lost.into());
        }
        if passage.duplicated {
            self.exercised.count(Effect::MessageDuplicated);
        }
        if passage.reordered {
            self.exercised.count(Effect::MessageReordered);
        }
        if passage.delayed {
            self.exercised.count(Effect::MessageDelayed);
        }
        let wake_up = 1 + draw.below(self.nodes[to].host.wake_up.0);
        let latest = &mut connection.ways[way].latest;
        *latest = (*latest).max(passage.arrives + Span(wake_up));
        let at = *latest;
        connection.uses += 1;
        let order = self.links.link_mut(from, to).source.next();
        let (slot, way, departs) = (slot as u32, way as u8, passage.departs);
        self.push(at, order, Event::Arrival { slot, way, departs, packet });
    }

    /// A packet was lost because nothing gets through: its sender keeps it for later.
    fn park(&mut self, slot: usize, way: usize, packet: Packet<P::Vocabulary>) {
        let conn = self.connections.get(slot).id;
        let node = self.connections.get(slot).ends[way].node;
        self.record(node, packet.cause, TraceKind::Cut { conn });
        self.exercised.count(Effect::MessageCut);
        let connection = self.connections.get_mut(slot);
        if connection.ends[way].sends() {
            insert(&mut connection.ways[way].parked, packet);
        }
    }

    /// Whether a packet from one host currently reaches another.
    #[inline]
    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        self.nodes[to].powered && !self.links.link(from, to).shape.cut
    }

    /// A packet arrives at the end of its link.
    #[inline]
    pub(super) fn arrive(
        &mut self,
        slot: usize,
        way: usize,
        departs: SimTime,
        packet: Packet<P::Vocabulary>,
    ) {
        let connection = self.connections.get_mut(slot);
        let (from, to) = connection.route(way);
        if departs > connection.ends[way].dead_at {
            // It never left: the kernel that was to resend it is gone.
            self.exercised.count(Effect::MessageCut);
        } else if !self.reaches(from, to) {
            self.stopped(from, to);
            self.park(slot, way, packet);
        } else {
            self.receive(slot, way, packet);
        }
        // Held until now, so that no handler could free the slot.
        self.connections.get_mut(slot).uses -= 1;
        self.connections.tidy(slot);
    }

    /// A host receives a packet.
    #[inline]
    fn receive(&mut self, slot: usize, way: usize, packet: Packet<P::Vocabulary>) {
        let connection = self.connections.get_mut(slot);
        match (connection.ends[1 - way].state, &packet.segment) {
            (EndState::Open, Segment::Probe) => {}
            (EndState::Open, _) => {
                let incoming = &mut connection.ways[way];
                if packet.number == incoming.expected && incoming.early.is_empty() {
                    incoming.expected += 1;
                    self.deliver(slot, way, packet);
                    return;
                }
                match packet.number.cmp(&incoming.expected) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => self.deliver_all(slot, way, packet),
                    std::cmp::Ordering::Greater => insert(&mut incoming.early, packet),
                }
            }
            (EndState::Closing, Segment::Fin) => connection.forget(way, self.now),
            _ => self.unexpected(slot, way, packet.cause),
        }
    }

    /// Delivers a packet, and the packets that waited for it.
    fn deliver_all(&mut self, slot: usize, way: usize, packet: Packet<P::Vocabulary>) {
        let mut next = Some(packet);
        while let Some(packet) = next {
            self.connections.get_mut(slot).ways[way].expected += 1;
            self.deliver(slot, way, packet);
            let connection = self.connections.get_mut(slot);
            let incoming = &mut connection.ways[way];
            let in_turn = incoming.early.front().is_some_and(|p| p.number == incoming.expected);
            next = if in_turn { incoming.early.pop_front() } else { None };
        }
    }

    #[inline]
    fn deliver(&mut self, slot: usize, way: usize, packet: Packet<P::Vocabulary>) {
        let connection = self.connections.get_mut(slot);
        let (from, to) = connection.route(way);
        match packet.segment {
            Segment::Data(message) => {
                if connection.ends[way].state != EndState::Open {
                    self.exercised.count(Effect::MessageOutlivedSender);
                }
                let (conn, from) = (connection.id, self.nodes[from].id);
                let input = Input::Message { conn, from, message: *message };
                self.offer_on(slot, 1 - way, to, packet.cause, input);
            }
            Segment::Fin => {
                connection.forget(way, self.now);
                self.ended(slot, 1 - way, packet.cause, CloseReason::Closed);
            }
            Segment::Probe => {}
        }
    }

    /// Offers a node an input of a connection.
    #[inline]
    pub(super) fn offer_on(
        &mut self,
        slot: usize,
        end: usize,
        node: usize,
        cause: EventId,
        input: Input<P::Vocabulary>,
    ) {
        self.connections.get_mut(slot).uses += 1;
        self.offer(node, Queued { input, cause, connection: Some((slot as u32, end as u8)) });
    }

    /// An open end learns that the connection has ended.
    pub(super) fn ended(&mut self, slot: usize, end: usize, cause: EventId, reason: CloseReason) {
        let now = self.now;
        let connection = self.connections.get_mut(slot);
        connection.forget(end, now);
        let node = connection.ends[end].node;
        let (conn, peer) = (connection.id, self.nodes[connection.ends[1 - end].node].id);
        self.offer_on(slot, end, node, cause, Input::Closed { conn, peer, reason });
    }

    /// A packet arrived at a host that does not know the connection: the host responds with a
    /// reset.
    fn unexpected(&mut self, slot: usize, way: usize, cause: EventId) {
        let now = self.now;
        let connection = self.connections.get_mut(slot);
        // An orphan that is still sending gives up, since its peer does not accept any more.
        connection.forget(1 - way, now);
        let (conn, node) = (connection.id, connection.ends[1 - way].node);
        self.exercised.count(Effect::MessageUnexpected);
        self.record(node, cause, TraceKind::Unexpected { conn });
        self.send_reset(slot, way, true);
    }

    /// The host at the other end of a connection resets `end`, since it does not know the connection.
    pub(super) fn send_reset(&mut self, slot: usize, end: usize, answer: bool) {
        let connection = self.connections.get_mut(slot);
        if !connection.ends[end].sends() {
            return;
        }
        let (to, from) = connection.route(end);
        let about = RESET | ((end as u64) << 40) | u64::from(connection.ways[end].expected);
        let mut draw = self.network.draw(connection.id.0, about);
        let passage = self.links.pass(from, to, BARE_PACKET, self.now, &mut draw);
        connection.uses += 1;
        let order = self.links.link_mut(from, to).source.next();
        let (slot, end) = (slot as u32, end as u8);
        self.push(passage.arrives, order, Event::Reset { slot, end, answer });
    }

    /// A reset arrives at `end`.
    pub(super) fn reset_arrives(&mut self, slot: usize, end: usize, answer: bool) {
        let connection = self.connections.get_mut(slot);
        connection.uses -= 1;
        let (to, from) = connection.route(end);
        let state = connection.ends[end].state;
        if !self.reaches(from, to) {
            self.stopped(from, to);
            self.reset_is_lost(slot, end, answer);
        } else if state == EndState::Open {
            self.exercised.count(Effect::ConnectionReset);
            self.ended(slot, end, EventId::NONE, CloseReason::Reset);
        } else if state == EndState::Closing {
            let now = self.now;
            self.connections.get_mut(slot).forget(end, now);
        }
        self.connections.tidy(slot);
    }

    /// The packet that the reset responded to stays unacknowledged, so the sender probes again
    /// later; a host that died sends no second reset.
    fn reset_is_lost(&mut self, slot: usize, end: usize, answer: bool) {
        let now = self.now;
        let connection = self.connections.get_mut(slot);
        if !connection.ends[end].sends() {
            return;
        }
        if answer {
            let segment = Segment::Probe;
            let (number, cause) = (u32::MAX, EventId::NONE);
            let packet = Packet { number, sent: now, cause, bytes: BARE_PACKET, segment };
            insert(&mut connection.ways[end].parked, packet);
        } else if connection.ends[end].state == EndState::Open {
            self.exercised.count(Effect::ConnectionHalfOpen);
        }
    }

    /// Packets get from one host to another again: lost packets will be resent, and so will packets
    /// whose reset was lost.
    pub(super) fn heal_link(&mut self, from: usize, to: usize) {
        for slot in self.connections.slots() {
            for way in 0..2 {
                let route = self.connections.get(slot).route(way);
                if route == (from, to) || route == (to, from) {
                    self.retransmit_later(slot, way);
                }
            }
        }
    }

    fn retransmit_later(&mut self, slot: usize, way: usize) {
        let connection = self.connections.get_mut(slot);
        let (from, to) = connection.route(way);
        let Some(first) = connection.ways[way].parked.front() else { return };
        if connection.ways[way].retransmits || !connection.ends[way].sends() {
            return;
        }
        let at = Retransmission::next(first.sent, self.now);
        connection.ways[way].retransmits = true;
        connection.uses += 1;
        let order = self.links.link_mut(from, to).source.next();
        self.push(at, order, Event::Retransmit { slot: slot as u32, way: way as u8 });
    }

    /// Resends the lost packets of a direction; if the link is still cut, its healing schedules
    /// this again.
    pub(super) fn retransmit(&mut self, slot: usize, way: usize) {
        let connection = self.connections.get_mut(slot);
        connection.uses -= 1;
        connection.ways[way].retransmits = false;
        let (from, to) = connection.route(way);
        if self.reaches(from, to) {
            let parked = std::mem::take(&mut self.connections.get_mut(slot).ways[way].parked);
            for packet in parked {
                self.exercised.count(Effect::MessageRetransmitted);
                self.transmit(slot, way, packet);
            }
        }
        self.connections.tidy(slot);
    }
}
