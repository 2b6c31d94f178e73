//! Idempotent producers, all the way from an application to a verdict.

use super::{resolved, run};
use crate::result::{Outcome, Verdict};
use spec::Resolved;

fn with(name: &str, seed: u64, set: &[&str]) -> Verdict {
    let mut resolved = resolved(name, seed);
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    resolved.scenario.set_all(&set).expect("these can be set");
    run(&resolved).verdict
}

fn hazards(verdict: &Verdict) -> Vec<&str> {
    verdict.permitted.iter().map(|permitted| permitted.hazard.as_str()).collect()
}

/// With Kafka's default nothing is stored twice or overtaken. Without idempotence the same seeds show
/// both, permitted and named.
#[test]
fn what_is_sent_again_is_stored_once() {
    let mut without = Vec::new();
    for seed in 0..4 {
        let verdict = with("idempotent-retries", seed, &[]);
        assert_eq!(verdict.outcome, Outcome::Pass, "{seed}: {verdict:#?}");
        assert_eq!(verdict.counts.duplicated, 0, "{seed}");
        assert!(verdict.exercised.contains_key("duplicate_found"), "{seed}");
        let verdict = with("idempotent-retries", seed, &["enable.idempotence=false"]);
        assert_eq!(verdict.violations, vec![], "{seed}");
        assert!(verdict.counts.duplicated > 0, "{seed}");
        assert!(!verdict.exercised.contains_key("duplicate_found"));
        without.extend(hazards(&verdict).into_iter().map(str::to_owned));
    }
    assert!(without.contains(&"retry-duplicate".to_owned()), "{without:?}");
    assert!(without.contains(&"in-flight-reorder".to_owned()), "{without:?}");
}

/// Two producers with one broker each to ask never have one id, and none has the id of another life.
#[test]
fn the_history_has_the_ids_of_producers() {
    let resolved = Resolved { trace: true, ..resolved("idempotent-retries", 1) };
    let outcome = run(&resolved);
    let lines: Vec<String> = outcome.account.history.lines().collect();
    let identified = lines.iter().filter(|line| line.contains("\"type\":\"identified\""));
    assert_eq!(identified.count(), 3, "one for each producer");
}
