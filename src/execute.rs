//! Runs on threads; panics are reported, and interrupts are noticed.

use crate::exit;
use scenarios::run::{NoThread, RunOutcome, attempt, message_of, note_place};
use spec::Resolved;
use std::collections::BTreeSet;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a waiting thread checks for an interrupt.
const GLANCE: Duration = Duration::from_millis(50);

/// A second signal within this time belongs to the first interrupt: `timeout` signals the program
/// and then its whole process group.
const SAME_INTERRUPT: Duration = Duration::from_secs(1);

/// The time of the first interrupt.
static INTERRUPTED: OnceLock<Instant> = OnceLock::new();

/// From now on an interrupt is noticed instead of ending the program; a second one ends it.
pub(crate) fn watch_interrupt() {
    // Without a handler an interrupt ends the program at once, which is acceptable.
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
    let run = move || {
        // After an interrupt the outcome has no receiver.
        let _ = sender.send(guarded(&resolved));
    };
    if let Err(error) = thread::Builder::new().spawn(run) {
        exit::no_thread(&error);
    }
    loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(ran) => return Some(ran),
            Err(_) if is_interrupted() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("a run ends with an outcome"),
        }
    }
}

/// Makes one run on this thread.
pub(crate) fn guarded(resolved: &Resolved) -> Box<RunOutcome> {
    Box::new(attempt(resolved))
}

/// From now on a panic is reported once for each source location, in words for the user of this
/// program, and with a backtrace if the environment requests one: many of thousands of seeds may
/// fail in the same way. A run that is refused a thread ends the program.
pub(crate) fn watch_panics() {
    static REPORTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let at_length_hook = std::panic::take_hook();
    let at_length = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(NoThread(error)) = panic.payload().downcast_ref() {
            exit::no_thread(error);
        }
        note_place(panic);
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let is_new = REPORTED.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone());
        if is_new && at_length {
            at_length_hook(panic);
        } else if is_new {
            let message = message_of(panic.payload());
            exit::say(&format!(
                "faultline panicked, which is a defect of its own: {message}\n  at {place}; \
                 RUST_BACKTRACE=1 shows how it got there"
            ));
        }
    }));
}
