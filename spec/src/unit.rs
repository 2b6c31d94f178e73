//! Lengths of time and shares of a whole, as scenario files write them.

use machine::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A length of time with its unit: `"500ms"`, `"3.2s"`. Moments are counted from the start of
/// the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Span);

/// The units of time from the largest, with their length in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Time {
    /// What a time has to look like.
    pub const EXPECTED: &'static str = "a time with its unit, such as \"500ms\" or \"3.2s\"";

    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Self {
        Self(Span::millis(n))
    }

    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Self(Span::secs(n))
    }

    /// In nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0.0
    }

    /// Reads `3.2s`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('-') {
            return Err(format!("`{text}` is negative: a time is zero or more"));
        }
        let number_ends = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
        let (number, unit) = text.split_at(number_ends.unwrap_or(text.len()));
        if number.is_empty() {
            return Err(format!("`{text}` is not {}", Self::EXPECTED));
        }
        let unit = unit.trim();
        if unit.is_empty() {
            return Err(format!("`{text}` has no unit: write \"{text}ms\" or \"{text}s\""));
        }
        let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!(
                "`{unit}` is no unit of time: expected h, m, s, ms, us or ns, as in \"500ms\""
            ));
        };
        scaled(number, *nanos)
            .map(|n| Self(Span(n)))
            .ok_or_else(|| format!("`{text}` is not {}", Self::EXPECTED))
    }
}

/// The decimal `number` times `unit`, exact; `None` if it is not a number, is too large, or has
/// digits below one.
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

/// Exact, so that it reads back as the same time.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos();
        // Minutes and hours are read, but never written: seconds compare more easily.
        let (unit, length) =
            UNITS[2..].iter().find(|(_, length)| nanos >= *length).unwrap_or(&("s", 1_000_000_000));
        decimal(f, nanos, *length)?;
        f.write_str(unit)
    }
}

fn decimal(f: &mut fmt::Formatter<'_>, value: u64, unit: u64) -> fmt::Result {
    write!(f, "{}", value / unit)?;
    let rest = value % unit;
    if rest != 0 {
        let digits = unit.ilog10() as usize;
        let fraction = format!("{rest:0digits$}");
        write!(f, ".{}", fraction.trim_end_matches('0'))?;
    }
    Ok(())
}

/// A share of a whole in parts per million, written in per cent: `"1%"`, `"0.5%"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

impl Share {
    /// What a share has to look like.
    pub const EXPECTED: &'static str = "a share from \"0%\" to \"100%\", such as \"0.5%\"";
    /// The whole.
    pub const WHOLE: Self = Self(1_000_000);

    /// Reads `0.5%`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not {}", Self::EXPECTED);
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end();
        let parts = scaled(number, 10_000).ok_or_else(wrong)?;
        match u32::try_from(parts) {
            Ok(parts) if parts <= Self::WHOLE.0 => Ok(Self(parts)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, u64::from(self.0), 10_000)?;
        f.write_str("%")
    }
}

/// Gives a type that is written as a string its serde and schema implementations, from its
/// `parse`, `EXPECTED` and `Display`.
macro_rules! written_as_string {
    ($type:ident, $pattern:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl<'de> Visitor<'de> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($type::EXPECTED)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        $type::parse(text).map_err(E::custom)
                    }

                    fn visit_newtype_struct<D: Deserializer<'de>>(
                        self,
                        deserializer: D,
                    ) -> Result<$type, D::Error> {
                        deserializer.deserialize_str(self)
                    }
                }
                // The name lets a reader of files find the column of a mistake in the text.
                deserializer.deserialize_newtype_struct(stringify!($type), Text)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let pattern: Option<&str> = $pattern;
                let mut schema = json_schema!({
                    "type": "string",
                    "description": $type::EXPECTED,
                });
                if let Some(pattern) = pattern {
                    schema.insert("pattern".into(), pattern.into());
                }
                schema
            }
        }
    };
}

pub(super) use written_as_string;

written_as_string!(Time, Some(r"^\s*[0-9_]+(\.[0-9]+)?\s*(h|m|s|ms|us|ns)\s*$"));
written_as_string!(Share, Some(r"^\s*[0-9_]+(\.[0-9]+)?\s*%\s*$"));

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_need_a_unit_that_exists_and_are_not_negative() {
        assert_eq!(Time::parse("3.2s"), Ok(Time::millis(3200)));
        assert_eq!(Time::parse("1_500 ms"), Ok(Time::millis(1500)));
        assert_eq!(Time::parse("2m"), Ok(Time::secs(120)));
        assert!(Time::parse("500").unwrap_err().contains("has no unit"));
        assert!(Time::parse("-1s").unwrap_err().contains("negative"));
        assert!(Time::parse("5 parsecs").unwrap_err().contains("`parsecs` is no unit"));
        assert!(Time::parse("99999999999h").is_err());
        assert!(Time::parse("1.2.3s").is_err());
        assert!(Time::parse("0.5ns").is_err(), "nothing is shorter than a nanosecond");
    }

    #[test]
    fn shares_are_of_one_whole() {
        assert_eq!(Share::parse("0.5%"), Ok(Share(5_000)));
        assert_eq!(Share::parse("100%"), Ok(Share::WHOLE));
        assert!(Share::parse("101%").is_err());
        assert!(Share::parse("0.5").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos: u64, parts in 0..=1_000_000u32) {
            let time = Time(Span(nanos));
            prop_assert_eq!(Time::parse(&time.to_string()), Ok(time));
            prop_assert_eq!(Share::parse(&Share(parts).to_string()), Ok(Share(parts)));
        }
    }
}
