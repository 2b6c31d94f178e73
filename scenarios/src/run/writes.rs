//! The latencies of writes, for the summary.

use super::Simulation;
use super::measure::Measured;
use crate::result::{Silence, Writes};

impl Measured {
    /// The latencies of writes, and the longest time in which a partition accepted none; `None` if
    /// no write was confirmed.
    pub(super) fn writes(&self, run: &Simulation) -> Option<Writes> {
        let silence = self.longest_outage.map(|outage| {
            let (cluster, partition) = outage.partition;
            Silence {
                partition: run.board.name(cluster, partition),
                since_ns: run.since_load(outage.since),
                lasted_ns: outage.lasted().0,
            }
        });
        let mut latencies = self.latencies_us.clone();
        let last = latencies.len().checked_sub(1)?;
        let mut at = |rank: usize| *latencies.select_nth_unstable(rank).1;
        Some(Writes {
            count: self.latencies_us.len() as u64,
            median_us: at(last / 2),
            p99_us: at(last * 99 / 100),
            longest_us: at(last),
            silence,
        })
    }
}
