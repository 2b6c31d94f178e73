//! Everything that a scenario may have to reach is reported by something: names that never can come
//! about are not accepted.

use engine::error::ErrorCode;
use engine::reach::Reach;
use std::fs;
use std::path::Path;

/// The sources below some directories, without tests.
fn sources(directories: &[&str]) -> String {
    let mut all = String::new();
    let mut todo: Vec<_> = directories
        .iter()
        .map(|directory| Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
        .collect();
    while let Some(path) = todo.pop() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "tests" {
            let entries = fs::read_dir(&path).expect("it is a directory");
            todo.extend(entries.map(|entry| entry.expect("it can be read").path()));
        } else if name.ends_with(".rs") && !["tests.rs", "reach.rs", "error.rs"].contains(&name) {
            let text = fs::read_to_string(&path).expect("it can be read");
            all.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        }
    }
    all
}

#[test]
fn every_step_that_can_be_reached_is_reported_somewhere() {
    let sources = sources(&["engine/src", "scenarios/src"]);
    let missing: Vec<_> =
        Reach::ALL.iter().filter(|reach| !sources.contains(&format!("Reach::{reach:?}"))).collect();
    assert!(missing.is_empty(), "nothing reports {missing:?}");
    assert!(Reach::ALL.len() > 35);
}

#[test]
fn every_error_that_can_be_reached_is_returned_somewhere() {
    let sources = sources(&["engine/src"]);
    for code in ErrorCode::ALL {
        let is_named = sources.contains(&format!("ErrorCode::{code:?}"))
            || sources.contains(&format!("E::{code:?}"));
        let is_returned = ErrorCode::returned().any(|returned| returned == *code);
        if is_returned {
            assert!(is_named, "nothing returns {code}");
        }
    }
}

#[test]
fn names_that_can_be_reached_are_distinct() {
    let mut names: Vec<_> = spec::reach::names().collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(names.contains(&"may_join_isr.no") && names.contains(&"NOT_ENOUGH_REPLICAS"));
    assert!(!names.contains(&"leader_resigned") && !names.contains(&"UNKNOWN_PRODUCER_ID"));
}
