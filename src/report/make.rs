//! Making the runs of a study, on several threads.

use super::args::AcksArgs;
use super::convert;
use super::progress::Progress;
use crate::execute::is_interrupted;
use reports::acks::{CutShort, Header, Run, Study, Why};
use scenarios::museum;
use scenarios::result::Outcome;
use scenarios::study::{self, ACKS};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

/// How long nothing may be told before the clock is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// A study that was made.
pub(super) struct Made {
    /// None if no seed was finished.
    pub(super) study: Option<Study>,
    pub(super) outcome: Outcome,
    /// It has the seeds that were finished only.
    pub(super) interrupted: bool,
}

impl Made {
    /// A study whose runs were made before.
    pub(super) fn of(study: Study) -> Self {
        Self { outcome: convert::outcome(&study), study: Some(study), interrupted: false }
    }
}

/// The runs of a seed, or what is told of a panic.
type Ran = (u64, Result<Vec<Run>, String>);

/// What the threads share.
struct Work<'a> {
    study: &'a study::Study,
    by_hand: &'a [String],
    provoke_panic: Option<u64>,
    seeds: Range<u64>,
    next: AtomicU64,
    halt: AtomicBool,
}

/// Makes the runs of all seeds. Ends early when interrupted or at our own mistake, with the seeds
/// before the first that is missing.
pub(super) fn make(study: &study::Study, mut header: Header, args: &AcksArgs, jobs: usize) -> Made {
    let seeds = header.seeds.from..header.seeds.to;
    let mut progress = Progress::new(header.seeds.count(), study.variants());
    let work = Work {
        study,
        by_hand: &args.set,
        provoke_panic: args.provoke_panic,
        next: AtomicU64::new(seeds.start),
        halt: AtomicBool::new(false),
        seeds: seeds.clone(),
    };
    let (mut runs, mut panicked) = (BTreeMap::new(), false);
    let (sender, receiver) = mpsc::sync_channel::<Ran>(jobs * 4);
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (work, sender) = (&work, sender.clone());
            scope.spawn(move || make_some(work, &sender));
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(GLANCE) {
                Ok((seed, Ok(of_seed))) => {
                    progress.add(&of_seed);
                    runs.insert(seed, of_seed);
                }
                Ok((seed, Err(message))) => {
                    progress.clear();
                    eprintln!("seed {seed}: {message}");
                    panicked = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress.glance();
            if is_interrupted() || panicked {
                work.halt.store(true, Ordering::Relaxed);
            }
        }
    });
    progress.clear();
    let done = seeds.clone().take_while(|seed| runs.contains_key(seed)).count() as u64;
    let why = match (panicked, is_interrupted()) {
        (true, _) => Some(Why::Panicked),
        (false, true) if done < header.seeds.count() => Some(Why::Interrupted),
        _ => None,
    };
    let interrupted = why == Some(Why::Interrupted);
    header.cut_short = why.map(|why| CutShort { asked: header.seeds, why });
    header.seeds.to = header.seeds.from + done;
    header.command = convert::line(header.seeds, &args.set);
    let to = header.seeds.to;
    let runs = runs.into_iter().take_while(|(seed, _)| *seed < to);
    let runs: Vec<Run> = runs.flat_map(|(_, of_seed)| of_seed).collect();
    let made = match done {
        0 => Made { study: None, outcome: Outcome::Vacuous, interrupted },
        _ => Made { interrupted, ..Made::of(Study::new(header, runs)) },
    };
    if panicked { Made { outcome: Outcome::Panic, ..made } } else { made }
}

fn make_some(work: &Work<'_>, sender: &SyncSender<Ran>) {
    while !work.halt.load(Ordering::Relaxed) {
        let seed = work.next.fetch_add(1, Ordering::Relaxed);
        if seed >= work.seeds.end {
            return;
        }
        let provoked = work.provoke_panic == Some(seed);
        let bugs = if provoked { vec![museum::provoked::ID.to_owned()] } else { Vec::new() };
        let of_seed = match work.study.runs(seed, &bugs) {
            Ok(observed) => {
                let observed = ACKS.iter().zip(observed);
                Ok(observed.map(|(under, seen)| convert::run(*under, work.by_hand, seen)).collect())
            }
            Err(fallen) => Err(convert::fallen(work.by_hand, &fallen)),
        };
        if sender.send((seed, of_seed)).is_err() {
            return;
        }
    }
}
