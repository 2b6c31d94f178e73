//! Properties in files: dotted names, which TOML reads as nested tables.

use super::{Properties, SetError, Table};
use crate::unmodelled;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use std::borrow::Cow;
use std::fmt;

impl<T> Serialize for Properties<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.values.serialize(serializer)
    }
}

impl<'de, T: Table> Deserialize<'de> for Properties<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut properties = Self::default();
        deserializer.deserialize_map(Level { properties: &mut properties, prefix: "" })?;
        Ok(properties)
    }
}

/// One level of a nested table: TOML reads `min.insync.replicas = 2` as three of them.
struct Level<'a, T> {
    properties: &'a mut Properties<T>,
    prefix: &'a str,
}

impl<'de, T: Table> Visitor<'de> for Level<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "properties of {} by Kafka's names", T::OF)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let dot = if self.prefix.is_empty() { "" } else { "." };
            let name = format!("{}{dot}{key}", self.prefix);
            map.next_value_seed(Value { properties: self.properties, name: &name })?;
        }
        Ok(())
    }
}

/// The value under a name, or a table of longer names.
struct Value<'a, T> {
    properties: &'a mut Properties<T>,
    name: &'a str,
}

impl<'de, T: Table> DeserializeSeed<'de> for Value<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: Table> Value<'_, T> {
    fn visit<E: Error>(self, value: &str, found: Unexpected<'_>) -> Result<(), E> {
        match self.properties.set(self.name, value) {
            Ok(()) => Ok(()),
            Err(SetError::Unknown) => Err(E::unknown_field(self.name, T::NAMES)),
            Err(SetError::Expected(expected)) => {
                let expected = format!("{expected} for `{}`", self.name);
                Err(E::invalid_value(found, &expected.as_str()))
            }
            Err(SetError::Refused(refusal)) => Err(E::custom(refusal)),
        }
    }
}

impl<'de, T: Table> Visitor<'de> for Value<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.properties.clone().set(self.name, "?") {
            Err(SetError::Expected(expected)) => write!(f, "{expected} for `{}`", self.name),
            _ => f.write_str("a number, true, false or a string"),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.visit(text, Unexpected::Str(text))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit(&number.to_string(), Unexpected::Signed(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.visit(&number.to_string(), Unexpected::Float(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => self.visit_str(&number.to_string()),
        }
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.visit_str(if flag { "true" } else { "false" })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Level { properties: self.properties, prefix: self.name }.visit_map(map)
    }
}

impl<T: Table> JsonSchema for Properties<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("properties of {}", T::OF).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut names = serde_json::Map::new();
        for name in T::NAMES.iter().copied().chain(unmodelled::settable(T::SCOPE)) {
            names.insert(name.into(), json!({ "type": ["string", "integer", "boolean"] }));
            // Without quotes TOML reads a dotted name as nested tables.
            if let Some((first, _)) = name.split_once('.') {
                names.entry(first).or_insert_with(|| json!({ "type": "object" }));
            }
        }
        json_schema!({
            "type": "object",
            "description": format!("Kafka properties of {}; others keep their default", T::OF),
            "properties": names,
            "additionalProperties": false,
        })
    }
}
