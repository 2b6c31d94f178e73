//! Groups of consumers, from members and coordinators to the counts and the permitted anomalies.

use super::{resolved, run};
use crate::result::{Outcome, Verdict};

/// The group of the scenarios of the catalogue.
const GROUP: &str = "billing";

fn with(name: &str, seed: u64) -> Verdict {
    run(&resolved(name, seed)).verdict
}

fn hazards(verdict: &Verdict) -> Vec<&str> {
    let mut all: Vec<&str> = verdict.permitted.iter().map(|it| it.hazard.as_str()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Hazards C12 and C13 of the same crashes: what is skipped with one order is repeated with the other.
#[test]
fn the_order_of_commit_and_processing_decides_what_a_crash_costs() {
    for seed in [1, 2] {
        let before = with("commit-before-processing", seed);
        assert_eq!(before.outcome, Outcome::Pass, "{:?}", before.violations);
        assert!(before.groups[GROUP].skipped > 0, "{:?}", before.groups);
        assert!(hazards(&before).contains(&"committed-before-processed"), "{:?}", hazards(&before));
        let after = with("commit-after-processing", seed);
        assert_eq!(after.outcome, Outcome::Pass, "{:?}", after.violations);
        assert_eq!(after.groups[GROUP].skipped, 0);
        assert!(after.groups[GROUP].reprocessed > 0, "{:?}", after.groups);
        assert_eq!(hazards(&after), ["processed-again"]);
    }
}

/// What the consumer commits by itself its application has processed.
#[test]
fn commits_by_the_consumer_skip_nothing() {
    let verdict = with("auto-commit", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    assert_eq!(verdict.groups[GROUP].skipped, 0);
    assert!(verdict.groups[GROUP].reprocessed > 0, "{:?}", verdict.groups);
}

#[test]
fn acknowledged_commits_outlive_their_coordinator() {
    let verdict = with("group-coordinator-crash", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    let counts = &verdict.groups[GROUP];
    assert!(counts.committed > 0 && counts.skipped == 0, "{counts:?}");
}

#[test]
fn members_come_and_go_and_no_partition_has_two_owners() {
    for name in ["eager-rebalance", "cooperative-rebalance", "idle-members"] {
        let verdict = with(name, 1);
        assert_eq!(verdict.outcome, Outcome::Pass, "{name}: {:?}", verdict.violations);
        let counts = &verdict.groups[GROUP];
        assert!(counts.rebalances > 0 && counts.skipped == 0, "{name}: {counts:?}");
    }
}

/// KIP-848: members with epochs of their own, and a group that changes its protocol while it works.
#[test]
fn members_of_the_consumer_protocol_hand_partitions_over_one_by_one() {
    let rebalance = with("kip848-rebalance", 1);
    assert_eq!(rebalance.outcome, Outcome::Pass, "{:?}", rebalance.violations);
    let counts = &rebalance.groups[GROUP];
    assert!(counts.rebalances > 5 && counts.expelled > 0 && counts.skipped == 0, "{counts:?}");
    let upgrade = with("protocol-upgrade", 1);
    assert_eq!(upgrade.outcome, Outcome::Pass, "{:?}", upgrade.violations);
    assert_eq!((upgrade.groups[GROUP].skipped, upgrade.groups[GROUP].expelled), (0, 0));
}

/// KIP-345: the first member is back within its session, the second is not.
#[test]
fn a_static_member_that_is_back_in_time_causes_no_rebalance() {
    let verdict = with("static-member-restart", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    assert_eq!(verdict.groups[GROUP].expelled, 1, "{:?}", verdict.groups);
}

/// No coordinator can take back what it has been given.
#[test]
fn a_zombie_goes_on_with_what_it_has() {
    let verdict = with("zombie-consumer", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    assert!(hazards(&verdict).contains(&"zombie-member"), "{:?}", hazards(&verdict));
    assert!(verdict.groups[GROUP].expelled > 0, "{:?}", verdict.groups);
}

/// Hazards C14 to C16.
#[test]
fn expired_offsets_send_a_group_to_the_end_or_to_the_start() {
    let latest = with("offset-reset-latest", 1);
    assert_eq!(latest.outcome, Outcome::Pass, "{:?}", latest.violations);
    assert!(latest.groups[GROUP].skipped > 0, "{:?}", latest.groups);
    let because = &latest.permitted[0].because;
    assert!(
        because.contains("auto.offset.reset=latest") && because.contains("expired"),
        "{because}"
    );
    let earliest = with("offset-reset-earliest", 1);
    assert_eq!(earliest.outcome, Outcome::Pass, "{:?}", earliest.violations);
    assert!(earliest.groups[GROUP].reprocessed > 0, "{:?}", earliest.groups);
    assert_eq!(earliest.groups[GROUP].skipped, 0);
}

/// Row D17: the same faults with a store that fences and one that does not.
#[test]
fn a_store_of_the_application_holds_each_input_once_if_it_fences() {
    let fenced = with("external-store-exactly-once", 1);
    assert_eq!(fenced.outcome, Outcome::Pass, "{:?}", fenced.violations);
    let counts = &fenced.groups[GROUP];
    assert!(counts.stored > 3_000 && counts.stored_again == 0, "{counts:?}");
    assert!(counts.store_refused > 0 && counts.skipped == 0, "{counts:?}");
    let unfenced = with("external-store-zombie", 1);
    assert_eq!(unfenced.outcome, Outcome::Pass, "{:?}", unfenced.violations);
    let counts = &unfenced.groups[GROUP];
    assert!(counts.stored_again > 0 && counts.store_refused == 0, "{counts:?}");
    assert!(hazards(&unfenced).contains(&"store-unfenced"), "{:?}", hazards(&unfenced));
}

/// KIP-345: static members that are back within their session cause no rebalance.
#[test]
fn restarts_of_static_members_cause_no_rebalance() {
    let verdict = with("rolling-restart-consumers", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    let [dynamic, fixed] = ["dynamic", "static"].map(|group| &verdict.groups[group]);
    assert!(dynamic.rebalances >= 3 && dynamic.skipped == 0, "{dynamic:?}");
    assert!(fixed.rebalances <= 2 && fixed.skipped == 0, "{fixed:?}");
    assert_eq!((dynamic.expelled, fixed.expelled), (0, 0));
}

#[test]
fn what_an_application_repeats_on_purpose_is_counted_as_meant() {
    let verdict = with("rewind", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    let counts = &verdict.groups[GROUP];
    assert!(counts.rewound >= 400 && counts.skipped == 0, "{counts:?}");
    assert!(hazards(&verdict).iter().all(|it| *it == "processed-again"), "{:?}", hazards(&verdict));
}

/// A member that polls keeps its place, however long it pauses.
#[test]
fn members_that_pause_partitions_and_poll_are_not_expelled() {
    let verdict = with("consumer-pause", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    let counts = &verdict.groups[GROUP];
    assert_eq!((counts.skipped, counts.reprocessed, counts.expelled), (0, 0, 0), "{counts:?}");
    assert!(counts.processed > 2_000 && verdict.permitted.is_empty(), "{counts:?}");
}

#[test]
fn each_group_of_a_topic_gets_everything() {
    let verdict = with("fan-out", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    for group in ["billing", "search", "archive"] {
        let counts = &verdict.groups[group];
        assert_eq!(
            (counts.processed, counts.skipped, counts.not_reached),
            (2_400, 0, 0),
            "{group}"
        );
    }
    let late = &verdict.groups["alerts"];
    assert!(late.processed < 2_400 && late.not_reached > 500, "{late:?}");
}

/// Two topics match, one of them from the middle of the load on.
#[test]
fn a_topic_that_is_created_later_is_read_after_a_rebalance() {
    let verdict = with("new-topic-matches-pattern", 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    let counts = &verdict.groups[GROUP];
    assert_eq!((counts.processed, counts.skipped, counts.not_reached), (1_800, 0, 0), "{counts:?}");
    assert!(counts.rebalances >= 1, "{counts:?}");
}
