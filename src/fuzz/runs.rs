//! Making the runs, and writing their journal.

use super::folder::{Folder, Journal};
use super::progress::Progress;
use crate::execute::{guarded, is_interrupted};
use crate::exit::Failure;
use crate::pool;
use scenarios::fuzz::{End, FuzzReport, Header, Part, Plan, SeedRecord, Stop, Tally, Writer};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The runs to make, and the conditions under which to stop.
pub(super) struct Order<'a> {
    pub(super) plan: &'a Plan,
    pub(super) part: Part,
    pub(super) jobs: usize,
    pub(super) time: Option<Duration>,
    pub(super) fail_fast: bool,
}

impl Order<'_> {
    /// The number of runs.
    fn planned(&self) -> u64 {
        self.part.count().saturating_mul(self.plan.targets.len() as u64)
    }

    /// Makes run number `nth`; the first began at `first`.
    fn run(&self, nth: u64, first: Instant) -> SeedRecord {
        let plan = self.plan;
        let run = self.part.run(u128::from(nth), plan.targets.len());
        let (target, seed) = run.expect("a number below that of all runs");
        let begin = Instant::now();
        let verdict = guarded(&plan.resolve(target, seed, false)).verdict;
        let wall_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        SeedRecord::new(target, verdict, wall_us, millis(first.elapsed()))
    }

    /// Why no more runs may begin; `Complete` if they may.
    fn reason(&self, begin: Instant, failed: bool) -> Stop {
        if is_interrupted() {
            Stop::Interrupted
        } else if self.fail_fast && failed {
            Stop::FailFast
        } else if self.time.is_some_and(|time| begin.elapsed() >= time) {
            Stop::Time
        } else {
            Stop::Complete
        }
    }
}

/// The journal that is being written. The thread that made a run adds it before it begins another:
/// if the process is killed only the runs in flight are lost, even while the printing thread is
/// blocked.
struct Book(Mutex<Pages>);

struct Pages {
    journal: Journal,
    writer: Writer,
    /// Why nothing more is added: no line can follow a partial line.
    unwritten: Option<Failure>,
}

impl Book {
    fn new(order: &Order<'_>, folder: &Folder) -> Result<Self, Failure> {
        let (mut writer, mut journal) = (Writer::default(), folder.journal()?);
        let header = Header::new(order.plan.clone(), vec![order.part]);
        let begun = journal.append(&writer.header(&header));
        begun.map_err(|error| journal.unwritten(&error))?;
        Ok(Self(Mutex::new(Pages { journal, writer, unwritten: None })))
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, record: &SeedRecord) {
        let pages = &mut *self.pages();
        if pages.unwritten.is_none() {
            let added = pages.journal.append(&pages.writer.run(record)).err();
            pages.unwritten = added.map(|error| pages.journal.unwritten(&error));
        }
    }

    /// Writes the last line, and returns why the journal is incomplete, if it is.
    fn end(self, end: End) -> Option<Failure> {
        let Pages { mut journal, mut writer, unwritten } =
            self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        unwritten.or_else(|| {
            let ended = journal.append(&writer.end(end)).err();
            ended.map(|error| journal.unwritten(&error))
        })
    }
}

/// Makes the runs, and writes their journal into `folder`, if given. When the journal cannot be
/// written any more, no more runs begin, and the report covers the runs made so far; the function
/// fails only before the first run. `keep` seeds of each signature are kept.
pub(super) fn make(
    order: &Order<'_>,
    folder: Option<&Folder>,
    keep: usize,
) -> Result<(FuzzReport, Option<Failure>), Failure> {
    let (plan, part) = (order.plan, order.part);
    let book = folder.map(|folder| Book::new(order, folder)).transpose()?;
    let mut tally = Tally::new(plan, keep);
    let mut progress = Progress::new(order.planned());
    let begin = Instant::now();
    let stop = journaled(order, book.as_ref(), begin, |event| {
        if let Some(record) = event {
            let new = tally.add(record);
            progress.add(new);
        }
        progress.show_if_due(&tally);
    });
    progress.clear();
    let wall = begin.elapsed();
    let end = End { runs: tally.ran().ran, wall_ms: millis(wall), stops: vec![stop] };
    let unwritten = book.and_then(|book| book.end(end));
    Ok((FuzzReport::new(plan, &[part], &tally, stop, wall.as_secs_f64()), unwritten))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Makes the runs, and returns why they ended. `each` is called on this thread with each run as it
/// ends, and from time to time without one.
fn journaled(
    order: &Order<'_>,
    book: Option<&Book>,
    begin: Instant,
    mut each: impl FnMut(Option<&SeedRecord>),
) -> Stop {
    let mut ran = 0;
    let mut stop = Stop::Complete;
    let work = |nth| {
        let record = order.run(nth, begin);
        if let Some(book) = book {
            book.add(&record);
        }
        record
    };
    pool::run(order.planned(), order.jobs, work, |event| {
        let record = event.map(|(_, record)| record);
        ran += u64::from(record.is_some());
        // Includes the runs that were in flight when the end was decided.
        each(record.as_ref());
        let failed = record.is_some_and(|record| record.failure.is_some());
        stop = stop.max(order.reason(begin, failed));
        if book.is_some_and(|book| book.pages().unwritten.is_some()) {
            stop = Stop::Incomplete;
        }
        stop == Stop::Complete
    });
    match ran == order.planned() {
        true => Stop::Complete,
        // The threads may have noticed an interrupt first.
        false => stop.max(order.reason(begin, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::JOURNAL;
    use super::*;
    use scenarios::catalog;
    use scenarios::fuzz::{SeedRange, Shard, Target};
    use std::{env, fs, process, thread};

    #[test]
    fn a_run_is_in_the_journal_while_the_thread_that_prints_is_blocked() {
        let path = env::temp_dir().join(format!("faultline-journaled-{}", process::id()));
        // An earlier process with the same id may have left one.
        let _ = fs::remove_dir_all(&path);
        let Ok(folder) = Folder::new(Some(&path), "") else { panic!("a folder for the test") };
        let Ok((mut scenario, _)) = catalog::scenario("no-faults") else { panic!("it is there") };
        scenario.set_all(&["records=20".to_owned()]).unwrap_or_else(|error| panic!("{error}"));
        let target = Target { source: "no-faults".to_owned(), scenario };
        let plan = Plan::new(vec![target], Vec::new(), Vec::new());
        let part = Part { seeds: SeedRange { start: 0, end: 8 }, shard: Shard::WHOLE };
        let order = Order { plan: &plan, part, jobs: 1, time: None, fail_fast: false };
        let Ok(book) = Book::new(&order, &folder) else { panic!("a journal for the test") };
        let lines = || {
            let text = fs::read_to_string(path.join(JOURNAL)).unwrap_or_default();
            text.matches("{\"run\"").count()
        };
        let begin = Instant::now();
        let mut first = true;
        let stop = journaled(&order, Some(&book), begin, |record| {
            // This thread is blocked in the first run until others are written.
            while record.is_some() && first && lines() < 4 {
                assert!(begin.elapsed() < Duration::from_secs(60), "{} runs", lines());
                thread::sleep(Duration::from_millis(5));
            }
            first &= record.is_none();
        });
        assert_eq!((stop, lines()), (Stop::Complete, 8));
        fs::remove_dir_all(path).expect("it can be removed");
    }
}
