//! Ways out of a mistake: the nearest path, all mistakes at once, and lists that fit the screen.

use super::{Folder, small};

#[test]
fn a_path_that_is_nearly_right_is_found() {
    let folder = Folder::new("near-path");
    folder.file("small.toml", &small(""));
    let ran = folder.run(&["scenario", "small.toml", "--seed", "3"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    folder.file("base.toml", &small(""));
    folder.file("more.toml", "extend = \"bsae.toml\"\nname = \"more\"\ntitle = \"more\"\n");
    let table: &[(&[&str], &str)] = &[
        (&["scenario", "smal.toml"], "did you mean `small.toml`?"),
        (&["scenario", "more.toml"], "did you mean `base.toml`?"),
        (&["scenario", "leader-crash.toml"], "`faultline scenario leader-crash` runs the scenario"),
        (&["replay", "results/latset"], "did you mean `results/latest`?"),
        (&["replay", "result/latest"], "did you mean `results/latest`?"),
        (&["report", "run", "results/ltest"], "did you mean `results/latest`?"),
        (&["report", "acks", "--from", "smal.toml"], "did you mean `small.toml`?"),
        (&["fuzz", "merge", "reslts"], "did you mean `results`?"),
    ];
    for (args, hint) in table {
        let ended = folder.run(args);
        assert_eq!(ended.code, Some(2), "{args:?} {ended:#?}");
        assert!(ended.err.contains(hint), "{args:?}:\n{}", ended.err);
    }
    let ended = folder.run(&["scenario", "nothing-like-it.toml"]);
    assert!(!ended.err.contains("did you mean"), "{}", ended.err);
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let folder = Folder::new("all-mistakes");
    let text = small("").replace("rate = 100", "rte = 100").replace("brokers", "brokrs");
    folder.file("bad.toml", &text);
    let ended = folder.run(&["scenario", "bad.toml", "--json"]);
    assert_eq!(ended.err.matches("did you mean").count(), 2, "{ended:#?}");
    let error = &ended.json()["error"];
    assert_eq!(error["hint"], "did you mean `brokers`?", "{error:#}");
    assert_eq!(error["also"][0]["hint"], "did you mean `rate`?", "{error:#}");
}

#[test]
fn a_list_is_as_wide_as_columns_says() {
    let folder = Folder::new("columns");
    let widest = |columns: &str| {
        let mut program = folder.program();
        let listed = program.args(["list", "checks"]).env("COLUMNS", columns).output().unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        text.lines().map(|line| line.chars().count()).max().unwrap()
    };
    let (narrow, usual, wide) = (widest("70"), widest(""), widest("110"));
    assert!(narrow <= 70 && narrow > 60, "{narrow}");
    assert!(usual <= 100 && usual > 90, "{usual}");
    assert!(wide <= 110 && wide > 100, "{wide}");
}

/// A paragraph that is broken twice has lines of a few words between full ones.
#[test]
fn help_is_broken_into_lines_once() {
    let folder = Folder::new("help-lines");
    for command in [&[][..], &["fuzz"], &["report", "acks"], &["report", "run"]] {
        let mut program = folder.program();
        let shown = program.args(command).arg("--help").env("COLUMNS", "80").output().unwrap();
        let text = String::from_utf8(shown.stdout).unwrap();
        let (_, after) = text.split_once("Print help\n").expect("the last option");
        for paragraph in after.split("\n\n") {
            let mut lines = paragraph.trim().lines().rev();
            lines.next();
            for line in lines.filter(|line| !line.contains("--version")) {
                assert!((60..=80).contains(&line.chars().count()), "{command:?} {line}\n{text}");
            }
        }
    }
}

#[test]
fn bugs_are_listed_in_order_with_their_scenarios() {
    let folder = Folder::new("bugs-in-order");
    let listed = folder.run(&["list", "bugs", "--json"]).json();
    let bugs = listed["bugs"].as_array().unwrap();
    let names: Vec<&str> = bugs.iter().map(|bug| bug["name"].as_str().unwrap()).collect();
    let at = |name: &str| names.iter().position(|it| *it == name).expect(name);
    assert!(at("FL-1") < at("FL-2") && at("FL-5") < at("KAFKA-5131"), "{names:?}");
    assert!(at("KAFKA-9307") < at("KAFKA-13574"), "numbers are compared as numbers: {names:?}");
    assert_eq!(at("canary"), names.len() - 1);
    let first = bugs[at("FL-1")]["summary"].as_str().unwrap();
    assert!(first.ends_with("[open in Kafka 4.1; scenario museum-fl-1]"), "{first}");
}

#[test]
fn a_verdict_that_is_damaged_or_gone_can_be_made_again() {
    let folder = Folder::new("verdict-way-out");
    folder.file("small.toml", &small(""));
    let ran = folder.run(&["scenario", "small.toml", "--seed", "3", "--json"]).json();
    let out = ran["out"].as_str().expect("a results directory").to_owned();
    let verdict = folder.path().join(&out).join("verdict.json");
    let hint = "to make the run and its results again: faultline scenario small.toml --seed 3";
    for damage in ["{\"version\": 1", "{}"] {
        std::fs::write(&verdict, damage).unwrap();
        let ended = folder.run(&["report", "run", &out]);
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.err.contains("not the verdict of a run"), "{}", ended.err);
        assert!(ended.err.contains(hint), "{}", ended.err);
    }
    std::fs::remove_file(&verdict).unwrap();
    let ended = folder.run(&["report", "run", &out]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.err.contains(hint), "{}", ended.err);
}
