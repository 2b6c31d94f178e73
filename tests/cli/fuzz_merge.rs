//! `fuzz merge`: shards and killed runs, merged.

use super::fuzz::{canary, timeless};
use super::{Ended, Folder, small};
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A journal that was edited and then sealed again.
fn resealed(journal: &str) -> String {
    let mut chain = machine::Chain::default();
    let objects = journal.lines().map(|line| machine::unsealed(line).expect("it has a seal"));
    objects.map(|object| chain.seal(&object)).collect()
}

#[test]
fn three_merged_shards_are_the_whole_run() {
    let folder = Folder::new("merge-three");
    let whole = canary(&folder, "whole", &["--seeds", "0..200", "--json"]).json();
    for (out, shard) in [("a", "1/3"), ("b", "2/3"), ("c", "3/3")] {
        let ended = canary(&folder, out, &["--seeds", "0..200", "--shard", shard, "--json"]);
        assert_eq!(ended.json()["shard"], shard);
    }
    let args = ["fuzz", "merge", "b", "c", "a", "--out", "all", "--json", "--junit", "all.xml"];
    let ended = folder.run(&args);
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""), "{ended:#?}");
    assert_eq!(timeless(&ended.json()), timeless(&whole));
    let out = ended.json()["signatures"][0]["out"].as_str().unwrap().to_owned();
    assert!(out.starts_with("all/small-42-"), "{out}");
    assert_eq!(folder.run(&["replay", &out]).code, Some(1));
    assert!(fs::read_to_string(folder.path().join("all.xml")).unwrap().contains("failures=\"2\""));

    // Two shards are not the whole run, and the third can be merged later.
    let two = folder.run(&["fuzz", "merge", "a", "b", "--out", "two", "--json"]);
    assert_eq!(two.json()["stopped"], "incomplete");
    assert!(two.err.contains("132 of 400 runs are missing"), "{}", two.err);
    let three = folder.run(&["fuzz", "merge", "two", "c", "--out", "three", "--json"]);
    assert_eq!(timeless(&three.json()), timeless(&whole));
}

#[test]
fn the_finished_runs_of_a_killed_fuzz_can_be_merged() {
    let folder = Folder::new("merge-killed");
    folder.file("small.toml", &small(""));
    let args = ["fuzz", "small.toml", "--seeds", "0..1000000", "--jobs", "2", "--out", "killed"];
    let mut child = folder.program().args(args).stderr(Stdio::null()).spawn().expect("it starts");
    let journal = folder.path().join("killed/journal.jsonl");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.matches("{\"run\"").count());
    let begin = Instant::now();
    while lines() < 60 {
        assert!(begin.elapsed() < Duration::from_secs(60), "no runs in a minute");
        sleep(Duration::from_millis(10));
    }
    // On Unix this is SIGKILL.
    child.kill().expect("it runs");
    child.wait().expect("it has ended");
    let finished = lines();

    let merged = folder.run(&["fuzz", "merge", "killed", "--out", "joined", "--json"]);
    assert_eq!(merged.code, Some(3), "missing seeds are unknown: {merged:#?}");
    assert!(merged.err.contains("was not finished"), "{}", merged.err);
    let report = merged.json();
    let ran = report["ran"].as_u64().unwrap() as usize;
    assert!(ran == finished || ran + 1 == finished, "{ran} of {finished}");
    // Up to the last finished seed, at most the two runs in progress are missing.
    let text = fs::read_to_string(&journal).unwrap();
    let seed =
        |line: &str| line.split("\"seed\":").nth(1)?.split(',').next()?.parse::<usize>().ok();
    let largest = text.lines().filter(|line| line.ends_with('}')).filter_map(seed).max().unwrap();
    assert!(largest + 1 - ran <= 2, "{ran} runs, and seed {largest}");

    let rest = format!("{}..{}", largest + 1, largest + 5);
    folder.run(&["fuzz", "small.toml", "--seeds", &rest, "--out", "rest"]);
    let overlap = folder.run(&["fuzz", "merge", "killed", "rest", "--out", "no", "--json"]);
    assert_eq!(overlap.code, Some(2), "{overlap:#?}");
}

#[test]
fn a_torn_last_line_is_left_out_with_a_warning() {
    let folder = Folder::new("merge-torn");
    canary(&folder, "whole", &["--seeds", "0..10"]);
    let text = fs::read_to_string(folder.path().join("whole/journal.jsonl")).unwrap();
    let without_end = text.rfind("{\"end\"").unwrap();
    fs::create_dir(folder.path().join("torn")).unwrap();
    folder.file("torn/journal.jsonl", &text[..without_end - 30]);
    let mut command = folder.program();
    let args = ["fuzz", "merge", "torn", "--json", "--junit", "junit.xml"];
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "step.md").args(args);
    let ended = Ended::of(&mut command);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    let missing = "1 of 20 runs are missing: their outcome is unknown";
    let annotation = format!("::error title=faultline%3A runs are missing::{missing}\n");
    assert!(ended.err.contains(&annotation), "{}", ended.err);
    let step = fs::read_to_string(folder.path().join("step.md")).unwrap();
    assert!(step.contains(missing), "{step}");
    let xml = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(xml.contains("tests=\"3\" failures=\"0\" errors=\"1\""), "{xml}");
    assert!(xml.contains(&format!("<error type=\"missing\" message=\"{missing}\"/>")), "{xml}");
    assert_eq!(ended.json()["ran"], 19);
    assert!(ended.err.contains("its torn last line does not count"), "{}", ended.err);
    assert!(ended.err.contains("1 of 20 runs are missing"), "{}", ended.err);
}

#[cfg(unix)]
#[test]
fn after_an_interrupt_finished_runs_are_written() {
    let folder = Folder::new("fuzz-interrupt");
    folder.file("small.toml", &small(""));
    let args = ["fuzz", "small.toml", "--seeds", "0..1000000", "--out", "out", "--json"];
    let mut command = folder.program();
    command.env("GITHUB_STEP_SUMMARY", "step.md");
    let child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("it starts");
    let journal = folder.path().join("out/journal.jsonl");
    let begin = Instant::now();
    while fs::metadata(&journal).map_or(0, |file| file.len()) < 20_000 {
        assert!(begin.elapsed() < Duration::from_secs(60), "no runs in a minute");
        sleep(Duration::from_millis(10));
    }
    // `timeout` signals the program and then its process group: that is one interrupt.
    let twice = format!("kill -TERM {0}; kill -INT {0}", child.id());
    std::process::Command::new("sh").args(["-c", &twice]).status().expect("sh is there");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(report["stopped"], "interrupted");
    let text = fs::read_to_string(&journal).unwrap();
    assert_eq!(report["ran"], text.matches("{\"run\"").count());
    assert!(folder.path().join("out/fuzz.json").is_file());
    let step = fs::read_to_string(folder.path().join("step.md")).unwrap();
    assert!(step.contains(": interrupted\n"), "{step}");
    assert!(step.contains(" of 1000000 were made before the interrupt."), "{step}");
}

#[test]
fn journals_that_cannot_be_merged_leave_no_results() {
    let folder = Folder::new("merge-wrong");
    canary(&folder, "whole", &["--seeds", "0..6"]);
    canary(&folder, "part", &["--seeds", "0..6", "--shard", "1/2"]);
    canary(&folder, "other", &["--seeds", "6..9", "--set", "acks=1"]);
    folder.file("not-a-folder", "text\n");
    let journal = fs::read_to_string(folder.path().join("whole/journal.jsonl")).unwrap();
    let damaged = |name: &str, text: &str| {
        fs::create_dir(folder.path().join(name)).unwrap();
        folder.file(&format!("{name}/journal.jsonl"), text);
    };
    let broken = |name: &str, text: &str| damaged(name, &resealed(text));
    let version = format!("\"faultline\":\"{}\"", env!("CARGO_PKG_VERSION"));
    broken("older", &journal.replacen(&version, "\"faultline\":\"0.0.1\"", 1));
    let build = format!("\"build\":\"{}\"", scenarios::BUILD);
    broken("rebuilt", &journal.replacen(&build, "\"build\":\"0123456789abcdef\"", 1));
    let middle = journal.find("{\"run\"").unwrap();
    damaged("damaged", &format!("{}{}", &journal[..middle], &journal[middle + 9..]));
    damaged(
        "edited",
        &journal.replacen("\"outcome\":\"pass\",\"digest", "\"outcome\":\"vacuous\",\"digest", 1),
    );
    broken("escape", &journal.replacen("\"name\":\"small\"", "\"name\":\"../../evil\"", 1));
    damaged("cut", &journal[..100]);
    broken("no-shard", &journal.replacen("\"of\":1", "\"of\":0", 1));
    fs::create_dir(folder.path().join("empty")).unwrap();
    let before = folder.names().len();
    let wrong: &[(&[&str], &str)] = &[
        (&["whole", "whole"], "in whole/journal.jsonl and "),
        (&["whole", "part"], "overlap"),
        (&["whole", "other"], "different settings"),
        (&["older"], "made by version 0.0.1"),
        (&["rebuilt"], "made by another build of faultline (0123456789abcdef"),
        (&["part", "rebuilt"], "different builds"),
        (&["damaged"], "damaged/journal.jsonl: line "),
        // C4 and C2.
        (&["edited"], "the journal was changed or damaged after it was written"),
        (&["escape"], "`../../evil` is not a name"),
        (&["cut"], "no header"),
        (&["no-shard"], "no-shard/journal.jsonl: line 1: there is no part 1 of 0"),
        (&["not-a-folder"], "line 1: not the journal"),
        (&["empty"], "empty holds no fuzz run"),
        (&["nowhere"], "nowhere"),
        (&[], "<DIR>"),
    ];
    for (parts, expected) in wrong {
        for out in [&["--out", "joined/in"][..], &[]] {
            let args = [&["fuzz", "merge"], out, *parts].concat();
            let ended = folder.run(&args);
            assert_eq!(ended.code, Some(2), "{parts:?} {ended:#?}");
            assert!(ended.err.contains(expected), "{parts:?}: {expected}:\n{}", ended.err);
            assert_eq!(folder.names().len(), before, "{parts:?} left something");
        }
    }
    // The complete run stays as it is.
    let ended = folder.run(&["fuzz", "merge", "part", "--out", "whole"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.err.contains("holds a fuzz run already"), "{}", ended.err);
    assert_eq!(fs::read_to_string(folder.path().join("whole/journal.jsonl")).unwrap(), journal);
}

#[cfg(unix)]
#[test]
fn an_interrupt_after_the_runs_loses_traces_but_no_findings() {
    let folder = Folder::new("fuzz-late-interrupt");
    let args = "fuzz museum-kip-497 --bug KIP-497 --seeds 0..60 --max-per-signature 60 --out out \
                --json --junit junit.xml";
    let mut command = folder.program();
    let child = command.args(args.split_whitespace()).stdout(Stdio::piped());
    let child = child.stderr(Stdio::piped()).spawn().expect("it starts");
    // The report exists before the failures are run again.
    let junit = folder.path().join("junit.xml");
    let begin = Instant::now();
    while !junit.is_file() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no result in a minute");
        sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill is there");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "what was found counts: {output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((&report["stopped"], &report["ran"]), (&"complete".into(), &60.into()));
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("interrupted: the results of "), "{shown}");
    assert!(!shown.contains("interrupted after"), "{shown}");
    let kept = fs::read_to_string(folder.path().join("out/fuzz.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&kept).unwrap(), report);
}

#[test]
fn an_empty_journal_is_no_run_and_stops_no_merge() {
    let folder = Folder::new("merge-empty");
    canary(&folder, "first", &["--seeds", "0..6", "--shard", "1/2"]);
    fs::create_dir(folder.path().join("second")).unwrap();
    folder.file("second/journal.jsonl", "");
    let ended = folder.run(&["fuzz", "merge", "second", "--out", "none"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.err.contains("nothing to join"), "{}", ended.err);
    let ended = folder.run(&["fuzz", "merge", "first", "second", "--out", "joined", "--json"]);
    assert_eq!(ended.code, Some(3), "the other half is missing: {ended:#?}");
    assert!(ended.err.contains("second/journal.jsonl is empty"), "{}", ended.err);
    assert_eq!(ended.json()["planned"], 12);
    // The shard can be run again in the directory in which it failed.
    assert_eq!(canary(&folder, "second", &["--seeds", "0..6", "--shard", "2/2"]).code, Some(0));
    let ended = folder.run(&["fuzz", "merge", "first", "second", "--out", "whole"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

/// C5: of two fuzz runs with one directory at the same time, one is refused; the other keeps its
/// journal.
#[test]
fn two_fuzz_runs_do_not_write_into_one_directory() {
    let folder = Folder::new("fuzz-twice");
    folder.file("small.toml", &small(""));
    for round in 0..5 {
        let out = format!("out-{round}");
        let args = ["fuzz", "small.toml", "--seeds", "0..40", "--jobs", "1", "--out", &out];
        let start =
            || folder.program().args(args).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let children = [start().expect("it starts"), start().expect("it starts")];
        let ended = children.map(|child| Ended::from(child.wait_with_output().expect("it ends")));
        let codes: Vec<_> = ended.iter().map(|ended| ended.code).collect();
        assert!(codes.contains(&Some(0)) && codes.contains(&Some(2)), "{ended:#?}");
        let refused = ended.iter().find(|ended| ended.code == Some(2)).expect("one is");
        let why = ["is being written by another fuzz run", "holds a fuzz run already"];
        assert!(why.iter().any(|why| refused.err.contains(why)), "{refused:#?}");
        let journal = fs::read_to_string(folder.path().join(out).join("journal.jsonl")).unwrap();
        assert_eq!(journal.matches("{\"run\"").count(), 40);
    }
    let merge = |out: &str| folder.run(&["fuzz", "merge", "out-0", "--out", out]).code;
    assert_eq!((merge("joined"), merge("joined")), (Some(0), Some(2)), "the first stays");
}
