//! The threads that make runs, of many seeds, of a fuzz run or of a study. Each run has a fresh
//! thread of its own besides, as its host makes it.

use crate::execute::is_interrupted;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long nothing may be told before the clock is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// As many threads as there are processors.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does `work` for each number below `runs`, on `jobs` threads. `told` gets what it answers, with
/// the number, as it ends, in no order and on this thread, and nothing now and then while none
/// ends; it answers whether more are to begin. What is in flight then is told as well. After an
/// interrupt none begins.
pub(crate) fn run<T: Send>(
    runs: u64,
    jobs: usize,
    work: impl Fn(u64) -> T + Sync,
    mut told: impl FnMut(Option<(u64, T)>) -> bool,
) {
    // Counts runs, not seeds: a counter that stands beyond the last seed of all would start over.
    let (next, halt) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        // A few answers may wait while others are told.
        let (sender, receiver) = mpsc::sync_channel(jobs * 4);
        for _ in 0..jobs {
            let (next, halt, work, sender) = (&next, &halt, &work, sender.clone());
            scope.spawn(move || {
                while !halt.load(Ordering::Relaxed) && !is_interrupted() {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= runs || sender.send((nth, work(nth))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        loop {
            let event = match receiver.recv_timeout(GLANCE) {
                Ok(answer) => Some(answer),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !told(event) {
                halt.store(true, Ordering::Relaxed);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_worked_on_once() {
        for jobs in [1, 3, 20] {
            let mut all = Vec::new();
            run(
                100,
                jobs,
                |nth| nth * 2,
                |event| {
                    all.extend(event);
                    true
                },
            );
            all.sort_unstable();
            let expected: Vec<_> = (0..100).map(|nth| (nth, nth * 2)).collect();
            assert_eq!(all, expected, "{jobs} threads");
        }
    }

    #[test]
    fn what_is_in_flight_is_told_and_no_more_begin() {
        let begun = AtomicU64::new(0);
        let mut told = 0;
        let work = |_| begun.fetch_add(1, Ordering::Relaxed);
        run(u64::MAX, 2, work, |event| {
            told += u64::from(event.is_some());
            told < 10
        });
        assert_eq!(told, begun.into_inner());
        // Those that waited, those whose answer found no room, and the one that was told.
        assert!((10..10 + 2 * 4 + 2 + 2).contains(&told), "{told}");
    }
}
