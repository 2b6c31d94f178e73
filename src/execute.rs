//! Runs on threads: panics are caught, interrupts are noticed.

use scenarios::run::{RunOutcome, run};
use scenarios::spec::Resolved;
use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A run, or the message of the panic that ended it.
pub(crate) type Ran = Result<RunOutcome, String>;

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
            std::process::exit(i32::from(crate::exit::INTERRUPTED));
        }
    });
}

/// Whether there was an interrupt.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.get().is_some()
}

/// Makes one run; `None` if it was interrupted.
pub(crate) fn one(resolved: Resolved, provoke_panic: bool) -> Option<Ran> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(guarded(&resolved, provoke_panic));
    });
    loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(ran) => return Some(ran),
            Err(_) if is_interrupted() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Some(Err("the thread of the run has gone".to_owned()));
            }
        }
    }
}

/// Makes the runs of `seeds` on several threads and hands them to `done` in the order of the
/// seeds, and nothing now and then while none ends. Ends early when interrupted.
pub(crate) fn many(
    seeds: Range<u64>,
    resolve: impl Fn(u64) -> Resolved + Sync,
    provoke_panic: bool,
    mut done: impl FnMut(Option<(u64, Ran)>),
) {
    // Counts runs, not seeds: a counter that stands beyond the last seed of all would start over.
    let next = AtomicU64::new(0);
    let runs = seeds.end - seeds.start;
    let (sender, receiver) = mpsc::sync_channel(64);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (next, resolve, sender) = (&next, &resolve, sender.clone());
            scope.spawn(move || {
                while !is_interrupted() {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= runs {
                        return;
                    }
                    let seed = seeds.start + nth;
                    let ran = guarded(&resolve(seed), provoke_panic);
                    if sender.send((seed, ran)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = seeds.start;
        loop {
            match receiver.recv_timeout(GLANCE) {
                Ok((seed, ran)) => drop(waiting.insert(seed, ran)),
                Err(RecvTimeoutError::Timeout) => done(None),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(ran) = waiting.remove(&due) {
                done(Some((due, ran)));
                due += 1;
            }
        }
        // An interrupt may have left gaps: what was finished counts all the same.
        for (seed, ran) in waiting {
            done(Some((seed, ran)));
        }
    });
}

pub(crate) fn guarded(resolved: &Resolved, provoke_panic: bool) -> Ran {
    caught(|| {
        assert!(!provoke_panic, "a panic was asked for");
        run(resolved)
    })
}

/// What `work` answers, or the message of the panic that ended it, with its place.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = text_of(payload.as_ref());
        match places().get(message) {
            Some(place) => format!("{message} ({place})"),
            None => message.to_owned(),
        }
    })
}

/// The message of a panic.
fn text_of(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

/// Where panics began, by their message: a message that has crossed threads has lost its place.
static PLACES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

fn places() -> MutexGuard<'static, BTreeMap<String, String>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the place of a panic is remembered, and only the first at each place is told in
/// full: of thousands of seeds many may fail in the same way.
pub(crate) fn watch_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = text_of(panic.payload()).to_owned();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let told = places().values().any(|other| *other == place);
        places().insert(message, place);
        if !told {
            tell(panic);
        }
    }));
}
