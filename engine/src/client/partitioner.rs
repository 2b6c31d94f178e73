//! Which partition a record goes to (`BuiltInPartitioner`, `RoundRobinPartitioner`; KIP-480,
//! KIP-794).

use super::random::Random;

/// Kafka's variant of MurmurHash2 (`Utils.murmur2`).
pub fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ key.len() as u32;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes(word.try_into().expect("chunks of four"));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a key. All partitions are candidates, whether they have a leader or not, so that
/// a key keeps its partition.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    assert!(partitions > 0, "a topic has partitions");
    (murmur2(key) & 0x7fff_ffff) as i32 % partitions
}

/// A partition that a record without a key could go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its index.
    pub(super) partition: i32,
    /// It has a leader.
    pub(super) available: bool,
    /// How many batches wait for it.
    pub(super) queue: usize,
}

/// Chooses the next partition among those with a leader, or among all if none has one. If
/// `adaptive`, a partition with a longer queue is chosen less often, so that a slow broker gets fewer
/// records.
pub(super) fn choose(
    random: &mut Random,
    adaptive: bool,
    candidates: impl Iterator<Item = Candidate> + Clone,
) -> i32 {
    let available = candidates.clone().filter(|candidate| candidate.available);
    let Some(longest) = available.clone().map(|candidate| candidate.queue).max() else {
        return nth(candidates.clone(), random.below(candidates.count() as u64));
    };
    if !adaptive {
        return nth(available.clone(), random.below(available.count() as u64));
    }
    let weight = |candidate: Candidate| (longest + 1 - candidate.queue) as u64;
    let mut draw = random.below(available.clone().map(weight).sum());
    for candidate in available {
        match draw.checked_sub(weight(candidate)) {
            None => return candidate.partition,
            Some(rest) => draw = rest,
        }
    }
    unreachable!("the draw is below the sum of the weights")
}

/// Chooses the `turn`-th partition with a leader, wrapping around; if none has a leader, the `turn`-th
/// of all.
pub(super) fn round_robin(turn: u64, candidates: impl Iterator<Item = Candidate> + Clone) -> i32 {
    let available = candidates.clone().filter(|candidate| candidate.available);
    match available.clone().count() as u64 {
        0 => nth(candidates.clone(), turn % candidates.count() as u64),
        count => nth(available, turn % count),
    }
}

fn nth(mut candidates: impl Iterator<Item = Candidate>, n: u64) -> i32 {
    candidates.nth(n as usize).expect("n is below the number of candidates").partition
}

/// The partition that records without a key stick to (KIP-794).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sticky {
    /// The partition; `None`: to be chosen.
    pub(super) partition: Option<i32>,
    /// The bytes that it has received since it was chosen.
    bytes: u64,
}

impl Sticky {
    /// Sticks to `partition` from now on.
    pub(super) fn stick_to(&mut self, partition: i32) {
        *self = Self { partition: Some(partition), bytes: 0 };
    }

    /// Counts appended bytes. Once `batch_size` bytes are counted, the next batch end releases the
    /// partition, so that no half-full batch is sent; `2 * batch_size` releases it in any case.
    pub(super) fn count(&mut self, bytes: u64, batch_size: u64, at_batch_end: bool) {
        self.bytes += bytes;
        if self.bytes >= 2 * batch_size || (self.bytes >= batch_size && at_batch_end) {
            self.partition = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(queues: &[Option<usize>]) -> Vec<Candidate> {
        let candidate = |(partition, queue): (usize, &Option<usize>)| Candidate {
            partition: partition as i32,
            available: queue.is_some(),
            queue: queue.unwrap_or(0),
        };
        queues.iter().enumerate().map(candidate).collect()
    }

    fn histogram(adaptive: bool, queues: &[Option<usize>]) -> Vec<u32> {
        let mut random = Random::new(1, 1);
        let candidates = candidates(queues);
        let mut counts = vec![0; queues.len()];
        for _ in 0..6000 {
            let chosen = choose(&mut random, adaptive, candidates.iter().copied());
            counts[chosen as usize] += 1;
        }
        counts
    }

    #[test]
    fn keys_hash_as_they_do_in_kafka() {
        let file = include_str!("../../tests/fixtures/murmur2.json");
        let fixture: serde_json::Value = serde_json::from_str(file).unwrap();
        let vectors = fixture["vectors"].as_array().unwrap();
        assert!(vectors.len() > 10);
        for vector in vectors {
            let hex = vector["key"].as_str().unwrap();
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let key: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            assert_eq!(u64::from(murmur2(&key)), vector["murmur2"].as_u64().unwrap(), "{hex}");
            for (count, name) in [(12, "partition_of_12"), (50, "partition_of_50")] {
                let expected = vector[name].as_i64().unwrap();
                assert_eq!(i64::from(partition_for_key(&key, count)), expected, "{hex}");
            }
        }
    }

    #[test]
    fn short_queues_are_chosen_more_often_and_leaderless_partitions_only_if_none_has_a_leader() {
        // Weights 1, 4 and 5 of 10.
        let counts = histogram(true, &[Some(4), None, Some(1), Some(0)]);
        assert_eq!(counts[1], 0);
        for (count, expected) in [(counts[0], 600), (counts[2], 2400), (counts[3], 3000)] {
            assert!(count.abs_diff(expected) < 200, "{counts:?}");
        }
        let counts = histogram(false, &[Some(4), None, Some(1), Some(0)]);
        assert!(counts[0].abs_diff(2000) < 200 && counts[1] == 0, "{counts:?}");
        let counts = histogram(true, &[None, None]);
        assert!(
            counts[0].abs_diff(3000) < 200,
            "if no partition has a leader, all are chosen: {counts:?}"
        );
    }

    #[test]
    fn round_robin_skips_partitions_without_a_leader() {
        let candidates = candidates(&[Some(9), None, Some(0)]);
        let chosen: Vec<i32> =
            (0..5).map(|turn| round_robin(turn, candidates.iter().copied())).collect();
        assert_eq!(chosen, [0, 2, 0, 2, 0]);
    }

    #[test]
    fn stickiness_ends_with_a_batch_or_at_twice_its_size() {
        let mut sticky = Sticky::default();
        sticky.stick_to(3);
        sticky.count(99, 100, true);
        assert_eq!(sticky.partition, Some(3), "fewer bytes than a batch");
        sticky.count(50, 100, false);
        assert_eq!(sticky.partition, Some(3), "the batch is not full");
        sticky.count(1, 100, true);
        assert_eq!(sticky.partition, None);
        sticky.stick_to(3);
        sticky.count(200, 100, false);
        assert_eq!(sticky.partition, None);
    }
}
