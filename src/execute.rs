//! Runs on threads: panics are told, interrupts are noticed.

use crate::exit;
use crate::pool;
use scenarios::run::{RunOutcome, attempt, message_of, note_place};
use spec::Resolved;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait looks whether it was interrupted.
const GLANCE: Duration = Duration::from_millis(50);

/// How soon after the first interrupt another is the same one: `timeout` signals the program and
/// then its whole process group.
const SAME_INTERRUPT: Duration = Duration::from_secs(1);

/// When there was an interrupt.
static INTERRUPTED: OnceLock<Instant> = OnceLock::new();

/// From now on an interrupt is noticed instead of ending the program; a second one ends it.
pub(crate) fn watch_interrupt() {
    // Without a handler an interrupt ends the program at once, which is all right as well.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.get_or_init(Instant::now).elapsed() >= SAME_INTERRUPT {
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
    });
}

/// Whether there was an interrupt.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.get().is_some()
}

/// Makes one run; `None` if it was interrupted.
pub(crate) fn one(resolved: Resolved) -> Option<Box<RunOutcome>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(guarded(&resolved));
    });
    loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(ran) => return Some(ran),
            Err(_) if is_interrupted() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("a run ends with an outcome"),
        }
    }
}

/// Makes the runs of `seeds` on several threads and hands them to `done` in the order of the
/// seeds, and nothing now and then while none ends. Ends early when interrupted.
pub(crate) fn many(
    seeds: Range<u64>,
    resolve: impl Fn(u64) -> Resolved + Sync,
    mut done: impl FnMut(Option<(u64, Box<RunOutcome>)>),
) {
    let runs = seeds.end - seeds.start;
    let work = |nth| guarded(&resolve(seeds.start + nth));
    let (mut waiting, mut due) = (BTreeMap::new(), 0);
    pool::run(runs, pool::processors(), work, |event| {
        match event {
            Some((nth, ran)) => drop(waiting.insert(nth, ran)),
            None => done(None),
        }
        while let Some(ran) = waiting.remove(&due) {
            done(Some((seeds.start + due, ran)));
            due += 1;
        }
        true
    });
    // An interrupt may have left gaps: what was finished counts all the same.
    for (nth, ran) in waiting {
        done(Some((seeds.start + nth, ran)));
    }
}

/// Makes one run on this thread.
pub(crate) fn guarded(resolved: &Resolved) -> Box<RunOutcome> {
    Box::new(attempt(resolved))
}

/// From now on a panic is told once for each place, in words that are meant for whoever runs this
/// program; with a backtrace if the environment asks for one. Of thousands of seeds many may fail
/// in the same way.
pub(crate) fn watch_panics() {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let tell_at_length = std::panic::take_hook();
    let at_length = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    std::panic::set_hook(Box::new(move |panic| {
        note_place(panic);
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let is_new = TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone());
        if is_new && at_length {
            tell_at_length(panic);
        } else if is_new {
            let message = message_of(panic.payload());
            exit::tell(&format!(
                "faultline failed, which is a mistake of its own: {message}\n  at {place}; \
                 RUST_BACKTRACE=1 shows how it got there"
            ));
        }
    }));
}
