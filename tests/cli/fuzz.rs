//! The results of `fuzz`, which do not depend on threads and shards.

use super::{Ended, Folder, small};
use serde_json::Value;
use std::fs;

/// The parts of a report that do not depend on real time and on the directory.
pub(crate) fn timeless(report: &Value) -> Value {
    let mut report = report.clone();
    let gone = ["wall_s", "runs_per_s", "out"];
    fn strip(value: &mut Value, gone: &[&str]) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !gone.contains(&name.as_str()));
                fields.values_mut().for_each(|value| strip(value, gone));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| strip(item, gone)),
            _ => {}
        }
    }
    strip(&mut report, &gone);
    report
}

/// Fuzzes the small scenario with the canary, into `out`.
pub(crate) fn canary(folder: &Folder, out: &str, more: &[&str]) -> Ended {
    if !folder.path().join("small.toml").exists() {
        folder.file("small.toml", &small(""));
        folder.file("other.toml", &small("").replace("\"small\"", "\"other\""));
    }
    let args = ["fuzz", "small.toml", "other.toml", "--bug", "canary", "--out", out];
    folder.run(&[&args, more].concat())
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = Folder::new("fuzz-jobs");
    let one = canary(&folder, "one", &["--seeds", "0..150", "--jobs", "1", "--json"]);
    let two = canary(&folder, "two", &["--seeds", "0..150", "--jobs", "2", "--json"]);
    assert_eq!((one.code, two.code), (Some(1), Some(1)), "{one:#?}");
    let report = one.json();
    assert_eq!(timeless(&report), timeless(&two.json()));
    assert_eq!((&report["ran"], &report["planned"]), (&300.into(), &300.into()));
    assert_eq!(report["violations"], 4, "seeds 42 and 142 of two scenarios");
    assert_eq!(report["passed"], 296);
    let printed = fs::read_to_string(folder.path().join("one/fuzz.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), report, "the file holds it too");
}

#[test]
fn the_canary_is_reported_in_every_output() {
    let folder = Folder::new("fuzz-canary");
    folder.file("small.toml", &small(""));
    let mut command = folder.program();
    fs::create_dir(folder.path().join("reports")).unwrap();
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "step.md").args([
        "fuzz",
        "small.toml",
        "--seeds",
        "30..50",
        "--bug",
        "canary",
        "--out",
        "out",
        "--json",
        "--junit",
        "reports/junit.xml",
    ]);
    let ended = Ended::of(&mut command);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let report = ended.json();
    let group = &report["signatures"][0];
    assert_eq!(group["signature"], "canary:a-false-violation");
    assert_eq!((&group["check"], &group["count"]), (&"canary".into(), &1.into()));
    assert_eq!((&group["smallest_seed"], &group["scenario"]), (&42.into(), &"small".into()));
    assert_eq!(report["bugs"][0]["caught"], 1);

    let errors: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("::error ")).collect();
    let [line] = errors.as_slice() else { panic!("one annotation: {ended:#?}") };
    assert!(line.contains("title=faultline small%3A canary%3Aa-false-violation::"), "{line}");
    assert!(line.ends_with("%0Afaultline scenario small.toml --seed 42 --bug canary"), "{line}");

    let step = fs::read_to_string(folder.path().join("step.md")).unwrap();
    assert!(step.starts_with("### faultline fuzz, seeds 30..50: violation"), "{step}");
    let row =
        "| 1 | 0 | 0 | 0 | canary:a-false-violation | 42 of small | `faultline scenario small.toml";
    assert!(step.contains(row), "{step}");

    let xml = fs::read_to_string(folder.path().join("reports/junit.xml")).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let root = document.root_element();
    let named = |name| root.descendants().find(|node| node.has_tag_name(name)).unwrap();
    assert_eq!((root.attribute("tests"), root.attribute("failures")), (Some("1"), Some("1")));
    assert_eq!(named("testcase").attribute("name"), Some("small"));
    assert_eq!(named("failure").attribute("type"), Some("violation"));
    let text = named("failure").text().unwrap();
    assert!(text.contains("faultline scenario small.toml --seed 42 --bug canary"), "{text}");
}

#[test]
fn a_failure_is_repeated_by_its_command_and_from_its_results_after_a_change_of_the_file() {
    let folder = Folder::new("fuzz-again");
    let report = canary(&folder, "out", &["--seeds", "40..45", "--json"]).json();
    let group = &report["signatures"][0];
    let line = group["reproduce"].as_str().unwrap();
    let args: Vec<&str> = line.strip_prefix("faultline ").unwrap().split(' ').collect();
    let verdict = folder.run(&[&args[..], &["--json"]].concat()).json();
    let violations = verdict["violations"].as_array().expect("a list");
    assert!(violations.iter().any(|violation| violation["signature"] == group["signature"]));
    assert_eq!(verdict["digest"], group["cases"][0]["digest"]);

    folder.file("small.toml", &small("").replace("records = 50", "records = 10"));
    let ended = folder.run(&["replay", group["out"].as_str().unwrap(), "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(ended.json()["digest"], group["cases"][0]["digest"]);
}

#[test]
fn a_run_that_keeps_every_promise_passes() {
    let folder = Folder::new("fuzz-pass");
    folder.file("small.toml", &small(""));
    let ended = folder.run(&["fuzz", "small.toml", "--seeds", "0..9", "--junit", "junit.xml"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.starts_with("PASS "), "{}", ended.out);
    assert!(folder.path().join("results/fuzz-small-0-9/fuzz.json").is_file());
    let again = folder.run(&["fuzz", "small.toml", "--seeds", "0..9"]);
    assert!(again.out.contains("results/fuzz-small-0-9-2"), "nothing is overwritten: {again:#?}");
    let xml = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(xml.contains("failures=\"0\" errors=\"0\""), "{xml}");
}

#[test]
fn settings_are_shown_and_a_bug_that_is_named_twice_is_one() {
    let folder = Folder::new("fuzz-set");
    folder.file("small.toml", &small(""));
    let args = "fuzz small.toml --seeds 0..3 --set acks=1 --bug KIP-101 --bug kip-101";
    let shown = folder.run(&args.split(' ').collect::<Vec<_>>()).out;
    assert!(shown.contains("\nset         acks=1\n"), "{shown}");
    assert_eq!(shown.matches("\nbug ").count(), 1, "{shown}");
}

#[test]
fn a_panic_is_a_defect_of_faultline() {
    let folder = Folder::new("fuzz-panic");
    folder.file("small.toml", &small(""));
    let args = ["fuzz", "small.toml", "--seeds", "0..4", "--provoke-panic", "--json", "--junit"];
    let ended = folder.run(&[&args[..], &["junit.xml"]].concat());
    assert_eq!(ended.code, Some(70), "{ended:#?}");
    let report = ended.json();
    let group = &report["signatures"][0];
    assert_eq!((&group["check"], &group["count"]), (&"panic".into(), &4.into()));
    let signature = group["signature"].as_str().unwrap();
    assert!(signature.starts_with("panic:scenarios/src/museum/provoked.rs:"), "{group}");
    assert_eq!(report["signatures"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert!(report["events"].as_u64() > Some(0), "{report:#}");
    let case = folder.path().join(group["out"].as_str().unwrap());
    for file in ["trace.jsonl.gz", "history.jsonl"] {
        assert!(case.join(file).is_file(), "{file}: {group}");
    }
    assert_eq!(ended.err.matches("a panic was asked for").count(), 1, "once: {}", ended.err);
    let xml = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(xml.contains("<error type=\"panic\""), "{xml}");
}

#[test]
fn more_than_one_vacuous_seed_in_twenty_is_no_pass() {
    let folder = Folder::new("fuzz-vacuous");
    let must = small("").replace("title =", "must_reach = [\"election_unclean\"]\ntitle =");
    folder.file("must.toml", &must);
    let ended = folder.run(&["fuzz", "must.toml", "--seeds", "0..4", "--json"]);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let row = &ended.json()["scenarios"][0];
    assert_eq!(row["vacuous_seeds"]["smallest_seed"], 0);
    assert_eq!(row["vacuous_seeds"]["not_exercised"]["election_unclean"], 4);
}

#[test]
fn steps_that_no_seed_reaches_are_named_in_every_output() {
    let folder = Folder::new("fuzz-seldom");
    let must = "must_reach = [{ reach = \"election_unclean\", seldom = true }]\ntitle =";
    folder.file("must.toml", &small("").replace("title =", must));
    let mut command = folder.program();
    let args = ["fuzz", "must.toml", "--seeds", "0..20", "--json", "--junit", "junit.xml"];
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "step.md").args(args);
    let ended = Ended::of(&mut command);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let why = "none of 20 runs reached election_unclean";
    let annotation = format!("::error title=faultline small%3A vacuous::{why}\n");
    assert!(ended.err.contains(&annotation), "{}", ended.err);
    let step = fs::read_to_string(folder.path().join("step.md")).unwrap();
    assert!(step.contains(&format!("small is vacuous: {why}")), "{step}");
    let xml = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(xml.contains(&format!("type=\"vacuous\" message=\"{why}\"")), "{xml}");
}

#[test]
fn fuzzing_ends_with_the_first_failure_or_the_end_of_the_time_if_requested() {
    let folder = Folder::new("fuzz-stop");
    let ended = canary(&folder, "fast", &["--seeds", "40..999999", "--fail-fast", "--json"]);
    let report = ended.json();
    assert_eq!((ended.code, &report["stopped"]), (Some(1), &"fail_fast".into()));
    assert!(report["ran"].as_u64().unwrap() < 1_000, "{}", report["ran"]);
    let args = ["--seeds", "100..18446744073709551615", "--time", "400ms", "--json", "--jobs", "1"];
    let ended = canary(&folder, "short", &args);
    let report = ended.json();
    assert_eq!(report["stopped"], "time", "{ended:#?}");
    assert!(report["ran"].as_u64().unwrap() > 0);
}

#[test]
fn results_are_kept_for_as_many_seeds_of_a_signature_as_are_wanted() {
    let folder = Folder::new("fuzz-kept");
    let args = ["--seeds", "0..250", "--max-per-signature", "2", "--json"];
    let report = canary(&folder, "out", &args).json();
    assert_eq!(report["signatures"].as_array().unwrap().len(), 1);
    let group = &report["signatures"][0];
    let other = &group["by_scenario"]["other"];
    assert_eq!((&group["count"], &other["count"]), (&6.into(), &3.into()));
    assert_eq!((&group["scenario"], &other["smallest"]["seed"]), (&"small".into(), &42.into()));
    let cases = group["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for (case, scenario) in cases.iter().zip(["small", "other"]) {
        assert_eq!((&case["seed"], &case["scenario"]), (&42.into(), &scenario.into()));
        let out = folder.path().join(case["out"].as_str().unwrap());
        assert!(out.join("trace.jsonl.gz").is_file(), "{case}");
    }
}

#[test]
fn wrong_input_is_reported_and_nothing_is_run() {
    let folder = Folder::new("fuzz-input");
    folder.file("small.toml", &small(""));
    folder.file("a-file", "");
    let wrong: &[(&[&str], &str)] = &[
        (&["--seeds", "9..9"], "A below B"),
        (&["--seeds", "9..3"], "A below B"),
        (&[], "--seeds"),
        (&["--seeds", "0..9", "--shard", "4/3"], "no part 4 of 3"),
        (&["--seeds", "0..9", "--shard", "0/3"], "no part 0 of 3"),
        (&["--seeds", "0..2", "--shard", "3/3"], "no seed in part 3/3"),
        (&["--seeds", "0..9", "--jobs", "0"], "1..=1024"),
        (&["--seeds", "0..9", "--time", "0s"], "no time"),
        (&["--seeds", "0..9", "--time", "10"], "no unit"),
        (&["--seeds", "0..9", "--bug", "KIP-102"], "did you mean `KIP-101`"),
        (&["--seeds", "0..9", "--set", "ack=1"], "acks"),
        (&["--seeds", "0..9", "--max-per-signature", "0"], "1.."),
        (&["--seeds", "0..9", "small.toml"], "two scenarios are called `small`"),
        (&["--seeds", "0..9", "--out", "a-file/in"], "a-file"),
        (&["--seeds", "0..9", "--out", "/proc/nowhere"], "/proc/nowhere"),
        (&["--seeds", "0..9", "--junit", "a-file/junit.xml"], "a-file"),
        (&["--seeds", "0..9", "--junit", "."], "is a directory"),
        (&["--seeds", "0..9", "--junit", "nowhere/junit.xml"], "there is no directory nowhere"),
    ];
    for (args, expected) in wrong {
        let args = [&["fuzz", "small.toml"], *args].concat();
        let ended = folder.run(&args);
        assert_eq!(ended.code, Some(2), "{args:?} {ended:#?}");
        assert!(ended.err.contains(expected), "{args:?} should name {expected}:\n{}", ended.err);
        let mut names = folder.names();
        names.sort();
        assert_eq!(names, ["a-file", "small.toml"], "{args:?}");
    }
    let ended = folder.run(&["fuzz", "small.toml", "--seeds", "0..9", "--shard", "9/3", "--json"]);
    assert_eq!(ended.json()["error"]["kind"], "usage", "{ended:#?}");
}

#[test]
fn junit_names_every_signature_of_a_scenario() {
    let folder = Folder::new("fuzz-junit");
    let args = "fuzz swarm --bug KIP-497 --seeds 0..50 --json --junit junit.xml";
    let report = folder.run(&args.split(' ').collect::<Vec<_>>()).json();
    let signatures = report["signatures"].as_array().unwrap();
    assert!(signatures.len() > 1, "seeds that fail in two ways: {report:#}");
    let xml = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    let message = failure.attribute("message").unwrap();
    assert!(message.starts_with(&format!("{} signatures: ", signatures.len())), "{message}");
    for group in signatures {
        let shown = format!("{} ({})", group["signature"].as_str().unwrap(), group["count"]);
        assert!(message.contains(&shown), "{shown}: {message}");
    }
}
