//! `report run`, and the pages that `scenario` writes beside results.

use super::{Ended, Folder, small};
use std::fs;
use std::path::PathBuf;

const LOSSY: [&str; 6] = ["scenario", "leader-crash", "--set", "acks=1", "--seed", "4"];

fn latest(folder: &Folder, file: &str) -> PathBuf {
    folder.path().join("results/latest").join(file)
}

/// The error of `report run` has exit code 2 and names the file.
fn refused(ended: &Ended, file: &str, why: &str) {
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.err.contains(file) && ended.err.contains(why), "{why}: {}", ended.err);
}

/// A run with losses has a page, and no trace unless requested; `report run` makes the same page
/// from a replay, and from a trace.
#[test]
fn a_run_with_losses_leaves_its_page() {
    let folder = Folder::new("page-lossy");
    let ended = folder.run(&LOSSY);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.contains("index.html"), "the summary names it: {}", ended.out);
    let page = fs::read_to_string(latest(&folder, "index.html")).expect("a page");
    assert!(page.contains("PASS, with permitted losses") && page.contains("acks1-unreplicated"));
    // A run of 60,000 events.
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
    assert!(!latest(&folder, "trace.jsonl.gz").exists());
    fs::remove_file(latest(&folder, "index.html")).expect("it is there");
    let again = folder.run(&["report", "run", "results/latest", "--json"]);
    assert_eq!(again.code, Some(0), "{again:#?}");
    assert_eq!(again.json()["page"], "results/latest/index.html");
    let replayed = fs::read_to_string(latest(&folder, "index.html")).expect("a page");
    assert!(replayed == page, "a replay gives the same page");
    assert_eq!(folder.run(&["replay", "results/latest", "--trace"]).code, Some(0));
    assert_eq!(folder.run(&["report", "run", "results/latest/run.json"]).code, Some(0));
    let traced = fs::read_to_string(latest(&folder, "index.html")).expect("a page");
    assert!(traced == page, "a trace gives the same page");
}

/// A run without losses has a page only with `--out`.
#[test]
fn a_run_that_passes_leaves_a_page_if_out_is_given() {
    let folder = Folder::new("page-passes");
    folder.file("small.toml", &small(""));
    assert_eq!(folder.run(&["scenario", "small.toml"]).code, Some(0));
    assert!(!latest(&folder, "index.html").exists());
    assert_eq!(folder.run(&["scenario", "small.toml", "--out", "here"]).code, Some(0));
    assert!(folder.path().join("here/latest/index.html").is_file());
}

#[test]
fn a_broken_promise_leaves_its_page() {
    let folder = Folder::new("page-broken");
    let ended = folder.run(&["scenario", "museum-kip-497", "--bug", "KIP-497", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let verdict = ended.json();
    let violation = &verdict["violations"][0];
    let page = fs::read_to_string(latest(&folder, "index.html")).expect("a page");
    assert!(page.contains("VIOLATION"));
    // Every line of the explanation that is about an event links to it.
    let events = violation["explanation_events"].as_array().expect("events");
    assert_eq!(events.len(), violation["explanation"].as_array().expect("lines").len());
    assert!(events.iter().any(|event| event != 0));
    for event in events.iter().filter(|event| **event != 0) {
        assert!(page.contains(&format!("e={event}\"")), "{event}");
    }
}

#[test]
fn a_folder_without_a_complete_run_is_refused() {
    let folder = Folder::new("page-refused");
    let run = |path: &str| folder.run(&["report", "run", path]);
    refused(&run("nowhere"), "nowhere", "");
    fs::create_dir(folder.path().join("empty")).expect("writable");
    refused(&run("empty"), "run.json", "holds no run");
    folder.file("small.toml", &small(""));
    let made = folder.run(&["scenario", "small.toml", "--trace"]);
    assert_eq!(made.code, Some(0), "{made:#?}");
    let trace = latest(&folder, "trace.jsonl.gz");
    let bytes = fs::read(&trace).expect("a trace");

    fs::write(&trace, &bytes[..bytes.len() / 2]).expect("writable");
    refused(&run("results/latest"), "trace.jsonl.gz", "line ");
    fs::write(&trace, b"no gzip").expect("writable");
    refused(&run("results/latest"), "trace.jsonl.gz", "line 1");
    let other = Folder::new("page-refused-other");
    other.file("small.toml", &small(""));
    assert_eq!(other.run(&["scenario", "small.toml", "--seed", "9", "--trace"]).code, Some(0));
    fs::copy(latest(&other, "trace.jsonl.gz"), &trace).expect("writable");
    refused(&run("results/latest"), "trace.jsonl.gz", "events");
    fs::write(&trace, &bytes).expect("writable");
    assert_eq!(run("results/latest").code, Some(0));

    fs::copy(latest(&other, "verdict.json"), latest(&folder, "verdict.json")).expect("writable");
    refused(&run("results/latest"), "verdict.json", "another run");
    fs::remove_file(latest(&folder, "verdict.json")).expect("it is there");
    refused(&run("results/latest"), "verdict.json", "");
}
