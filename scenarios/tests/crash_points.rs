//! Crashes of each node at each step of some transactions, and before each disk operation of
//! brokers, which lead the partitions and are the coordinators: according to the judge, no
//! transaction is stuck, torn or duplicated.
//!
//! The points are enumerated from the trace of a run without faults. A crash kills a process, or is
//! a power loss of its host, with the loss of unsynced bytes. Each point is a run of its own:
//! `cargo test -p scenarios --test crash_points -- --ignored --nocapture` tests all points, the
//! usual test a small part of them.

#![expect(clippy::print_stdout, reason = "the number of points is printed, and may not fall")]

use scenarios::result::{Outcome, Verdict};
use scenarios::run::{RunOutcome, run};
use sim::TraceKind;
use spec::{Resolved, Scenario};
use std::collections::{BTreeMap, BTreeSet};

const BASE: &str = include_str!("directed/crash-points.toml");

const SEED: u64 = 1;

/// The node of the producer; brokers are 1, 2 and 3.
const PRODUCER: u16 = 1001;

/// The minimum number of points for each version of the transaction protocol, over all nodes. A
/// smaller number means that points are missed.
const STEPS: [usize; 2] = [560, 580];
const DISK_OPERATIONS: [usize; 2] = [285, 300];

/// The number of points of each kind that the usual test takes.
const SAMPLE: usize = 30;

/// The point of a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    /// The time in nanoseconds since the load began.
    at: u64,
    node: u16,
    /// The number of the disk operation in the handler; `None` means before the handler.
    operation: Option<u32>,
}

/// The kind of a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Kill,
    PowerLoss,
}

fn resolved(version: u16, faults: &str, trace: bool) -> Resolved {
    let base = BASE.replace(
        "[clusters.topic]",
        &format!("[clusters.controller]\ntransaction.version = {version}\n\n[clusters.topic]"),
    );
    let text = format!("{base}\n{faults}");
    let (scenario, _) = Scenario::parse("crash-points.toml", &text).expect("it is right");
    Resolved { scenario, seed: SEED, bugs: Vec::new(), trace }
}

/// The findings of a verdict.
fn in_words(verdict: &Verdict) -> String {
    format!("{:?}: {:?} {:?}", verdict.outcome, verdict.violations, verdict.unknown)
}

/// All steps, and all disk operations, of the load of a run without faults.
fn points(version: u16) -> (BTreeSet<Point>, BTreeSet<Point>) {
    let calm = run(&resolved(version, "", true));
    assert_eq!(calm.verdict.outcome, Outcome::Pass, "{}", in_words(&calm.verdict));
    let trace = &calm.account.trace;
    let by_id: BTreeMap<_, _> = trace.iter().map(|event| (event.id, event)).collect();
    let load = calm.stats.setup_ns..calm.stats.setup_ns + calm.stats.load_ns;
    let (mut steps, mut operations) = (BTreeSet::new(), BTreeSet::new());
    for event in trace {
        // All handlers, and those that used the disk.
        let (handler, count) = match event.kind {
            TraceKind::Received { .. }
            | TraceKind::Woke
            | TraceKind::Opened { .. }
            | TraceKind::Closed { .. } => (event, 0),
            TraceKind::DiskDone { operations } => (by_id[&event.cause], operations),
            _ => continue,
        };
        let Some(node) = handler.node else { continue };
        let is_broker = (1..=3).contains(&node.node);
        let is_producer = node.node == PRODUCER;
        if !load.contains(&handler.time.0) || !(is_broker || is_producer) {
            continue;
        }
        let point =
            |operation| Point { at: handler.time.0 - load.start, node: node.node, operation };
        steps.insert(point(None));
        operations.extend((1..=count).map(|nth| point(Some(nth))));
    }
    (steps, operations)
}

/// The fault of a point. It begins a nanosecond earlier, when there is no other event.
fn fault(point: Point, blow: Blow) -> String {
    let kind = match blow {
        Blow::Kill => "crash",
        Blow::PowerLoss => "power-loss",
    };
    let target = match point.node {
        PRODUCER => format!("client {PRODUCER}"),
        broker => format!("broker {broker}"),
    };
    let operation = point.operation.map(|nth| format!("at_disk_operation = {nth}\n"));
    // A client restarts soon, so that there are records left to write.
    let lasts = if point.node == PRODUCER { "150ms" } else { "1500ms" };
    format!(
        "[[faults]]\nkind = \"{kind}\"\ntarget = \"{target}\"\nat = \"{}ns\"\nlasts = \"{lasts}\"\n{}",
        point.at.saturating_sub(1),
        operation.unwrap_or_default()
    )
}

fn struck(version: u16, point: Point, blow: Blow) -> RunOutcome {
    run(&resolved(version, &fault(point, blow), false))
}

/// Crashes at every `stride`-th point; returns the findings.
fn crash(version: u16, points: &BTreeSet<Point>, stride: usize, wrong: &mut Vec<String>) -> usize {
    let mut made = 0;
    for point in points.iter().step_by(stride) {
        for blow in [Blow::Kill, Blow::PowerLoss] {
            // A client stores no data, so that a power loss is the same as a kill.
            if point.node == PRODUCER && blow == Blow::PowerLoss {
                continue;
            }
            let verdict = struck(version, *point, blow).verdict;
            made += 1;
            if verdict.outcome != Outcome::Pass {
                wrong.push(format!(
                    "version {version}, {}: {}",
                    fault(*point, blow).replace('\n', " "),
                    in_words(&verdict)
                ));
            }
        }
    }
    made
}

fn crash_at(stride: impl Fn(usize) -> usize) {
    let mut wrong = Vec::new();
    for (version, at) in [(1, 0), (2, 1)] {
        let (steps, operations) = points(version);
        println!(
            "transaction.version {version}: {} steps and {} disk operations over four nodes",
            steps.len(),
            operations.len()
        );
        assert!(steps.len() >= STEPS[at], "{} steps", steps.len());
        assert!(operations.len() >= DISK_OPERATIONS[at], "{} operations", operations.len());
        for points in [steps, operations] {
            let made = crash(version, &points, stride(points.len()), &mut wrong);
            println!("{made} crashes");
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_crash_at_any_point_leaves_nothing_stuck_torn_or_duplicated() {
    crash_at(|points| (points / SAMPLE).max(1));
}

#[test]
#[ignore = "it makes thousands of runs"]
fn a_crash_at_every_point_leaves_nothing_stuck_torn_or_duplicated() {
    crash_at(|_| 1);
}
