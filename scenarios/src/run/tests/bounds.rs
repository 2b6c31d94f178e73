//! Settings at their limits: a scenario that would run without end is refused, or its run ends.

use super::super::Simulation;
use super::{run, small};
use crate::result::Outcome;

/// C9: with settings that cause too many events, a run ends as unknown.
#[test]
fn a_run_with_too_many_events_ends_undecided() {
    let resolved = small("no-faults", 1);
    let outcome = sim::host::run(resolved.seed, |clock| {
        let mut simulation = Simulation::new(&resolved);
        simulation.bound_events(5_000);
        simulation.run(clock);
        simulation.finish()
    });
    assert_eq!(outcome.verdict.outcome, Outcome::Unknown, "{:?}", outcome.verdict);
    // One input may be several events.
    let events = outcome.stats.events;
    assert!((5_000..5_010).contains(&events), "{events}");
    let when = format!("after {events} events");
    assert!(outcome.verdict.unknown[0].contains(&when), "{:?}", outcome.verdict);
}

/// B14: time-outs of 0 and of 2^31-1 ms are refused, or their run ends.
#[test]
fn extreme_time_outs_are_refused_or_their_run_ends() {
    let with = |setting: &str| {
        let mut resolved = small("no-faults", 1);
        resolved.scenario.set_all(&[setting.to_owned()]).map(|_| resolved)
    };
    for refused in [
        "replica.fetch.wait.max.ms=2147483647",
        "controller.quorum.election.timeout.ms=0",
        "controller.quorum.fetch.timeout.ms=0",
    ] {
        assert!(with(refused).is_err(), "{refused}");
    }
    for accepted in ["replica.fetch.wait.max.ms=0", "replica.socket.timeout.ms=2147483647"] {
        let resolved = with(accepted).unwrap_or_else(|error| panic!("{accepted}: {error}"));
        let verdict = run(&resolved).verdict;
        assert_eq!(verdict.outcome, Outcome::Pass, "{accepted}: {verdict:?}");
    }
}
