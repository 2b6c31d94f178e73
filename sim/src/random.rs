//! Named streams of random numbers, and sampling without floats.
//!
//! Each user of randomness has its own stream, keyed by the seed, a name and an id, so that an
//! additional draw of one user changes no other stream. The network goes further: each of its
//! decisions is a function of (seed, connection, message number), see [`Key`], so that an
//! additional message on one connection changes no decision on another.

use machine::{Digest, NodeId, Span};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The stream `name` number `id` of a seed.
pub fn stream(seed: u64, name: &str, id: u64) -> ChaCha8Rng {
    let mut digest = Digest::default();
    digest.fold_bytes(name.as_bytes());
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..24].copy_from_slice(&digest.value().to_le_bytes());
    key[24..].copy_from_slice(&id.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// The id of the streams of a node.
pub(crate) fn node_stream(node: NodeId) -> u64 {
    (u64::from(node.cluster.0) << 16) | u64::from(node.node)
}

/// One million: the denominator of all chances.
pub const MILLION: u32 = 1_000_000;

/// Samples from 64 random bits at a time, with integers only, so that the results are the same on
/// every machine.
pub trait Sample {
    /// The next 64 random bits.
    fn bits(&mut self) -> u64;

    /// Uniform below `n`; 0 if `n` is 0. The bias is below `n` / 2^64.
    #[inline]
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform from `low` to `high`, both included; `low` is at most `high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high);
        low + self.below((high - low).saturating_add(1))
    }

    /// True with probability `ppm` / 1,000,000. Draws even when the result is certain.
    #[inline]
    fn chance(&mut self, ppm: u32) -> bool {
        self.below(u64::from(MILLION)) < u64::from(ppm)
    }

    /// One of `items`, which must not be empty.
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T
    where
        Self: Sized,
    {
        assert!(!items.is_empty(), "nothing to pick from");
        &items[self.below(items.len() as u64) as usize]
    }

    /// Exponentially distributed with this mean, at most 45 times the mean.
    #[inline]
    fn exponential(&mut self, mean: Span) -> Span {
        exponential(self.bits(), mean)
    }

    /// How often in a row an event of chance `ppm` happens, at most `most` times.
    #[inline]
    fn geometric(&mut self, ppm: u32, most: u32) -> u32 {
        let mut count = 0;
        while count < most && self.chance(ppm) {
            count += 1;
        }
        count
    }
}

impl Sample for ChaCha8Rng {
    #[inline]
    fn bits(&mut self) -> u64 {
        self.next_u64()
    }
}

/// A key for decisions that depend on their subject, not on the order in which they are made.
#[derive(Clone, Copy, Debug)]
pub struct Key([u64; 2]);

impl Key {
    /// The key `name` number `id` of a seed.
    pub fn new(seed: u64, name: &str, id: u64) -> Self {
        let mut stream = stream(seed, name, id);
        Self([stream.next_u64(), stream.next_u64()])
    }

    /// The draws that belong to (`a`, `b`).
    #[inline]
    pub fn draw(self, a: u64, b: u64) -> Draw {
        let first = mix(self.0[0] ^ a.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Draw(mix(first ^ self.0[1] ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03)))
    }
}

/// A short sequence of draws (splitmix64).
#[derive(Clone, Copy, Debug)]
pub struct Draw(u64);

impl Sample for Draw {
    #[inline]
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

#[inline]
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The quantile of the exponential distribution that `bits` stand for.
#[inline]
pub(crate) fn exponential(bits: u64, mean: Span) -> Span {
    // -ln(u) = ln(2) * -log2(u), in units of 2^-32.
    let nats = (u128::from(negative_log2(bits)) * LN_2) >> 32;
    Span(((u128::from(mean.0) * nats) >> 32) as u64)
}

/// ln(2) in units of 2^-32.
const LN_2: u128 = 2_977_044_472;

/// log2(1 + i/256) in units of 2^-32.
const LOG2: [u64; 257] = log2_table();

const fn log2_table() -> [u64; 257] {
    let mut table = [0; 257];
    table[256] = 1 << 32;
    let mut i = 1;
    while i < 256 {
        // One bit of the logarithm per squaring; `x` is in [1, 2) with 62 fractional bits.
        let mut x = (256 + i as u128) << 54;
        let mut bit = 32;
        while bit > 0 {
            bit -= 1;
            x = (x * x) >> 62;
            if x >> 63 != 0 {
                x >>= 1;
                table[i] |= 1 << bit;
            }
        }
        i += 1;
    }
    table
}

/// -log2(x / 2^64) in units of 2^-32, by a table and linear interpolation.
#[inline]
fn negative_log2(x: u64) -> u64 {
    let x = x | 1;
    let zeros = x.leading_zeros();
    let mantissa = x << zeros;
    let index = ((mantissa >> 55) & 0xff) as usize;
    let within = (mantissa >> 23) & 0xffff_ffff;
    let step = LOG2[index + 1] - LOG2[index];
    let log = (u64::from(63 - zeros) << 32) + LOG2[index] + ((step * within) >> 32);
    (64 << 32) - log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_name_and_id() {
        let first = |seed, name, id| stream(seed, name, id).next_u64();
        let mut seen = vec![first(1, "a", 1), first(2, "a", 1), first(1, "b", 1), first(1, "a", 2)];
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
        assert_eq!(first(1, "a", 1), first(1, "a", 1));
    }

    #[test]
    fn exponential_has_its_mean_and_median() {
        let mut stream = stream(7, "test", 0);
        let mut samples: Vec<u64> =
            (0..100_000).map(|_| stream.exponential(Span(1_000_000)).0).collect();
        let mean = samples.iter().sum::<u64>() / 100_000;
        samples.sort_unstable();
        assert!((990_000..1_010_000).contains(&mean), "{mean}");
        let median = samples[50_000];
        assert!(
            (683_000..703_000).contains(&median),
            "the median is ln 2 times the mean, not {median}"
        );
    }

    #[test]
    fn chances_have_their_frequency_and_certain_results_are_certain() {
        let key = Key::new(1, "test", 0);
        let hits = (0..1_000_000).filter(|i| key.draw(3, *i).chance(1_000)).count();
        assert!((900..1_100).contains(&hits), "{hits}");
        assert!((0..1_000).all(|i| key.draw(i, 0).chance(MILLION)));
        assert!((0..1_000).all(|i| !key.draw(i, 0).chance(0)));
    }

    #[test]
    fn bounds_are_inclusive() {
        let mut stream = stream(1, "bounds", 0);
        let mut seen = [false; 3];
        for _ in 0..100 {
            seen[(stream.between(5, 7) - 5) as usize] = true;
        }
        assert_eq!(seen, [true; 3]);
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.geometric(MILLION, 9), 9);
    }
}
