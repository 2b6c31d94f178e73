//! Latencies as HdrHistogram keeps them: three significant digits, whatever the range.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

/// Significant decimal digits of what is recorded.
const DIGITS: u8 = 3;

/// Larger values count as this one, so that a mad value does not make a mad allocation.
const MOST: u64 = u32::MAX as u64;

/// Why a text holds no histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHistogram(pub String);

/// A histogram of nothing.
pub fn empty() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("three digits are allowed")
}

/// Adds a value.
pub fn record(histogram: &mut Histogram<u64>, value: u64) {
    histogram.record(value.min(MOST)).expect("it grows as needed");
}

/// All of these together.
pub fn merged(histograms: impl IntoIterator<Item = Histogram<u64>>) -> Histogram<u64> {
    let mut all = empty();
    for histogram in histograms {
        all.add(&histogram).expect("it grows as needed, and all have three digits");
    }
    all
}

/// The V2 encoding, in Base64.
pub fn to_text(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).expect("a Vec takes everything");
    STANDARD.encode(bytes)
}

/// What [`to_text`] wrote.
///
/// # Errors
///
/// If it is something else.
pub fn from_text(text: &str) -> Result<Histogram<u64>, BadHistogram> {
    let bytes =
        STANDARD.decode(text).map_err(|error| BadHistogram(format!("no Base64: {error}")))?;
    let mut rest = bytes.as_slice();
    let mut read: Histogram<u64> = Deserializer::new()
        .deserialize(&mut rest)
        .map_err(|error| BadHistogram(format!("no HdrHistogram: {error}")))?;
    if read.sigfig() != DIGITS || !rest.is_empty() {
        return Err(BadHistogram("no HdrHistogram of three digits".to_owned()));
    }
    read.auto(true);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_survives_its_text() {
        let mut histogram = empty();
        (1..=10_000).for_each(|value| record(&mut histogram, value * 37));
        assert_eq!(histogram.max() / 1_000, 370, "to three digits");
        let again = from_text(&to_text(&histogram)).unwrap();
        assert_eq!(again, histogram);
        assert_eq!(merged([again, histogram.clone()]).len(), 20_000);
        assert!(from_text("AAAA").is_err() && from_text("?").is_err());
        let text = to_text(&histogram);
        assert!(from_text(&text[..text.len() / 8 * 4]).is_err(), "cut off");
    }
}
