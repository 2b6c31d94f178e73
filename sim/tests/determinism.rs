//! The same seed gives the same run, whatever else differs.

mod toy;

use machine::{NodeId, Span};
use sim::{
    DelayMetadata, Effect, Fault, Groups, LossyLink, Partition, Pause, Ppm, Restart, SimTime,
    World, WorldConfig,
};
use toy::{Toy, crash, node, power_loss, ring};

const END: SimTime = SimTime::secs(4);

/// Faults with their times and durations.
fn plan() -> Vec<(SimTime, Span, Fault<NodeId>)> {
    let fault =
        |at, millis, fault: Fault<NodeId>| (SimTime::millis(at), Span::millis(millis), fault);
    let lossy = LossyLink {
        from: node(1).into(),
        to: vec![node(2), node(3)].into(),
        one_way: false,
        loss: Some(Ppm(50_000)),
        duplication: Some(Ppm(20_000)),
        reordering: Some(Ppm(100_000)),
    };
    let groups = Groups(vec![vec![node(1), node(2)], vec![node(3)]]);
    let late =
        DelayMetadata { target: node(1).into(), from: Some(node(5).into()), by: Span::millis(70) };
    vec![
        fault(300, 700, crash(2)),
        fault(1_200, 400, Partition { groups }.into()),
        fault(1_300, 300, Pause { target: node(1).into() }.into()),
        fault(1_900, 300, power_loss(3)),
        fault(2_300, 1_000, lossy.into()),
        fault(2_500, 100, Restart { target: node(4).into(), limit: Some(Span::millis(50)) }.into()),
        fault(2_600, 300, late.into()),
    ]
}

fn world(seed: u64, trace: bool) -> World<Toy> {
    ring(seed, 5, WorldConfig { trace, ..WorldConfig::default() })
}

/// Runs until a given time, with the faults that are planned from now onwards.
fn go(world: &mut World<Toy>, until: SimTime) {
    for (at, lasts, fault) in plan() {
        if at > world.now() && at <= until {
            world.run_until(at);
            world.apply_for(fault, lasts);
        }
    }
    world.run_until(until);
}

fn run(seed: u64, trace: bool) -> World<Toy> {
    let mut world = world(seed, trace);
    go(&mut world, END);
    world
}

#[test]
fn a_seed_twice_gives_one_digest_and_two_seeds_give_two() {
    let first = run(1, false);
    assert_eq!(first.digest(), run(1, false).digest());
    assert_ne!(first.digest(), run(2, false).digest());
    for effect in [
        Effect::ProcessKilled,
        Effect::MessageCut,
        Effect::MessageRetransmitted,
        Effect::PowerLost,
        Effect::MessageLost,
        Effect::MessageDelayed,
        Effect::InputHeldByPause,
        Effect::ProcessStopped,
    ] {
        assert!(first.exercised().of(effect) > 0, "{} was not exercised", effect.name());
    }
}

#[test]
fn a_thread_of_its_own_makes_no_difference() {
    let here = run(3, false).digest();
    let there = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| run(3, false).digest()));
        threads.map(|thread| thread.join().expect("it does not panic"))
    });
    assert_eq!(there, [here; 2]);
}

#[test]
fn the_host_makes_no_difference() {
    let hosted = sim::host::run(3, |clock| {
        let mut world = world(3, false);
        for (at, lasts, fault) in plan() {
            clock.run_until(&mut world, at);
            world.apply_for(fault, lasts);
        }
        clock.run_until(&mut world, END);
        world.digest()
    });
    assert_eq!(hosted, run(3, false).digest());
}

#[test]
fn a_clone_continues_as_the_original() {
    let whole = run(4, false);
    for millis in [0, 310, 1_250, 1_950, 2_700] {
        let mut original = world(4, false);
        go(&mut original, SimTime::millis(millis));
        let mut clone = original.clone();
        // The original's steps in the meantime must not affect the clone.
        go(&mut original, END);
        go(&mut clone, END);
        assert_eq!(original.digest(), whole.digest());
        assert_eq!(clone.digest(), whole.digest(), "cloned at {millis} ms");
        assert_eq!(clone.exercised(), whole.exercised());
        assert_eq!(clone.take_observations().len(), original.take_observations().len());
    }
}

#[test]
fn stopping_anywhere_makes_no_difference() {
    let mut stepped = world(5, false);
    (1..=400).for_each(|i| go(&mut stepped, SimTime::millis(i * 10)));
    assert_eq!(stepped.digest(), run(5, false).digest());
}

#[test]
fn a_trace_makes_no_difference() {
    let mut traced = run(6, true);
    assert_eq!(traced.digest(), run(6, false).digest());
    let trace = traced.take_trace();
    assert_eq!(trace.len() as u64, traced.events());
    for (i, event) in trace.iter().enumerate() {
        assert_eq!(event.id.0, i as u64 + 1);
        assert!(event.cause < event.id, "causes come before effects: {event:?}");
    }
    let lines: Vec<_> = trace.iter().map(serde_json::to_string).collect();
    let received = lines.iter().flatten().find(|line| line.contains("received"));
    let received = received.expect("messages were received");
    assert!(received.contains(r#""message":"Token""#), "{received}");
}

#[test]
fn a_node_that_does_nothing_makes_no_difference_to_others() {
    let run = |extra: bool| {
        let mut world = ring(8, 3, WorldConfig::default());
        if extra {
            world.add_node(node(9), toy::Config::default(), sim::HostConfig::default());
        }
        world.run_until(END);
        world.digest()
    };
    assert_eq!(run(true), run(false));
}
