//! `faultline report acks`: the same bytes however many jobs, numbers that are those of the runs,
//! and wrong input.

use super::{Ended, Folder};
use serde_json::{Value, json};
use std::fs;
#[cfg(unix)]
use std::process::{Command, Stdio};

const SMALL: [&str; 6] = ["report", "acks", "--set", "records=300", "--set", "rate=60"];

fn report(folder: &Folder, args: &[&str]) -> Ended {
    folder.run(&[&SMALL, args].concat())
}

/// The contents of all files of a directory, by name.
fn contents(folder: &Folder, name: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder.path().join(name)).expect("the report is there");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, fs::read(path).expect("readable"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_seeds_give_the_same_bytes_and_the_numbers_of_their_runs() {
    let folder = Folder::new("report-acks");
    let ended = report(&folder, &["--seeds", "12..16", "--jobs", "1", "--out", "one", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let printed = ended.json();
    let ended = report(&folder, &["--seeds", "12..16", "--jobs", "2", "--out", "two"]);
    assert!(ended.out.contains("two/index.html"), "{ended:#?}");
    let (one, two) = (contents(&folder, "one"), contents(&folder, "two"));
    assert_eq!(one.len(), 18, "page, numbers, runs, and three files for each of five charts");
    assert!(one == two, "the same bytes");

    // The report can be made again from its study, without new runs.
    let ended = folder.run(&["report", "acks", "--from", "one/study.jsonl", "--out", "three"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(contents(&folder, "three") == one, "the same bytes");
    // As for `replay`, the directory of the study is enough.
    let ended = folder.run(&["report", "acks", "--from", "one", "--out", "four"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(contents(&folder, "four") == one, "the same bytes");

    // An earlier report is replaced, with a notice.
    assert!(!ended.err.contains("replaces"), "{ended:#?}");
    let ended = report(&folder, &["--seeds", "3..4", "--out", "four"]);
    assert!(ended.err.contains("replaces the report of seeds 12..16 that was there\n"));
    let ended = folder.run(&["report", "acks", "--from", "one", "--out", "four", "--json"]);
    assert!(ended.err.contains("replaces the report of seeds 3..4 that was there\n"));
    assert!(contents(&folder, "four") == one, "the same bytes");

    // The numbers of a run are equal to those that the run itself prints.
    let study = fs::read_to_string(folder.path().join("one/study.jsonl")).expect("readable");
    let runs: Vec<Value> =
        study.lines().skip(1).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(runs.len(), 28);
    // A seed with which acks=1 lost records.
    let lossy =
        |run: &&Value| run["setting"]["acks"] == "1" && run["records"]["lost"].as_u64() > Some(0);
    let seed = &runs.iter().find(lossy).expect("a loss")["seed"];
    let mut lost = 0;
    for run in runs.iter().filter(|run| run["seed"] == *seed) {
        let line = run["reproduce"].as_str().expect("a line");
        let args: Vec<&str> = line.split(' ').skip(1).chain(["--json"]).collect();
        let verdict = folder.run(&args).json();
        assert_eq!(verdict["digest"], run["digest"], "{line}");
        for count in ["sent", "acked", "unconfirmed", "unknown", "failed", "duplicated"] {
            assert_eq!(verdict["counts"][count], run["records"][count], "{line}: {count}");
        }
        let permitted = verdict["permitted"].as_array().into_iter().flatten();
        let of_acks_0 = permitted
            .filter(|it| {
                it["hazard"]
                    .as_str()
                    .is_some_and(|name| name.starts_with("acks0-un") || name == "acks0-power-lost")
            })
            .filter_map(|it| it["count"].as_u64());
        let shown = verdict["counts"]["lost"].as_u64().unwrap_or(0) + of_acks_0.sum::<u64>();
        assert_eq!(run["records"]["lost"], shown, "{line}");
    }
    for run in &runs {
        lost += run["records"]["lost"].as_u64().expect("a count");
    }
    let settings = printed["settings"].as_array().expect("settings");
    let shown: u64 = settings.iter().filter_map(|setting| setting["lost"].as_u64()).sum();
    assert!(shown == lost && lost > 0, "{shown} {lost}");
}

#[test]
fn a_panic_leaves_the_finished_runs_and_is_reported() {
    let folder = Folder::new("report-panic");
    let args = ["--seeds", "3..9", "--provoke-panic", "5", "--jobs", "1", "--json", "--out", "cut"];
    let ended = report(&folder, &args);
    assert_eq!(ended.code, Some(70), "{ended:#?}");
    let shown = ended.json();
    assert_eq!(shown["outcome"], "panic");
    let study = &shown["study"];
    assert_eq!(study["seeds"], json!({"from": 3, "to": 5}));
    assert_eq!(study["cut_short"], json!({"asked": {"from": 3, "to": 9}, "why": "panicked"}));
    let words = "Ended by a panic, which is a defect of Faultline: ";
    let page = fs::read_to_string(folder.path().join("cut/index.html")).expect("the page");
    assert!(page.contains(&format!("<b>{words}</b>seeds 3..5 of 3..9.")));
    // The report that is made again from its study says so too.
    let ended = folder.run(&["report", "acks", "--from", "cut/study.jsonl", "--out", "again"]);
    assert!(ended.out.starts_with("STOPPED "), "{ended:#?}");
    assert!(ended.out.contains(&format!("{words}seeds 3..5 of 3..9")), "{ended:#?}");
    assert!(!ended.err.contains("warning"), "it is this build's: {ended:#?}");

    // Even if no seed was finished, one JSON object is printed.
    let ended =
        report(&folder, &["--seeds", "5..9", "--provoke-panic", "5", "--jobs", "1", "--json"]);
    assert_eq!(ended.code, Some(70), "{ended:#?}");
    assert_eq!(ended.json()["error"]["kind"], "panic");
}

#[test]
#[cfg(unix)]
fn an_interrupt_leaves_the_finished_runs_and_is_reported() {
    let folder = Folder::new("report-interrupt");
    let mut program = folder.program();
    program.args(SMALL).args(["--seeds", "3..100003", "--json", "--out", "cut"]);
    let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(shown["study"]["cut_short"]["why"], "interrupted");
    assert_eq!(shown["study"]["cut_short"]["asked"]["to"], 100_003);
    let ended = folder.run(&["report", "acks", "--from", "cut/study.jsonl", "--out", "again"]);
    assert!(ended.out.contains("Interrupted: seeds 3.."), "{ended:#?}");
}

#[test]
fn wrong_input_ends_with_2_and_leaves_nothing() {
    let folder = Folder::new("report-bad");
    folder.file("study.jsonl", "{\"kind\":\"something else\"}\n");
    folder.file("thesis.tex", "years of work");
    fs::create_dir(folder.path().join("empty")).expect("a directory");
    folder.file("one.jsonl", "{\"kind\":\"faultline acks study\",\"version\":6}\n");
    for (args, words) in [
        (&["--seeds", "7..7"][..], "A below B"),
        (&["--jobs", "0"], "1..=1024"),
        (&["--set", "acks=1"], "acks is what the report compares"),
        (&["--set", "no.such.property=1"], "no.such.property"),
        (&["--out", "."], "which no report has"),
        (&["--out", "thesis.tex"], "cannot write into thesis.tex"),
        (&["--from", "study.jsonl"], "this is not a study"),
        (&["--from", "study.jsonl"], "--> study.jsonl:1"),
        (&["--from", "study.jsonl", "--out", "new/report"], "this is not a study"),
        (&["--from", "one.jsonl", "--out", "new/report"], "is missing"),
        (&["--set", "acks=1", "--out", "new/report"], "acks is what the report compares"),
        (&["--out", "thesis.tex/below"], "cannot write into thesis.tex/below"),
        (&["--from", "missing.jsonl"], "cannot read missing.jsonl"),
        (&["--from", "empty"], "empty holds no report: there is no study.jsonl in it"),
        (&["--from", "empty/study.jsonl"], "cannot read empty/study.jsonl"),
        (&["--from", "study.jsonl", "--seeds", "0..9"], "cannot be used with"),
    ] {
        let args = [&["report", "acks", "--json"], args].concat();
        let ended = folder.run(&args);
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:#?}");
        assert!(ended.err.contains(words), "{args:?}: {ended:#?}");
        assert!(ended.json()["error"]["message"].is_string());
        let mut names = folder.names();
        names.sort();
        assert_eq!(
            names,
            ["empty", "one.jsonl", "study.jsonl", "thesis.tex"],
            "{args:?} leaves something"
        );
    }
}

#[test]
fn a_study_that_is_cut_off_makes_no_report_and_the_last_report_is_the_latest() {
    let folder = Folder::new("report-cut");
    let ended = folder.run(&[&SMALL[..], &["--seeds", "3..5", "--json"]].concat());
    let out = ended.json()["out"].as_str().expect("a directory").to_owned();
    let latest = fs::read_link(folder.path().join("results/latest")).expect("a link");
    assert_eq!(format!("results/{}", latest.display()), out);
    let study = fs::read_to_string(folder.path().join(&out).join("study.jsonl")).expect("readable");
    for (cut, words) in [(study.len() - 20, "cut off"), (study.len() / 2, "cut off"), (0, "empty")]
    {
        folder.file("cut.jsonl", &study[..cut]);
        let ended = folder.run(&["report", "acks", "--from", "cut.jsonl", "--out", "cut"]);
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.err.contains(words), "{}", ended.err);
        assert!(!folder.path().join("cut").exists());
    }
    // Nor does one that was edited, although every line of it is fine.
    let (head, tail) = study.split_once("\"records\":{\"sent\":").expect("a run");
    let rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    folder.file("cut.jsonl", &format!("{head}\"records\":{{\"sent\":1{rest}"));
    let ended = folder.run(&["report", "acks", "--from", "cut.jsonl", "--out", "cut", "--json"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let error = &ended.json()["error"];
    assert_eq!((&error["file"], &error["line"]), (&"cut.jsonl".into(), &2.into()));
    assert!(ended.err.contains("damaged or was edited"), "{}", ended.err);
    assert!(!folder.path().join("cut").exists());
}

#[test]
fn the_last_seeds_of_all_are_followed_by_none() {
    let folder = Folder::new("report-last");
    let args = ["--seeds", "18446744073709551614..18446744073709551615", "--jobs", "2", "--json"];
    let ended = report(&folder, &args);
    // One seed puts no setting to the test.
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let study = fs::read_to_string(folder.path().join("results/latest/study.jsonl"));
    assert_eq!(study.expect("readable").lines().count(), 1 + 7, "a header, and a run a setting");
}
