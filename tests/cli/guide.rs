//! `docs/scenarios.md`: it names everything there is, and every example in it can be run.

use super::Folder;
use serde_json::Value;
use spec::{Family, MetricKind, Scenario, TARGETS};
use std::collections::BTreeSet;
use std::fs;

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenarios.md");
    fs::read_to_string(path).expect("the page is part of the sources")
}

/// What stands between the lines of a fence that says `toml`.
fn examples(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("it ends")).collect()
}

/// A part of a file with what else it needs.
fn completed(part: &str) -> String {
    let mut text = String::new();
    if !part.starts_with("name") {
        text.push_str("name = \"example\"\ntitle = \"an example\"\n");
    }
    text.push_str(part);
    if part.contains("directory = ") {
        let dirs = "log.dirs = \"d1,d2\"";
        text.push_str(&format!("\n[[clusters]]\nname = \"main\"\n[clusters.broker]\n{dirs}\n"));
    }
    if !part.contains("[[topics]]") {
        text.push_str("\n[[topics]]\nname = \"orders\"\npartitions = 3\n");
    }
    if !part.contains("[[producers]]") && !part.contains("[[consumers]]") {
        text.push_str("\n[[producers]]\ncount = 1\n");
    }
    text
}

#[test]
fn every_example_is_a_scenario_without_warnings() {
    let page = page();
    assert!(examples(&page).len() > 15);
    for part in examples(&page) {
        let text = completed(part);
        let (_, warnings) =
            Scenario::parse("example.toml", &text).unwrap_or_else(|e| panic!("{e}\n{part}"));
        // The example of every key says something about one topic and the whole cluster.
        assert_eq!(warnings, [], "{part}");
    }
}

#[test]
fn every_kind_of_fault_has_an_example_with_all_that_it_takes() {
    let page = page();
    for family in Family::all() {
        let kind = format!("kind = \"{}\"", family.name());
        let mut own = examples(&page).into_iter().filter(|part| part.contains(&kind));
        let wanted =
            |part: &&str| family.own_fields().all(|key| part.contains(&format!("{key} = ")));
        let keys: Vec<_> = family.own_fields().collect();
        assert!(own.any(|part| wanted(&part)), "{kind} with {keys:?}");
    }
}

#[test]
fn every_key_of_the_format_is_named() {
    let folder = Folder::new("guide-keys");
    let page = page();
    let schema = folder.run(&["schema", "scenario"]).json();
    let mut keys = BTreeSet::new();
    gather(&schema, &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    for key in keys {
        let named = page.contains(&format!("`{key}`"))
            || page.contains(&format!("{key} = "))
            || page.contains(&format!("[{key}]"));
        assert!(named, "`{key}` is not in docs/scenarios.md");
    }
}

/// The names of all properties of a schema, without those of Kafka's.
fn gather(schema: &Value, keys: &mut BTreeSet<String>) {
    let Some(object) = schema.as_object() else {
        for item in schema.as_array().into_iter().flatten() {
            gather(item, keys);
        }
        return;
    };
    let is_kafka = object
        .get("description")
        .and_then(Value::as_str)
        .is_some_and(|text| text.starts_with("Kafka properties of"));
    if is_kafka {
        return;
    }
    for (key, value) in object {
        match value.as_object().filter(|_| key == "properties") {
            Some(properties) => {
                keys.extend(properties.keys().cloned());
                properties.values().for_each(|value| gather(value, keys));
            }
            None => gather(value, keys),
        }
    }
}

#[test]
fn listed_names_are_explained() {
    let folder = Folder::new("guide-lists");
    let page = page();
    for what in ["measures", "targets", "reaches"] {
        let listed = folder.run(&["list", what, "--json"]).json();
        for entry in listed[what].as_array().expect("a list") {
            let (name, summary) = (entry["name"].as_str(), entry["summary"].as_str());
            let row = format!("| `{}` | {} |", name.unwrap_or(""), summary.unwrap_or(""));
            assert!(page.contains(&row), "a row is missing in docs/scenarios.md: {row}");
        }
    }
    for family in Family::all() {
        let head = format!("#### {}\n\n{}\n", family.name(), family.summary());
        let part = page.split_once(&head).unwrap_or_else(|| panic!("missing:\n{head}")).1;
        let part = part.split("\n#").next().unwrap_or_default();
        for key in family.own_fields() {
            let (_, says) = family.key(key).expect("it is its own");
            let row = format!("| `{key}` | {says} |");
            assert!(part.contains(&row), "a row is missing in docs/scenarios.md: {row}");
        }
    }
    assert!(MetricKind::ALL.len() >= 12 && TARGETS.len() >= 18);
}

#[test]
fn every_target_that_is_listed_can_be_written() {
    for (target, _) in TARGETS {
        assert!(spec::Target::parse(target).is_ok(), "{target}");
    }
}
