//! A fault as one flat table, as in files. The keys of each fault and their documentation are
//! declared with the fault, in `sim`.

use super::{Family, Fault, FaultKind, PreferredElection};
use crate::{Condition, Share, Target, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sim::{Form, Values};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// The keys of every entry, and their documentation.
pub(super) const OF_EVERY: &[(&str, &str)] = &[
    ("kind", "What happens."),
    ("name", "A name for reports."),
    ("at", "The moment when it fires; with `when`, the moment from which that is watched."),
    ("when", "It fires as soon as this condition holds."),
    ("lasts", "How long it lasts; until everything is healed unless given."),
];

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", &self.kind.family())?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        if let Some(at) = &self.at {
            map.serialize_entry("at", at)?;
        }
        if let Some(when) = &self.when {
            map.serialize_entry("when", when)?;
        }
        if let Some(lasts) = &self.lasts {
            map.serialize_entry("lasts", lasts)?;
        }
        match &self.kind {
            FaultKind::World(fault) => fault.write(&mut map)?,
            FaultKind::PreferredElection(PreferredElection { topics }) if topics.is_empty() => {}
            FaultKind::PreferredElection(PreferredElection { topics }) => {
                map.serialize_entry("topics", topics)?;
            }
        }
        map.end()
    }
}

/// The keys of an entry that have been read.
#[derive(Default)]
struct Entry {
    family: Option<Family>,
    name: Option<String>,
    at: Option<Time>,
    when: Option<Condition>,
    lasts: Option<Time>,
    topics: Option<Vec<String>>,
    values: Values,
    /// Keys that no kind of fault has.
    unknown: Vec<String>,
}

impl Entry {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "kind" => self.family = Some(map.next_value()?),
            "name" => self.name = Some(map.next_value()?),
            "at" => self.at = Some(map.next_value()?),
            "when" => self.when = Some(map.next_value()?),
            "lasts" => self.lasts = Some(map.next_value()?),
            "topics" => self.topics = Some(map.next_value()?),
            key => {
                if !sim::Fault::<Target>::read_key(key, map, &mut self.values)? {
                    map.next_value::<IgnoredAny>()?;
                    self.unknown.push(key.to_owned());
                }
            }
        }
        Ok(())
    }

    fn into_fault<E: Error>(mut self) -> Result<Fault, E> {
        let family = self.family.ok_or_else(|| E::missing_field("kind"))?;
        let topics = self.topics.iter().map(|_| "topics");
        let given: Vec<&'static str> = self.values.keys().chain(topics).collect();
        let is_own = |key: &&'static str| family.own_fields().any(|field| field == *key);
        let misplaced = given.into_iter().find(|key| !is_own(key));
        let unknown = self.unknown.into_iter().next();
        if let Some(key) = unknown.or(misplaced.map(str::to_owned)) {
            return Err(E::unknown_field(&key, family.fields()));
        }
        if self.at.is_none() && self.when.is_none() {
            return Err(E::missing_field("at` or `when"));
        }
        let kind = match family {
            Family::World(kind) => sim::Fault::build(kind, &mut self.values)
                .map(FaultKind::World)
                .map_err(E::missing_field)?,
            Family::PreferredElection => {
                let topics = self.topics.unwrap_or_default();
                FaultKind::PreferredElection(PreferredElection { topics })
            }
        };
        Ok(Fault { name: self.name, at: self.at, when: self.when, lasts: self.lasts, kind })
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Fault;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fault, A::Error> {
                let mut entry = Entry::default();
                while let Some(key) = map.next_key::<String>()? {
                    entry.read(&key, &mut map)?;
                }
                entry.into_fault()
            }
        }
        deserializer.deserialize_map(Table)
    }
}

impl JsonSchema for Fault {
    fn schema_name() -> Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = serde_json::Map::new();
        for (key, doc) in OF_EVERY {
            let schema = match *key {
                "kind" => generator.subschema_for::<Family>(),
                "name" => json_schema!({"type": "string"}),
                "when" => generator.subschema_for::<Condition>(),
                _ => generator.subschema_for::<Time>(),
            };
            properties.insert((*key).to_owned(), described(schema, doc));
        }
        for family in Family::all() {
            for key in family.own_fields().collect::<BTreeSet<_>>() {
                let (form, doc) = family.key(key).expect("it is one of its keys");
                let others = Family::all().filter(|family| family.key(key).is_some());
                let names: Vec<_> = others.map(Family::name).collect();
                // A key that all faults share has the same documentation in each.
                let doc = format!("{}: {doc}", names.join(", "));
                let schema = form.map_or_else(
                    || json_schema!({"type": "array", "items": {"type": "string"}}),
                    |form| schema_of(form, generator),
                );
                properties.entry(key).or_insert_with(|| described(schema, &doc));
            }
        }
        json_schema!({
            "description": "A fault: when, how long, what, and upon which nodes.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "required": ["kind"],
        })
    }
}

fn described(mut schema: Schema, doc: &str) -> serde_json::Value {
    schema.insert("description".to_owned(), doc.into());
    schema.to_value()
}

fn schema_of(form: Form, generator: &mut SchemaGenerator) -> Schema {
    match form {
        Form::Targets => {
            let target = generator.subschema_for::<Target>();
            json_schema!({"anyOf": [target, {"type": "array", "items": target}]})
        }
        Form::Groups => generator.subschema_for::<Vec<Vec<Target>>>(),
        Form::Time => generator.subschema_for::<Time>(),
        Form::Share => generator.subschema_for::<Share>(),
        Form::Number => json_schema!({"type": "integer", "minimum": 0}),
        Form::Flag => json_schema!({"type": "boolean"}),
        Form::Text => json_schema!({"type": "string"}),
        Form::Word(words) => json_schema!({"type": "string", "enum": words}),
    }
}
