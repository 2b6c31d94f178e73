//! The threads that make the runs of a series of seeds or of a study. Each run also has a fresh
//! thread, which its host starts.

use crate::execute::is_interrupted;
use crate::exit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long to wait for a result before `each` is called without one.
const GLANCE: Duration = Duration::from_millis(50);

/// The number of processors.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does `work` for each number below `runs`, on `jobs` threads. On this thread, `each` gets the
/// results with their numbers, in any order, and `None` from time to time while there is none; it
/// returns whether more work may begin. Results in flight are passed to `each` in any case. After
/// an interrupt no work begins.
pub(crate) fn run<T: Send>(
    runs: u64,
    jobs: usize,
    work: impl Fn(u64) -> T + Sync,
    mut each: impl FnMut(Option<(u64, T)>) -> bool,
) {
    // Counts runs, not seeds: a counter of seeds would overflow after the last seed of all.
    let (next, halt) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        // A few results may wait while another is handled.
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
        // The results that waited, the results for which there was no room, and the result that was
        // handled.
        assert!((10..10 + 2 * 4 + 2 + 2).contains(&handled), "{handled}");
    }
}
