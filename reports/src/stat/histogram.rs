//! Latencies in an HdrHistogram: three significant digits, whatever the range.

use hdrhistogram::Histogram;

/// Significant decimal digits of a recorded value.
const DIGITS: u8 = 3;

/// Larger values count as this one, so that an absurd value does not cause a huge allocation.
const MOST: u64 = u32::MAX as u64;

/// Why a text is not a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHistogram(pub String);

/// A histogram without values.
pub fn empty() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("three digits are allowed")
}

/// Adds a value.
pub fn record(histogram: &mut Histogram<u64>, value: u64) {
    histogram.record(value.min(MOST)).expect("it grows as needed");
}

/// The sum of these histograms.
pub fn merged(histograms: impl IntoIterator<Item = Histogram<u64>>) -> Histogram<u64> {
    let mut all = empty();
    for histogram in histograms {
        all.add(&histogram).expect("it grows as needed, and all have three digits");
    }
    all
}

/// The recorded values and their counts, in ascending order: `37:2 74:1`.
pub fn to_text(histogram: &Histogram<u64>) -> String {
    let pairs = histogram.iter_recorded();
    let pairs = pairs.map(|it| format!("{}:{}", it.value_iterated_to(), it.count_at_value()));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Parses the output of [`to_text`].
///
/// # Errors
///
/// If a pair is not two whole numbers, a count is 0, or a value is too large or out of order.
pub fn from_text(text: &str) -> Result<Histogram<u64>, BadHistogram> {
    let mut read = empty();
    let mut above = None;
    for pair in text.split(' ').filter(|pair| !pair.is_empty()) {
        let bad = || BadHistogram(format!("`{pair}` is not a value with its count"));
        let (value, count) = pair.split_once(':').ok_or_else(bad)?;
        let value: u64 = value.parse().map_err(|_| bad())?;
        let count: u64 = count.parse().map_err(|_| bad())?;
        // The top of the last bucket lies above the largest value that is recorded exactly.
        if count == 0 || above >= Some(value) || value > 2 * MOST {
            return Err(bad());
        }
        above = Some(value);
        read.record_n(value, count).map_err(|_| bad())?;
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_unchanged_by_writing_and_reading() {
        let mut histogram = empty();
        (1..=10_000).for_each(|value| record(&mut histogram, value * 37));
        assert_eq!(histogram.max() / 1_000, 370, "to three digits");
        let again = from_text(&to_text(&histogram)).unwrap();
        assert_eq!(again, histogram);
        assert_eq!(merged([again, histogram.clone()]).len(), 20_000);
        assert_eq!(from_text("").unwrap(), empty());
        for bad in ["AAAA", "5", "5:", ":5", "5:0", "5:1:1", "-5:1", "7:1 5:1", "5:1 5:1"] {
            assert!(from_text(bad).is_err(), "{bad}");
        }
        assert!(
            from_text(&format!("{}:1", u64::MAX)).is_err(),
            "no allocation for an absurd value"
        );
    }
}
