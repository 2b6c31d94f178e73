//! The speed of runs, as ratios to a bare event heap and to madsim's Endpoint, all measured one
//! after another in the same process: `cargo bench -p scenarios`.
//!
//! Real time is only read outside of runs.

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark measures real time and memory and prints them"
)]

mod baseline;

use scenarios::catalog;
use scenarios::run::{Phase, Simulation, run};
use spec::{Resolved, Scenario};
use std::time::{Duration, Instant};

/// As in the command line.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A number of items, and the time that they took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    count: u64,
    took: Duration,
}

impl Measured {
    /// Measures `work`, which handles `count` items, on a new thread, outside of any runtime.
    pub(crate) fn of(count: u64, work: impl FnOnce() + Send + 'static) -> Self {
        let began = Instant::now();
        std::thread::Builder::new()
            .spawn(work)
            .expect("a thread")
            .join()
            .expect("the work does not panic");
        Self { count, took: began.elapsed() }
    }

    fn per_second(self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

/// The peak memory of this process so far in MiB, if Linux reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

fn resolved(scenario: &Scenario, seed: u64) -> Resolved {
    Resolved { scenario: scenario.clone(), seed, bugs: Vec::new(), trace: false }
}

/// One line of the table: a figure, its unit, its target, and the share of the target reached.
fn row(name: &str, figure: f64, unit: &str, target: f64, more_is_better: bool) {
    let share = if more_is_better { figure / target } else { target / figure };
    println!("{name:<34} {figure:>14.1} {unit:<12} target {target:>11.1}  {share:>6.2} of it");
}

fn information(name: &str, figure: f64, unit: &str, ratio: f64) {
    println!("{name:<34} {figure:>14.0} {unit:<12} {ratio:>8.3} of the bare heap");
}

fn fuzz_seeds(scenario: &Scenario, seeds: u64) -> (f64, f64) {
    let (mut events, began) = (0, Instant::now());
    for seed in 0..seeds {
        let outcome = run(&resolved(scenario, seed));
        assert!(outcome.verdict.violations.is_empty(), "seed {seed} found something");
        events += outcome.verdict.events;
    }
    let seconds = began.elapsed().as_secs_f64();
    (seeds as f64 / seconds, events as f64 / seconds)
}

/// The cost of a fuzz seed with idempotent producers, as a multiple of one without.
fn cost_of_idempotence(swarm: &Scenario, seeds: u64) -> f64 {
    let with = |value: &str| {
        let mut scenario = swarm.clone();
        if let Some(swarm) = &mut scenario.swarm {
            swarm.draw_settings = false;
        }
        let setting = format!("enable.idempotence={value}");
        scenario.set_all(&[setting]).expect("it can be set");
        scenario
    };
    let (on, off) = (with("true"), with("false"));
    fuzz_seeds(&off, seeds).0 / fuzz_seeds(&on, seeds).0
}

/// Seeds of 500 transactions and six faults for each second.
fn transactional_seeds(seeds: u64) -> f64 {
    let text = include_str!("transactional.toml");
    let (scenario, _) = Scenario::parse("transactional.toml", text).expect("the file is right");
    let outcome = run(&resolved(&scenario, 0));
    let ended = |name: &str| outcome.verdict.exercised.get(name).copied().unwrap_or(0);
    let transactions = ended("transaction_committed") + ended("transaction_aborted");
    assert!(transactions > 400, "{transactions} transactions ended");
    fuzz_seeds(&scenario, seeds).0
}

fn steady_load() -> f64 {
    let text = include_str!("steady.toml");
    let (scenario, _) = Scenario::parse("steady.toml", text).expect("the file is right");
    let began = Instant::now();
    let outcome = run(&resolved(&scenario, 1));
    let seconds = began.elapsed().as_secs_f64();
    let counts = &outcome.verdict.counts;
    assert_eq!(counts.read, counts.sent, "{:?}", outcome.verdict.unknown);
    assert_eq!(counts.lost, 0);
    counts.read as f64 / seconds
}

/// Microseconds to clone a run in the middle of its load.
fn clone_in_the_middle(scenario: &Scenario) -> f64 {
    const CLONES: u32 = 200;
    let scenario = resolved(scenario, 7);
    let simulation = sim::host::run(7, move |clock| {
        let mut simulation = Simulation::new(&scenario);
        let middle = sim::SimTime(13_000_000_000);
        while simulation.phase() <= Phase::Load && simulation.world().now() < middle {
            simulation.advance(clock);
        }
        simulation
    });
    let began = Instant::now();
    for _ in 0..CLONES {
        std::hint::black_box(simulation.world().clone());
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(CLONES)
}

fn main() {
    let (swarm, _) = catalog::scenario("swarm").expect("it is in the catalogue");
    // A first run, which warms caches and the allocator.
    fuzz_seeds(&swarm, 20);
    let fresh = peak_memory();

    let (seeds, events) = fuzz_seeds(&swarm, 400);
    row("fuzz seed (swarm)", seeds, "seeds/s", 200.0, true);
    let after_seeds = peak_memory();
    row("the same, idempotence on / off", cost_of_idempotence(&swarm, 200), "times", 1.1, false);
    row("transactional seed", transactional_seeds(200), "seeds/s", 100.0, true);
    row("clone of a world", clone_in_the_middle(&swarm), "us", 100.0, false);
    row("steady load", steady_load(), "records/s", 1_000_000.0, true);
    if let (Some(fresh), Some(after)) = (fresh, after_seeds) {
        row("peak memory after 20 seeds", fresh as f64, "MiB", 16.0, false);
        row("peak memory after 420 seeds", after as f64, "MiB", 16.0, false);
    }

    println!();
    let bare = baseline::bare_heap(20_000_000).per_second();
    information("bare heap", bare, "events/s", 1.0);
    let hosted = baseline::heap_in_madsim(20_000_000).per_second();
    information("the same inside a madsim task", hosted, "events/s", hosted / bare);
    information("events of the fuzz seeds", events, "events/s", events / bare);
    let endpoint = baseline::madsim_ping_pong(400_000).per_second();
    information("madsim's Endpoint, ping-pong", endpoint, "messages/s", endpoint / bare);
}
