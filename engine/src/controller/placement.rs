//! The placement of the replicas of a new topic (`StripedReplicaPlacer`, KIP-36).
//!
//! The leader of the next partition goes to the next rack, and within the rack to its next broker;
//! then the other replicas follow in the same way. So replicas are spread over racks before they
//! are spread over brokers, leaders are evenly distributed, and no two replicas of a partition
//! share a broker. Fenced brokers come last and never lead.

use crate::error::ErrorCode;
use crate::ids::BrokerId;
use rand::{Rng, RngExt};
use std::collections::BTreeMap;

/// A broker on which replicas may be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UsableBroker {
    pub(super) id: BrokerId,
    /// `broker.rack`.
    pub(super) rack: Option<String>,
    /// Whether it is fenced: it gets replicas only where unfenced brokers run out, and never leads.
    pub(super) fenced: bool,
}

/// Chooses the replicas of `partitions` partitions, the leader of each first.
///
/// # Errors
///
/// `INVALID_REPLICATION_FACTOR` if there are too few brokers, or none that can lead.
pub(super) fn place(
    partitions: usize,
    replication_factor: usize,
    brokers: impl Iterator<Item = UsableBroker>,
    rng: &mut impl Rng,
) -> Result<Vec<Vec<BrokerId>>, ErrorCode> {
    let mut placer = Placer::new(brokers, rng);
    let possible = 1..=placer.brokers;
    if placer.unfenced == 0 || !possible.contains(&replication_factor) {
        return Err(ErrorCode::InvalidReplicationFactor);
    }
    Ok((0..partitions).map(|_| placer.next_partition(replication_factor, rng)).collect())
}

/// The fenced or the unfenced brokers of a rack, as a ring. One partition gets each broker at most
/// once; each further partition starts one broker later.
#[derive(Clone, Debug, Default)]
struct Ring {
    brokers: Vec<BrokerId>,
    start: usize,
    taken: usize,
    /// The partition to which `taken` applies.
    partition: usize,
}

impl Ring {
    fn next(&mut self, partition: usize) -> Option<BrokerId> {
        if self.partition != partition {
            self.partition = partition;
            self.taken = 0;
            self.start = (self.start + 1) % self.brokers.len().max(1);
        }
        if self.taken == self.brokers.len() {
            return None;
        }
        let at = (self.start + self.taken) % self.brokers.len();
        self.taken += 1;
        Some(self.brokers[at])
    }
}

#[derive(Clone, Debug, Default)]
struct Rack {
    unfenced: Ring,
    fenced: Ring,
}

#[derive(Clone, Debug)]
struct Placer {
    racks: Vec<Rack>,
    brokers: usize,
    unfenced: usize,
    /// The rack of the next leader, if it has an unfenced broker left.
    first_rack: usize,
    /// The number of partitions placed.
    placed: usize,
}

impl Placer {
    fn new(brokers: impl Iterator<Item = UsableBroker>, rng: &mut impl Rng) -> Self {
        let mut racks: BTreeMap<Option<String>, Rack> = BTreeMap::new();
        let (mut all, mut unfenced) = (0, 0);
        for broker in brokers {
            let rack = racks.entry(broker.rack).or_default();
            let ring = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            ring.brokers.push(broker.id);
            all += 1;
            unfenced += usize::from(!broker.fenced);
        }
        let mut racks: Vec<Rack> = racks.into_values().collect();
        for ring in racks.iter_mut().flat_map(|rack| [&mut rack.unfenced, &mut rack.fenced]) {
            ring.brokers.sort_unstable();
            ring.start = below(ring.brokers.len(), rng);
        }
        let first_rack = below(racks.len(), rng);
        Self { racks, brokers: all, unfenced, first_rack, placed: 0 }
    }

    fn next_partition(&mut self, replication_factor: usize, rng: &mut impl Rng) -> Vec<BrokerId> {
        self.reshuffle(rng);
        let partition = self.placed;
        let racks = self.racks.len();
        let mut replicas = Vec::with_capacity(replication_factor);
        let mut leaders_rack = self.first_rack;
        loop {
            if let Some(leader) = self.racks[leaders_rack].unfenced.next(partition) {
                replicas.push(leader);
                break;
            }
            leaders_rack = (leaders_rack + 1) % racks;
        }
        // In the first pass over the racks, the rack of the leader is skipped.
        let mut passed_over = Some(leaders_rack);
        let mut rack = self.first_rack;
        while replicas.len() < replication_factor {
            if passed_over == Some(rack) {
                passed_over = None;
            } else {
                let Rack { unfenced, fenced } = &mut self.racks[rack];
                replicas.extend(unfenced.next(partition).or_else(|| fenced.next(partition)));
            }
            rack = (rack + 1) % racks;
        }
        self.first_rack = (self.first_rack + 1) % racks;
        self.placed += 1;
        replicas
    }

    /// Shuffles the racks and their brokers after as many partitions as there are unfenced brokers,
    /// because the assignments would otherwise repeat.
    fn reshuffle(&mut self, rng: &mut impl Rng) {
        let repeats = self.placed > 0 && self.placed.is_multiple_of(self.unfenced);
        if !repeats || self.unfenced == 1 {
            return;
        }
        shuffle(&mut self.racks, rng);
        for ring in self.racks.iter_mut().flat_map(|rack| [&mut rack.unfenced, &mut rack.fenced]) {
            shuffle(&mut ring.brokers, rng);
        }
    }
}

/// A random number below `end`, or 0.
fn below(end: usize, rng: &mut impl Rng) -> usize {
    let end = u32::try_from(end).expect("fewer brokers than 2^32");
    if end == 0 { 0 } else { rng.random_range(0..end) as usize }
}

fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for end in (2..=items.len()).rev() {
        items.swap(end - 1, below(end, rng));
    }
}
