//! Whether one of two alternatives is ahead more often than a coin toss explains.

/// The exact two-sided sign test (J. Arbuthnot, 1710): the probability that coin tosses split at
/// least as unevenly as `first` against `second`. `None` if both are 0.
pub fn p_value(first: u64, second: u64) -> Option<f64> {
    let (tosses, fewer) = (first + second, first.min(second));
    if tosses == 0 {
        return None;
    }
    // Binomial coefficients over 2^tosses, in logarithms: numerator and denominator exceed the
    // range of a float.
    let mut log = -(tosses as f64) * std::f64::consts::LN_2;
    let mut tail = log.exp();
    for heads in 1..=fewer {
        log += ((tosses - heads + 1) as f64 / heads as f64).ln();
        tail += log.exp();
    }
    Some((2.0 * tail).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p_value_agrees_with_sums_by_hand() {
        for (first, second, p) in [
            (4, 0, 0.125),
            (0, 5, 0.0625),
            (6, 0, 0.031_25),
            // 2 * (1 + 10) / 2^10.
            (1, 9, 0.021_484_375),
            // 2 * (1 + 15 + 105 + 455) / 2^15.
            (12, 3, 0.035_156_25),
            (5, 5, 1.0),
            (1, 0, 1.0),
        ] {
            assert!((p_value(first, second).unwrap() - p).abs() < 1e-12, "{first}:{second}");
        }
        assert_eq!(p_value(0, 0), None);
    }

    /// With 10,200 tosses the normal distribution is a good approximation: (200 - 1) / sqrt(10,200)
    /// = 1.9704.
    #[test]
    fn many_tosses_do_not_overflow() {
        let p = p_value(5_000, 5_200).unwrap();
        assert!((p - 0.0488).abs() < 2e-4, "{p}");
        assert!(p_value(0, 5_000).unwrap() < 1e-300);
    }
}
