//! The timers of a process, on its own monotonic clock.
//!
//! A timer that is moved to a later time keeps its event in the heap; when the event fires, it is
//! moved to the later time. So a deadline that every message postpones costs one event per period,
//! not one per message.
//!
//! A process has few timers set at a time, so a linear search is the fastest way to find one.

use crate::{EventId, SimTime};
use machine::Mono;

#[derive(Clone, Debug)]
struct State<T> {
    timer: T,
    /// When it is due; `None` if it was cancelled.
    due: Option<Mono>,
    /// Its event in the heap; `None` if it is due and waits for its lane.
    event: Option<(SimTime, u32)>,
    /// The event in which it was set.
    cause: EventId,
}

/// What to do when a timer's event is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// It was moved or cancelled.
    Nothing,
    /// It was moved to a later time, at which the event of this generation is due again.
    Later(Mono, u32),
    /// It is due; the event in which it was set.
    Due(EventId),
}

#[derive(Clone, Debug)]
pub(crate) struct Timers<T> {
    /// In no particular order.
    set: Vec<State<T>>,
    generation: u32,
}

impl<T: PartialEq + Clone> Timers<T> {
    pub(crate) fn new() -> Self {
        Self { set: Vec::new(), generation: 0 }
    }

    fn find(&self, timer: &T) -> Option<usize> {
        self.set.iter().position(|state| state.timer == *timer)
    }

    /// Sets a timer that fires at `at`. Returns the generation of the event to schedule, if a new
    /// event is needed.
    pub(crate) fn set(&mut self, timer: &T, due: Mono, at: SimTime, cause: EventId) -> Option<u32> {
        let place = self.find(timer).unwrap_or_else(|| {
            self.set.push(State { timer: timer.clone(), due: None, event: None, cause });
            self.set.len() - 1
        });
        let state = &mut self.set[place];
        (state.due, state.cause) = (Some(due), cause);
        if state.event.is_some_and(|(scheduled, _)| scheduled <= at) {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        state.event = Some((at, self.generation));
        Some(self.generation)
    }

    pub(crate) fn cancel(&mut self, timer: &T) {
        if let Some(place) = self.find(timer) {
            match self.set[place].event {
                Some(_) => self.set[place].due = None,
                None => drop(self.set.swap_remove(place)),
            }
        }
    }

    /// The event of `generation` is due and the clock shows `now`.
    pub(crate) fn wake(&mut self, timer: &T, generation: u32, now: Mono) -> Wake {
        let Some(place) = self.find(timer) else { return Wake::Nothing };
        let state = &mut self.set[place];
        if state.event.is_none_or(|(_, current)| current != generation) {
            return Wake::Nothing;
        }
        state.event = None;
        match state.due {
            None => {
                self.set.swap_remove(place);
                Wake::Nothing
            }
            Some(due) if due > now => Wake::Later(due, generation),
            Some(_) => Wake::Due(state.cause),
        }
    }

    /// After [`Wake::Later`]: the event will be due again at `at`.
    pub(crate) fn moved(&mut self, timer: &T, generation: u32, at: SimTime) {
        let place = self.find(timer).expect("a timer that moves is set");
        self.set[place].event = Some((at, generation));
    }

    /// Whether the input of a timer, which is about to be handled, is still wanted. Removes the
    /// timer.
    pub(crate) fn take(&mut self, timer: &T) -> bool {
        let due = self.find(timer).filter(|place| self.set[*place].event.is_none());
        due.map(|place| self.set.swap_remove(place)).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: (Mono, SimTime) = (Mono(10), SimTime(10));
    const LATE: (Mono, SimTime) = (Mono(20), SimTime(20));

    #[test]
    fn a_timer_moved_to_later_keeps_its_event() {
        let mut timers = Timers::new();
        let first = timers.set(&"t", EARLY.0, EARLY.1, EventId(7)).expect("an event is needed");
        assert_eq!(timers.set(&"t", LATE.0, LATE.1, EventId(7)), None);
        assert_eq!(timers.wake(&"t", first, EARLY.0), Wake::Later(LATE.0, first));
        timers.moved(&"t", first, LATE.1);
        assert_eq!(timers.wake(&"t", first, LATE.0), Wake::Due(EventId(7)));
        assert!(timers.take(&"t"));
        assert!(!timers.take(&"t"), "it fires once");
    }

    #[test]
    fn a_timer_moved_to_earlier_forgets_its_old_event() {
        let mut timers = Timers::new();
        let late = timers.set(&"t", LATE.0, LATE.1, EventId(7)).expect("an event is needed");
        let early = timers.set(&"t", EARLY.0, EARLY.1, EventId(7)).expect("a new event is needed");
        assert_eq!(timers.wake(&"t", early, EARLY.0), Wake::Due(EventId(7)));
        assert!(timers.take(&"t"));
        assert_eq!(timers.wake(&"t", late, LATE.0), Wake::Nothing);
    }

    #[test]
    fn a_timer_cancelled_while_its_input_waits_is_not_handled() {
        let mut timers = Timers::new();
        let event = timers.set(&"t", EARLY.0, EARLY.1, EventId(7)).expect("an event is needed");
        assert_eq!(timers.wake(&"t", event, EARLY.0), Wake::Due(EventId(7)));
        timers.cancel(&"t");
        assert!(!timers.take(&"t"));
        let event = timers.set(&"t", EARLY.0, EARLY.1, EventId(7)).expect("an event is needed");
        timers.cancel(&"t");
        assert_eq!(timers.wake(&"t", event, EARLY.0), Wake::Nothing);
    }
}
