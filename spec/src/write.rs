//! Writes a scenario as the text of a file that reads back as the same scenario. The text contains
//! every value that is not a default, and extends no other file, so that its meaning stays the same
//! when other files change.

use super::{Cluster, Consumers, Producers, Scenario, Swarm};
use serde::Serialize;
use std::fmt::Write;
use toml::{Table, Value};

/// The order of the keys of a file and of its tables; keys that are not listed come last.
const ORDER: &[&str] = &[
    "name",
    "title",
    "description",
    "beyond_kafka",
    "must_reach",
    "expect",
    "clusters",
    "topics",
    "producers",
    "consumers",
    "network",
    "disk",
    "clocks",
    "durations",
    "faults",
    "swarm",
    "kind",
    "at",
    "when",
    "lasts",
    "target",
    "from",
    "to",
];

/// The lists whose entries each have a section.
const SECTIONS: &[&str] = &["clusters", "topics", "producers", "consumers", "faults"];

/// Tables of Kafka properties: names with dots, and values that are all text.
const PROPERTIES: &[&str] = &["broker", "controller", "topic", "properties"];

impl Scenario {
    /// The scenario as the text of a file.
    pub fn to_toml(&self) -> String {
        let mut root = table_of(self);
        let minimal = "name = ''\ntitle = ''\ntopics = [{ name = '' }]";
        let default: Self = toml::from_str(minimal).expect("that is a scenario");
        let mut default = table_of(&default);
        let items = [
            ("topics", default["topics"][0].clone()),
            ("clusters", Value::Table(table_of(&Cluster::default()))),
            ("producers", Value::Table(table_of(&Producers::default()))),
            ("consumers", Value::Table(table_of(&Consumers::default()))),
        ];
        default.insert("swarm".to_owned(), Value::Table(table_of(&Swarm::default())));
        for (list, item) in &items {
            let all = root.get_mut(*list).and_then(Value::as_array_mut);
            all.into_iter().flatten().for_each(|it| shorten(it, item));
        }
        // Without `clusters` there is one cluster with default settings.
        let one = Value::Array(vec![Value::Table(Table::new())]);
        default.insert("clusters".to_owned(), one);
        default.retain(|key, _| !["topics", "name", "title"].contains(&key));
        let swarm = root.remove("swarm");
        let mut root = Value::Table(root);
        shorten(&mut root, &Value::Table(default.clone()));
        let Value::Table(mut root) = root else { return String::new() };
        // An empty `[swarm]` has a meaning.
        if let Some(mut swarm) = swarm {
            shorten(&mut swarm, &default["swarm"]);
            root.insert("swarm".to_owned(), swarm);
        }
        let mut text = String::new();
        write_table(&mut text, "", &root);
        text
    }
}

fn table_of(what: &impl Serialize) -> Table {
    Table::try_from(what).expect("a scenario has the form of its file")
}

/// Removes from `value` all keys that have the same value in `default`.
fn shorten(value: &mut Value, default: &Value) {
    let (Value::Table(value), Value::Table(default)) = (value, default) else { return };
    value.retain(|key, value| default.get(key) != Some(value));
    for (key, value) in value.iter_mut() {
        if let Some(default) = default.get(key) {
            shorten(value, default);
        }
    }
}

/// Writes the content of the table at `path`: values, then inner tables.
fn write_table(text: &mut String, path: &str, table: &Table) {
    let properties = PROPERTIES.contains(&path.rsplit('.').next().unwrap_or(path));
    let mut keys: Vec<&String> = table.keys().collect();
    let place = |key: &str| ORDER.iter().position(|it| *it == key).unwrap_or(ORDER.len());
    keys.sort_by_key(|key| place(key));
    let is_inner = |key: &str| match &table[key] {
        Value::Table(_) => true,
        // An entry of `must_reach` may be a table too, but is short.
        Value::Array(_) => path.is_empty() && SECTIONS.contains(&key),
        _ => false,
    };
    let (inner, values): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| is_inner(key));
    for key in values {
        let line = match properties {
            true => format!("{} = {}", property(key, table), property_value(&table[key])),
            false => format!("{key} = {}", inline(&table[key])),
        };
        text.push_str(&line);
        text.push('\n');
    }
    for key in inner {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match &table[key] {
            Value::Array(items) => {
                for item in items {
                    let _ = writeln!(text, "\n[[{below}]]");
                    item.as_table().into_iter().for_each(|item| write_table(text, &below, item));
                }
            }
            value => {
                let table = value.as_table();
                let _ = writeln!(text, "\n[{below}]");
                table.into_iter().for_each(|table| write_table(text, &below, table));
            }
        }
    }
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::Table(table) => {
            let keys = table.iter().map(|(key, value)| format!("{key} = {}", inline(value)));
            format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// A property's name: in quotes only if another name begins with it, or it begins with another
/// name.
fn property(name: &str, beside: &Table) -> String {
    let begins =
        |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
    match beside.keys().any(|other| begins(name, other) || begins(other, name)) {
        true => Value::String(name.to_owned()).to_string(),
        false => name.to_owned(),
    }
}

/// A property's value: without quotes if it is a number, true or false.
fn property_value(value: &Value) -> String {
    match value.as_str() {
        Some(bare @ ("true" | "false")) => bare.to_owned(),
        Some(text) if text.parse::<i64>().is_ok_and(|n| n.to_string() == text) => text.to_owned(),
        _ => inline(value),
    }
}
