//! Settings that promise less than the swarm's own: what they cost is permitted, row by row, and
//! nothing is a violation.

use scenarios::catalog;
use scenarios::plan::settings;
use scenarios::result::Outcome;
use scenarios::run::run;
use spec::Resolved;

/// Each stands for promises that are given up, alone and together.
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
fn under_no_setting_does_the_swarm_break_a_promise() {
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

/// S1: nor under what the seed draws.
#[test]
fn under_no_drawn_setting_does_the_swarm_break_a_promise() {
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
