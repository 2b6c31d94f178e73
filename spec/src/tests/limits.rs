//! Limits of every input: a scenario beyond them is refused, at its place.

use super::*;

#[test]
fn a_condition_is_nested_64_deep_at_most() {
    let nested = |depth: usize| {
        let text = format!("{}time > 1s{}", "(".repeat(depth), ")".repeat(depth));
        Condition::parse(&text)
    };
    assert!(nested(64).is_ok());
    let error = nested(8_000).unwrap_err();
    assert_eq!((error.at, error.length), (64, 1));
    assert_eq!(error.message, "parentheses can be nested 64 deep at most");
    // In a run record, where nothing else has been checked yet.
    let json = serde_json::to_string(&format!("{}time > 1s", "(".repeat(8_000))).unwrap();
    assert!(serde_json::from_str::<Condition>(&json).is_err());
}

/// A document nested too deeply is reported at its line, and a long line is not printed whole.
#[test]
fn deep_documents_and_long_lines_are_reported_at_their_places() {
    let text = format!("name = \"deep\"\nracks = {}", "[".repeat(100));
    let error = Scenario::parse("deep.toml", &text).unwrap_err();
    assert_eq!(error.line, Some(2), "{error}");
    let text = format!("name = \"{}\"\nrecords = 5", "x".repeat(1_000_000));
    let printed = Scenario::parse("long.toml", &text).unwrap_err().to_string();
    assert!(printed.len() < 1_000, "{}", printed.len());
    let text = GOOD.replace("rate = 100", &format!("rate = 100 # {}", "x".repeat(500)));
    let text = text.replace("rate = 100 #", "rte = 100 #");
    let printed = Scenario::parse("long.toml", &text).unwrap_err().to_string();
    assert!(printed.contains("18 | rte = 100 # xxx") && printed.contains("\n   | ^^^\n"));
}

#[test]
fn a_scenario_too_large_to_simulate_is_refused() {
    let refused = |from: &str, to: &str, part: &str| {
        assert_eq!(GOOD.matches(from).count(), 1);
        let error = Scenario::parse("big.toml", &GOOD.replace(from, to)).expect_err(to);
        assert!(error.message.contains(part), "{error}");
        assert!(error.line.is_some_and(|line| line > 1), "{error}");
    };
    refused("rate = 100", "rate = 100\nburst = 100000000", "100000 records at most");
    refused("rate = 100", "rate = 100\nrecord_size = 2000000000", "16 to 67108864 bytes");
    refused("partitions = 3", "partitions = 10001", "1 to 10000 partitions");
    refused(
        "partitions = 3",
        "partitions = 10000\n[[topics]]\nname = \"more\"\npartitions = 10000",
        "60000 replicas",
    );
    refused(
        "lasts = \"2s\"",
        "lasts = \"2s\"\n[swarm]\nfaults = 4294967295",
        "1000 faults at most",
    );
    refused(
        "[producers.properties]",
        "[[consumers]]\ncount = 65535\n[producers.properties]",
        "1000 consumers",
    );
    refused(
        "[producers.properties]",
        "[[consumers]]\nseeks = [{ at = \"1s\", every = \"1ns\", to = \"end\" }]\n[producers.properties]",
        "shortest interval is 1ms",
    );
    refused(
        "brokers = 3",
        "brokers = 3\ncontroller.controller.quorum.election.timeout.ms = 0",
        "Faultline simulates `controller.quorum.election.timeout.ms` from 1 upwards",
    );
    refused("records = 100", "records = 100000000000\nload = 1", "no key `load`");
    refused(
        "records = 100\nrate = 100",
        "records = 100000000000\nrate = 1000000000",
        "records in all",
    );
}

#[test]
fn a_hundred_brokers_and_one_to_five_controllers_are_accepted() {
    for controllers in 1..=5 {
        let text =
            GOOD.replace("brokers = 3", &format!("brokers = 100\ncontrollers = {controllers}"));
        let (_, warnings) = Scenario::parse("many.toml", &text).unwrap();
        assert_eq!(warnings.len(), usize::from(controllers % 2 == 0), "{warnings:?}");
    }
}
