mod bounds;
mod clients;
mod disks;
mod group_scenarios;
mod groups;
mod idempotence;
mod reached;
mod restarts;
mod transactions;

use super::{Caught, Phase, RunOutcome, Simulation, attempt, run};
use crate::catalog;
use crate::node::Node;
use crate::plan::Fate;
use crate::result::Outcome;
use engine::ids::TopicPartition;
use machine::{NodeId, Span};
use spec::{Fault, Resolved, Role, Scenario, Target};

fn resolved(name: &str, seed: u64) -> Resolved {
    let (scenario, _) = catalog::scenario(name).unwrap_or_else(|error| panic!("{error}"));
    Resolved { scenario, seed, bugs: Vec::new(), trace: false }
}

fn small(name: &str, seed: u64) -> Resolved {
    let mut resolved = resolved(name, seed);
    for producers in &mut resolved.scenario.producers {
        producers.records = 400;
    }
    resolved
}

fn with_faults(seed: u64, faults: &str) -> Resolved {
    #[derive(serde::Deserialize)]
    struct Faults {
        faults: Vec<Fault>,
    }
    // Its time-outs are scaled down.
    let mut resolved = small("leader-crash", seed);
    resolved.scenario.must_reach.clear();
    let Faults { faults } = toml::from_str(faults).expect("faults");
    resolved.scenario.faults = faults;
    resolved
}

fn digest(outcome: &RunOutcome) -> &str {
    &outcome.verdict.digest
}

#[test]
fn a_run_without_faults_confirms_and_reads_back_everything() {
    let RunOutcome { verdict, .. } = run(&small("no-faults", 3));
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:?}");
    assert_eq!((verdict.counts.sent, verdict.counts.acked, verdict.counts.read), (400, 400, 400));
}

#[test]
fn the_same_seed_gives_the_same_run_with_and_without_a_trace() {
    let plain = run(&resolved("leader-crash", 42));
    assert_eq!(plain.verdict, run(&resolved("leader-crash", 42)).verdict);
    let traced = run(&Resolved { trace: true, ..resolved("leader-crash", 42) });
    assert_eq!(plain.verdict, traced.verdict);
    assert_eq!(traced.account.trace.len() as u64, plain.verdict.events);
    assert!(plain.account.trace.is_empty() && traced.account.history.lines().count() > 0);
    assert_ne!(digest(&plain), digest(&run(&resolved("leader-crash", 43))));
}

#[test]
fn a_clone_from_the_middle_of_a_run_ends_as_the_original() {
    let resolved = small("swarm", 5);
    let (original, clone) = sim::host::run(resolved.seed, |clock| {
        let mut original = Simulation::new(&resolved);
        while original.phase() < Phase::Load || original.world().now().0 < 4_000_000_000 {
            original.advance(clock);
        }
        let clone = original.clone();
        original.run(clock);
        (original.finish(), clone)
    });
    // A fork of a run has another runtime.
    let clone = sim::host::run(resolved.seed, |clock| {
        let mut clone = clone;
        clone.run(clock);
        clone.finish()
    });
    assert_eq!(original.verdict, clone.verdict);
    assert_eq!(original.plan, clone.plan);
}

/// Seed 120486 of swarm: the only controller had replayed what it had not reported to have appended
/// when the run ended.
#[test]
fn a_run_may_end_while_the_only_controller_writes() {
    let mut alone = small("no-faults", 3);
    alone.scenario.set_all(&["controllers=1".to_owned()]).unwrap_or_else(|error| panic!("{error}"));
    let controller = NodeId::new(0, 101);
    let outcome = sim::host::run(alone.seed, |clock| {
        let mut run = Simulation::new(&alone);
        run.advance(clock);
        // It creates the topic.
        let is_ahead = |run: &Simulation| {
            let process = run.world.process(controller).and_then(Node::controller);
            let process = process.filter(|process| process.image().topics().next().is_some());
            let log = run.evidence.view().find(controller.cluster, TopicPartition::METADATA);
            let replicas = log.map_or(&[][..], |log| &log.replicas);
            let reported = replicas.iter().find(|replica| replica.node == controller);
            let replayed = process.map(|process| process.image().offset());
            replayed.is_some() && replayed >= reported.map(|replica| replica.high_watermark)
        };
        while !is_ahead(&run) {
            clock.step(&mut run.world);
            run.absorb();
        }
        run.finish()
    });
    let found = outcome.verdict.violations.iter().map(|it| it.check.as_str());
    assert!(!found.into_iter().any(|check| check == "live-state-is-replayed"));
}

#[test]
fn a_fault_that_never_fires_leaves_no_trace() {
    let crash =
        "[[faults]]\nkind = 'crash'\ntarget = 'leader(orders-0)'\nat = '300ms'\nlasts = '1s'\n";
    let never = "[[faults]]\nkind = 'power-loss'\ntarget = 'all servers'\nat = '100ms'\n\
                 when = 'hw(orders-0) >= 1_000_000'\n";
    let never_elects = "[[faults]]\nkind = 'preferred-election'\nwhen = 'epoch(orders-1) >= 99'\n";
    let without = run(&with_faults(11, crash));
    let with = run(&with_faults(11, &format!("{never}{crash}{never_elects}")));
    assert_eq!(digest(&without), digest(&with));
    for never in [&with.plan[0].fate, &with.plan[2].fate] {
        assert!(matches!(never, Fate::NeverFired { because } if because.contains("condition")));
    }
    assert!(matches!(with.plan[1].fate, Fate::Fired { .. }));
    assert_eq!(with.verdict.outcome, Outcome::Vacuous, "a listed fault has to fire");
}

#[test]
fn a_listed_fault_without_effect_makes_a_run_vacuous() {
    let crash = "[[faults]]\nkind = 'crash'\ntarget = 'broker 2'\nat = '300ms'\nlasts = '2s'\n";
    let of = |fault: &str| {
        let outcome = run(&with_faults(11, &format!("{crash}{fault}")));
        assert!(outcome.plan[0].fate.took_effect());
        (outcome.plan[1].fate.took_effect(), outcome.verdict)
    };
    for (fault, name) in [
        ("kind = 'crash'\ntarget = 'broker 2'\nat = '400ms'\nlasts = '1s'", "crash"),
        ("kind = 'pause'\ntarget = 'broker 2'\nat = '400ms'\nlasts = '1s'", "pause"),
        // There is no process that it could pause.
        ("kind = 'pause'\ntarget = 'broker 2'\nat = '400ms'\nlasts = '3s'", "pause"),
        ("kind = 'restart'\ntarget = 'broker 2'\nat = '400ms'", "restart"),
        ("kind = 'crash'\ntarget = 'broker 1'\nat_disk_operation = 99\nat = '1s'", "crash"),
        (
            "kind = 'partition'\ngroups = [['client 1001'], ['controller 101']]\nat = '1s'\n\
             lasts = '10ms'",
            "partition",
        ),
        (
            "kind = 'lossy-link'\nfrom = 'broker 1'\nto = 'broker 3'\nloss = '0.0001%'\n\
             at = '1s'\nlasts = '10ms'",
            "lossy-link",
        ),
    ] {
        let (took_effect, verdict) = of(&format!("[[faults]]\n{fault}\n"));
        assert!(!took_effect, "{fault}");
        assert_eq!(verdict.outcome, Outcome::Vacuous, "{fault}");
        let missing = format!("which was injected without effect: {name} ");
        let [said] = &verdict.not_exercised[..] else { panic!("{:?}", verdict.not_exercised) };
        assert!(said.starts_with(&format!("fault {name}")) && said.contains(&missing), "{said}");
        // The process was down already, because of a fault that is still in force.
        let hindered = said.ends_with(", as crash 2 is in force since 0.300 s");
        assert_eq!(hindered, fault.contains("'broker 2'"), "{said}");
    }
    for fault in [
        "kind = 'power-loss'\ntarget = 'broker 2'\nat = '400ms'\nlasts = '1s'",
        // It keeps the process down for longer.
        "kind = 'crash'\ntarget = 'broker 2'\nat = '400ms'\nlasts = '3s'",
        "kind = 'pause'\ntarget = 'broker 1'\nat = '400ms'\nlasts = '1s'",
        "kind = 'restart'\ntarget = 'broker 1'\nat = '400ms'",
        "kind = 'crash'\ntarget = 'broker 1'\nat_disk_operation = 1\nat = '1s'\nlasts = '2s'",
        "kind = 'partition'\ngroups = [['broker 1'], ['broker 3']]\nat = '1s'\nlasts = '1s'",
        "kind = 'lossy-link'\nfrom = 'broker 1'\nto = 'broker 3'\none_way = false\n\
         loss = '50%'\nat = '1s'\nlasts = '1s'",
        "kind = 'slow-link'\nfrom = 'broker 1'\nto = 'broker 3'\none_way = false\n\
         by = '10ms'\nat = '1s'\nlasts = '1s'",
    ] {
        let (took_effect, verdict) = of(&format!("[[faults]]\n{fault}\n"));
        assert!(took_effect, "{fault}");
        assert_eq!(verdict.not_exercised, Vec::<String>::new(), "{fault}");
    }
}

/// At least one fault that a swarm draws has to have an effect.
#[test]
fn a_swarm_without_effect_makes_a_run_vacuous() {
    let with = |at_once: u16| {
        let mut resolved = with_faults(3, "faults = []");
        resolved.scenario.swarm = Some(spec::Swarm {
            families: vec![spec::Family::World(sim::Kind::Pause)],
            brokers_at_once: at_once,
            controllers_at_once: 0,
            ..spec::Swarm::default()
        });
        run(&resolved).verdict
    };
    let verdict = with(0);
    assert_eq!(verdict.outcome, Outcome::Vacuous);
    assert_eq!(verdict.not_exercised, ["a fault of the swarm that has an effect"]);
    assert_eq!(with(1).outcome, Outcome::Pass);
}

#[test]
fn conditions_and_roles_are_looked_up_when_a_fault_fires() {
    let mut resolved = with_faults(
        2,
        "[[faults]]\nkind = 'crash'\ntarget = 'leader(orders-1)'\n\
         when = 'hw(orders-1) >= 50 and isr(orders-1) == 3'\nlasts = '4s'\n\
         [[faults]]\nkind = 'pause'\ntarget = 'leader(orders-1)'\nat = '1ms'\n\
         when = 'epoch(orders-1) >= 1 and leader(orders-1) != 0'\nlasts = '100ms'\n",
    );
    resolved.scenario.producers[0].records = 3_000;
    let outcome = run(&resolved);
    let node = |index: usize| match &outcome.plan[index].fate {
        Fate::Fired { injected, .. } => injected[0].rsplit(' ').next().map(str::to_owned),
        fate => panic!("{fate:?}"),
    };
    assert!(node(0).is_some() && node(1).is_some());
    assert_ne!(node(0), node(1), "the first leader and its successor");
    assert_eq!(outcome.verdict.outcome, Outcome::Pass, "{:?}", outcome.verdict);
}

#[test]
fn items_not_recovered_within_a_short_deadline_are_named() {
    let mut resolved = small("no-faults", 1);
    resolved.scenario.durations.converge = Some(spec::Time(Span(1)));
    resolved.scenario.faults.push(Fault {
        name: None,
        at: Some(spec::Time::millis(100)),
        when: None,
        lasts: None,
        kind: sim::Crash {
            target: Target { cluster: None, role: Role::Broker(2) }.into(),
            at_disk_operation: None,
            during_stop: false,
        }
        .into(),
    });
    let verdict = run(&resolved).verdict;
    // No cluster recovers within a nanosecond.
    assert_eq!((verdict.outcome, verdict.violations), (Outcome::Unknown, Vec::new()));
    let says = |part: &str| verdict.unknown.iter().any(|it| it.contains(part));
    assert!(says("`durations.converge` is shorter than the "), "{:?}", verdict.unknown);
    assert!(says("2"), "{:?}", verdict.unknown);
}

/// A plan that is written to a file and read back gives a run with the same events, with settings
/// of the file and with drawn ones.
#[test]
fn a_written_plan_gives_the_same_run() {
    let mut faults = 0;
    for seed in 0..12 {
        let mut drawn = small("swarm", seed);
        let swarm = drawn.scenario.swarm.as_mut().expect("it is a swarm");
        swarm.draw_settings = seed % 2 == 0;
        let original = run(&drawn);
        let plan = crate::plan::frozen(&drawn, &original).expect("it passes or is violated");
        let text = plan.to_toml();
        let (scenario, _) =
            Scenario::parse("plan.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(scenario.faults, original.resolved);
        assert_eq!((scenario.swarm.clone(), &scenario.expect.seeds[..]), (None, &[seed][..]));
        let again = run(&Resolved { scenario, ..drawn });
        assert_eq!(again.resolved, original.resolved, "seed {seed}");
        assert_eq!(again.verdict.counts, original.verdict.counts, "seed {seed}");
        faults += original.resolved.len();
    }
    assert!(faults > 20, "{faults}");
}

#[test]
fn a_drawn_fault_without_a_duration_is_written_without_one() {
    let mut faults = 0;
    for seed in 0..4 {
        let mut drawn = small("swarm", seed);
        let swarm = drawn.scenario.swarm.as_mut().expect("it is a swarm");
        swarm.families = vec![spec::Family::World(sim::Kind::CorruptDisk)];
        swarm.draw_settings = false;
        let original = run(&drawn);
        let Some(plan) = crate::plan::frozen(&drawn, &original) else { continue };
        let text = plan.to_toml();
        let (scenario, _) =
            Scenario::parse("plan.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let again = run(&Resolved { scenario, ..drawn });
        assert_eq!(again.resolved, original.resolved, "seed {seed}");
        faults += original.resolved.len();
    }
    assert!(faults > 0, "no disk was corrupted");
}

/// A13: a fault that never fires makes no difference, and is reported with its reason.
#[test]
fn a_condition_that_would_hold_after_the_load_is_reported() {
    let late = "[[faults]]\nkind = 'restart'\ntarget = 'broker 1'\nat = '1s'\nlasts = '2s'\n\
                [[faults]]\nkind = 'crash'\ntarget = 'broker 2'\nat = '2s'\nlasts = '2s'\n\
                when = 'isr(orders-0) == 3 and time > 9s'\n";
    let verdict = run(&with_faults(3, late)).verdict;
    let missing = verdict.not_exercised.join("\n");
    assert!(missing.contains("fault crash: its condition had not held when the load ended, at "));
    assert_eq!(verdict.outcome, Outcome::Vacuous);
}

/// A13: a fault that cannot be injected is reported with its reason.
#[test]
fn a_fault_without_a_node_is_reported_with_its_reason() {
    let resolved = with_faults(
        3,
        "[[faults]]\nkind = 'partition'\ngroups = [['all servers'], ['broker 1']]\nat = '1s'\n\
         lasts = '1s'\n[[faults]]\nkind = 'lost-disk'\ntarget = 'controller 101'\nat = '1s'\n\
         lasts = '2s'\n[[faults]]\nname = 'again'\nkind = 'lost-disk'\n\
         target = 'controller 101'\nat = '2s'\nlasts = '1s'\n",
    );
    let missing = run(&resolved).verdict.not_exercised.join("\n");
    assert!(missing.contains("fault partition: a group has no node"), "{missing}");
    let lost = "fault again, left out: lost-disk 101 contradicts what is in force: lost-disk 101 is in \
                force since 1.000 s";
    assert!(missing.contains(lost), "{missing}");
}

#[test]
fn the_plan_of_a_seed_does_not_depend_on_settings() {
    let planned = |set: &[&str]| {
        let mut resolved = small("swarm", 9);
        let set: Vec<String> = set.iter().map(ToString::to_string).collect();
        resolved.scenario.set_all(&set).unwrap_or_else(|error| panic!("{error}"));
        crate::plan::swarm_faults(&resolved.scenario, 9)
    };
    let plan = planned(&[]);
    assert!(!plan.is_empty());
    assert_eq!(plan, planned(&["acks=1", "min.insync.replicas=1"]));
}

#[test]
fn the_canary_changes_the_verdict_and_not_the_run() {
    let quiet = run(&small("no-faults", 142)).verdict;
    let with_canary = |seed| {
        run(&Resolved { bugs: vec!["canary".to_owned()], ..small("no-faults", seed) }).verdict
    };
    let sung = with_canary(142);
    assert_eq!((quiet.outcome, sung.outcome), (Outcome::Pass, Outcome::Violation));
    assert_eq!(quiet.digest, sung.digest);
    assert_eq!(sung.violations[0].signature, "canary:a-false-violation");
    assert_eq!((sung.bugs[0].reached, with_canary(143).bugs[0].reached), (1, 0));
    assert_eq!(with_canary(143).outcome, Outcome::Pass);
}

#[test]
fn every_scenario_of_the_catalogue_ends() {
    for (name, _) in catalog::FILES {
        let outcome = run(&resolved(name, 42));
        assert!(outcome.verdict.unknown.is_empty(), "{name}: {:?}", outcome.verdict.unknown);
        assert!(outcome.verdict.counts.sent > 0, "{name}");
    }
}

#[test]
fn one_wrong_byte_on_one_disk_is_found_and_named() {
    let resolved = small("no-faults", 3);
    let broker = machine::NodeId::new(0, 2);
    let (partition, verdict) = sim::host::run(resolved.seed, |clock| {
        let mut simulation = Simulation::new(&resolved);
        while simulation.phase() < Phase::ReadBack {
            simulation.advance(clock);
        }
        // In the value of a record of the first batch: its header has 61 bytes.
        let disk = simulation.world.disk_mut(broker);
        let mut partitions = ["orders-0", "orders-1", "orders-2"].into_iter();
        let partition = partitions.find(|partition| {
            disk.corrupt(&format!("{partition}/00000000000000000000.log"), 120, 0xff)
        });
        simulation.run(clock);
        (partition.expect("some partition has records"), simulation.finish().verdict)
    });
    assert_eq!(verdict.outcome, Outcome::Violation);
    let found = verdict.violations.iter().find(|violation| violation.check == "replicas-equal");
    let found = found.unwrap_or_else(|| panic!("{:?}", verdict.violations));
    assert_eq!((found.partition.as_str(), found.offset), (partition, Some(0)));
    assert!(found.summary.contains('2'), "the broker: {}", found.summary);
}

fn provoked(trace: bool) -> Resolved {
    let bugs = vec![crate::museum::provoked::ID.to_owned()];
    Resolved { bugs, trace, ..resolved("leader-crash", 42) }
}

#[test]
fn a_panic_ends_a_run_at_the_same_event_with_and_without_a_trace() {
    let (plain, traced) = (attempt(&provoked(false)), attempt(&provoked(true)));
    assert!(plain.has_panicked() && traced.has_panicked());
    assert_eq!(digest(&plain), digest(&traced));
    assert_eq!(traced.account.trace.len() as u64, plain.verdict.events);
    assert!(plain.account.trace.is_empty() && traced.account.history.lines().count() > 0);
    let [plain, traced] = [plain, traced].map(|ran| ran.verdict.panic.expect("what happened"));
    assert_eq!((&plain.message, &plain.node), (&traced.message, &traced.node));
    assert_eq!(
        (plain.message.as_str(), plain.during.as_str()),
        ("a panic was asked for", "the load")
    );
    assert!(plain.handling.is_empty() && !traced.handling.is_empty() && !traced.input.is_empty());
    // Up to the panic, the run is equal to the one without it.
    let whole = run(&Resolved { trace: true, ..resolved("leader-crash", 42) });
    let until = &whole.account.trace[..traced.event as usize];
    let panicked = attempt(&provoked(true)).account;
    let words = |event: &sim::TraceEvent| format!("{event:?}");
    assert!(until.iter().map(words).eq(panicked.trace.iter().map(words)));
}

#[test]
#[should_panic(expected = "a panic was asked for")]
fn a_panic_reaches_a_caller_that_expects_none() {
    run(&provoked(false));
}

#[test]
fn a_panic_between_steps_belongs_to_no_node() {
    let traced = Resolved { trace: true, ..resolved("leader-crash", 42) };
    let panicked = sim::host::run(42, |clock| {
        let mut simulation = Simulation::new(&traced);
        while simulation.phase() < Phase::Load {
            simulation.advance(clock);
        }
        simulation.panicked(Caught { message: "why".to_owned(), place: "a.rs:1:2".to_owned() })
    });
    let panic = panicked.verdict.panic.expect("what happened");
    assert_eq!(panic.to_string(), "why (a.rs:1:2)");
    assert_eq!((panic.node.as_str(), panic.handling.as_str()), ("", ""));
    assert_eq!(panic.event, panicked.account.trace.len() as u64);
    assert_eq!(
        crate::result::where_in_run(&panic).split(", ").last(),
        Some(&*format!("after event {}", panic.event))
    );
    assert_eq!(panicked.plan.len(), traced.scenario.faults.len());
}

#[test]
fn neither_name_nor_title_changes_a_run() {
    let named = |name: &str| {
        let mut resolved = small("leader-crash", 7);
        resolved.scenario.name = name.to_owned();
        resolved.scenario.title = format!("{name}, at length");
        digest(&run(&resolved)).to_owned()
    };
    assert_eq!(named("good"), named("another"));
}
