//! The device under the file system: how operations follow one another in time.

use super::journal::HUNG;
use super::profile::DiskProfile;
use crate::SimTime;
use machine::Span;

/// What the operations of one handler amounted to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handled {
    /// When the last completes.
    pub(crate) completes: SimTime,
    /// How many took time.
    pub(crate) operations: u32,
    /// When the operation asked about with `crash_at` begins, if the handler got that far.
    pub(crate) crash_at: Option<SimTime>,
}

/// When an operation takes place, and its place among those of its handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) starts: SimTime,
    pub(super) completes: SimTime,
    pub(super) lane: u8,
    pub(super) number: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) profile: DiskProfile,
    /// Until when the device is busy with syncs.
    busy: SimTime,
    handler: Option<Handler>,
}

#[derive(Clone, Copy, Debug)]
struct Handler {
    lane: u8,
    began: SimTime,
    /// When the operations so far have completed.
    cursor: SimTime,
    operations: u32,
    watch: u32,
    watched: Option<SimTime>,
}

impl Device {
    pub(super) fn new(profile: DiskProfile) -> Self {
        Self { profile, busy: SimTime::ZERO, handler: None }
    }

    /// A handler begins; `watch` is the number of the operation to tell the beginning of, or 0.
    #[inline]
    pub(super) fn begin(&mut self, now: SimTime, lane: u8, watch: u32) {
        let (began, cursor) = (now, now);
        self.handler = Some(Handler { lane, began, cursor, operations: 0, watch, watched: None });
    }

    /// Whether a handler has begun and not ended.
    pub(super) fn is_in_handler(&self) -> bool {
        self.handler.is_some()
    }

    #[inline]
    pub(super) fn end(&mut self) -> Handled {
        let handler = self.handler.take().expect("a handler began");
        Handled {
            completes: handler.cursor,
            operations: handler.operations,
            crash_at: handler.watched,
        }
    }

    /// One operation of the current handler: when it starts and completes, on whose lane, and its
    /// number. Nothing if it completes at once, as all do that no handler makes.
    #[inline]
    pub(super) fn operation(&mut self, cost: Span, on_device: bool, hangs: bool) -> Option<Timing> {
        let handler = self.handler.as_mut()?;
        handler.operations += 1;
        if handler.operations == handler.watch {
            handler.watched = Some(handler.cursor);
        }
        let at_once = cost == Span::ZERO && handler.cursor == handler.began && !hangs;
        if at_once && handler.watch == 0 {
            return None;
        }
        let mut start = handler.cursor;
        if hangs && start < HUNG {
            start = HUNG;
        }
        if on_device {
            start = start.max(self.busy);
        }
        let completes = start + cost;
        if on_device {
            self.busy = completes;
        }
        handler.cursor = completes;
        Some(Timing { starts: start, completes, lane: handler.lane, number: handler.operations })
    }

    /// The disk begins or ceases to hang.
    pub(super) fn shift(&mut self, now: SimTime, hangs: bool) {
        self.busy = super::shifted(self.busy, now, hangs);
    }

    /// The host was switched off: nothing is in progress any more.
    pub(super) fn reset(&mut self, now: SimTime) {
        self.busy = self.busy.min(now);
    }
}
