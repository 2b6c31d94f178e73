//! Settings with weaker promises than the swarm's own: their anomalies are permitted, and none is a
//! violation.

use scenarios::catalog;
use scenarios::plan::settings;
use scenarios::result::Outcome;
use scenarios::run::run;
use spec::Resolved;

/// Each list of settings gives up certain promises, alone or in combination.
const SETTINGS: &[&[&str]] = &[
    &["acks=0"],
    &["acks=1"],
    &["acks=1", "min.insync.replicas=1"],
    &["acks=1", "min.insync.replicas=3"],
    &["acks=1", "unclean.leader.election.enable=true"],
    &["min.insync.replicas=1"],
    &["min.insync.replicas=1", "unclean.leader.election.enable=true"],
    &["retries=0"],
    &["delivery.timeout.ms=3000", "request.timeout.ms=2900"],
    &["max.in.flight.requests.per.connection=1"],
    &["auto.offset.reset=latest", "acks=1"],
    &["max.message.bytes=400", "linger.ms=50"],
    &["brokers=5", "keys=60"],
];

const SEEDS: std::ops::Range<u64> = 0..25;

#[test]
fn the_swarm_breaks_no_promise_under_any_setting() {
    let mut broken = Vec::new();
    for set in SETTINGS {
        let set: Vec<String> = set.iter().map(ToString::to_string).collect();
        for seed in SEEDS {
            let (mut scenario, _) = catalog::scenario("swarm").expect("it is built in");
            scenario.set_all(&set).expect("these can be set");
            let verdict = run(&Resolved { scenario, seed, bugs: Vec::new(), trace: false }).verdict;
            if !matches!(verdict.outcome, Outcome::Pass | Outcome::Vacuous) {
                broken.push(format!("seed {seed} with {set:?}: {}", verdict.headline()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

/// S1: nor does it under settings that the seed draws.
#[test]
fn the_swarm_breaks_no_promise_under_drawn_settings() {
    let mut broken = Vec::new();
    for seed in 0..40 {
        let (mut scenario, _) = catalog::scenario("swarm").expect("it is built in");
        scenario.swarm.as_mut().expect("it is a swarm").draw_settings = true;
        let (_, drawn) = settings::drawn(&scenario, seed);
        let verdict = run(&Resolved { scenario, seed, bugs: Vec::new(), trace: false }).verdict;
        if !matches!(verdict.outcome, Outcome::Pass | Outcome::Vacuous) {
            broken.push(format!("seed {seed} with {drawn:?}: {}", verdict.headline()));
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}
