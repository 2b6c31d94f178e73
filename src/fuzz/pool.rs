//! The threads that make the runs. Each run has a fresh thread of its own besides, as its host
//! makes it.

use crate::execute::{guarded, is_interrupted};
use scenarios::fuzz::{Part, Plan, SeedRecord, Stop};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// How long nothing may be told before the clock is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// What is to be run, and when it is over.
pub(super) struct Order<'a> {
    pub(super) plan: &'a Plan,
    pub(super) part: Part,
    pub(super) jobs: usize,
    pub(super) time: Option<Duration>,
    pub(super) fail_fast: bool,
}

impl Order<'_> {
    /// How many runs there are.
    pub(super) fn planned(&self) -> u64 {
        self.part.count().saturating_mul(self.plan.targets.len() as u64)
    }
}

/// Makes the runs. `told` is called with each as it ends, on this thread, and once in a while
/// without one; it answers whether more are to begin. Answers why there are no more.
pub(super) fn run(
    order: &Order<'_>,
    begin: Instant,
    mut told: impl FnMut(Option<&SeedRecord>) -> bool,
) -> Stop {
    let (next, halt) = (AtomicU64::new(0), AtomicBool::new(false));
    // A few waiting results let the runs go on while the journal is written.
    let (sender, receiver) = mpsc::sync_channel(order.jobs * 4);
    thread::scope(|scope| {
        for _ in 0..order.jobs {
            let (next, halt, sender) = (&next, &halt, sender.clone());
            scope.spawn(move || work(order, next, halt, &sender));
        }
        drop(sender);
        let mut ran = 0;
        let mut stop = Stop::Complete;
        loop {
            let record = match receiver.recv_timeout(GLANCE) {
                Ok(record) => Some(record),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            ran += u64::from(record.is_some());
            // What is still in flight is told as well.
            let goes_on = told(record.as_ref());
            let failed = record.is_some_and(|record| record.failure.is_some());
            stop = stop.max(reason(order, begin, failed));
            if !goes_on {
                stop = Stop::Incomplete;
            }
            if stop != Stop::Complete {
                halt.store(true, Ordering::Relaxed);
            }
        }
        if ran == order.planned() { Stop::Complete } else { stop }
    })
}

/// Why no more runs are to begin, if so.
fn reason(order: &Order<'_>, begin: Instant, failed: bool) -> Stop {
    if is_interrupted() {
        Stop::Interrupted
    } else if order.fail_fast && failed {
        Stop::FailFast
    } else if order.time.is_some_and(|time| begin.elapsed() >= time) {
        Stop::Time
    } else {
        Stop::Complete
    }
}

fn work(order: &Order<'_>, next: &AtomicU64, halt: &AtomicBool, sender: &SyncSender<SeedRecord>) {
    let plan = order.plan;
    while !halt.load(Ordering::Relaxed) {
        let nth = next.fetch_add(1, Ordering::Relaxed);
        let Some((target, seed)) = order.part.run(u128::from(nth), plan.targets.len()) else {
            return;
        };
        let begin = Instant::now();
        let verdict = guarded(&plan.resolve(target, seed, false)).verdict;
        let wall_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        if sender.send(SeedRecord::new(target, verdict, wall_us)).is_err() {
            return;
        }
    }
}
