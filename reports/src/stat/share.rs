//! The share of tries in which an event happened.

use super::Estimate;

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The share of `count` in `of`, with its Wilson score interval (E. B. Wilson, 1927).
///
/// Unlike the textbook interval it bounds the share even if the event was never seen: for 0 of
/// 1,000 the share is below 0.4 %. `None` if `of` is 0.
pub fn wilson(count: u64, of: u64) -> Option<Estimate> {
    if of == 0 {
        return None;
    }
    let (n, share) = (of as f64, count as f64 / of as f64);
    let middle = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // At 0 and 1 the exact interval reaches the end; rounding would miss it.
    let low = if count == 0 { 0.0 } else { (middle - spread) / scale };
    let high = if count == of { 1.0 } else { (middle + spread) / scale };
    Some(Estimate { value: share, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // R. G. Newcombe, "Two-sided confidence intervals for the single proportion" (1998),
        // table I, method 3.
        for (count, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let share = wilson(count, of).unwrap();
            assert!(close(share.low, low) && close(share.high, high), "{count}/{of}: {share:?}");
        }
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(5, 5).unwrap().high, 1.0);
    }
}
