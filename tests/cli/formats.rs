//! Printed and written JSON validates against the published schemas.

use super::{Folder, small};
use jsonschema::Validator;
use serde_json::Value;
use std::fs;

fn schema(folder: &Folder, format: &str) -> Validator {
    let schema = folder.run(&["schema", format]).json();
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{format}: {error}"))
}

#[track_caller]
fn assert_valid(schema: &Validator, value: &Value) {
    let errors: Vec<String> = schema
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

#[test]
fn the_results_of_a_run_are_as_their_schemas_say() {
    let folder = Folder::new("schema-run");
    let verdict = folder.run(&["scenario", "leader-crash", "--set", "acks=1", "--json"]).json();
    assert_valid(&schema(&folder, "verdict"), &verdict);
    let out = folder.path().join(verdict["out"].as_str().unwrap());
    let read = |file: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(out.join(file)).unwrap()).unwrap()
    };
    assert_eq!(read("verdict.json"), verdict, "the file has the printed object");
    let record = read("run.json");
    assert_valid(&schema(&folder, "run"), &record);
    assert_valid(&schema(&folder, "scenario"), &record["scenario"]);
}

#[test]
fn the_results_of_a_panic_are_as_their_schemas_say() {
    let folder = Folder::new("schema-panic");
    let verdict = folder.run(&["scenario", "no-faults", "--provoke-panic", "--json"]).json();
    assert!(verdict["panic"].is_object(), "{verdict:#}");
    assert_valid(&schema(&folder, "verdict"), &verdict);
    let record = folder.path().join(verdict["out"].as_str().unwrap()).join("run.json");
    let record = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    assert_valid(&schema(&folder, "run"), &record);
}

#[test]
fn the_results_of_many_seeds_are_as_their_schema_says() {
    let folder = Folder::new("schema-seeds");
    let seeds = ["scenario", "leader-crash", "--seeds", "0..3", "--set", "acks=1", "--json"];
    let report = folder.run(&seeds).json();
    assert_valid(&schema(&folder, "fuzz"), &report);
    assert_eq!(report["ran"], 3);
}

#[test]
fn errors_and_lists_are_as_their_schemas_say() {
    let folder = Folder::new("schema-error");
    folder.file("bad.toml", "name = 3");
    let error = folder.run(&["scenario", "bad.toml", "--json"]).json();
    assert_valid(&schema(&folder, "error"), &error);
    assert_valid(&schema(&folder, "list"), &folder.run(&["list", "--json"]).json());
}

#[test]
fn scenario_files_are_as_their_schema_says() {
    let folder = Folder::new("schema-scenario");
    let schema = schema(&folder, "scenario");
    let good: Value =
        to_json(&small("[[faults]]\nkind = \"crash\"\ntarget = \"clients\"\nat = \"1s\""));
    assert_valid(&schema, &good);
    let mut catalog = 0;
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/catalog");
    for entry in fs::read_dir(sources).unwrap() {
        assert_valid(&schema, &to_json(&fs::read_to_string(entry.unwrap().path()).unwrap()));
        catalog += 1;
    }
    assert!(catalog >= 7);
    for (from, to) in [
        ("rate = 100", "rte = 100"),
        ("rate = 100", "rate = \"fast\""),
        ("\"3s\"", "\"3\""),
        ("rate = 100", "properties.ackss = 1"),
    ] {
        assert!(!schema.is_valid(&to_json(&small("").replace(from, to))), "{to}");
    }
}

fn to_json(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

#[test]
fn the_result_of_fuzzing_is_as_its_schema_says() {
    let folder = Folder::new("schema-fuzz");
    folder.file("small.toml", &small(""));
    let args = ["fuzz", "small.toml", "--seeds", "40..44", "--bug", "canary", "--json"];
    let report = folder.run(&args).json();
    assert_eq!(report["signatures"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert_valid(&schema(&folder, "fuzz"), &report);
}

#[test]
fn the_numbers_of_a_report_are_as_their_schema_says() {
    let folder = Folder::new("schema-report");
    let args = ["report", "acks", "--seeds", "0..2", "--set", "records=100", "--json"];
    let printed = folder.run(&args).json();
    let out = folder.path().join(printed["out"].as_str().unwrap());
    let text = fs::read_to_string(out.join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    let schema = schema(&folder, "report");
    assert_valid(&schema, &report);
    // The printed object also has the directory and the outcome.
    assert_valid(&schema, &printed);
    let mut bare = printed.clone();
    let bare = bare.as_object_mut().unwrap();
    assert!(bare.remove("out").is_some() && bare.remove("outcome").is_some());
    assert_eq!(report.as_object(), Some(&*bare));
    let broken = text.replacen("\"settings\"", "\"setings\"", 1);
    assert!(!schema.is_valid(&serde_json::from_str(&broken).unwrap()));
}
