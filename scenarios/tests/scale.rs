//! The traffic of a run grows linearly with its partitions: counted in events, bytes on the wire
//! and disk operations, which are the same on every machine (B10). Work in the memory of a node is
//! not counted: a loop over all partitions at each request would not be noticed here.

use scenarios::catalog;
use scenarios::result::Outcome;
use scenarios::run::run;
use sim::TraceKind;
use spec::Resolved;

/// Events, bytes sent and disk operations of a run without faults.
fn counts(brokers: u32, partitions: u32) -> [(&'static str, u64); 3] {
    let (mut scenario, _) = catalog::scenario("no-faults").expect("it is built in");
    let set = [format!("brokers={brokers}"), format!("partitions={partitions}")];
    scenario.set_all(&set).expect("these can be set");
    let outcome = run(&Resolved { scenario, seed: 0, bugs: Vec::new(), trace: true });
    assert_eq!(outcome.verdict.outcome, Outcome::Pass, "{}", outcome.verdict.headline());
    let (mut sent, mut operations) = (0, 0);
    for event in &outcome.account.trace {
        match &event.kind {
            TraceKind::Sent { bytes, .. } => sent += bytes,
            TraceKind::DiskDone { operations: done } => operations += u64::from(*done),
            _ => {}
        }
    }
    [("events", outcome.verdict.events), ("bytes", sent), ("disk operations", operations)]
}

#[test]
fn each_partition_adds_the_same_traffic_to_200_as_to_400() {
    for brokers in [3, 12] {
        let [few, some, many] = [100, 200, 400].map(|partitions| counts(brokers, partitions));
        for ((name, few), ((_, some), (_, many))) in few.into_iter().zip(some.into_iter().zip(many))
        {
            // Twice as many partitions are added, for twice the cost, or four times if it is
            // quadratic.
            let (first, second) = (some.saturating_sub(few), many.saturating_sub(some));
            assert!(
                second <= first * 3 && many <= few * 3,
                "{brokers} brokers, {name}: {few}, {some}, {many}"
            );
        }
    }
}
