//! Making the runs of a study, on several threads.

use super::args::AcksArgs;
use super::convert;
use super::progress::Progress;
use crate::execute::is_interrupted;
use crate::exit;
use crate::pool;
use reports::acks::{CutShort, Header, Run, Study, Why};
use scenarios::museum;
use scenarios::result::Outcome;
use scenarios::study::{self, ACKS};
use std::collections::BTreeMap;

/// The study, or as much of it as was made.
pub(super) struct Made {
    /// `None` if no seed was finished.
    pub(super) study: Option<Study>,
    pub(super) outcome: Outcome,
    /// Whether an interrupt left out seeds.
    pub(super) interrupted: bool,
}

impl Made {
    /// An earlier study.
    pub(super) fn of(study: Study) -> Self {
        Self { outcome: convert::outcome(&study), study: Some(study), interrupted: false }
    }
}

/// Makes the runs of all seeds. After an interrupt or a panic it ends early, with the seeds before
/// the first missing one.
pub(super) fn make(study: &study::Study, mut header: Header, args: &AcksArgs, jobs: usize) -> Made {
    let seeds = header.seeds.from..header.seeds.to;
    let mut progress = Progress::new(header.seeds.count(), study.variants());
    let (mut runs, mut panicked) = (BTreeMap::new(), false);
    let work = |nth| of_seed(study, args, seeds.start + nth);
    pool::run(header.seeds.count(), jobs, work, |event| {
        match event {
            Some((nth, Ok(of_seed))) => {
                progress.add(&of_seed);
                runs.insert(seeds.start + nth, of_seed);
            }
            Some((nth, Err(message))) => {
                progress.clear();
                exit::say(&format!("seed {}: {message}", seeds.start + nth));
                panicked = true;
            }
            None => {}
        }
        progress.show_if_due();
        !panicked
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

/// The runs of one seed, or the message of a panic.
fn of_seed(study: &study::Study, args: &AcksArgs, seed: u64) -> Result<Vec<Run>, String> {
    let provoked = args.provoke_panic == Some(seed);
    let bugs = if provoked { vec![museum::provoked::ID.to_owned()] } else { Vec::new() };
    let panicked = |panicked: Box<study::Panicked>| convert::panicked(&args.set, &panicked);
    let observed = ACKS.iter().zip(study.runs(seed, &bugs).map_err(panicked)?);
    Ok(observed.map(|(under, seen)| convert::run(*under, &args.set, seen)).collect())
}
