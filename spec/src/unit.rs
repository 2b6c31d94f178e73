//! Lengths of time and shares of a whole, as scenario files write them.

use machine::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sim::text;
use std::borrow::Cow;
use std::fmt;

/// A length of time with its unit: `"500ms"`, `"3.2s"`. Moments are counted from the start of
/// the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Span);

impl Time {
    /// The expected form of a time.
    pub const EXPECTED: &'static str = text::TIME;

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
    /// The defect in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::span_from_text(text).map(Self)
    }
}

/// The form is exact, so that it reads back as the same time.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::span_to_text(self.0))
    }
}

/// A share of a whole in parts per million, written in per cent: `"1%"`, `"0.5%"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

impl Share {
    /// The expected form of a share.
    pub const EXPECTED: &'static str = text::SHARE;
    /// The whole.
    pub const WHOLE: Self = Self(text::WHOLE);

    /// Reads `0.5%`.
    ///
    /// # Errors
    ///
    /// The defect in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::share_from_text(text).map(Self)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::share_to_text(self.0))
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
