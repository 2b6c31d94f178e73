//! Transactions, from the application to the verdict.

use super::{resolved, run};
use crate::result::{Outcome, Verdict};
use engine::fact::{ClientFact, Fact};
use spec::{Resolved, Scenario};
use std::collections::BTreeMap;

fn with(name: &str, seed: u64, set: &[&str]) -> Verdict {
    let mut resolved = resolved(name, seed);
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    resolved.scenario.set_all(&set).expect("these can be set");
    run(&resolved).verdict
}

fn hazards(verdict: &Verdict) -> Vec<&str> {
    verdict.permitted.iter().map(|it| it.hazard.as_str()).collect()
}

/// The leader of a partition crashes during transactions over all partitions: no promise is broken,
/// and `read_committed` readers skip aborted records.
#[test]
fn transactions_outlive_the_leader_of_a_partition() {
    for (seed, set) in [(1, &[][..]), (2, &["transaction.version=1"])] {
        let verdict = with("transactional-append", seed, set);
        assert_eq!(verdict.outcome, Outcome::Pass, "{seed}: {verdict:#?}");
        for reached in ["transaction_committed", "transaction_aborted", "aborted_skipped"] {
            assert!(verdict.exercised.contains_key(reached), "{seed}: {reached}");
        }
    }
}

/// A paused instance is fenced by the instance that replaced it.
#[test]
fn a_zombie_is_fenced() {
    let verdict = with("zombie-producer", 1, &[]);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert!(verdict.exercised.contains_key("producer_fenced"));
    assert_eq!(hazards(&verdict), ["shared-transactional-id"]);
}

/// Seed 1372: a coordinator and leader that has been replaced goes on alone, and sends its markers again to
/// itself. Seed 1533: O27, a coordinator is back from a power loss before its session is over.
#[test]
fn coordinators_that_have_been_replaced_do_no_harm() {
    for seed in [1372, 1533] {
        let verdict = with("swarm", seed, &[]);
        assert_eq!(verdict.outcome, Outcome::Pass, "{seed}: {verdict:#?}");
        assert!(verdict.exercised.contains_key("transaction_committed"), "{seed}");
    }
}

/// O26: producers ask for a coordinator that accepts no connections as often as links permit, as Kafka's
/// do. That is many events, and no livelock.
#[test]
fn producers_ask_for_a_coordinator_that_they_cannot_reach_without_a_pause() {
    let text = include_str!("../../../tests/directed/coordinator-restarts.toml");
    let (scenario, _) = Scenario::parse("coordinator-restarts.toml", text).expect("it is right");
    let resolved = Resolved { scenario, seed: 1, bugs: Vec::new(), trace: false };
    let verdict = run(&resolved).verdict;
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert!(verdict.exercised["coordinator_unreachable"] > 10_000, "{:?}", verdict.exercised);
}

/// A transaction that takes longer than its time-out is aborted, which the summary reports.
#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let verdict = with("transaction-timeout", 1, &[]);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert!(hazards(&verdict).contains(&"transaction-timed-out"));
}

/// A batch that arrives after the end of its transaction is refused because of its epoch (KIP-890).
/// In version 1 of the protocol, by the rule of Kafka 4.1, the next transaction may have the same
/// epoch (FL-5).
#[test]
fn a_late_batch_joins_no_other_transaction() {
    for set in [&[][..], &["transaction.version=1"]] {
        let verdict = with("hanging-transaction", 1, set);
        assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    }
    let mut resolved = resolved("hanging-transaction", 1);
    resolved.scenario.set_all(&["transaction.version=1".to_owned()]).expect("it can be set");
    resolved.bugs = vec!["FL-5".to_owned()];
    let verdict = run(&resolved).verdict;
    let found: Vec<&str> = verdict.violations.iter().map(|it| it.check.as_str()).collect();
    assert!(found.contains(&"all-or-nothing"), "{verdict:#?}");
}

/// An assumption of checks: the records that a producer reports as sent belong to the transaction
/// whose begin, but not its end, it has reported.
#[test]
fn records_are_sent_between_the_begin_and_the_end_of_their_transaction() {
    let resolved = Resolved { trace: true, ..resolved("transactional-append", 1) };
    let outcome = run(&resolved);
    let (mut open, mut sent) = (BTreeMap::new(), 0);
    for (_, node, fact) in outcome.account.history.facts() {
        match fact {
            Fact::Client(ClientFact::TransactionBegun { transaction }) => {
                assert_eq!(open.insert(node, *transaction), None);
            }
            Fact::Client(ClientFact::TransactionEnded { transaction, .. }) => {
                assert_eq!(open.remove(&node), Some(*transaction));
            }
            Fact::Client(ClientFact::Sent { record, .. }) => {
                let transaction = open.get(&node).expect("a transaction is open");
                assert!((*transaction..transaction + 4).contains(record), "{transaction} {record}");
                sent += 1;
            }
            _ => {}
        }
    }
    assert!(sent > 1_000, "{sent}");
}
