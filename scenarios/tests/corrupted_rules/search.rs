//! Entries of the museum that a random search finds, each with the first seed that a check reports
//! (`docs/transactions.md`). The same seed passes under Kafka's rules.

use super::finds;
use scenarios::catalog;
use scenarios::result::Outcome;
use scenarios::run::run;
use spec::{Resolved, Scenario};

/// Where a change of the engine moves the first seed, the next one is this near.
const NEXT: u64 = 100;

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
    for (bug, name, first, check) in FOUND {
        let of = |seed: u64, bugs: &[&str]| {
            let bugs = bugs.iter().map(ToString::to_string).collect();
            run(&Resolved { scenario: scenario(name), seed, bugs, trace: false })
        };
        let mut seeds = *first..first + NEXT;
        let seed = seeds.find(|seed| finds(&of(*seed, &[bug]), check));
        let seed = seed.unwrap_or_else(|| panic!("{bug}: {check} reports a seed of {name}"));
        let outcome = of(seed, &[]).verdict.outcome;
        assert_eq!(outcome, Outcome::Pass, "{name}, seed {seed} without {bug}");
    }
}
