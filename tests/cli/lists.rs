//! `list` and `schema`.

use super::Folder;

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
