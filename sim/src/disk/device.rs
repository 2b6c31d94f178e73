//! The devices under the file system: the state of each, and the order of operations in time.

use super::conditions::Conditions;
use super::journal::HUNG;
use super::profile::DiskProfile;
use crate::SimTime;
use machine::Span;

/// The operations of one handler, summed up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handled {
    /// The time at which the last completes.
    pub(crate) completes: SimTime,
    /// The number of operations.
    pub(crate) operations: u32,
    /// The time at which the operation number `watch` begins, if the handler got that far.
    pub(crate) crash_at: Option<SimTime>,
}

/// The time of an operation, and its number among those of its handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) starts: SimTime,
    pub(super) completes: SimTime,
    pub(super) lane: u8,
    pub(super) number: u32,
}

/// The number of a device of a host; 0 is the one that holds the root.
pub(super) type DeviceId = u8;

/// One device: a disk, or a volume with a controller of its own.
#[derive(Clone, Debug)]
pub(super) struct Device {
    /// The directory that it holds; empty for the device of the root, which holds everything else.
    pub(super) path: String,
    pub(super) conditions: Conditions,
    /// Bytes in files that the process sees.
    pub(super) used: u64,
    /// The time until which the device is busy with syncs.
    busy: SimTime,
}

impl Device {
    pub(super) fn new(path: &str) -> Self {
        let conditions = Conditions::default();
        Self { path: path.to_owned(), conditions, used: 0, busy: SimTime::ZERO }
    }

    /// The device begins or ceases to hang.
    pub(super) fn shift(&mut self, now: SimTime, hangs: bool) {
        self.busy = super::shifted(self.busy, now, hangs);
    }

    /// The device now takes `speed.0` times as long as usual; before, it took `speed.1` times as
    /// long.
    pub(super) fn quicken(&mut self, now: SimTime, speed: (u64, u64)) {
        if self.busy > now && self.busy < HUNG {
            self.busy = now + scaled(self.busy.since(now), speed);
        }
    }

    /// The host was switched off: no operation is in progress any longer.
    pub(super) fn reset(&mut self, now: SimTime) {
        self.busy = self.busy.min(now);
    }
}

/// The rest of a duration after a change from speed `before` to `now`, in multiples of the usual
/// time.
pub(super) fn scaled(span: Span, (now, before): (u64, u64)) -> Span {
    Span((u128::from(span.0) * u128::from(now) / u128::from(before)) as u64)
}

/// The handler in progress.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pub(super) profile: DiskProfile,
    handler: Option<Handler>,
    /// When the latest handler began.
    pub(super) now: SimTime,
}

#[derive(Clone, Copy, Debug)]
struct Handler {
    lane: u8,
    began: SimTime,
    /// The time at which the operations so far have completed.
    cursor: SimTime,
    operations: u32,
    watch: u32,
    watched: Option<SimTime>,
}

impl Timeline {
    pub(super) fn new(profile: DiskProfile) -> Self {
        Self { profile, handler: None, now: SimTime::ZERO }
    }

    /// A handler begins; `watch` is the number, from 1, of an operation whose start is recorded, or
    /// 0.
    #[inline]
    pub(super) fn begin(&mut self, now: SimTime, lane: u8, watch: u32) {
        let (began, cursor) = (now, now);
        self.now = now;
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

    /// One operation of the current handler: when it starts and completes, on which lane, and its
    /// number. `None` if it completes at once, as all operations outside of handlers do. A `sync`
    /// waits for other syncs on its device.
    #[inline]
    pub(super) fn operation(
        &mut self,
        cost: Span,
        device: &mut Device,
        sync: bool,
    ) -> Option<Timing> {
        let handler = self.handler.as_mut()?;
        let hangs = device.conditions.hangs();
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
        if sync {
            start = start.max(device.busy);
        }
        let completes = start + cost;
        // An operation that waits for another, hanging device does not keep this one busy.
        if sync && (completes < HUNG || hangs) {
            device.busy = completes;
        }
        handler.cursor = completes;
        Some(Timing { starts: start, completes, lane: handler.lane, number: handler.operations })
    }
}
