//! Wrong input: exit 2, the place, what was expected, the nearest right name; nothing is run and
//! nothing is left.

use super::{Folder, small};
use serde_json::Value;

/// Runs a file in which `from` is replaced by `to`, and returns the error.
fn error_of(test: &str, from: &str, to: &str) -> Value {
    let folder = Folder::new(test);
    let text = small("");
    assert_eq!(text.matches(from).count(), 1, "{from}");
    folder.file("bad.toml", &text.replace(from, to));
    let ended = folder.run(&["scenario", "bad.toml", "--json"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert_eq!(folder.names(), ["bad.toml"], "nothing is left");
    assert!(ended.err.starts_with("error: "), "{ended:#?}");
    ended.json()["error"].clone()
}

#[test]
fn files_that_are_wrong_are_reported_with_their_place() {
    #[rustfmt::skip]
    let table = [
        ("brokers = 3", "brokers = ", "malformed", 5, 11, None),
        ("brokers = 3", "broker_count = 3", "unknown_key", 5, 1, None),
        ("rate = 100", "rte = 100", "unknown_key", 13, 1, Some("did you mean `rate`?")),
        ("rate = 100", "rate = \"100/s\"", "wrong_value", 13, 8, None),
        ("rate = 100", "properties.ack = 1", "unknown_property", 13, 12, Some("did you mean `acks`?")),
        ("\"3s\"", "\"3 sec\"", "wrong_value", 16, 8, None),
        ("\"3s\"", "\"-3s\"", "wrong_value", 16, 8, None),
        ("partitions = 1", "replication_factor = 4", "impossible", 9, 22, Some("expected 1 to 3")),
        ("partitions = 1", "\n[[topics]]\nname = \"orders\"", "impossible", 11, 8, None),
        ("title = \"a small one\"\n", "", "missing_key", 1, 1, None),
    ];
    for (i, (from, to, kind, line, column, hint)) in table.into_iter().enumerate() {
        let error = error_of(&format!("place-{i}"), from, to);
        assert_eq!(error["kind"], kind, "{to}: {error:#}");
        assert_eq!(error["file"], "bad.toml", "{to}: {error:#}");
        assert_eq!((&error["line"], &error["column"]), (&line.into(), &column.into()), "{error:#}");
        if let Some(hint) = hint {
            assert_eq!(error["hint"], hint, "{to}: {error:#}");
        }
    }
}

#[test]
fn the_line_is_shown_with_a_caret() {
    let folder = Folder::new("caret");
    folder.file("bad.toml", &small("").replace("rate = 100", "rte = 100"));
    let ended = folder.run(&["scenario", "bad.toml"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    for part in ["--> bad.toml:13:1", "13 | rte = 100", "^^^", "= help: did you mean `rate`?"] {
        assert!(ended.err.contains(part), "{part}\n{}", ended.err);
    }
}

#[test]
fn arguments_that_are_wrong_are_reported_with_a_hint() {
    #[rustfmt::skip]
    let table: &[(&[&str], &str, Option<&str>)] = &[
        (&["scenario", "leader-crush"], "unknown_scenario", Some("did you mean `leader-crash`?")),
        (&["scenario", "missing.toml"], "unreadable", None),
        (&["scenario", "no-faults", "--set", "ack=1"], "unknown_property", Some("did you mean `acks`?")),
        (&["scenario", "no-faults", "--set", "enable.idempotence=true", "--set", "acks=1"], "impossible", None),
        (&["scenario", "no-faults", "--set", "group.id=g"], "unknown_property", Some("`group = \"name\"` in `[[consumers]]` makes them members of a group")),
        (&["scenario", "museum-kip101"], "unknown_scenario", Some("did you mean `museum-kip-101`?")),
        (&["scenario", "no-faults", "--set", "acks"], "usage", None),
        (&["scenario", "no-faults", "--set", "acks=2"], "impossible", None),
        (&["scenario", "no-faults", "--set", "brokers=2"], "impossible", None),
        (&["scenario", "no-faults", "--set", "brokers=0"], "impossible", None),
        (&["scenario", "no-faults", "--bug", "KAFKA-1"], "unknown_bug", None),
        (&["scenario", "no-faults", "--seeds", "5..5"], "usage", None),
        (&["scenario", "no-faults", "--seeds", "5"], "usage", None),
        (&["scenario", "no-faults", "--seed", "-5"], "usage", None),
        (&["scenario", "no-faults", "--seed", "1", "--seeds", "1..2"], "usage", None),
        (&["scenario", "no-faults", "--sed", "1"], "usage", None),
        (&["scenario"], "usage", None),
        (&["replay", "nowhere"], "unreadable", None),
    ];
    let folder = Folder::new("arguments");
    for (args, kind, hint) in table {
        let ended = folder.run(&[*args, &["--json"]].concat());
        assert_eq!(ended.code, Some(2), "{args:?} {ended:#?}");
        let error = &ended.json()["error"];
        assert_eq!(error["kind"], *kind, "{args:?} {error:#}");
        if let Some(hint) = hint {
            assert_eq!(error["hint"], *hint, "{args:?} {error:#}");
        }
    }
    assert!(folder.names().is_empty(), "nothing is left: {:?}", folder.names());
}

#[test]
fn a_place_that_cannot_be_written_is_noticed_before_the_run() {
    let folder = Folder::new("unwritable");
    folder.file("taken", "");
    for out in ["taken", "taken/below"] {
        let ended = folder.run(&["scenario", "no-faults", "--out", out, "--json"]);
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert_eq!(ended.json()["error"]["kind"], "unwritable");
    }
    assert_eq!(folder.names(), ["taken"]);
}

#[test]
fn a_record_that_is_not_one_is_reported_with_its_place() {
    let folder = Folder::new("record");
    folder.file("run.json", "{\n  \"version\": 1,\n  \"seeds\": 3\n}\n");
    let ended = folder.run(&["replay", "run.json", "--json"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let error = &ended.json()["error"];
    assert_eq!((&error["kind"], &error["line"]), (&"malformed".into(), &3.into()), "{error:#}");
    folder.file("small.toml", &small(""));
    let ended = folder.run(&["replay", "small.toml"]);
    assert!(ended.err.contains("a scenario file is run by `faultline scenario`"), "{ended:#?}");
}

#[test]
fn unwise_settings_are_warnings_and_are_run() {
    let folder = Folder::new("unwise");
    let ended = folder.run(&[
        "scenario",
        "no-faults",
        "--set",
        "min.insync.replicas=4",
        "--set",
        "records=10",
        "--json",
    ]);
    assert!(
        ended.err.contains("warning: --set min.insync.replicas=4 --set records=10: "),
        "{ended:#?}"
    );
    assert!(ended.err.contains("stops every write with acks=all"), "{ended:#?}");
    assert_ne!(ended.code, Some(2), "{ended:#?}");
    assert_eq!(ended.json()["scenario"], "no-faults");
}

#[test]
fn messages_are_for_people() {
    let folder = Folder::new("people");
    folder.file("empty.toml", "");
    folder.file("value.toml", &small("").replace("brokers = 3", "brokers ="));
    folder.file("kind.toml", &small("").replace("title =", "swarm = 3\ntitle ="));
    folder.file("type.json", "[1, 2]");
    folder.file(
        "broker.toml",
        &small("[[faults]]\nkind = \"crash\"\ntarget = \"broker 99999\"\nat = \"1s\"\n"),
    );
    folder.file(
        "zero.toml",
        &small(
            "[[faults]]\nkind = \"crash\"\ntarget = \"broker 1\"\nat = \"1s\"\nlasts = \"0s\"\n",
        ),
    );
    let table: &[(&[&str], &[&str])] = &[
        (&["scenario", "empty.toml"], &["the file is empty", "docs/scenarios.md"]),
        (&["scenario", "value.toml"], &["a value is missing", "value.toml:5:"]),
        (&["scenario", "kind.toml"], &["expected a table", "found the number 3"]),
        (&["replay", "type.json"], &["not the record of a run", "type.json:1:"]),
        (&["scenario", "broker.toml"], &["expected a number from 1 to 65535"]),
        (
            &["scenario", "zero.toml"],
            &["a fault has to last some time", "until everything is healed"],
        ),
        (
            &["scenario", "no-faults", "--seeds", "-3..3"],
            &["seeds are not negative", "such as 0..200"],
        ),
        (&["scenario", "no-faults", "--seed", "0..3"], &["for several there is --seeds"]),
    ];
    for (args, parts) in table {
        let ended = folder.run(args);
        assert_eq!(ended.code, Some(2), "{args:?} {ended:#?}");
        for part in *parts {
            assert!(ended.err.contains(part), "{args:?} should say {part}:\n{}", ended.err);
        }
        for word in ["struct", "enum", "invalid type", "u64", "tip: to pass"] {
            assert!(!ended.err.contains(word), "{args:?} says {word}:\n{}", ended.err);
        }
    }
}

#[test]
fn a_file_that_is_no_text_is_reported_with_its_place() {
    let folder = Folder::new("no-text");
    let mut bytes = b"name = 'x'\ntitle = 'caf\xe9'\n".to_vec();
    bytes.extend(b"[[topics]]\n");
    std::fs::write(folder.path().join("latin.toml"), bytes).unwrap();
    let ended = folder.run(&["scenario", "latin.toml"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.err.contains("the file is not UTF-8: byte 0xe9"), "{}", ended.err);
    assert!(ended.err.contains("latin.toml:2:13"), "{}", ended.err);
}
