//! A TCP connection: two ends, and a direction ("way") from each end to the other.

use crate::{EventId, SimTime};
use machine::{ConnId, Vocabulary};
use std::collections::VecDeque;

/// A segment of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Segment<V: Vocabulary> {
    /// A message. It is boxed, since packets move from queue to queue and most events carry no
    /// message.
    Data(Box<V::Message>),
    /// The sender has closed its end.
    Fin,
    /// A packet whose reset was lost, and which is therefore resent.
    Probe,
}

#[derive(Clone, Debug)]
pub(crate) struct Packet<V: Vocabulary> {
    /// The number in the order of its direction.
    pub(crate) number: u32,
    /// When it was first sent.
    pub(crate) sent: SimTime,
    pub(crate) cause: EventId,
    /// The size in bytes.
    pub(crate) bytes: u64,
    pub(crate) segment: Segment<V>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndState {
    /// The host does not know the connection yet.
    Absent,
    /// The opener waits for the response to its SYN.
    Opening,
    /// A process has it open.
    Open,
    /// The process has closed it or is dead; its kernel still sends the remaining packets.
    Closing,
    /// The host has forgotten the connection.
    Gone,
}

#[derive(Clone, Debug)]
pub(crate) struct End {
    /// The index of the node.
    pub(crate) node: usize,
    pub(crate) incarnation: u16,
    pub(crate) state: EndState,
    /// Its process has closed it: inputs that still wait are discarded.
    pub(crate) closed: bool,
    /// Packets that would leave after this time are not sent: the kernel has forgotten the
    /// connection.
    pub(crate) dead_at: SimTime,
}

impl End {
    fn new(node: usize, incarnation: u16, state: EndState) -> Self {
        Self { node, incarnation, state, closed: false, dead_at: SimTime::MAX }
    }

    /// Whether its kernel still resends lost packets.
    #[inline]
    pub(crate) fn sends(&self) -> bool {
        matches!(self.state, EndState::Open | EndState::Closing)
    }
}

/// One direction of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Way<V: Vocabulary> {
    /// The number of the next packet to be sent.
    pub(crate) next: u32,
    /// The number of the next packet to be delivered.
    pub(crate) expected: u32,
    /// The latest arrival so far; later packets do not arrive earlier.
    pub(crate) latest: SimTime,
    /// Packets that were lost and are to be resent, or that wait until the connection is open.
    pub(crate) parked: VecDeque<Packet<V>>,
    /// Packets that have arrived and wait for earlier packets.
    pub(crate) early: VecDeque<Packet<V>>,
    /// Whether the retransmission of the parked packets is scheduled.
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

/// Inserts a packet in the order of numbers; mostly at the end.
pub(crate) fn insert<V: Vocabulary>(packets: &mut VecDeque<Packet<V>>, packet: Packet<V>) {
    let place = packets.iter().rposition(|other| other.number <= packet.number);
    packets.insert(place.map_or(0, |place| place + 1), packet);
}

#[derive(Clone, Debug)]
pub(crate) struct Connection<V: Vocabulary> {
    pub(crate) id: ConnId,
    /// The opener and the acceptor.
    pub(crate) ends: [End; 2],
    /// The directions, by their sending end.
    pub(crate) ways: [Way<V>; 2],
    /// The number of pending events and waiting inputs that refer to the connection.
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

    /// The end that belongs to this life of a node, if any.
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

    /// The host of an end forgets the connection: packets not sent by `now` are never sent.
    pub(crate) fn forget(&mut self, end: usize, now: SimTime) {
        self.ends[end].state = EndState::Gone;
        self.ends[end].dead_at = self.ends[end].dead_at.min(now);
        self.ways[end].parked.clear();
        self.ways[1 - end].early.clear();
    }

    /// Whether both hosts have forgotten the connection and nothing refers to it.
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
