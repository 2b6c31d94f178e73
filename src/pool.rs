//! The threads that make runs, of a series of seeds or of a study. Each run has a fresh thread of
//! its own besides, which its host starts.

use crate::execute::is_interrupted;
use crate::exit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long to wait for a result before the clock is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// As many threads as there are processors.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does `work` for each number below `runs`, on `jobs` threads. `each` gets the results with their
/// numbers as they come, in no order and on this thread, and `None` now and then while none comes;
/// it returns whether more may begin. It gets those that are in flight then as well. After an
/// interrupt none begins.
pub(crate) fn run<T: Send>(
    runs: u64,
    jobs: usize,
    work: impl Fn(u64) -> T + Sync,
    mut each: impl FnMut(Option<(u64, T)>) -> bool,
) {
    // Counts runs, not seeds: a counter that stands beyond the last seed of all would start over.
    let (next, halt) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        // A few results may wait while others are handled.
        let (sender, receiver) = mpsc::sync_channel(jobs * 4);
        for job in 0..jobs {
            let (next, halt, work, sender) = (&next, &halt, &work, sender.clone());
            let started = thread::Builder::new().spawn_scoped(scope, move || {
                while !halt.load(Ordering::Relaxed) && !is_interrupted() {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= runs || sender.send((nth, work(nth))).is_err() {
                        return;
                    }
                }
            });
            // Fewer threads do the same work.
            match started {
                Err(error) if job == 0 => exit::no_thread(&error),
                Err(_) => break,
                Ok(_) => {}
            }
        }
        drop(sender);
        loop {
            let event = match receiver.recv_timeout(GLANCE) {
                Ok(result) => Some(result),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !each(event) {
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
    fn results_in_flight_are_handled_and_no_more_begin() {
        let begun = AtomicU64::new(0);
        let mut handled = 0;
        let work = |_| begun.fetch_add(1, Ordering::Relaxed);
        run(u64::MAX, 2, work, |event| {
            handled += u64::from(event.is_some());
            handled < 10
        });
        assert_eq!(handled, begun.into_inner());
        // Those that waited, those whose result found no room, and the one that was handled.
        assert!((10..10 + 2 * 4 + 2 + 2).contains(&handled), "{handled}");
    }
}
