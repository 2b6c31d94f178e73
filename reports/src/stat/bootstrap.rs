//! Percentile bootstrap over seeds.
//!
//! A seed is one observation: records within a run are lost together, so an interval that treated
//! each record as an observation would be far too narrow. Seeds are drawn with replacement, as many
//! as there are, [`ROUNDS`] times; the interval goes from the 2.5th to the 97.5th percentile of the
//! ratios found. B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
//!
//! The interval is too narrow while few seeds have losses. In simulations of 300 seeds of which ten
//! on average have a loss, it holds the true rate in 89 of 100 studies if the loss per seed is
//! exponential, in 85 if it is log-normal with sigma 1, in 73 with sigma 1.5; with fifty such seeds
//! in 94 and 91 for the first two. An interval is shown from [`super::FEWEST`] such seeds.

use super::Estimate;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How often seeds are drawn.
pub const ROUNDS: usize = 2_000;

/// The amounts that a seed adds to the numerator and to the denominator of a ratio.
pub type Observation = (u64, u64);

/// The ratio of two sums over seeds, with its interval; `None` if the denominator is 0.
///
/// Every call draws the same seeds, so that the intervals of paired runs are comparable and the
/// same study gives the same bytes.
pub fn ratio(observations: &[Observation]) -> Option<Estimate> {
    let of = |drawn: &mut dyn Iterator<Item = &Observation>| divide(sum(drawn));
    estimate(observations, of)
}

/// The ratio of the second observations of pairs minus that of the first, with its interval. Both
/// observations of a seed are drawn together, so their common part cancels out.
pub fn difference(pairs: &[(Observation, Observation)]) -> Option<Estimate> {
    estimate(pairs, |drawn| {
        let (first, second) = drawn.fold(((0, 0), (0, 0)), |(a, b), (first, second)| {
            (sum([a, *first].iter()), sum([b, *second].iter()))
        });
        Some(divide(second)? - divide(first)?)
    })
}

/// The value of `of` over all seeds, with the interval of its values over drawn seeds.
fn estimate<T>(
    seeds: &[T],
    of: impl Fn(&mut dyn Iterator<Item = &T>) -> Option<f64>,
) -> Option<Estimate> {
    let value = of(&mut seeds.iter())?;
    let mut random = ChaCha8Rng::from_seed([0x5e; 32]);
    let mut drawn: Vec<f64> = (0..ROUNDS)
        .filter_map(|_| {
            let pick = |_| &seeds[below(&mut random, seeds.len() as u64) as usize];
            of(&mut (0..seeds.len()).map(pick))
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    let low = percentile(&drawn, 25)?;
    let high = percentile(&drawn, 975)?;
    Some(Estimate { value, low, high })
}

fn sum<'a>(observations: impl Iterator<Item = &'a Observation>) -> Observation {
    observations.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

fn divide((upper, lower): Observation) -> Option<f64> {
    (lower > 0).then(|| upper as f64 / lower as f64)
}

/// Uniform below `n`; its bias is below `n` / 2^64.
fn below(random: &mut ChaCha8Rng, n: u64) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(n)) >> 64) as u64
}

/// The value that `thousandths` of the sorted values do not exceed (nearest rank).
fn percentile(sorted: &[f64], thousandths: usize) -> Option<f64> {
    let rank = (sorted.len() * thousandths).div_ceil(1_000);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_observations_have_no_spread_and_an_empty_sum_has_no_ratio() {
        let same = ratio(&[(3, 100); 50]).unwrap();
        assert_eq!(same, Estimate { value: 0.03, low: 0.03, high: 0.03 });
        assert_eq!(ratio(&[(0, 0); 3]), None);
        assert_eq!(ratio(&[]), None);
    }

    /// One of n runs lost records: the number of times that it is drawn is binomial(n, 1/n), close
    /// to Poisson(1), whose 2.5th and 97.5th percentiles are 0 and 3.
    #[test]
    fn the_interval_of_a_single_event_is_that_of_poisson() {
        let mut runs = vec![(0, 1_000); 500];
        runs[123] = (10, 1_000);
        let rate = ratio(&runs).unwrap().times(500_000.0);
        assert!((rate.value - 10.0).abs() < 1e-9, "{rate:?}");
        assert!((rate.low - 0.0).abs() < 1e-9, "{rate:?}");
        assert!((rate.high - 30.0).abs() < 1e-9, "{rate:?}");
    }

    #[test]
    fn a_difference_within_seeds_is_sharper_than_one_between_them() {
        // Every seed loses one record more with the second setting, however much it loses.
        let pairs: Vec<_> = (0..100).map(|i| ((i, 1_000), (i + 1, 1_000))).collect();
        let found = difference(&pairs).unwrap();
        for end in [found.value, found.low, found.high] {
            assert!((end - 0.001).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(difference(&[]), None);
    }

    #[test]
    fn the_same_observations_give_the_same_interval() {
        let runs: Vec<Observation> = (0..200).map(|i| (i * i % 7, 100 + i)).collect();
        assert_eq!(ratio(&runs), ratio(&runs));
        let rate = ratio(&runs).unwrap();
        assert!(rate.low < rate.value && rate.value < rate.high);
    }
}
