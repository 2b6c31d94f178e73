//! `list` and `schema`.

use super::{Folder, small};

#[test]
fn everything_that_can_be_named_is_listed() {
    let folder = Folder::new("list");
    for (what, name) in [
        ("scenarios", "leader-crash"),
        ("scenarios", "museum-kip-101"),
        ("faults", "one-way-partition"),
        ("checks", "acknowledged-survives"),
        ("rules", "truncate_to"),
        ("bugs", "KAFKA-7128"),
        ("configs", "min.insync.replicas"),
        ("configs", "brokers"),
        ("reaches", "election_clean"),
        ("targets", "standby"),
        ("measures", "unacked"),
    ] {
        let shown = folder.run(&["list", what]);
        assert_eq!(shown.code, Some(0));
        assert!(
            shown.out.lines().any(|line| line.split_whitespace().next() == Some(name)),
            "{what}"
        );
        let listed = folder.run(&["list", what, "--json"]).json();
        let entries = listed[what].as_array().unwrap();
        assert!(entries.iter().any(|entry| entry["name"] == name), "{name} in {what}");
        assert!(entries.iter().all(|entry| entry["summary"] != ""), "{what} are explained");
    }
    assert!(folder.names().is_empty());
}

#[test]
fn a_word_that_is_nearly_right_is_found() {
    let folder = Folder::new("list-wrong");
    let ended = folder.run(&["list", "scenario", "--json"]);
    assert_eq!(ended.code, Some(2));
    let error = &ended.json()["error"];
    assert_eq!(error["kind"], "usage");
    assert!(error["hint"].as_str().unwrap().contains("'scenarios'"), "{error:#}");
}

#[test]
fn lists_are_tables_of_words() {
    let folder = Folder::new("list-table");
    let configs = folder.run(&["list", "configs"]).out;
    assert!(!configs.contains("18446744073709"), "{configs}");
    // With its further lines, which are indented.
    let line = |name: &str| {
        let head = |line: &&str| line.split_whitespace().next() != Some(name);
        let mut lines = configs.lines().skip_while(head);
        let first = lines.next().unwrap_or_else(|| panic!("{name} is not there"));
        let more = lines.take_while(|line| line.starts_with("     "));
        let text: Vec<&str> =
            std::iter::once(first).chain(more).flat_map(str::split_whitespace).collect();
        text.join(" ")
    };
    assert!(line("flush.ms").contains("; never by default"), "{}", line("flush.ms"));
    let lag = line("replica.lag.time.max.ms");
    assert!(lag.contains("how long a follower may lack something"), "{lag}");
    assert!(lag.contains("30000 (30 s) by default"), "{lag}");
    for what in ["scenarios", "faults", "targets", "checks", "rules", "bugs", "configs", "reaches"]
    {
        let text = folder.run(&["list", what]).out;
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{what}:\n{text}");
        let starts: std::collections::BTreeSet<usize> = text
            .lines()
            .filter(|line| line.starts_with("   "))
            .map(|line| line.len() - line.trim_start().len())
            .collect();
        assert!(starts.len() <= 1, "{what} has one column: {starts:?}\n{text}");
        assert!(!text.contains("counted by the simulator"), "{text}");
    }
}

#[test]
fn no_summary_sends_its_reader_elsewhere() {
    let folder = Folder::new("lists-plain");
    let listing = folder.run(&["list", "--json"]);
    let entries = listing.json();
    for kind in ["rules", "configs", "targets", "checks"] {
        for entry in entries[kind].as_array().unwrap() {
            let summary = entry["summary"].as_str().unwrap();
            let first = summary.split(' ').next().unwrap();
            assert!(!first.eq_ignore_ascii_case("see"), "{entry}");
            assert!(!summary.contains("default by default"), "{entry}");
        }
    }
}

/// A printed scenario is a file with the same runs as the scenario, and can be extended.
#[test]
fn a_scenario_is_printed_as_a_file() {
    let folder = Folder::new("print");
    let print = |args: &[&str]| {
        let ended = folder.run(&[&["scenario"][..], args, &["--print"]].concat());
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:#?}");
        ended.out
    };
    let text = print(&["leader-crash"]);
    assert!(text.contains("name = \"leader-crash\"") && text.contains("extend = "), "{text}");
    folder.file("own.toml", &text);
    let digest = |args: &[&str]| {
        let ended = folder.run(&[&["scenario"][..], args, &["--seed", "5", "--json"]].concat());
        ended.json()["digest"].as_str().expect("a digest").to_owned()
    };
    assert_eq!(digest(&["own.toml"]), digest(&["leader-crash"]));
    folder.file("set.toml", &print(&["leader-crash", "--set", "acks=1"]));
    assert_eq!(digest(&["set.toml"]), digest(&["leader-crash", "--set", "acks=1"]));
    folder.file("more.toml", "extend = \"leader-crash\"\nname = \"more\"\ntitle = \"more\"\n");
    assert_eq!(digest(&["more.toml"]), digest(&["leader-crash"]));
    // One that is put together has no `extend` left, and nothing was run.
    let text = print(&["more.toml"]);
    assert!(text.contains("name = \"more\"") && !text.contains("extend"), "{text}");
    folder.file("small.toml", &small(""));
    print(&["small.toml", "--out", "elsewhere"]);
    assert!(!folder.names().contains(&"elsewhere".to_owned()));
}
