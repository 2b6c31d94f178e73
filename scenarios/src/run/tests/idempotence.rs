//! Idempotent producers, all the way from an application to a verdict.

use super::{resolved, run};
use crate::result::{Outcome, Verdict};
use judge::outcome::Permitted;
use spec::Resolved;

fn with(name: &str, seed: u64, set: &[&str]) -> Verdict {
    let mut resolved = resolved(name, seed);
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    resolved.scenario.set_all(&set).expect("these can be set");
    run(&resolved).verdict
}

/// The verdict of a seed of a scenario file beside these tests.
fn directed(text: &str, seed: u64) -> Verdict {
    let none = |_: &str, _: &str| Err("there is no other file".to_owned());
    let (scenario, _) = crate::catalog::parse("directed.toml", text, &none).expect("a scenario");
    run(&Resolved { scenario, ..resolved("idempotent-retries", seed) }).verdict
}

fn hazards(verdict: &Verdict) -> Vec<&str> {
    verdict.permitted.iter().map(|permitted| permitted.hazard.as_str()).collect()
}

/// With Kafka's default nothing is stored twice or overtaken. Without idempotence the same seeds
/// show both, permitted and named.
#[test]
fn a_batch_that_is_sent_again_is_stored_once() {
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

/// D31: with several requests in flight, what is sent again is overtaken. Idempotence keeps the
/// order, and so does a single request in flight.
#[test]
fn batches_keep_their_order_with_idempotence_or_one_in_flight() {
    let (off, alone) = ("enable.idempotence=false", "max.in.flight.requests.per.connection=1");
    for seed in 0..2 {
        let verdict = with("in-flight-reorder", seed, &[]);
        assert_eq!(verdict.outcome, Outcome::Pass, "{seed}: {verdict:#?}");
        assert_eq!((verdict.counts.reordered, verdict.counts.duplicated), (0, 0), "{seed}");
        assert_eq!(hazards(&verdict), [""; 0], "{seed}");
        let verdict = with("in-flight-reorder", seed, &[off]);
        assert!(verdict.counts.reordered > 0, "{seed}");
        assert!(hazards(&verdict).contains(&"in-flight-reorder"), "{seed}: {verdict:#?}");
        let verdict = with("in-flight-reorder", seed, &[off, alone]);
        assert_eq!(verdict.outcome, Outcome::Pass, "{seed}: {verdict:#?}");
        assert_eq!(verdict.counts.reordered, 0, "{seed}");
        assert!(!hazards(&verdict).contains(&"in-flight-reorder"), "{seed}");
    }
}

/// Responses that are lost double nothing.
#[test]
fn a_batch_sent_again_after_a_lost_response_is_stored_once() {
    for seed in 0..2 {
        let verdict = with("lost-ack-retry", seed, &[]);
        assert_eq!(verdict.outcome, Outcome::Pass, "{seed}: {verdict:#?}");
        assert_eq!((verdict.counts.reordered, verdict.counts.duplicated), (0, 0), "{seed}");
        assert_eq!(hazards(&verdict), [""; 0], "{seed}");
        let verdict = with("lost-ack-retry", seed, &["enable.idempotence=false"]);
        assert!(verdict.counts.duplicated > 0, "{seed}");
        assert!(hazards(&verdict).contains(&"retry-duplicate"), "{seed}: {verdict:#?}");
    }
}

/// A fault-free run with Kafka's default producer permits nothing.
#[test]
fn without_faults_there_is_no_duplicate_and_no_reorder() {
    for set in [&[][..], &["enable.idempotence=false"]] {
        let verdict = with("no-faults", 1, set);
        assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
        assert_eq!((verdict.counts.reordered, verdict.counts.duplicated), (0, 0));
        assert_eq!(hazards(&verdict), [""; 0]);
    }
}

/// Applications that close their producers lose and double nothing.
#[test]
fn a_rolling_restart_of_producers_doubles_nothing() {
    for seed in 0..2 {
        let verdict = with("rolling-restart-producers", seed, &[]);
        assert_eq!(verdict.outcome, Outcome::Pass, "{seed}: {verdict:#?}");
        let counts = &verdict.counts;
        assert_eq!((counts.duplicated, counts.reordered, counts.unknown), (0, 0, 0), "{seed}");
        assert_eq!(hazards(&verdict), [""; 0], "{seed}");
    }
}

/// A message that an application sends again after a restart, or because its record was given up,
/// is in another record: it is stored twice in spite of idempotence, which is permitted.
#[test]
fn idempotence_does_not_cover_messages_that_an_application_repeats() {
    let text = include_str!("../../../tests/directed/given-up-and-sent-again.toml");
    for seed in 0..2 {
        for verdict in [with("producer-restart", seed, &[]), directed(text, seed)] {
            let name = &verdict.scenario;
            assert_eq!(verdict.violations, vec![], "{name} {seed}");
            assert!(verdict.counts.duplicated > 0, "{name} {seed}: {verdict:#?}");
            assert!(verdict.exercised.contains_key("message_sent_again"), "{name} {seed}");
            let again = |it: &&Permitted| it.hazard == "sent-again-by-application";
            let permitted = verdict.permitted.iter().find(again).expect("it is permitted");
            let because = "idempotence does not cover messages that an application sends again, ";
            assert!(permitted.because.starts_with(because), "{}", permitted.because);
        }
    }
}

/// A leader that has forgotten a producer stores a copy as a new batch.
#[test]
fn a_producer_that_was_forgotten_may_store_a_copy() {
    let set = ["producer.id.expiration.ms=1000", "producer.id.expiration.check.interval.ms=200"];
    let mut duplicated = 0;
    for seed in 0..3 {
        let verdict = with("lost-ack-retry", seed, &set);
        assert_eq!(verdict.violations, vec![], "{seed}");
        assert!(verdict.exercised.contains_key("producer_forgotten"), "{seed}");
        let forgotten = hazards(&verdict).contains(&"producer-forgotten");
        assert_eq!(verdict.counts.duplicated > 0, forgotten, "{seed}: {verdict:#?}");
        duplicated += verdict.counts.duplicated;
    }
    assert!(duplicated > 0, "no copy was taken for new");
}

/// Two producers with one broker each to ask never have one id, and none has the id of another
/// life.
#[test]
fn the_history_has_the_ids_of_producers() {
    let resolved = Resolved { trace: true, ..resolved("idempotent-retries", 1) };
    let outcome = run(&resolved);
    let lines: Vec<String> = outcome.account.history.lines().collect();
    let identified = lines.iter().filter(|line| line.contains("\"type\":\"identified\""));
    assert_eq!(identified.count(), 3, "one for each producer");
}
