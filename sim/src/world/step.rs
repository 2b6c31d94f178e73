//! Time passes, one event at a time.

use super::{TimerOf, World};
use crate::fault::ActiveId;
use crate::net::Packet;
use crate::node::Ambush;
use crate::node::{Queued, Wake};
use crate::{EventId, SimTime};
use machine::{Input, Process, Vocabulary};

/// A future event. Nodes, connections and lanes are indices.
#[derive(Clone, Debug)]
pub(super) enum Event<V: Vocabulary> {
    /// A packet arrives.
    Arrival { slot: u32, way: u8, departs: SimTime, packet: Packet<V> },
    /// A part of the opening of a connection arrives.
    Handshake { slot: u32, step: Handshake },
    /// A reset: the host does not know the connection.
    Reset { slot: u32, end: u8, answer: bool },
    /// The lost packets of a direction are resent.
    Retransmit { slot: u32, way: u8 },
    /// A timer is due.
    Timer { node: u16, generation: u32, timer: V::Timer },
    /// The disk operations of a handler have completed.
    DiskDone { node: u16, lane: u8, generation: u32 },
    /// A fault strikes between the disk operations of a handler.
    Strike { node: u16, incarnation: u16, lane: u8, ambush: Ambush },
    /// The neighbour of a full disk frees it, or fills it again.
    NeighbourTurn { fault: ActiveId, fills: bool },
    /// A fault that has ended no longer keeps a node down.
    Release { node: u16, fault: ActiveId },
    /// A fault has lasted long enough.
    FaultEnds(ActiveId),
    /// A process has had enough time to stop.
    StopLimit { node: u16, incarnation: u16, fault: ActiveId },
    /// A restart continues with the start.
    StartAgain { node: u16, fault: ActiveId },
}

/// The parts of the opening of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handshake {
    /// To the acceptor; `attempt` is the number of earlier attempts.
    Syn { attempt: u32 },
    /// To the opener: the connection is open.
    SynAck { attempt: u32 },
    /// To the opener: no process listens.
    Refused { attempt: u32 },
}

impl<V: Vocabulary> Event<V> {
    /// Whether the world is not quiet while this event is pending.
    fn is_pending(&self) -> bool {
        !matches!(
            self,
            Self::Timer { .. }
                | Self::NeighbourTurn { .. }
                | Self::FaultEnds(_)
                | Self::StopLimit { .. }
        )
    }
}

impl<P: Process> World<P> {
    /// When the next event is due.
    #[inline]
    pub fn next_event_at(&self) -> Option<SimTime> {
        self.heap.next_at()
    }

    /// Performs the next event; false if there is none.
    #[inline]
    pub fn step(&mut self) -> bool {
        let Some((at, event)) = self.heap.pop() else { return false };
        debug_assert!(at >= self.now, "time does not run backwards");
        self.now = at;
        self.pending -= u64::from(event.is_pending());
        self.happen(event);
        true
    }

    /// Performs all events that are due at or before `until`, and advances time to `until`.
    pub fn run_until(&mut self, until: SimTime) {
        while self.next_event_at().is_some_and(|at| at <= until) {
            self.step();
        }
        self.advance_to(until);
    }

    /// Advances time to `until` if nothing is due before.
    pub(crate) fn advance_to(&mut self, until: SimTime) {
        debug_assert!(self.next_event_at().is_none_or(|at| at >= until));
        self.now = self.now.max(until);
    }

    #[inline]
    fn happen(&mut self, event: Event<P::Vocabulary>) {
        match event {
            Event::Arrival { slot, way, departs, packet } => {
                self.arrive(slot as usize, way.into(), departs, packet);
            }
            Event::Handshake { slot, step } => self.shake_hands(slot as usize, step),
            Event::Reset { slot, end, answer } => {
                self.reset_arrives(slot as usize, end.into(), answer);
            }
            Event::Retransmit { slot, way } => self.retransmit(slot as usize, way.into()),
            Event::Timer { node, generation, timer } => {
                self.timer_due(node.into(), generation, timer);
            }
            Event::DiskDone { node, lane, generation } => {
                self.disk_done(node.into(), lane.into(), generation);
            }
            Event::Strike { node, incarnation, lane, ambush } => {
                self.strike(node.into(), incarnation, lane, ambush);
            }
            Event::NeighbourTurn { fault, fills } => self.neighbour_turn(fault, fills),
            Event::Release { node, fault } => self.release_node(node.into(), fault, EventId::NONE),
            Event::FaultEnds(fault) => self.undo(fault),
            Event::StopLimit { node, incarnation, fault } => {
                self.stop_limit(node.into(), incarnation, fault);
            }
            Event::StartAgain { node, fault } => self.start_again(node.into(), fault),
        }
    }

    /// Schedules an event; `order` ranks it among simultaneous events.
    #[inline]
    pub(super) fn push(&mut self, at: SimTime, order: u64, event: Event<P::Vocabulary>) {
        debug_assert!(at >= self.now, "events are scheduled for the future");
        self.pending += u64::from(event.is_pending());
        self.heap.push(at, order, event);
    }

    /// Schedules an event of a node, other than a timer.
    pub(super) fn push_at_node(&mut self, node: usize, at: SimTime, event: Event<P::Vocabulary>) {
        let order = self.nodes[node].lane_source.next();
        self.push(at, order, event);
    }

    /// Sets a timer of a node.
    pub(super) fn set_timer(
        &mut self,
        node: usize,
        timer: TimerOf<P>,
        due: machine::Mono,
        cause: EventId,
    ) {
        let host = &mut self.nodes[node];
        let at = host.wakes(host.clock.when(due).max(self.now));
        if let Some(generation) = host.timers.set(&timer, due, at, cause) {
            let order = host.timer_source.next();
            self.push(at, order, Event::Timer { node: node as u16, generation, timer });
        }
    }

    fn timer_due(&mut self, node: usize, generation: u32, timer: TimerOf<P>) {
        let host = &mut self.nodes[node];
        match host.timers.wake(&timer, generation, host.clock.mono(self.now)) {
            Wake::Nothing => {}
            Wake::Later(due, generation) => {
                let at = host.wakes(host.clock.when(due).max(self.now));
                host.timers.moved(&timer, generation, at);
                let order = host.timer_source.next();
                self.push(at, order, Event::Timer { node: node as u16, generation, timer });
            }
            Wake::Due(cause) => {
                let input = Input::Timer(timer);
                self.offer(node, Queued { input, cause, connection: None });
            }
        }
    }
}
