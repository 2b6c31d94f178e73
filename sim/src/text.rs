//! The text form of times, shares, nodes and connections in files: `1.5s`, `0.5%`, `3`, `1/3`.
//!
//! The modules are for `#[serde(with = "…")]`. Reading a written value gives exactly that value.

use machine::{ClusterId, ConnId, NodeId, Span};
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};
use std::fmt;

/// The units of time from the largest, with their length in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The expected form of a duration, for messages.
pub const TIME: &str = "a time with its unit, such as \"500ms\" or \"3.2s\"";

/// The expected form of a share, for messages.
pub const SHARE: &str = "a share from \"0%\" to \"100%\", such as \"0.5%\"";

/// The whole, in parts per million.
pub const WHOLE: u32 = 1_000_000;

/// A duration in a form that reads back as the same: `3.2s`. Minutes and hours are read but never
/// written, since seconds compare more easily.
pub fn span_to_text(span: Span) -> String {
    let (unit, length) =
        UNITS[2..].iter().find(|(_, length)| span.0 >= *length).unwrap_or(&("s", 1_000_000_000));
    format!("{}{unit}", decimal(span.0, *length))
}

/// A duration for people, rounded to three decimals: `186.251 ms`, `3.2 s`, `2 h`, `1 h 9 min 54
/// s`. From two minutes onwards it is rounded to whole seconds.
pub fn span_in_words(span: Span) -> String {
    const MINUTE: u64 = 60_000_000_000;
    if span.0 >= 2 * MINUTE {
        let seconds = (span.0 + 500_000_000) / 1_000_000_000;
        let parts = [(seconds / 3_600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        return parts.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ");
    }
    let (unit, length) = match span.0 {
        0 => return "0 s".to_owned(),
        1..1_000 => return format!("{} ns", span.0),
        1_000..1_000_000 => ("µs", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let thousandths = (span.0 + length / 2_000) / (length / 1_000);
    format!("{} {unit}", decimal(thousandths, 1_000))
}

/// Reads a duration such as `3.2s`.
///
/// # Errors
///
/// The mistake in the text, in words.
pub fn span_from_text(text: &str) -> Result<Span, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative: a time is zero or more"));
    }
    let number_ends = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (number, unit) = text.split_at(number_ends.unwrap_or(text.len()));
    if number.is_empty() {
        return Err(format!("`{text}` is not {TIME}"));
    }
    let unit = unit.trim();
    if unit.is_empty() {
        return Err(format!("`{text}` has no unit: write \"{text}ms\" or \"{text}s\""));
    }
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!(
            "`{unit}` is not a unit of time: expected h, m, s, ms, us or ns, as in \"500ms\""
        ));
    };
    scaled(number, *nanos).map(Span).ok_or_else(|| format!("`{text}` is not {TIME}"))
}

/// A share in parts per million as a percentage: `0.5%`.
pub fn share_to_text(ppm: u32) -> String {
    format!("{}%", decimal(ppm.into(), 10_000))
}

/// Reads a share such as `0.5%`, as parts per million.
///
/// # Errors
///
/// The mistake in the text, in words.
pub fn share_from_text(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not {SHARE}");
    let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end();
    let parts = scaled(number, 10_000).ok_or_else(wrong)?;
    u32::try_from(parts).ok().filter(|parts| *parts <= WHOLE).ok_or_else(wrong)
}

fn decimal(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// The decimal `number` times `unit`, exact; `None` if it is not a number, is too large, or is not
/// a multiple of one.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let digits = number.replace('_', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut sum = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        let digit = u64::from(digit.checked_sub(b'0').filter(|d| *d <= 9)?);
        if digit != 0 && !place.is_multiple_of(10) {
            return None;
        }
        place /= 10;
        sum = sum.checked_add(digit * place)?;
    }
    Some(sum)
}

/// Reads a node as it is displayed: `3`, or `1/3` for a node of a cluster other than the first.
pub fn node_from_text(text: &str) -> Option<NodeId> {
    let (cluster, node) = text.split_once('/').unwrap_or(("0", text));
    Some(NodeId { cluster: ClusterId(cluster.parse().ok()?), node: node.parse().ok()? })
}

/// Reads a value from a text in a file.
struct Text<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

/// A [`Span`] as text.
pub mod span {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(span: &Span, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&span_to_text(*span))
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        from.deserialize_str(Text { expected: TIME, parse: span_from_text })
    }
}

/// A share in parts per million as text.
pub(crate) mod share {
    use super::*;
    use crate::fault::Ppm;

    pub(crate) fn serialize<S: Serializer>(share: &Ppm, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&share_to_text(share.0))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Ppm, D::Error> {
        let parse = |text: &str| share_from_text(text).map(Ppm);
        from.deserialize_str(Text { expected: SHARE, parse })
    }
}

/// A [`NodeId`] as text.
pub mod node {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(node: &NodeId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(node)
    }
}

/// A connection in the form of traces: sixteen hexadecimal digits.
pub fn conn_to_text(conn: ConnId) -> String {
    format!("{:016x}", conn.0)
}

/// A [`ConnId`] in the form of [`conn_to_text`].
pub mod conn {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(conn: &ConnId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:016x}", conn.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_in_words_are_short() {
        let words = |nanos: u64| span_in_words(Span(nanos));
        assert_eq!(words(0), "0 s");
        assert_eq!(
            (words(999), words(1_500), words(812_345)),
            ("999 ns".into(), "1.5 µs".into(), "812.345 µs".into())
        );
        assert_eq!((words(186_250_804), words(5_000_000)), ("186.251 ms".into(), "5 ms".into()));
        assert_eq!((words(3_000_000_000), words(1_186_250_804)), ("3 s".into(), "1.186 s".into()));
        assert_eq!(
            (words(90_000_000_000), words(150_000_000_000)),
            ("90 s".into(), "2 min 30 s".into())
        );
        assert_eq!(
            (words(7_200_000_000_000), words(4_194_304_000_000)),
            ("2 h".into(), "1 h 9 min 54 s".into())
        );
    }

    #[test]
    fn times_need_a_unit_that_exists_and_are_not_negative() {
        assert_eq!(span_from_text("3.2s"), Ok(Span::millis(3200)));
        assert_eq!(span_from_text("1_500 ms"), Ok(Span::millis(1500)));
        assert_eq!(span_from_text("2m"), Ok(Span::secs(120)));
        assert!(span_from_text("500").unwrap_err().contains("has no unit"));
        assert!(span_from_text("-1s").unwrap_err().contains("negative"));
        assert!(span_from_text("5 parsecs").unwrap_err().contains("`parsecs` is not a unit"));
        assert!(span_from_text("99999999999h").is_err());
        assert!(span_from_text("1.2.3s").is_err());
        assert!(span_from_text("0.5ns").is_err(), "nothing is shorter than a nanosecond");
    }

    #[test]
    fn shares_are_percentages_up_to_100() {
        assert_eq!(share_from_text("0.5%"), Ok(5_000));
        assert_eq!(share_from_text("100%"), Ok(WHOLE));
        assert!(share_from_text("101%").is_err());
        assert!(share_from_text("0.5").is_err());
    }

    proptest! {
        #[test]
        fn a_written_value_reads_back(nanos: u64, parts in 0..=1_000_000u32) {
            prop_assert_eq!(span_from_text(&span_to_text(Span(nanos))), Ok(Span(nanos)));
            prop_assert_eq!(share_from_text(&share_to_text(parts)), Ok(parts));
        }
    }

    #[test]
    fn a_displayed_node_reads_back() {
        for node in [NodeId::new(0, 3), NodeId::new(2, 4_000)] {
            assert_eq!(node_from_text(&node.to_string()), Some(node));
        }
        assert_eq!(node_from_text("x"), None);
        assert_eq!(node_from_text("1/"), None);
    }
}
