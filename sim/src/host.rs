//! The host of a run: a fresh thread with a madsim runtime of its own.
//!
//! The world needs nothing from madsim. The runtime is there for code that bypasses the world: a
//! library that reads the clock, asks the kernel for randomness, iterates over a `HashMap` or
//! starts a thread gets seeded values, virtual time or an error, so that such leaks are repeatable
//! and can be found. madsim's network and file system are not used.

use crate::{SimTime, World};
use machine::{Process, Span};
use madsim::runtime::Runtime;
use madsim::time::TimeHandle;
use std::time::Duration;

/// How far madsim's clock may lag behind the world within [`Clock::step`]. No code should read the
/// clock, and advancing it takes locks.
const LAG: Span = Span::millis(1);

/// madsim's clock, which advances together with a world.
pub struct Clock {
    handle: TimeHandle,
    at: SimTime,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Clock {
    /// Advances the clock to `at`, if it is not there yet. Worlds that are clones of each other may
    /// take turns: the clock stays at the latest time.
    #[inline]
    pub fn advance_to(&mut self, at: SimTime) {
        let ahead = at.since(self.at).0;
        if ahead > 0 {
            self.handle.advance(Duration::from_nanos(ahead));
            self.at = at;
        }
    }

    /// [`World::step`], with the clock advanced to the event.
    #[inline]
    pub fn step<P: Process>(&mut self, world: &mut World<P>) -> bool {
        if let Some(at) = world.next_event_at().filter(|at| at.since(self.at) >= LAG) {
            self.advance_to(at);
        }
        world.step()
    }

    /// [`World::run_until`], with the clock advanced to each event.
    pub fn run_until<P: Process>(&mut self, world: &mut World<P>, until: SimTime) {
        while let Some(at) = world.next_event_at().filter(|at| *at <= until) {
            self.advance_to(at);
            while world.next_event_at() == Some(at) {
                world.step();
            }
        }
        self.advance_to(until);
        world.advance_to(until);
    }
}

/// The payload of the panic of [`run`] when the operating system refuses a thread, which is not a
/// defect of the code that was to run.
#[derive(Debug)]
pub struct NoThread(pub std::io::Error);

/// Runs `run` on a fresh thread, inside a madsim runtime of this seed. A panic is passed on.
///
/// # Panics
///
/// If `run` panics, or with [`NoThread`].
pub fn run<T: Send>(seed: u64, run: impl FnOnce(&mut Clock) -> T + Send) -> T {
    let hosted = || {
        // The runtime seeds the keys of this thread's hash maps, which works only on a fresh
        // thread.
        let runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
        runtime.block_on(async {
            run(&mut Clock { handle: TimeHandle::current(), at: SimTime::ZERO })
        })
    };
    let outcome =
        std::thread::scope(|scope| match std::thread::Builder::new().spawn_scoped(scope, hosted) {
            Ok(thread) => thread.join(),
            Err(error) => std::panic::panic_any(NoThread(error)),
        });
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests;
