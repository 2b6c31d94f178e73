//! Handlers: when an input is handled, and the time until its disk operations have completed.

use super::World;
use super::step::Event;
use crate::disk::HUNG;
use crate::exercised::Effect;
use crate::node::{LANES, Queued, Running};
use crate::random::Sample;
use crate::{EventId, TraceKind};
use machine::{Input, Output, Process};

/// The maximum number of waiting inputs; more are a defect of the process, not of the world.
const MOST_WAITING: usize = 10_000_000;

impl<P: Process> World<P> {
    /// An input has arrived at a node: handles it, or queues it.
    #[inline]
    pub(super) fn offer(&mut self, node: usize, input: Queued<P::Vocabulary>) {
        let host = &mut self.nodes[node];
        let Some(process) = &host.process else {
            self.release(&input);
            return;
        };
        let lane = process.lane(&input.input) as usize;
        let state = &host.lanes[lane];
        if host.is_paused() {
            self.exercised.count(Effect::InputHeldByPause);
        } else if state.running.is_some() {
            self.exercised.count(Effect::LaneContended);
        } else if state.queue.is_empty() && !host.holds_inputs() {
            self.attempt(node, lane, input);
            return;
        }
        let queue = &mut self.nodes[node].lanes[lane].queue;
        assert!(queue.len() < MOST_WAITING, "too many inputs wait at one node");
        queue.push_back(input);
    }

    /// Handles the waiting inputs of a lane, as far as that is possible now.
    pub(super) fn pump(&mut self, node: usize, lane: usize) {
        loop {
            let host = &mut self.nodes[node];
            if host.process.is_none() || host.holds_inputs() || host.lanes[lane].running.is_some() {
                return;
            }
            let Some(input) = host.lanes[lane].queue.pop_front() else { return };
            if !self.attempt(node, lane, input) {
                return;
            }
        }
    }

    /// Handles the waiting inputs of all lanes; which of several inputs gets a lock that they all
    /// want is random.
    pub(super) fn pump_all(&mut self, node: usize) {
        let host = &self.nodes[node];
        let count = u64::from(host.lane_source.count());
        let first = host.wake_up.draw(count, 1).below(LANES as u64) as usize;
        for lane in (first..LANES).chain(0..first) {
            if !self.nodes[node].lanes[lane].queue.is_empty() {
                self.pump(node, lane);
            }
        }
    }

    /// Handles an input unless one of its locks is held; then the input becomes the first in the
    /// queue of its lane, and the result is false.
    #[inline]
    fn attempt(&mut self, node: usize, lane: usize, input: Queued<P::Vocabulary>) -> bool {
        let host = &mut self.nodes[node];
        let process = host.process.as_ref().expect("inputs are handled by a process");
        process.locks(&input.input, &mut self.wanted);
        if self.wanted.iter().any(|lock| host.locks.iter().any(|(held, _)| held == lock)) {
            self.wanted.clear();
            self.exercised.count(Effect::LockContended);
            host.lanes[lane].queue.push_front(input);
            return false;
        }
        if self.is_still_wanted(node, &input) {
            self.handle(node, lane, input);
        } else {
            self.release(&input);
        }
        self.wanted.clear();
        true
    }

    /// Whether the process has neither closed the connection nor cancelled the timer since the
    /// input arrived.
    #[inline]
    fn is_still_wanted(&mut self, node: usize, input: &Queued<P::Vocabulary>) -> bool {
        match (&input.input, input.connection) {
            (Input::Timer(timer), _) => self.nodes[node].timers.take(timer),
            (_, Some((slot, end))) => {
                !self.connections.get(slot as usize).ends[usize::from(end)].closed
            }
            (_, None) => true,
        }
    }

    /// Releases the connection of an input that is handled or discarded.
    #[inline]
    pub(super) fn release(&mut self, input: &Queued<P::Vocabulary>) {
        if let Some((slot, _)) = input.connection {
            self.connections.get_mut(slot as usize).uses -= 1;
            self.connections.tidy(slot as usize);
        }
    }

    #[inline]
    fn handle(&mut self, node: usize, lane: usize, input: Queued<P::Vocabulary>) {
        self.release(&input);
        let event = self.record_input(node, &input);
        let host = &mut self.nodes[node];
        if host.clock_jumped {
            host.clock_jumped = false;
            self.exercised.count(Effect::ClockJumpSeen);
            host.exercised.count(Effect::ClockJumpSeen);
        }
        let watch = host.ambushes.first().map_or(0, |ambush| ambush.nth);
        let now = host.clock.now(self.now);
        host.disk.begin(self.now, lane as u8, watch);
        let process = host.process.as_mut().expect("inputs are handled by a process");
        process.handle(now, input.input, &mut host.disk, &mut host.outbox);
        self.check_invariants(node);
        self.returned(node, lane, event);
    }

    /// A handler has returned: its outputs leave now, or when its disk operations have completed.
    #[inline]
    pub(super) fn returned(&mut self, node: usize, lane: usize, event: EventId) {
        let host = &mut self.nodes[node];
        let mut handled = host.disk.end();
        self.marks.merge(host.outbox.take_marks());
        if host.ambushes.first().is_some_and(|ambush| ambush.during_stop) {
            let ends = |output: &Output<_>| matches!(output, Output::Halt(machine::Halt::Clean));
            handled.crash_at = handled.crash_at.filter(|_| host.outbox.outputs().iter().any(ends));
        }
        if let Some(exercised) = host.disk.take_exercised() {
            self.exercised.merge(&exercised);
            host.exercised.merge(&exercised);
        }
        if handled.completes <= self.now && handled.crash_at.is_none() {
            self.perform_outbox(node, event);
            return;
        }
        let state = &mut host.lanes[lane];
        let (completes, operations) = (handled.completes, handled.operations);
        state.running = Some(Running { event, completes, operations });
        host.outbox.swap(&mut state.outputs);
        host.locks.extend(self.wanted.drain(..).map(|lock| (lock, lane as u8)));
        state.generation = state.generation.wrapping_add(1);
        self.reserve_connections(node, lane);
        let host = &mut self.nodes[node];
        if let Some(begins) = handled.crash_at {
            let ambush = host.ambushes.remove(0);
            let at = if begins >= HUNG { self.now } else { begins };
            let incarnation = host.incarnation();
            let (node_id, lane) = (node as u16, lane as u8);
            let strike = Event::Strike { node: node_id, incarnation, lane, ambush };
            self.push_at_node(node, at, strike);
        } else if completes < HUNG {
            self.await_disk(node, lane);
        }
    }

    fn reserve_connections(&mut self, node: usize, lane: usize) {
        for output in 0..self.nodes[node].lanes[lane].outputs.len() {
            let output = &self.nodes[node].lanes[lane].outputs[output];
            if let Output::Connect { conn, peer } = *output {
                self.reserve(node, conn, peer);
                self.exercised.count(Effect::ConnectionAwaitsDisk);
            }
        }
    }

    /// Schedules the completion of a running handler.
    pub(super) fn await_disk(&mut self, node: usize, lane: usize) {
        let state = &self.nodes[node].lanes[lane];
        let running = state.running.expect("a handler is running");
        let generation = state.generation;
        let done = Event::DiskDone { node: node as u16, lane: lane as u8, generation };
        self.push_at_node(node, running.completes, done);
    }

    /// The disk operations of a handler have completed.
    pub(super) fn disk_done(&mut self, node: usize, lane: usize, generation: u32) {
        let host = &mut self.nodes[node];
        let state = &host.lanes[lane];
        if state.generation != generation || state.running.is_none() {
            return;
        }
        host.disk.commit(lane as u8);
        if host.is_paused() {
            // The kernel has completed them, but the thread is paused.
            self.exercised.count(Effect::OutputHeldByPause);
            return;
        }
        self.finish(node, lane);
    }

    /// A handler is complete: its outputs leave, and its lane and locks are free.
    pub(super) fn finish(&mut self, node: usize, lane: usize) {
        let host = &mut self.nodes[node];
        let state = &mut host.lanes[lane];
        let Some(running) = state.running.take() else { return };
        host.locks.retain(|(_, holder)| usize::from(*holder) != lane);
        let outputs = std::mem::take(&mut state.outputs);
        let operations = running.operations;
        let event = self.record(node, running.event, TraceKind::DiskDone { operations });
        let outputs = self.perform(node, event, outputs);
        let host = &mut self.nodes[node];
        // Keeps the allocation.
        host.lanes[lane].outputs = outputs;
        if host.exiting && host.lanes.iter().all(|lane| lane.running.is_none()) {
            self.exited(node, event);
            return;
        }
        self.pump_all(node);
    }

    #[inline]
    fn check_invariants(&mut self, node: usize) {
        if self.config.invariants_every == 0 {
            return;
        }
        self.until_check -= 1;
        if self.until_check == 0 {
            self.until_check = self.config.invariants_every;
            let host = &self.nodes[node];
            // A process that gives up may have stopped halfway, and is gone.
            let gives_up =
                |output: &Output<_>| matches!(output, Output::Halt(machine::Halt::Failed(_)));
            if !host.outbox.outputs().iter().any(gives_up) {
                host.process.as_ref().expect("it handled an input").invariants();
            }
        }
    }

    #[inline]
    fn record_input(&mut self, node: usize, queued: &Queued<P::Vocabulary>) -> EventId {
        use machine::Message;
        let kind = match &queued.input {
            Input::Message { conn, from, message } => {
                self.exercised.count(Effect::MessageDelivered);
                TraceKind::Received { conn: *conn, from: *from, message: message.name() }
            }
            Input::Timer(_) => TraceKind::Woke,
            Input::Opened { conn, peer } => TraceKind::Opened { conn: *conn, peer: *peer },
            Input::Closed { conn, peer, reason } => {
                TraceKind::Closed { conn: *conn, peer: *peer, reason: *reason }
            }
            Input::Stop => TraceKind::Stopping,
        };
        self.record(node, queued.cause, kind)
    }
}
