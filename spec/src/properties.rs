//! Kafka properties that a scenario sets, checked against the engine's tables as they are read.

use engine::config::{
    BrokerConfig, ConsumerConfig, ControllerConfig, ProducerConfig, PropertyError, TopicConfig,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// One of the engine's tables of properties.
pub trait Table: Default {
    /// Whose properties they are, in the plural.
    const OF: &'static str;
    /// The names of all properties.
    const NAMES: &'static [&'static str];

    /// Sets one property.
    ///
    /// # Errors
    ///
    /// If there is no such property, or it cannot have that value.
    fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyError>;

    /// The value of one property.
    fn get(&self, name: &str) -> Option<String>;
}

/// A property as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Kafka's name.
    pub name: &'static str,
    /// Whose it is, in the plural.
    pub of: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// Kafka's default.
    pub default: String,
}

impl Listed {
    /// The default as people say it: `30000 (30 s)`, `never`.
    pub fn default_in_words(&self) -> String {
        let Ok(number) = self.default.parse::<u64>() else { return self.default.clone() };
        let unit = |units: &[(u64, &str)]| {
            let fits = units.iter().find(|(size, _)| number >= *size && number % size == 0);
            fits.map(|(size, unit)| format!("{number} ({} {unit})", number / size))
        };
        let in_units = if number >= i64::MAX.unsigned_abs() {
            Some("never".to_owned())
        } else if self.name.ends_with(".ms") {
            unit(&[(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")])
        } else if self.name.ends_with(".bytes") || self.name.ends_with(".size") {
            unit(&[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")])
        } else {
            None
        };
        in_units.unwrap_or_else(|| self.default.clone())
    }
}

macro_rules! tables {
    ($($config:ident $of:literal)*) => {$(
        impl Table for $config {
            const OF: &'static str = $of;
            const NAMES: &'static [&'static str] = $config::NAMES;

            fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
                $config::set(self, name, value)
            }

            fn get(&self, name: &str) -> Option<String> {
                $config::get(self, name)
            }
        }
    )*

        /// Every table: whose it is, and its names.
        pub const TABLES: &[(&str, &[&str])] = &[$(($of, $config::NAMES),)*];

        /// Every property there is.
        pub fn property_list() -> Vec<Listed> {
            let mut all = Vec::new();
            $({
                let defaults = $config::default();
                all.extend($config::NAMES.iter().zip($config::SUMMARIES).map(|(name, summary)| {
                    let default = defaults.get(name).unwrap_or_default();
                    Listed { name: *name, of: $of, summary: *summary, default }
                }));
            })*
            all
        }
    };
}

tables! {
    TopicConfig "topics"
    BrokerConfig "brokers"
    ControllerConfig "controllers"
    ProducerConfig "producers"
    ConsumerConfig "consumers"
}

/// The properties of one table that are set, by name; all others have Kafka's default.
pub struct Properties<T> {
    values: BTreeMap<String, String>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> Properties<T> {
    /// The whole table: `base` with what is set here.
    pub fn over(&self, mut base: T) -> T {
        for (name, value) in &self.values {
            let set = base.set(name, value);
            debug_assert!(set.is_ok(), "{name}={value} was checked when it was read");
        }
        base
    }

    /// The whole table: Kafka's defaults with what is set here.
    pub fn config(&self) -> T {
        self.over(T::default())
    }

    /// Sets one property.
    ///
    /// # Errors
    ///
    /// If there is no such property, or it cannot have that value; nothing is changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        let mut table = T::default();
        table.set(name, value)?;
        // As the table writes it, so that `-1` and `all` are one value.
        let value = table.get(name).unwrap_or_else(|| value.to_owned());
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    /// Leaves one property to its default again.
    pub fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// What is set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What is set and is not Kafka's default, by name, with that default.
    pub fn not_default(&self) -> impl Iterator<Item = (&str, &str, String)> {
        let defaults = T::default();
        self.iter().filter_map(move |(name, value)| {
            let default = defaults.get(name)?;
            (default != value).then_some((name, value, default))
        })
    }
}

impl<T> Clone for Properties<T> {
    fn clone(&self) -> Self {
        Self { values: self.values.clone(), table: PhantomData }
    }
}

impl<T> Default for Properties<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), table: PhantomData }
    }
}

impl<T> PartialEq for Properties<T> {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl<T> Eq for Properties<T> {}

impl<T> fmt::Debug for Properties<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.fmt(f)
    }
}

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

/// What stands under a name: a value, or a table of longer names.
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

impl<'de, T: Table> Visitor<'de> for Value<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.properties.clone().set(self.name, "?") {
            Err(PropertyError::Expected(expected)) => write!(f, "{expected} for `{}`", self.name),
            _ => f.write_str("a number, true, false or a string"),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.properties.set(self.name, text) {
            Ok(()) => Ok(()),
            Err(PropertyError::Unknown) => Err(E::unknown_field(self.name, T::NAMES)),
            Err(PropertyError::Expected(_)) => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        match self.properties.set(self.name, &number.to_string()) {
            Ok(()) => Ok(()),
            Err(PropertyError::Unknown) => Err(E::unknown_field(self.name, T::NAMES)),
            Err(PropertyError::Expected(_)) => {
                Err(E::invalid_value(Unexpected::Signed(number), &self))
            }
        }
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
        for name in T::NAMES {
            names.insert((*name).into(), json!({ "type": ["string", "integer", "boolean"] }));
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
