//! The longest waits of clients, in one run and in many.

use crate::result::{Reads, Silence, Writes, rounded};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// The longest waits of clients in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waited {
    /// The longest write, in microseconds.
    write_us: Option<u64>,
    /// The longest time in which a partition accepted no record.
    silence: Option<Silence>,
    /// The longest wait of a consumer for readable records, in microseconds.
    read_us: Option<u64>,
}

impl Waited {
    /// The longest waits of a run.
    pub(super) fn of(writes: Option<Writes>, reads: Option<Reads>) -> Self {
        let read_us = reads.map(|reads| reads.longest_us);
        let (write_us, silence) =
            writes.map_or((None, None), |it| (Some(it.longest_us), it.silence));
        Self { write_us, silence, read_us }
    }

    /// Whether there were no writes and no reads.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A seed with the index of its scenario, ordered so that the smallest seed is the greatest.
type Place = Reverse<(u64, usize)>;

/// The longest waits of all runs, each with the smallest seed that has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    write: Option<(u64, Place)>,
    silence: Option<(u64, Place, String)>,
    read: Option<(u64, Place)>,
}

impl Waits {
    /// Adds a run: its seed with the index of its scenario.
    pub(super) fn add(&mut self, place: (u64, usize), waited: &Waited) {
        let Waited { write_us, silence, read_us } = waited;
        self.read = self.read.max(read_us.map(|longest| (longest, Reverse(place))));
        self.write = self.write.max(write_us.map(|longest| (longest, Reverse(place))));
        let silence =
            silence.as_ref().map(|it| (it.lasted_ns, Reverse(place), it.partition.clone()));
        self.silence = self.silence.take().max(silence);
    }

    /// The longest waits, with the names of scenarios by index; `None` if nothing was written.
    pub(super) fn longest(&self, name: &dyn Fn(usize) -> String) -> Option<LongestWaits> {
        let (longest_us, Reverse((seed, target))) = self.write?;
        let silence =
            self.silence.as_ref().map(|(lasted_ns, Reverse((seed, target)), partition)| {
                let partition = partition.clone();
                LongestSilence {
                    partition,
                    lasted_ns: *lasted_ns,
                    seed: *seed,
                    scenario: name(*target),
                }
            });
        Some(LongestWaits { longest_us, seed, scenario: name(target), silence })
    }

    /// The longest wait of a consumer in any run; none if none waited.
    pub(super) fn longest_read(&self, name: &dyn Fn(usize) -> String) -> Option<LongestRead> {
        let (longest_us, Reverse((seed, target))) = self.read?;
        Some(LongestRead { longest_us, seed, scenario: name(target) })
    }
}

/// The longest waits of clients in any run, in simulated time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongestWaits {
    /// The longest write, from `send` to the callback, in microseconds.
    pub longest_us: u64,
    /// The smallest seed that has it.
    pub seed: u64,
    /// The scenario with that seed.
    pub scenario: String,
    /// The longest time in which a partition accepted no record, if longer than 250 ms.
    pub silence: Option<LongestSilence>,
}

/// The longest time in which a partition accepted no record although a producer had a record for
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongestSilence {
    /// The partition, such as `orders-0`.
    pub partition: String,
    /// Its duration in nanoseconds.
    pub lasted_ns: u64,
    /// The smallest seed that has it.
    pub seed: u64,
    /// The scenario with that seed.
    pub scenario: String,
}

/// The longest wait of a consumer for readable records in any run, in simulated time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongestRead {
    /// The longest wait in microseconds.
    pub longest_us: u64,
    /// The smallest seed that has it.
    pub seed: u64,
    /// The scenario with that seed.
    pub scenario: String,
}

impl LongestRead {
    /// In one line: `longest 5.1 s (seed 7)`; with the scenario, if there are `several`.
    pub fn in_words(&self, several: bool) -> String {
        let Self { longest_us, seed, scenario } = self;
        let scenario = if several { format!("{scenario}, ") } else { String::new() };
        format!("longest {} ({scenario}seed {seed})", rounded(*longest_us))
    }
}

impl LongestWaits {
    /// In one line: `longest 21.0 s (seed 7); orders-3 accepted none for 20.0 s (seed 9)`; with the
    /// scenarios, if there are `several`.
    pub fn in_words(&self, several: bool) -> String {
        let of = |seed: u64, scenario: &str| match several {
            true => format!("{scenario}, seed {seed}"),
            false => format!("seed {seed}"),
        };
        let longest = rounded(self.longest_us);
        let mut line = format!("longest {longest} ({})", of(self.seed, &self.scenario));
        if let Some(it) = &self.silence {
            let (lasted, place) = (rounded(it.lasted_ns / 1_000), of(it.seed, &it.scenario));
            line.push_str(&format!("; {} accepted none for {lasted} ({place})", it.partition));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest waits over many seeds.
    #[test]
    fn the_longest_waits_do_not_depend_on_the_order_of_runs() {
        let silence =
            |lasted_ns| Silence { partition: "orders-1".to_owned(), since_ns: 5, lasted_ns };
        let waited = |write_us, lasted_ns, read_us| Waited {
            write_us: Some(write_us),
            silence: Some(silence(lasted_ns)),
            read_us: Some(read_us),
        };
        let runs = [
            ((3, 0), Waited { write_us: Some(9_000_000), ..Waited::default() }),
            ((2, 1), waited(9_000_000, 4_000_000_000, 700_000)),
            ((1, 0), waited(2_000, 4_500_000_000, 700_000)),
            ((0, 0), Waited::default()),
        ];
        let add = |order: [usize; 4]| {
            let mut waits = Waits::default();
            order.into_iter().for_each(|i| waits.add(runs[i].0, &runs[i].1));
            waits
        };
        for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
            let read = add(order).longest_read(&|_| "swarm".to_owned()).expect("one waited");
            assert_eq!(read.in_words(false), "longest 700 ms (seed 1)");
            assert_eq!(read.in_words(true), "longest 700 ms (swarm, seed 1)");
        }
        let longest = |order: [usize; 4]| {
            add(order).longest(&|target| ["swarm", "no-faults"][target].to_owned())
        };
        let all = longest([0, 1, 2, 3]).expect("something was written");
        assert_eq!(longest([3, 2, 1, 0]).as_ref(), Some(&all));
        let words = "longest 9.0 s (seed 2); orders-1 accepted none for 4.5 s (seed 1)";
        assert_eq!(all.in_words(false), words);
        assert!(all.in_words(true).starts_with("longest 9.0 s (no-faults, seed 2); "));
        assert_eq!(Waits::default().longest(&|_| String::new()), None);
    }
}
