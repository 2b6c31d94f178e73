//! A host and the process on it.

mod lane;
mod timers;

pub(crate) use lane::{BOOT, LANES, LaneState, Queued, Running};
pub(crate) use timers::{Timers, Wake};

use crate::clock::HostClock;
use crate::disk::SimDisk;
use crate::exercised::Exercised;
use crate::fault::ActiveId;
use crate::heap::Source;
use crate::random::{Key, node_stream};
use crate::{HostConfig, SimTime};
use machine::{Halt, NodeId, Outbox, Process, Span, Vocabulary};

type LockOf<P> = <<P as Process>::Vocabulary as Vocabulary>::Lock;
type TimerOf<P> = <<P as Process>::Vocabulary as Vocabulary>::Timer;

/// The status of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The host has no power.
    Off,
    /// The host is on, without a process.
    Down,
    /// The process starts; it does not listen yet.
    Booting,
    /// The process runs.
    Up,
    /// The process is paused.
    Paused,
}

/// A restart in progress: how it continues when the process has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restarting {
    pub(crate) fault: ActiveId,
    pub(crate) down: Span,
}

/// A fault that waits for a handler with a certain number of disk operations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ambush {
    pub(crate) fault: ActiveId,
    /// The number, from 1, of the operation of a handler at whose beginning it strikes.
    pub(crate) nth: u32,
    pub(crate) blow: Blow,
    /// Whether it strikes only in the handler with which the process ends cleanly.
    pub(crate) during_stop: bool,
}

/// The action of a fault that waited for a disk operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// It kills the process.
    Crash,
    /// It cuts the power of the host.
    PowerLoss,
}

#[derive(Clone, Debug)]
pub(crate) struct Node<P: Process> {
    pub(crate) id: NodeId,
    pub(crate) config: P::Config,
    pub(crate) host: HostConfig,
    pub(crate) clock: HostClock,
    pub(crate) disk: SimDisk,
    pub(crate) powered: bool,
    pub(crate) process: Option<P>,
    /// The number of starts.
    pub(crate) lives: u16,
    pub(crate) outbox: Outbox<P::Vocabulary>,
    pub(crate) lanes: [LaneState<P::Vocabulary>; LANES],
    /// The locks that incomplete handlers hold, and their lanes.
    pub(crate) locks: Vec<(LockOf<P>, u8)>,
    pub(crate) timers: Timers<TimerOf<P>>,
    /// The faults that pause it.
    pub(crate) paused_by: Vec<ActiveId>,
    /// The process ends cleanly as soon as its other lanes are done.
    pub(crate) exiting: bool,
    /// The process was asked to stop.
    pub(crate) stopping: bool,
    /// The faults that keep it down.
    pub(crate) down_by: Vec<ActiveId>,
    pub(crate) restarting: Option<Restarting>,
    /// Faults that wait for the n-th disk operation of a handler.
    pub(crate) ambushes: Vec<Ambush>,
    /// Its process ended itself because it could not continue, and has not been started since.
    pub(crate) failed: bool,
    /// A fault has set its wall clock and no handler has run since.
    pub(crate) clock_jumped: bool,
    /// Effects on its disk and clock.
    pub(crate) exercised: Exercised,
    pub(crate) timer_source: Source,
    pub(crate) lane_source: Source,
    /// The key of the wake-up times of threads.
    pub(crate) wake_up: Key,
}

impl<P: Process> Node<P> {
    pub(crate) fn new(
        seed: u64,
        id: NodeId,
        config: P::Config,
        host: HostConfig,
        disk: SimDisk,
        priorities: [u32; 2],
    ) -> Self {
        Self {
            id,
            config,
            clock: HostClock::new(&host),
            host,
            disk,
            powered: false,
            process: None,
            lives: 0,
            outbox: Outbox::new(id, 0),
            lanes: Default::default(),
            locks: Vec::new(),
            timers: Timers::new(),
            paused_by: Vec::new(),
            exiting: false,
            stopping: false,
            down_by: Vec::new(),
            restarting: None,
            ambushes: Vec::new(),
            failed: false,
            clock_jumped: false,
            exercised: Exercised::default(),
            timer_source: Source::new(priorities[0]),
            lane_source: Source::new(priorities[1]),
            wake_up: Key::new(seed, "wake-up", node_stream(id)),
        }
    }

    /// The number of the current or latest life, from zero.
    #[inline]
    pub(crate) fn incarnation(&self) -> u16 {
        self.lives.saturating_sub(1)
    }

    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        !self.paused_by.is_empty()
    }

    #[inline]
    pub(crate) fn is_booting(&self) -> bool {
        self.lanes[BOOT].running.is_some()
    }

    /// Whether connections are accepted.
    #[inline]
    pub(crate) fn listens(&self) -> bool {
        self.process.is_some() && !self.is_booting() && !self.exiting
    }

    /// Whether no input may be handled just now.
    #[inline]
    pub(crate) fn holds_inputs(&self) -> bool {
        self.is_paused() || self.exiting || self.is_booting()
    }

    pub(crate) fn status(&self) -> Status {
        match () {
            () if !self.powered => Status::Off,
            () if self.process.is_none() => Status::Down,
            () if self.is_paused() => Status::Paused,
            () if self.is_booting() => Status::Booting,
            () => Status::Up,
        }
    }

    /// The time at which an input that is due at `at` is handled: a thread has to wake up first.
    #[inline]
    pub(crate) fn wakes(&self, at: SimTime) -> SimTime {
        use crate::random::Sample;
        let count = u64::from(self.timer_source.count());
        at + Span(1 + self.wake_up.draw(count, 0).below(self.host.wake_up.0))
    }

    /// Removes the process with everything that it had in progress.
    pub(crate) fn clear(&mut self) {
        self.process = None;
        self.lanes.iter_mut().for_each(LaneState::clear);
        self.locks.clear();
        self.timers.clear();
        self.exiting = false;
        self.stopping = false;
        self.paused_by.clear();
        drop(self.outbox.drain());
    }

    /// The number of waiting inputs.
    pub(crate) fn waiting(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.queue.len() as u64).sum()
    }
}

/// Why a process ended.
pub(crate) fn reason(halt: &Halt) -> Option<String> {
    match halt {
        Halt::Clean => None,
        Halt::Failed(reason) => Some(reason.clone()),
    }
}
