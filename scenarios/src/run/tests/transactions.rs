//! Transactions, all the way from an application to a verdict.

use super::{resolved, run};
use crate::result::{Outcome, Verdict};

fn with(name: &str, seed: u64, set: &[&str]) -> Verdict {
    let mut resolved = resolved(name, seed);
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    resolved.scenario.set_all(&set).expect("these can be set");
    run(&resolved).verdict
}

/// The leader of a partition dies between transactions over all of them: nothing is violated, and readers
/// of committed data pass over what was aborted.
#[test]
fn transactions_outlive_the_leader_of_a_partition() {
    for (seed, set) in [(1, &[][..]), (2, &[]), (3, &["transaction.version=1"])] {
        let verdict = with("transactional-append", seed, set);
        assert_eq!(verdict.outcome, Outcome::Pass, "{seed}: {verdict:#?}");
        for reached in ["transaction_committed", "transaction_aborted", "aborted_skipped"] {
            assert!(verdict.exercised.contains_key(reached), "{seed}: {reached}");
        }
    }
}

/// An instance that was paused is fenced by the one that took its place.
#[test]
fn a_zombie_is_fenced() {
    let verdict = with("zombie-producer", 1, &[]);
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert!(verdict.exercised.contains_key("producer_fenced"));
}
