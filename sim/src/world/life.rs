//! Starts, stops, crashes, power losses, pauses and disk faults of nodes.

use super::World;
use super::step::Event;
use crate::disk::{Cut, HUNG, shifted};
use crate::exercised::Effect;
use crate::fault::ActiveId;
use crate::node::{Ambush, BOOT, Blow, LANES, Queued, reason};
use crate::random::{node_stream, stream};
use crate::{EventId, NodeChange, Observation, Seen, SimTime, TraceKind};
use machine::{Boot, Halt, Input, NodeId, Outbox, Output, Process, Span};
use rand::Rng;

impl<P: Process> World<P> {
    /// Switches a node's host on if necessary, and starts its process if it is not running. Faults
    /// that kept it down no longer do.
    pub fn start(&mut self, node: NodeId) {
        let index = self.index(node);
        self.nodes[index].down_by.clear();
        self.boot(index, EventId::NONE);
    }

    /// Asks a node's process to stop. The process decides how.
    pub fn stop(&mut self, node: NodeId) {
        self.stop_at(self.index(node));
    }

    pub(crate) fn stop_at(&mut self, node: usize) {
        self.nodes[node].stopping = self.nodes[node].process.is_some();
        self.offer(node, Queued { input: Input::Stop, cause: EventId::NONE, connection: None });
    }

    /// Wakes a process with `timer`, as if it had set the timer for now.
    pub fn poke(&mut self, node: NodeId, timer: super::TimerOf<P>) {
        let index = self.index(node);
        if self.nodes[index].process.is_some() {
            let now = self.nodes[index].clock.mono(self.now);
            self.set_timer(index, timer, now, EventId::NONE);
        }
    }

    pub(super) fn boot(&mut self, node: usize, cause: EventId) {
        let now = self.now;
        let host = &mut self.nodes[node];
        if host.process.is_some() {
            return;
        }
        let switched_on = !std::mem::replace(&mut host.powered, true);
        if switched_on {
            host.clock.switch_on(now);
        }
        host.lives = host.lives.checked_add(1).expect("a node has fewer than 65,536 lives");
        let incarnation = host.incarnation();
        host.outbox = Outbox::new(host.id, incarnation);
        if incarnation > 0 {
            self.exercised.count(Effect::ProcessRestarted);
        }
        let event = self.record(node, cause, TraceKind::Started { incarnation });
        self.observe_node(node, event, cause, NodeChange::Started);
        let host = &mut self.nodes[node];
        let id = (node_stream(host.id) << 16) | u64::from(incarnation);
        let entropy = stream(self.seed, "boot", id).next_u64();
        let boot = Boot { node: host.id, incarnation, now: host.clock.now(now), entropy };
        host.failed = false;
        let watch = host.ambushes.first().map_or(0, |ambush| ambush.nth);
        host.disk.begin(now, BOOT as u8, watch);
        match P::boot(&host.config, boot, &mut host.disk, &mut host.outbox) {
            Ok(process) => {
                host.process = Some(process);
                self.returned(node, BOOT, event);
            }
            Err(halt) => self.boot_failed(node, event, halt),
        }
        if switched_on {
            (0..self.nodes.len()).for_each(|from| self.heal_link(from, node));
        }
    }

    /// A process could not start. Facts that it reported until then are observed.
    fn boot_failed(&mut self, node: usize, cause: EventId, halt: Halt) {
        let host = &mut self.nodes[node];
        self.marks.merge(host.outbox.take_marks());
        host.disk.end();
        host.disk.commit(BOOT as u8);
        let outputs = host.outbox.drain().filter(|output| matches!(output, Output::Observe(_)));
        let outputs = outputs.collect();
        self.perform(node, cause, outputs);
        self.exercised.count(Effect::ProcessFailed);
        self.nodes[node].failed = true;
        let reason = reason(&halt).unwrap_or_default();
        let event = self.record(node, cause, TraceKind::BootFailed { reason });
        self.observe_node(node, event, cause, NodeChange::BootFailed(halt));
        self.went_down(node);
    }

    /// A process ends itself. A clean end waits for its other lanes; a failure cuts their handlers
    /// short.
    pub(super) fn halt(&mut self, node: usize, halt: Halt, cause: EventId) {
        let host = &mut self.nodes[node];
        match halt {
            Halt::Clean if host.lanes.iter().any(|lane| lane.running.is_some()) => {
                host.exiting = true;
            }
            Halt::Clean => self.exited(node, cause),
            Halt::Failed(_) => {
                self.exercised.count(Effect::ProcessFailed);
                self.cut_handlers(node, None);
                self.close_connections(node, cause, false);
                self.halted(node, halt, cause);
            }
        }
    }

    /// A process has ended cleanly.
    pub(super) fn exited(&mut self, node: usize, cause: EventId) {
        self.exercised.count(Effect::ProcessStopped);
        self.close_connections(node, cause, true);
        self.halted(node, Halt::Clean, cause);
    }

    fn halted(&mut self, node: usize, halt: Halt, cause: EventId) {
        self.clear_node(node);
        self.nodes[node].failed = matches!(halt, Halt::Failed(_));
        let event = self.record(node, cause, TraceKind::Halted { reason: reason(&halt) });
        self.observe_node(node, event, cause, NodeChange::Halted(halt));
        self.went_down(node);
    }

    /// Kills a process. `before`: of the handler on this lane, only the operations before this
    /// number are kept.
    pub(crate) fn kill(&mut self, node: usize, before: Option<(u8, u32)>, cause: EventId) {
        if self.nodes[node].process.is_none() {
            return;
        }
        let undone = self.cut_handlers(node, before);
        self.exercised.add(Effect::InputLost, self.nodes[node].waiting());
        self.exercised.count(Effect::ProcessKilled);
        let event = self.record(node, cause, TraceKind::Crashed { undone });
        self.close_connections(node, event, false);
        self.clear_node(node);
        self.observe_node(node, event, cause, NodeChange::Crashed { undone });
        self.went_down(node);
    }

    /// A host loses power, and with it everything that is not durable. `before`: of the handler on
    /// this lane, only the operations before this number count.
    pub(crate) fn lose_power(&mut self, node: usize, before: Option<(u8, u32)>, cause: EventId) {
        if !self.nodes[node].powered {
            return;
        }
        if self.nodes[node].process.is_some() {
            let undone = self.cut_handlers(node, before);
            self.exercised.add(Effect::InputLost, self.nodes[node].waiting());
            let event = self.record(node, cause, TraceKind::Crashed { undone });
            self.clear_node(node);
            self.observe_node(node, event, cause, NodeChange::Crashed { undone });
        }
        self.drop_connections(node);
        let host = &mut self.nodes[node];
        host.powered = false;
        let report = host.disk.lose_power(self.now);
        self.exercised.count(Effect::PowerLost);
        self.exercised.add(Effect::ByteLost, report.bytes);
        self.exercised.add(Effect::NameLost, report.names);
        self.exercised.add(Effect::WriteTorn, report.torn);
        self.exercised.add(Effect::TruncationLost, report.truncations);
        let event = self.record(node, cause, TraceKind::PowerLost(report));
        self.observe_node(node, event, cause, NodeChange::PowerLost(report));
        self.went_down(node);
    }

    /// Undoes the disk operations that have not completed; returns their number.
    fn cut_handlers(&mut self, node: usize, before: Option<(u8, u32)>) -> u64 {
        let host = &mut self.nodes[node];
        let running = host.lanes.iter().filter(|lane| lane.running.is_some()).count();
        let undone = host.disk.crash(Cut { now: self.now, before });
        self.exercised.add(Effect::HandlerCutShort, running as u64);
        self.exercised.add(Effect::DiskOperationUndone, undone);
        undone
    }

    /// Removes a process and its waiting inputs.
    fn clear_node(&mut self, node: usize) {
        for lane in 0..self.nodes[node].lanes.len() {
            while let Some(input) = self.nodes[node].lanes[lane].queue.pop_front() {
                self.release(&input);
            }
        }
        self.nodes[node].clear();
    }

    /// Continues a restart that was waiting for the process to end.
    fn went_down(&mut self, node: usize) {
        if let Some(restarting) = self.nodes[node].restarting.take() {
            self.nodes[node].down_by.push(restarting.fault);
            let (at, fault) = (self.now + restarting.down, restarting.fault);
            self.push_at_node(node, at, Event::StartAgain { node: node as u16, fault });
        }
    }

    /// A restart has been down for long enough.
    pub(super) fn start_again(&mut self, node: usize, fault: ActiveId) {
        self.undo(fault);
        // If it was undone while the process was still stopping, it still keeps the node down.
        self.release_node(node, fault, EventId::NONE);
    }

    /// The handler for which a fault waited has reached its operation.
    pub(super) fn strike(&mut self, node: usize, incarnation: u16, lane: u8, ambush: Ambush) {
        let Ambush { fault, nth, blow, .. } = ambush;
        if self.nodes[node].incarnation() != incarnation || self.nodes[node].process.is_none() {
            return;
        }
        self.has_effect(fault);
        match blow {
            Blow::Crash => self.kill(node, Some((lane, nth)), EventId::NONE),
            Blow::PowerLoss => self.lose_power(node, Some((lane, nth)), EventId::NONE),
        }
        match self.active.iter().any(|active| active.id == fault) {
            true => self.nodes[node].down_by.push(fault),
            // The fault was undone in the meantime.
            false => self.boot(node, EventId::NONE),
        }
    }

    /// A process that was asked to stop has had enough time.
    pub(super) fn stop_limit(&mut self, node: usize, incarnation: u16, fault: ActiveId) {
        let host = &self.nodes[node];
        let waits = host.restarting.is_some_and(|restarting| restarting.fault == fault);
        if waits && host.incarnation() == incarnation && host.process.is_some() {
            self.exercised.count(Effect::StopTimedOut);
            self.kill(node, None, EventId::NONE);
        }
    }

    /// Kills a process if it has not stopped within `limit`.
    pub(crate) fn limit_stop(&mut self, node: usize, limit: Span, fault: ActiveId) {
        let (at, incarnation) = (self.now + limit, self.nodes[node].incarnation());
        let node_id = node as u16;
        self.push_at_node(node, at, Event::StopLimit { node: node_id, incarnation, fault });
    }

    /// A fault no longer keeps a node down: starts the node, if no other fault does. Such a fault
    /// has an effect from now on, even if it found the process down.
    pub(crate) fn release_node(&mut self, node: usize, fault: ActiveId, cause: EventId) {
        let host = &mut self.nodes[node];
        let first = host.down_by.first().copied();
        host.down_by.retain(|by| *by != fault);
        match (first, host.down_by.first().copied()) {
            (Some(_), None) => self.boot(node, cause),
            (Some(first), Some(next)) if first == fault => self.has_effect(next),
            _ => {}
        }
    }

    /// Pauses a process.
    pub(crate) fn pause(&mut self, node: usize, fault: ActiveId, cause: EventId) {
        if self.nodes[node].process.is_none() {
            return;
        }
        self.nodes[node].paused_by.push(fault);
        if self.nodes[node].paused_by.len() == 1 {
            self.has_effect(fault);
            self.exercised.count(Effect::ProcessPaused);
            let event = self.record(node, cause, TraceKind::Paused);
            self.observe_node(node, event, cause, NodeChange::Paused);
        }
    }

    /// A fault no longer pauses a process, which continues if no other fault pauses it.
    pub(crate) fn resume(&mut self, node: usize, fault: ActiveId, cause: EventId) {
        let host = &mut self.nodes[node];
        let first = host.paused_by.first().copied();
        host.paused_by.retain(|by| *by != fault);
        match (first, host.paused_by.first().copied()) {
            (Some(_), None) => {}
            (Some(first), Some(next)) if first == fault => return self.has_effect(next),
            _ => return,
        }
        let event = self.record(node, cause, TraceKind::Resumed);
        self.observe_node(node, event, cause, NodeChange::Resumed);
        for lane in 0..self.nodes[node].lanes.len() {
            let running = self.nodes[node].lanes[lane].running;
            if running.is_some_and(|running| running.completes <= self.now) {
                self.finish(node, lane);
            }
        }
        self.pump_all(node);
    }

    /// A disk, or every disk of a node, begins to hang.
    pub(crate) fn hang_disks(&mut self, node: usize, directory: Option<&str>, fault: ActiveId) {
        let lanes = self.nodes[node].disk.hang(self.now, directory, fault);
        self.shift_lanes(node, lanes, true);
    }

    /// A fault no longer makes disks hang; a disk continues if no other fault makes it hang.
    pub(crate) fn unhang_disks(&mut self, node: usize, fault: ActiveId) {
        let host = &mut self.nodes[node];
        host.disk.unhang(self.now, fault);
        // These include lanes that waited for a disk that was lost meanwhile.
        let lanes = (0..LANES as u8).filter(|lane| !host.disk.holds(*lane)).collect();
        self.shift_lanes(node, lanes, false);
    }

    /// A fault no longer slows the disks of a node.
    pub(crate) fn quicken_disks(&mut self, node: usize, fault: ActiveId) {
        for (lane, completes) in self.nodes[node].disk.quicken(self.now, fault) {
            let lane = usize::from(lane);
            let state = &mut self.nodes[node].lanes[lane];
            let Some(running) = &mut state.running else { continue };
            running.completes = completes;
            state.generation = state.generation.wrapping_add(1);
            self.await_disk(node, lane);
        }
    }

    /// The handlers on `lanes` begin to wait for a disk that hangs, or no longer wait.
    fn shift_lanes(&mut self, node: usize, lanes: Vec<u8>, hangs: bool) {
        let now = self.now;
        for lane in lanes.into_iter().map(usize::from) {
            let state = &mut self.nodes[node].lanes[lane];
            let Some(running) = &mut state.running else { continue };
            let before: SimTime = running.completes;
            running.completes = shifted(before, now, hangs);
            if running.completes == before {
                continue;
            }
            state.generation = state.generation.wrapping_add(1);
            if running.completes < HUNG {
                self.await_disk(node, lane);
            }
        }
    }

    /// A disk, or every disk of a node, is lost with everything on it.
    pub(crate) fn lose_disk(
        &mut self,
        node: usize,
        directory: Option<&str>,
        fault: ActiveId,
        cause: EventId,
    ) {
        let (bytes, emptied) = self.nodes[node].disk.wipe(directory);
        self.has_effect(fault);
        self.exercised.count(Effect::DiskLost);
        let event = self.record(node, cause, TraceKind::DiskLost { bytes });
        let directory = directory.map(str::to_owned);
        self.observe_node(node, event, cause, NodeChange::DiskLost { bytes, directory, emptied });
    }

    /// Corrupts a sector of a file; false if there is no such file.
    pub(crate) fn corrupt_disk(
        &mut self,
        node: usize,
        directory: Option<&str>,
        ending: &str,
        closed: bool,
        cause: EventId,
    ) -> bool {
        let disk = &mut self.nodes[node].disk;
        let Some((file, at)) = disk.corrupt_sector(directory, ending, closed) else { return false };
        self.exercised.count(Effect::SectorCorrupted);
        let event = self.record(node, cause, TraceKind::SectorCorrupted { file: file.clone(), at });
        self.observe_node(node, event, cause, NodeChange::SectorCorrupted { file, at });
        true
    }

    /// The cause for which a process gave up has ended: starts it again, unless a fault keeps it
    /// down.
    pub(crate) fn start_if_failed(&mut self, node: usize, cause: EventId) {
        if self.nodes[node].failed && self.nodes[node].down_by.is_empty() {
            self.boot(node, cause);
        }
    }

    /// A fault that has ended keeps a node down for another `later`.
    pub(crate) fn release_later(&mut self, node: usize, fault: ActiveId, later: Span) {
        let release = Event::Release { node: node as u16, fault };
        self.push_at_node(node, self.now + later, release);
    }

    /// Sets a wall clock.
    pub(crate) fn jump_clock(&mut self, node: usize, millis: i64) {
        self.nodes[node].clock.jump(millis);
        self.nodes[node].clock_jumped = true;
    }

    pub(super) fn observe_node(
        &mut self,
        node: usize,
        event: EventId,
        cause: EventId,
        change: NodeChange,
    ) {
        let host = &self.nodes[node];
        let what = Seen::Node { node: host.id, incarnation: host.incarnation(), change };
        self.observations.push(Observation { event, cause, time: self.now, what });
    }
}
