//! Steps that the catalogue seldom reaches, by directed plans.

use super::super::run;
use crate::result::{Outcome, Verdict};
use spec::{Resolved, Scenario};

fn verdict(text: &str, seed: u64) -> Verdict {
    let text = format!("name = 'directed'\ntitle = 'directed'\nextend = 'short-timeouts'\n{text}");
    let (scenario, warnings) =
        Scenario::parse("directed.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(warnings, []);
    run(&Resolved { scenario, seed, bugs: Vec::new(), trace: false }).verdict
}

/// S7: the controller receives a request of an earlier life of a broker, over a link that was slow
/// when that life ended.
#[test]
fn s7_a_request_of_an_earlier_life_is_refused() {
    let text = "[[clusters]]\ncontrollers = 1\n[[topics]]\nname = 't'\n\
        [[producers]]\nrecords = 2000\nrate = 300\n\
        [[faults]]\nkind = 'slow-link'\nfrom = 'broker 1'\nto = 'all controllers'\nby = '5s'\n\
        at = '1s'\nlasts = '1050ms'\n\
        [[faults]]\nkind = 'crash'\ntarget = 'broker 1'\nat = '2s'\nlasts = '100ms'\n";
    for seed in 1..4 {
        let verdict = verdict(text, seed);
        assert_eq!(verdict.outcome, Outcome::Pass, "seed {seed}: {verdict:?}");
        let refused = verdict.exercised.get("STALE_BROKER_EPOCH");
        assert!(refused.is_some(), "seed {seed}: {:?}", verdict.exercised);
    }
}

/// S7: with `max.in.flight.requests.per.connection=1` no batch overtakes one that is sent again;
/// with five requests in flight some do.
#[test]
fn s7_with_one_request_in_flight_retries_keep_the_order() {
    let reordered = |in_flight: u32| {
        let text = format!(
            "[[topics]]\nname = 't'\n[[producers]]\nrecords = 4000\nrate = 1000\n\
             [producers.properties]\nacks = 1\nlinger.ms = 0\nbatch.size = 0\n\
             request.timeout.ms = 300\nmax.in.flight.requests.per.connection = {in_flight}\n\
             [[faults]]\nkind = 'lossy-link'\nfrom = 'producers'\nto = 'all brokers'\n\
             loss = '20%'\nat = '1s'\nlasts = '2s'\n\
             [[faults]]\nkind = 'pause'\ntarget = 'leader(t-0)'\nat = '1500ms'\nlasts = '2s'\n"
        );
        let of = |seed| {
            let verdict = verdict(&text, seed);
            assert_eq!(verdict.outcome, Outcome::Pass, "seed {seed}: {verdict:?}");
            assert!(verdict.exercised["produce_retried"] > 0, "seed {seed}");
            verdict.permitted.iter().any(|it| it.hazard == "in-flight-reorder")
        };
        (0..3).filter(|seed| of(*seed)).count()
    };
    assert_eq!(reordered(1), 0);
    assert!(reordered(5) > 0);
}
