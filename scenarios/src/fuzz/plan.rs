//! The runs of a plan, and the runs of each part.

use serde::{Deserialize, Serialize};
use spec::{Resolved, Scenario};
use std::fmt;

/// The scenarios and settings that are run with every seed. Two equal plans give the same run for
/// the same scenario and seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of the program.
    pub faultline: String,
    /// Its build: [`crate::BUILD`]. Two builds of one version may run the same seed differently.
    #[serde(default)]
    pub build: String,
    /// The scenarios, with distinct names.
    pub targets: Vec<Target>,
    /// The settings of the command line, such as `acks=1`.
    pub overrides: Vec<String>,
    /// The museum bugs in force, by id.
    pub bugs: Vec<String>,
}

/// A scenario that is fuzzed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its origin: a name of the catalogue, or a file.
    pub source: String,
    /// The scenario with all overrides in place.
    pub scenario: Scenario,
}

impl Plan {
    /// A plan for this version of the program.
    pub fn new(targets: Vec<Target>, overrides: Vec<String>, bugs: Vec<String>) -> Self {
        Self {
            faultline: env!("CARGO_PKG_VERSION").to_owned(),
            build: crate::BUILD.to_owned(),
            targets,
            overrides,
            bugs,
        }
    }

    /// The command that makes the run of a scenario with a seed.
    pub fn command(&self, target: usize, seed: u64) -> String {
        let source = &self.targets[target].source;
        crate::result::command(source, &format!("--seed {seed}"), &self.overrides, &self.bugs)
    }

    /// The run of a scenario with a seed.
    pub fn resolve(&self, target: usize, seed: u64, trace: bool) -> Resolved {
        let scenario = self.targets[target].scenario.clone();
        Resolved { scenario, seed, bugs: self.bugs.clone(), trace }
    }
}

/// A half-open range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRange {
    /// The first seed.
    pub start: u64,
    /// The seed after the last.
    pub end: u64,
}

impl fmt::Display for SeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// One of several parts of the seeds: `2/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// The number of the part, from 1.
    pub index: u64,
    /// The number of parts.
    pub of: u64,
}

impl Shard {
    /// All seeds.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// Reads `2/3`.
    ///
    /// # Errors
    ///
    /// The mistake in the text, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected I/N with I from 1 to N, such as 2/3";
        let (index, of) = text.split_once('/').ok_or(EXPECTED)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| EXPECTED);
        let shard = Self { index: number(index)?, of: number(of)? };
        match shard.is_there() {
            true => Ok(shard),
            false => Err(format!("there is no part {} of {}; {EXPECTED}", shard.index, shard.of)),
        }
    }

    fn is_there(self) -> bool {
        (1..=self.of).contains(&self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// The runs that one process makes: every scenario with each of its seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// All seeds.
    pub seeds: SeedRange,
    /// The shard: every `of`-th seed, so that parts take equally long.
    pub shard: Shard,
}

impl Part {
    /// Checks that the part has a seed; the error in words. The other functions rely on a valid
    /// shard.
    pub(super) fn check(&self) -> Result<(), String> {
        let Shard { index, of } = self.shard;
        if !self.shard.is_there() {
            return Err(format!("there is no part {index} of {of}"));
        }
        match self.count() {
            0 => Err(format!("there is no seed in part {}", self.name())),
            _ => Ok(()),
        }
    }

    /// The number of seeds.
    pub fn count(&self) -> u64 {
        let all = self.seeds.end.saturating_sub(self.seeds.start);
        let before = self.shard.index - 1;
        all.saturating_sub(before).div_ceil(self.shard.of)
    }

    /// The scenario and the seed of run number `nth`, with `targets` scenarios. All scenarios are
    /// run with one seed before the next seed, so that an early end leaves each scenario with the
    /// same number of seeds.
    pub fn run(&self, nth: u128, targets: usize) -> Option<(usize, u64)> {
        let targets = targets as u128;
        let row = nth.checked_div(targets)?;
        let row = u64::try_from(row).ok().filter(|row| *row < self.count())?;
        // This does not exceed `end`, since the seed belongs to the part.
        let seed = self.seeds.start + (self.shard.index - 1) + row * self.shard.of;
        Some(((nth % targets) as usize, seed))
    }

    /// Whether the part has this seed.
    pub fn has(&self, seed: u64) -> bool {
        (self.seeds.start..self.seeds.end).contains(&seed)
            && (seed - self.seeds.start) % self.shard.of == self.shard.index - 1
    }

    /// Whether the parts have a seed in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (few, many) = if self.count() <= other.count() { (self, other) } else { (other, self) };
        let Some((_, first)) = few.run(0, 1) else { return false };
        let skipped = many.seeds.start.saturating_sub(first).div_ceil(few.shard.of);
        // The seeds of `few` repeat modulo the shards of `many`, so this many candidates suffice.
        let seeds = (u128::from(skipped)..).take_while(|nth| *nth < u128::from(few.count()));
        let seeds = seeds.take(usize::try_from(many.shard.of).unwrap_or(usize::MAX));
        seeds.filter_map(|nth| few.run(nth, 1)).any(|(_, seed)| many.has(seed))
    }

    /// Its seeds in words: `0..300`, or `1/3 of 0..300`.
    pub fn name(&self) -> String {
        match self.shard.of {
            1 => self.seeds.to_string(),
            _ => format!("{} of {}", self.shard, self.seeds),
        }
    }
}

/// The number of seeds of disjoint parts.
pub(super) fn seeds(parts: &[Part]) -> u64 {
    parts.iter().fold(0, |sum, part| part.count().saturating_add(sum))
}

/// Ranges in order, joined if they touch or overlap.
pub(super) fn joined(ranges: impl Iterator<Item = SeedRange>) -> Vec<SeedRange> {
    let mut all: Vec<_> = ranges.collect();
    all.sort_unstable();
    all.dedup_by(|next, range| {
        let touches = next.start <= range.end;
        if touches {
            range.end = range.end.max(next.end);
        }
        touches
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(seeds: std::ops::Range<u64>, shard: &str) -> Part {
        let seeds = SeedRange { start: seeds.start, end: seeds.end };
        Part { seeds, shard: Shard::parse(shard).unwrap() }
    }

    #[test]
    fn the_parts_of_a_range_have_every_run_once() {
        for of in 1..6 {
            let mut runs = Vec::new();
            for index in 1..=of {
                let part = part(10..17, &format!("{index}/{of}"));
                let own: Vec<_> = (0..).map_while(|nth| part.run(nth, 2)).collect();
                assert_eq!(own.len() as u64, part.count() * 2);
                assert!(own.iter().all(|(_, seed)| part.has(*seed)));
                runs.extend(own);
            }
            runs.sort_unstable();
            let all: Vec<_> = (0..2).flat_map(|t| (10..17).map(move |seed| (t, seed))).collect();
            assert_eq!(runs, all, "{of} parts");
        }
    }

    #[test]
    fn the_largest_seeds_do_not_overflow() {
        let part = part(0..u64::MAX, "3/3");
        assert_eq!(part.run(0, 7), Some((0, 2)));
        let last = u128::from(part.count()) * 7 - 1;
        assert!(part.run(last, 7).is_some_and(|(_, seed)| seed < u64::MAX));
        assert_eq!(part.run(last + 1, 7), None);
    }

    #[test]
    fn parts_overlap_if_they_share_a_seed() {
        for (a, b) in [((0..9, "1/3"), (4..20, "2/4")), ((0..30, "2/6"), (0..30, "3/4"))] {
            for (a, b) in [(0, 0), (0, 1), (1, 2), (5, 3)].map(|(i, j)| {
                let shift = |(seeds, shard): &(std::ops::Range<u64>, &str), by| {
                    part(seeds.start + by..seeds.end + by, shard)
                };
                (shift(&a, i), shift(&b, j))
            }) {
                let shared = (0..60).any(|seed| a.has(seed) && b.has(seed));
                assert_eq!(a.overlaps(&b), shared, "{a:?} {b:?}");
                assert_eq!(b.overlaps(&a), shared, "{a:?} {b:?}");
            }
        }
        assert!(!part(0..u64::MAX, "1/3").overlaps(&part(0..u64::MAX, "2/3")));
        assert!(!part(0..10, "1/1").overlaps(&part(10..20, "1/1")));
    }

    #[test]
    fn shards_count_from_one() {
        assert_eq!(Shard::parse("1/1"), Ok(Shard::WHOLE));
        for wrong in ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "1/3/4", ""] {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
    }
}
