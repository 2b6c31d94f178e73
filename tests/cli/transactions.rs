//! The output about transactions of a run.

use super::Folder;

/// Three producers with transfers between two partitions.
fn transfers(extra: &str) -> String {
    format!(
        r#"name = "transfers"
title = "transfers between two accounts"
beyond_kafka = true

[[clusters]]
brokers = 3

[clusters.broker]
transaction.state.log.num.partitions = 1

[[topics]]
name = "accounts"
partitions = 2

[[producers]]
count = 3
records = 300
rate = 150

[producers.properties]
transactional.id = "t"
transaction.timeout.ms = 4000
request.timeout.ms = 1500
delivery.timeout.ms = 10000

[producers.transactions]
records = 2
transfer = true
aborted = "20%"

[durations]
load = "6s"
{extra}"#
    )
}

/// A text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_run_reports_the_outcomes_of_its_transactions_and_that_the_sum_held() {
    let folder = Folder::new("transactions-outcomes");
    folder.file("t.toml", &transfers(""));
    let verdict = folder.run(&["scenario", "t.toml", "--json"]).json();
    let of = |outcome: &str, what: &str| verdict["transactions"][outcome][what].as_u64().unwrap();
    let (committed, aborted) = (of("committed", "transactions"), of("aborted", "transactions"));
    assert_eq!(committed + aborted, 150, "{verdict:#}");
    assert_eq!(
        (of("committed", "records"), of("aborted", "records")),
        (2 * committed, 2 * aborted)
    );
    assert_eq!((&verdict["sum"]["expected"], &verdict["sum"]["read"]), (&0.into(), &0.into()));
    assert_eq!(verdict["sum"]["transfers"].as_u64(), Some(committed));
    assert_eq!(verdict["counts"]["aborted"].as_u64(), Some(2 * aborted));
    let text = words(&folder.run(&["scenario", "t.toml"]).out);
    for part in [
        format!("300 records acknowledged, {} of them in aborted transactions, ", 2 * aborted),
        format!("outcomes 150 transactions: {committed} committed ({} records), ", 2 * committed),
        format!("{aborted} aborted on purpose ({})", 2 * aborted),
        format!("sum held: 0 expected, 0 read; {committed} transfers moved "),
    ] {
        assert!(text.contains(&part), "{part}\n{text}");
    }
    let report = folder.run(&["scenario", "t.toml", "--seeds", "0..2", "--json"]).json();
    let all = |outcome: &str| report["transactions"][outcome]["transactions"].as_u64().unwrap();
    assert_eq!(all("committed") + all("aborted"), 300, "{report:#}");
    assert_eq!((&report["sums"]["runs"], &report["sums"]["held"]), (&2.into(), &2.into()));
    let text = words(&folder.run(&["scenario", "t.toml", "--seeds", "0..2"]).out);
    assert!(
        text.contains("outcomes 300 transactions: ") && text.contains("sum held in 2 of 2 runs")
    );
}

#[test]
fn a_run_that_aborts_all_transactions_is_not_vacuous() {
    let folder = Folder::new("transactions-vacuous");
    folder.file("t.toml", &transfers(""));
    let all = ["scenario", "t.toml", "--set", "transactions.aborted=100%", "--json"];
    let verdict = folder.run(&all).json();
    assert_eq!(verdict["outcome"], "pass", "{verdict:#}");
    assert_eq!(verdict["transactions"]["committed"]["transactions"], 0);
}

/// A client that is killed and not started again.
#[test]
fn records_that_no_client_sent_are_counted() {
    let folder = Folder::new("transactions-unsent");
    let kill =
        "[[faults]]\nkind = \"crash\"\ntarget = \"client 1001\"\nat = \"1s\"\nlasts = \"3s\"\n";
    folder.file("t.toml", &transfers(kill));
    let verdict = folder.run(&["scenario", "t.toml", "--json"]).json();
    let of = |name: &str| verdict["counts"][name].as_u64().unwrap();
    assert_eq!(of("sent") + of("never_sent"), 300, "{verdict:#}");
    assert!(of("never_sent") > 20, "{verdict:#}");
    let text = words(&folder.run(&["scenario", "t.toml"]).out);
    assert!(text.contains(&format!("sent, {} never sent, ", of("never_sent"))), "{text}");
}

#[test]
fn a_fault_finds_the_coordinator_of_a_transactional_id() {
    let folder = Folder::new("transactions-coordinator");
    let fault = |at: &str| {
        format!(
            "[[faults]]\nkind = \"pause\"\ntarget = \"coordinator(t-2)\"\nat = \"{at}\"\nlasts = \"10ms\"\n"
        )
    };
    folder.file("t.toml", &transfers(&(fault("500ms") + &fault("1s") + &fault("1500ms"))));
    let ended = folder.run(&["scenario", "t.toml"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    // Equal faults are one item.
    let text = words(&ended.out);
    let expected = "faults 0.500 s, 1.000 s, 1.500 s: pause coordinator(t-2) for 10 ms: pause ";
    assert!(text.contains(expected), "{text}");
}

/// Of several equal faults, the one without effect is named by its moment.
#[test]
fn of_several_equal_faults_the_one_without_effect_is_named() {
    let folder = Folder::new("transactions-idle-fault");
    let fault = |at: &str| {
        format!(
            "[[faults]]\nkind = \"crash\"\ntarget = \"broker 1\"\nat = \"{at}\"\nlasts = \"100ms\"\n"
        )
    };
    // The second fault begins and ends while the first one is in force.
    let first = fault("1s").replace("100ms", "1s");
    folder.file("t.toml", &transfers(&(first + &fault("1500ms"))));
    let verdict = folder.run(&["scenario", "t.toml", "--json"]).json();
    let missing = verdict["not_exercised"].to_string();
    assert!(missing.contains("fault crash broker 1 for 100 ms at 1.500 s, which"), "{verdict:#}");
    assert!(!missing.contains("at 1.000 s"), "{missing}");
}

#[test]
fn values_beyond_kafka_in_a_file_can_be_allowed_on_the_command_line() {
    let folder = Folder::new("transactions-beyond");
    let text = transfers("").replace("beyond_kafka = true\n", "");
    let small = "[clusters.topic]\nsegment.bytes = 4000\n\n[[topics]]";
    folder.file("t.toml", &text.replace("[[topics]]", small));
    let refused = folder.run(&["scenario", "t.toml", "--print"]);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.err.contains("--set beyond.kafka=true"), "{refused:#?}");
    let allowed = folder.run(&["scenario", "t.toml", "--print", "--set", "beyond.kafka=true"]);
    assert_eq!(allowed.code, Some(0), "{allowed:#?}");
    assert!(allowed.out.contains("beyond_kafka = true"), "{allowed:#?}");
}
