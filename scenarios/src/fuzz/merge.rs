//! Merging the journals of parts into the result that one process would have given.

use super::journal::{Damage, End, Header, Reader, Stop};
use super::plan::{Part, Plan, Shard, joined, seeds};
use super::record::SeedRecord;
use super::report::{FuzzReport, planned};
use super::tally::Tally;
use crate::museum;
use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

/// The merged parts.
#[derive(Debug)]
pub struct Merged {
    /// The plan.
    pub plan: Plan,
    /// The parts of all journals, and the parts that are missing.
    pub parts: Vec<Part>,
    /// The result.
    pub report: FuzzReport,
    /// The last line of a journal of all runs.
    pub end: End,
    /// Warnings: parts that were killed, seeds that are missing.
    pub notes: Vec<String>,
}

/// Why parts cannot be joined.
#[derive(Debug)]
pub enum Refusal {
    /// A journal is damaged.
    Damaged {
        /// Its name.
        journal: String,
        /// The damage.
        damage: Damage,
    },
    /// The parts do not fit together.
    Misfit(String),
    /// The runs could not be passed on.
    Io(std::io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { journal, damage } => write!(f, "{journal}: {damage}"),
            Self::Misfit(what) => f.write_str(what),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Merges journals, each with its name. `keep` seeds of each signature are kept. `header` gets the
/// header of the whole before any run, and `each` every run.
///
/// # Errors
///
/// If a journal is damaged, if the parts are of different versions or configurations, or if two
/// of them hold the same run.
pub fn merge<R: BufRead>(
    journals: Vec<(String, R)>,
    keep: usize,
    header: impl FnOnce(&Header) -> std::io::Result<()>,
    mut each: impl FnMut(&SeedRecord) -> std::io::Result<()>,
) -> Result<Merged, Refusal> {
    let mut readers = Vec::new();
    for (name, source) in journals {
        match Reader::open(source) {
            Ok(reader) => readers.push((name, reader)),
            Err(damage) => return Err(Refusal::Damaged { journal: name, damage }),
        }
    }
    let plan = common_plan(&readers)?;
    let parts: Vec<Part> =
        readers.iter().flat_map(|(_, reader)| reader.header().parts.clone()).collect();
    disjoint(&readers)?;
    header(&Header::new(plan.clone(), parts.clone())).map_err(Refusal::Io)?;
    let mut sum = Sum::new(&plan, keep);
    let mut notes = Vec::new();
    for (name, reader) in &mut readers {
        sum.read(name, reader, &mut each)?;
        notes.extend(note(name, reader));
    }
    let (own, parts) = (seeds(&parts), whole(&parts));
    let all = planned(&plan, &parts);
    let ran = sum.tally.ran().ran;
    let worst = sum.stops.iter().copied().max().unwrap_or(Stop::Complete);
    let stop = match (all.saturating_sub(ran), worst) {
        (0, _) => Stop::Complete,
        // A part that ended early on request lacks no runs by mistake.
        (_, Stop::Time | Stop::FailFast) if own == seeds(&parts) => worst,
        (missing, _) => {
            notes.push(format!("{missing} of {all} runs are missing: their outcome is unknown"));
            Stop::Incomplete
        }
    };
    let wall_s = sum.wall_ms as f64 / 1e3;
    let report = FuzzReport::new(&plan, &parts, &sum.tally, stop, wall_s);
    let end = End { runs: ran, wall_ms: sum.wall_ms, stops: sum.stops };
    Ok(Merged { plan, parts, report, end, notes })
}

/// The plan, which all parts must share.
fn common_plan<R: BufRead>(readers: &[(String, Reader<R>)]) -> Result<Plan, Refusal> {
    let Some(((first, reader), others)) = readers.split_first() else {
        return Err(Refusal::Misfit("there is nothing to join".to_owned()));
    };
    let plan = &reader.header().plan;
    let this = env!("CARGO_PKG_VERSION");
    let misfit = |what: String| Err(Refusal::Misfit(what));
    if plan.faultline != this {
        let theirs = &plan.faultline;
        return misfit(format!(
            "{first} was made by version {theirs} of faultline; this is {this}"
        ));
    }
    if plan.build != crate::BUILD {
        let (theirs, this) = (&plan.build, crate::BUILD);
        return misfit(format!(
            "{first} was made by another build of faultline ({theirs}; this is {this}): the same \
             seed may go differently"
        ));
    }
    if let Some(id) = plan.bugs.iter().find(|id| museum::find(id).is_none()) {
        let damage = Damage::Line(1, format!("there is no bug `{id}`"));
        return Err(Refusal::Damaged { journal: first.clone(), damage });
    }
    for (name, other) in others {
        let other = &other.header().plan;
        let what = if other.faultline != plan.faultline {
            "versions of faultline"
        } else if other.build != plan.build {
            "builds of faultline"
        } else if other.bugs != plan.bugs {
            "bugs"
        } else if other.overrides != plan.overrides {
            "settings (--set)"
        } else if other != plan {
            "scenarios"
        } else {
            continue;
        };
        return misfit(format!("{first} and {name} were run with different {what}"));
    }
    Ok(plan.clone())
}

/// Checks that no run is in two parts.
fn disjoint<R: BufRead>(readers: &[(String, Reader<R>)]) -> Result<(), Refusal> {
    let of = |(journal, reader): &(String, Reader<R>)| -> Vec<(String, Part)> {
        reader.header().parts.iter().map(|part| (journal.clone(), *part)).collect()
    };
    let parts: Vec<(String, Part)> = readers.iter().flat_map(of).collect();
    for (i, (journal, part)) in parts.iter().enumerate() {
        let overlaps = |(_, other): &&(String, Part)| other.overlaps(part);
        if let Some((first, other)) = parts[..i].iter().find(overlaps) {
            let (other, part) = (other.name(), part.name());
            let what = format!("parts overlap: {other} in {first} and {part} in {journal}");
            return Err(Refusal::Misfit(what));
        }
    }
    Ok(())
}

fn note<R: BufRead>(name: &str, reader: &Reader<R>) -> Option<String> {
    let torn = if reader.torn() { ", and its torn last line does not count" } else { "" };
    match reader.end() {
        None => Some(format!("{name} was not finished{torn}")),
        Some(end) if end.stops.contains(&Stop::Interrupted) => {
            Some(format!("{name} was interrupted"))
        }
        Some(_) => None,
    }
}

/// The ranges of the parts, joined if they touch or overlap: a missing part of a range is missing
/// from the whole as well, into however many parts the range was divided.
fn whole(parts: &[Part]) -> Vec<Part> {
    let ranges = joined(parts.iter().map(|part| part.seeds)).into_iter();
    ranges.map(|seeds| Part { seeds, shard: Shard::WHOLE }).collect()
}

struct Sum {
    tally: Tally,
    seen: Seen,
    wall_ms: u64,
    /// Why each part ended.
    stops: Vec<Stop>,
}

/// The content of the journal of a part.
#[derive(Clone, Copy, Default)]
struct Held {
    runs: u64,
    /// The end of the last run, in milliseconds after the first began.
    last_ms: u64,
}

impl Sum {
    fn new(plan: &Plan, keep: usize) -> Self {
        let tally = Tally::new(plan, keep);
        Self { tally, seen: Seen::default(), wall_ms: 0, stops: Vec::new() }
    }

    /// Adds the runs of a journal.
    fn read<R: BufRead>(
        &mut self,
        name: &str,
        reader: &mut Reader<R>,
        each: &mut impl FnMut(&SeedRecord) -> std::io::Result<()>,
    ) -> Result<(), Refusal> {
        let damaged = |damage| Refusal::Damaged { journal: name.to_owned(), damage };
        let mut held = vec![Held::default(); reader.header().parts.len()];
        while let Some(record) = reader.next_run().map_err(damaged)? {
            let Header { plan, parts, .. } = reader.header();
            let seed = record.seed;
            if !self.seen.insert(record.target, seed) {
                let scenario = &plan.targets[record.target].scenario.name;
                return Err(Refusal::Misfit(format!(
                    "{name}: {scenario} with seed {seed} is in two parts: they overlap"
                )));
            }
            // One of the parts has the run, since a damaged journal is refused.
            if let Some(part) = parts.iter().position(|part| part.has(seed)) {
                held[part].runs += 1;
                held[part].last_ms = held[part].last_ms.max(record.at_ms);
            }
            self.tally.add(&record);
            each(&record).map_err(Refusal::Io)?;
        }
        let Header { plan, parts, .. } = reader.header();
        let end = reader.end();
        for (i, part) in parts.iter().enumerate() {
            let stop = end.map_or(Stop::Incomplete, |end| end.stops[i]);
            self.stops.push(match held[i].runs == planned(plan, &[*part]) {
                true => Stop::Complete,
                false if stop == Stop::Complete => Stop::Incomplete,
                false => stop,
            });
        }
        // Without a last line, the last runs themselves give the duration.
        let last = held.iter().fold(0, |sum: u64, held| sum.saturating_add(held.last_ms));
        self.wall_ms = end.map_or(last, |end| end.wall_ms).saturating_add(self.wall_ms);
        Ok(())
    }
}

/// The runs seen so far: a bit for each, in words of 64 seeds.
#[derive(Debug, Default)]
struct Seen(BTreeMap<(usize, u64), u64>);

impl Seen {
    /// Records a run, and returns whether it is new.
    fn insert(&mut self, target: usize, seed: u64) -> bool {
        let word = self.0.entry((target, seed / 64)).or_default();
        let bit = 1 << (seed % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

#[cfg(test)]
mod tests;
