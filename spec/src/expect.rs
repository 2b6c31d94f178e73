//! The expected outcome of a run, and the steps that the run has to reach.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// The expected outcome of a run. It changes no verdict: the tests of the catalogue and of the
/// corpus compare runs with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// The outcome.
    pub outcome: Expected,
    /// The check that finds the violation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Hazards by which losses have to be permitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permitted: Vec<String>,
    /// The seeds that the tests run; the first one unless given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<u64>,
}

/// An outcome that a scenario can expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Every promise is kept.
    #[default]
    Pass,
    /// A promise is broken.
    Violation,
}

/// Something that a run has to reach; otherwise it is vacuous.
///
/// In a file either just the name, or several of which one has to be reached, joined by `or`, or `{
/// reach = "truncation", under = "acks=1", seldom = true }`. With `seldom` no single run has to
/// reach it, since that depends on the seed, but a series of seeds has to, in `scenario --seeds`
/// and in `fuzz` alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MustReach {
    /// Its name, one of [`super::reach::names`], or several joined by `or`.
    pub reach: String,
    /// Only where a property has this value: `acks=1`.
    pub under: Option<Setting>,
    /// No single run has to reach it, but at least one of a series of twenty seeds or more;
    /// otherwise the series is vacuous.
    pub seldom: bool,
}

impl MustReach {
    /// The names of which one has to be reached.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.reach.split(" or ").map(str::trim)
    }
}

/// A property and a value: `acks=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Kafka's name of the property.
    pub property: String,
    /// The value.
    pub value: String,
}

impl Setting {
    /// The expected form of a setting.
    pub const EXPECTED: &'static str = "a property and its value, such as \"acks=1\"";

    /// Reads `acks=1`.
    ///
    /// # Errors
    ///
    /// The defect in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((property, value)) if !property.trim().is_empty() => {
                Ok(Self { property: property.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err(format!("`{text}` is not {}", Self::EXPECTED)),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.property, self.value)
    }
}

super::unit::written_as_string!(Setting, None);

/// The longer form of [`MustReach`].
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// Its name, or several joined by `or`.
    reach: String,
    /// Only where a property has this value: `"acks=1"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under: Option<Setting>,
    /// No single run has to reach it, but at least one of a series of twenty seeds or more;
    /// otherwise the series is vacuous.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    seldom: bool,
}

impl Serialize for MustReach {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.under.is_none() && !self.seldom {
            return self.reach.serialize(serializer);
        }
        let Self { reach, under, seldom } = self.clone();
        Long { reach, under, seldom }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MustReach {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = MustReach;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or { reach = \"truncation\", under = \"acks=1\" }")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<MustReach, E> {
                Ok(MustReach { reach: name.to_owned(), under: None, seldom: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MustReach, A::Error> {
                let Long { reach, under, seldom } =
                    Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(MustReach { reach, under, seldom })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for MustReach {
    fn schema_name() -> Cow<'static, str> {
        "MustReach".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<Long>();
        json_schema!({
            "description": "Something that a run has to reach; otherwise it is vacuous. With \
                            `seldom` a run need not, but one of a series of at least twenty seeds",
            "anyOf": [{ "type": "string" }, long],
        })
    }
}
