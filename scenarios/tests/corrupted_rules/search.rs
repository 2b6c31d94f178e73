//! Entries of the museum that a random search has found, each with the first seed that a check
//! reports. The same seed passes under Kafka's rules.

use super::finds;
use scenarios::catalog;
use scenarios::result::Outcome;
use scenarios::run::run;
use spec::{Resolved, Scenario};

const FOUND: &[(&str, &str, u64, &str)] = &[
    ("KAFKA-14884", "late-answers", 21, "all-or-nothing"),
    ("KAFKA-19446", "late-markers", 24, "markers-as-decided"),
    ("KAFKA-19999", "swarm", 41, "transactions-end"),
];

fn scenario(name: &str) -> Scenario {
    let text = match name {
        "late-answers" => include_str!("../search/late-answers.toml"),
        "late-markers" => include_str!("../search/late-markers.toml"),
        _ => return catalog::scenario(name).expect("it is in the catalogue").0,
    };
    Scenario::parse(name, text).expect("the file is right").0
}

#[test]
fn random_search_finds_what_goes_wrong_with_transactions() {
    for (bug, name, seed, check) in FOUND {
        let of = |bugs: &[&str]| {
            let bugs = bugs.iter().map(ToString::to_string).collect();
            run(&Resolved { scenario: scenario(name), seed: *seed, bugs, trace: false })
        };
        assert!(finds(&of(&[bug]), check), "{bug}: {check} reports seed {seed} of {name}");
        let outcome = of(&[]).verdict.outcome;
        assert_eq!(outcome, Outcome::Pass, "{name}, seed {seed} without {bug}");
    }
}
