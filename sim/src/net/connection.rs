//! A TCP connection: two ends, and a way from each to the other.

use crate::{EventId, SimTime};
use machine::{ConnId, Vocabulary};
use std::collections::VecDeque;

/// What travels on a connection, in order.
#[derive(Clone, Debug)]
pub(crate) enum Segment<V: Vocabulary> {
    /// On the heap: it is moved from queue to queue, and most events are no messages.
    Data(Box<V::Message>),
    /// The sender has closed its end.
    Fin,
    /// Something that was answered by a reset which got lost, and so is sent again.
    Probe,
}

#[derive(Clone, Debug)]
pub(crate) struct Packet<V: Vocabulary> {
    /// Its place in the order of its way.
    pub(crate) number: u32,
    /// When it was first sent.
    pub(crate) sent: SimTime,
    pub(crate) cause: EventId,
    /// What it weighs.
    pub(crate) bytes: u64,
    pub(crate) segment: Segment<V>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndState {
    /// The host does not know the connection yet.
    Absent,
    /// The opener waits for an answer.
    Opening,
    /// A process has it open.
    Open,
    /// The process has closed it or is dead; its kernel still sends what was left.
    Closing,
    /// The host does not know it any more.
    Gone,
}

#[derive(Clone, Debug)]
pub(crate) struct End {
    /// The index of the node.
    pub(crate) node: usize,
    pub(crate) incarnation: u16,
    pub(crate) state: EndState,
    /// Its process has closed it: what still waits to be handled is not wanted any more.
    pub(crate) closed: bool,
    /// What would leave after this moment does not: the kernel has forgotten it.
    pub(crate) dead_at: SimTime,
}

impl End {
    fn new(node: usize, incarnation: u16, state: EndState) -> Self {
        Self { node, incarnation, state, closed: false, dead_at: SimTime::MAX }
    }

    /// Whether its kernel still sends again what was lost.
    #[inline]
    pub(crate) fn sends(&self) -> bool {
        matches!(self.state, EndState::Open | EndState::Closing)
    }
}

/// One direction.
#[derive(Clone, Debug)]
pub(crate) struct Way<V: Vocabulary> {
    /// The number of the next packet to be sent.
    pub(crate) next: u32,
    /// The number of the next packet to be delivered.
    pub(crate) expected: u32,
    /// The latest arrival so far; what is sent later arrives later.
    pub(crate) latest: SimTime,
    /// Lost on the way and to be sent again; or to be sent when the connection is open.
    pub(crate) parked: VecDeque<Packet<V>>,
    /// Arrived, and waiting for what was sent before.
    pub(crate) early: VecDeque<Packet<V>>,
    /// Whether the parked packets are about to be sent again.
    pub(crate) retransmits: bool,
}

impl<V: Vocabulary> Way<V> {
    fn new() -> Self {
        Self {
            next: 0,
            expected: 0,
            latest: SimTime::ZERO,
            parked: VecDeque::new(),
            early: VecDeque::new(),
            retransmits: false,
        }
    }
}

/// Inserts by number; mostly at the end.
pub(crate) fn insert<V: Vocabulary>(packets: &mut VecDeque<Packet<V>>, packet: Packet<V>) {
    let place = packets.iter().rposition(|other| other.number <= packet.number);
    packets.insert(place.map_or(0, |place| place + 1), packet);
}

#[derive(Clone, Debug)]
pub(crate) struct Connection<V: Vocabulary> {
    pub(crate) id: ConnId,
    /// The opener, and the other.
    pub(crate) ends: [End; 2],
    /// From each end to the other.
    pub(crate) ways: [Way<V>; 2],
    /// Pending events and waiting inputs that refer to it.
    pub(crate) uses: u32,
}

impl<V: Vocabulary> Connection<V> {
    pub(crate) fn new(id: ConnId, opener: usize, incarnation: u16, acceptor: usize) -> Self {
        Self {
            id,
            ends: [
                End::new(opener, incarnation, EndState::Opening),
                End::new(acceptor, 0, EndState::Absent),
            ],
            ways: [Way::new(), Way::new()],
            uses: 0,
        }
    }

    /// Which end belongs to this life of a node, if one does.
    #[inline]
    pub(crate) fn end_of(&self, node: usize, incarnation: u16) -> Option<usize> {
        let is = |end: &End| {
            end.node == node && end.incarnation == incarnation && end.state != EndState::Absent
        };
        self.ends.iter().position(is)
    }

    /// The sending and the receiving node of a way.
    #[inline]
    pub(crate) fn route(&self, way: usize) -> (usize, usize) {
        (self.ends[way].node, self.ends[1 - way].node)
    }

    /// The host of an end forgets the connection: nothing it has not sent by `now` leaves.
    pub(crate) fn forget(&mut self, end: usize, now: SimTime) {
        self.ends[end].state = EndState::Gone;
        self.ends[end].dead_at = self.ends[end].dead_at.min(now);
        self.ways[end].parked.clear();
        self.ways[1 - end].early.clear();
    }

    /// Whether nothing can happen on it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.uses == 0
            && self.ends[0].state == EndState::Gone
            && matches!(self.ends[1].state, EndState::Gone | EndState::Absent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    struct Words;

    #[derive(Clone, Debug)]
    struct Nothing;

    impl machine::Message for Nothing {
        fn wire_size(&self) -> u64 {
            0
        }
        fn name(&self) -> &'static str {
            "Nothing"
        }
        fn fold(&self, _: &mut machine::Digest) {}
    }

    impl Vocabulary for Words {
        type Message = Nothing;
        type Timer = ();
        type Fact = ();
        type Lock = ();
    }

    #[test]
    fn packets_are_kept_in_the_order_of_their_numbers() {
        let mut packets: VecDeque<Packet<Words>> = VecDeque::new();
        for number in [3, 5, 1, 4, 2] {
            let (sent, cause, segment) = (SimTime::ZERO, EventId::NONE, Segment::Fin);
            insert(&mut packets, Packet { number, sent, cause, bytes: 0, segment });
        }
        assert_eq!(packets.iter().map(|p| p.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    }
}
