//! `replay`: what it says of a record that was edited, of one by another build, and of a run that
//! is not reproduced; and the events of a run in words.

use super::{Folder, small};
use scenarios::plan::Fate;
use scenarios::result::{Outcome, RunRecord, files, moment};
use std::fs;

/// A small run with its trace; returns its directory.
fn recorded(folder: &Folder) -> String {
    let ended = folder.run(&["scenario", "no-faults", "--trace", "--set", "records=50", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.json()["out"].as_str().expect("a directory").to_owned()
}

/// Changes the record and seals it again, as if it had been written that way.
fn forge(folder: &Folder, out: &str, change: impl FnOnce(&mut RunRecord)) {
    let path = folder.path().join(out);
    let mut record = files::read_record(&path).expect("it was just written");
    assert!(record.is_sealed() && record.is_of_this_build());
    change(&mut record);
    record.seal();
    let text = serde_json::to_string_pretty(&record).expect("plain data");
    fs::write(path.join("run.json"), text).expect("the folder is writable");
}

#[test]
fn an_edited_record_is_refused() {
    let folder = Folder::new("replay-edited");
    let out = recorded(&folder);
    let record = folder.path().join(&out).join("run.json");
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains("\"seed\": 1,"), "{text}");
    fs::write(&record, text.replace("\"seed\": 1,", "\"seed\": 2,")).unwrap();
    let ended = folder.run(&["replay", &out]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:#?}");
    assert!(ended.err.contains("the record was changed after it was written"), "{}", ended.err);
    assert!(ended.err.contains("restore the file"), "{}", ended.err);
}

#[test]
fn a_run_that_is_not_reproduced_is_a_defect_of_faultline() {
    let folder = Folder::new("exit-5");
    let out = recorded(&folder);
    // Another seed is another run; the recorded digest and trace are of the first.
    forge(&folder, &out, |record| record.seed = 2);
    let ended = folder.run(&["replay", &out]);
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    assert!(ended.out.contains("please report it"), "{}", ended.out);
    assert!(ended.out.contains("the first event that differs is number "), "{}", ended.out);
    assert!(!ended.out.contains("the same run"), "{}", ended.out);
    let ended = folder.run(&["replay", &out, "--json"]);
    assert_eq!((ended.code, &ended.json()["outcome"]), (Some(5), &"nondeterministic".into()));
}

/// U10: a seed is kept as a plan.
#[test]
fn the_faults_of_a_run_become_a_scenario_file() {
    let folder = Folder::new("replay-freeze");
    let args = ["scenario", "swarm", "--seed", "3", "--set", "records=1000", "--json"];
    let ended = folder.run(&args);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let first = ended.json();
    let out = first["out"].as_str().expect("a directory").to_owned();
    let ended = folder.run(&["replay", &out, "--freeze", "kept.toml"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.contains("kept.toml has what the run met, "), "{}", ended.out);
    let text = fs::read_to_string(folder.path().join("kept.toml")).expect("it was written");
    assert!(text.starts_with("# What `faultline scenario swarm --seed 3 "), "{text}");
    assert!(text.contains("\nname = \"kept\"\n") && text.contains("\n[[faults]]\n"), "{text}");
    assert!(!text.contains("[swarm]") && !text.contains("extend"), "{text}");
    let again = folder.run(&["scenario", "kept.toml", "--seed", "3", "--json"]);
    assert_eq!((again.code, &again.json()["counts"]), (Some(0), &first["counts"]));
    // It is not replaced, and its name is that of a scenario.
    for (file, why) in [("kept.toml", "is there already"), ("No Name.toml", "expects a file such")]
    {
        let ended = folder.run(&["replay", &out, "--freeze", file]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:#?}");
        assert!(ended.err.contains(why), "{}", ended.err);
    }
}

/// The line that runs a file which takes a bug has the bug.
#[test]
fn the_line_that_runs_a_kept_plan_has_its_bugs() {
    let folder = Folder::new("replay-freeze-bug");
    let args = ["scenario", "museum-kip-497", "--seed", "1", "--bug", "KIP-497", "--json"];
    let ended = folder.run(&args);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let out = ended.json()["out"].as_str().expect("a directory").to_owned();
    let ended = folder.run(&["replay", &out, "--freeze", "kept.toml"]);
    assert!(
        ended.out.contains("1 fault at its moment; a run of it is the same run"),
        "{}",
        ended.out
    );
    let line = ended.out.lines().find_map(|line| line.strip_prefix("run it: ")).expect("a line");
    assert!(line.ends_with(" scenario kept.toml --seed 1 --bug KIP-497"), "{line}");
}

/// A run that does not decide would become a scenario that expects `pass`.
#[test]
fn a_run_that_does_not_decide_is_not_kept() {
    let folder = Folder::new("replay-freeze-undecided");
    let out = recorded(&folder);
    for outcome in [Outcome::Unknown, Outcome::Vacuous, Outcome::Panic, Outcome::Nondeterministic] {
        forge(&folder, &out, |record| record.outcome = outcome);
        let ended = folder.run(&["replay", &out, "--freeze", "kept.toml"]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:#?}");
        let why = format!("the run came to `{}`, and a scenario file expects", outcome.name());
        assert!(ended.err.contains(&why), "{}", ended.err);
    }
    assert!(!folder.names().contains(&"kept.toml".to_owned()));
}

#[test]
fn a_record_of_another_build_need_not_be_reproduced() {
    let folder = Folder::new("replay-build");
    let out = recorded(&folder);
    // The same run: who made it does not matter.
    forge(&folder, &out, |record| record.build = "0123456789abcdef".to_owned());
    let ended = folder.run(&["replay", &out]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.starts_with("the same run: digest "), "{}", ended.out);
    forge_other(&folder, &out);
    let ended = folder.run(&["replay", &out]);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    for part in ["(build 0123456789abcdef)", "runs of different builds may differ", "--seed 2"] {
        let words = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(part), "{part}\n{}", ended.out);
    }
    let json = folder.run(&["replay", &out, "--json"]);
    assert_eq!((json.code, &json.json()["outcome"]), (Some(3), &"unknown".into()));
}

fn forge_other(folder: &Folder, out: &str) {
    let path = folder.path().join(out);
    let mut record = files::read_record(&path).expect("a record");
    record.seed = 2;
    record.seal();
    let text = serde_json::to_string(&record).expect("plain data");
    fs::write(path.join("run.json"), text).expect("the folder is writable");
}

#[test]
fn events_are_shown_in_words() {
    let folder = Folder::new("replay-until");
    let ended = folder.run(&["scenario", "leader-crash", "--seed", "42", "--json"]);
    let out = ended.json()["out"].as_str().expect("a directory").to_owned();
    let ended = folder.run(&["replay", &out, "--until", "1.6s"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let events: Vec<&str> = ended
        .out
        .lines()
        .skip_while(|line| !line.contains("events up to 1.6s into the load:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(events.len(), 30, "{}", ended.out);
    assert!(events.iter().all(|line| line.starts_with("  1.")), "{events:#?}");
    assert!(events.iter().any(|line| line.contains("orders-")), "{events:#?}");
    assert!(events.iter().all(|line| !line.contains("index")), "{events:#?}");
    // The facts in the trace are in words as well.
    let ended = folder.run(&["replay", &out, "--trace"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let folder = folder.path().join(&out);
    let lines = files::read_trace(&folder).expect("readable").expect("kept");
    let lines: Vec<String> = lines.map(|line| line.expect("a line")).collect();
    assert!(lines.iter().any(|line| line.contains("\"fact\":\"appended ")));
    // U2: one clock. The fault is at the same moment in the record, the trace, what is printed and
    // explain.md, and setting up comes before it begins.
    let record = files::read_record(&folder).expect("a record");
    let Fate::Fired { at_ns, .. } = record.faults[0].fate else { panic!("{:?}", record.faults) };
    let applied = lines.iter().find(|line| line.contains("\"kind\":\"applied\""));
    let applied = applied.expect("the fault is an event");
    assert!(applied.contains(&format!("\"time_ns\":{at_ns}")), "{at_ns}: {applied}");
    assert!(lines[0].contains("\"time_ns\":-"), "{}", lines[0]);
    let at = moment(at_ns);
    assert!(ended.out.contains(&format!("\nfaults      {at}: crash ")), "{at}: {}", ended.out);
    let explained = fs::read_to_string(folder.join("explain.md")).expect("it was written");
    assert!(explained.contains(&format!(": at {at} it struck: ")), "{at}: {explained}");
}

#[test]
fn a_directory_without_a_run_and_none_at_all_are_two_errors() {
    let folder = Folder::new("replay-nothing");
    folder.file("small.toml", &small(""));
    let ended = folder.run(&["replay", "."]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.err.contains(". holds no run: there is no run.json in it"), "{}", ended.err);
    assert_eq!(folder.run(&["scenario", "small.toml"]).code, Some(0));
    let ended = folder.run(&["replay", "results"]);
    assert!(ended.err.contains("such as results/"), "{}", ended.err);
    let ended = folder.run(&["replay", "nowhere"]);
    assert!(ended.err.starts_with("error: cannot read nowhere: No such file"), "{}", ended.err);
    assert_eq!(ended.err.matches("nowhere").count(), 1, "the path stands there once");
}

#[test]
fn a_scenario_that_has_changed_or_gone_is_reported() {
    let folder = Folder::new("replay-source");
    folder.file("mine.toml", &small(""));
    let ended = folder.run(&["scenario", "mine.toml", "--json"]);
    let out = ended.json()["out"].as_str().expect("a directory").to_owned();
    let shown = |what: &str| {
        let ended = folder.run(&["replay", &out]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(ended.out.starts_with("the same run: "), "{}", ended.out);
        ended.out.contains(what)
    };
    assert!(!shown("the record holds the scenario"));
    folder.file("mine.toml", &small("").replace("rate = 100", "rate = 200"));
    assert!(shown("mine.toml has changed since"));
    fs::remove_file(folder.path().join("mine.toml")).unwrap();
    assert!(shown("mine.toml can no longer be read here"));
}

#[test]
fn another_file_of_the_directory_and_a_moment_after_the_end_are_reported() {
    let folder = Folder::new("replay-wrong");
    let out = recorded(&folder);
    let ended = folder.run(&["replay", &format!("{out}/verdict.json")]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let hint = format!("give the results directory, {out}, or its run.json");
    assert!(ended.err.contains(&hint), "{}", ended.err);
    let ended = folder.run(&["replay", &out, "--until", "999s"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.contains("the run ends "), "{}", ended.out);
}
