//! From what a run left behind to its verdict.

use super::disks::WorldDisks;
use super::exercised::Reached;
use super::measure::Measured;
use super::notices;
use super::simulation::Simulation;
use crate::museum;
use crate::node::Node;
use crate::plan::PlannedFault;
use crate::result::{BugReached, Outcome, VERSION, Verdict};
use judge::evidence::ControllerAtEnd;
use judge::outcome::Counts;
use judge::verdict::{self, Lost};
use spec::Resolved;
use std::collections::BTreeMap;

/// Judges a run that is over.
pub(super) fn judge(
    mut run: Simulation,
    plan: &[PlannedFault],
    measured: &Measured,
) -> (Verdict, Vec<Lost>) {
    let reads = std::mem::take(&mut run.reads).finish(&run);
    let (errors, writes) = (run.errors.finish(), measured.writes(&run));
    let notices = notices::of_clients(&run);
    let Simulation { resolved, world, evidence, reached, mut unknown, missing, .. } = run;
    let now = world.now();
    // What a controller without others has written is committed at once, before its disk is done and it
    // reports what it appended.
    let reported = world.nodes().filter(|node| !world.awaits_disk(*node));
    let controllers = reported.filter_map(|node| {
        let image = world.process(node).and_then(Node::controller)?.image();
        Some(ControllerAtEnd { node, offset: image.offset(), digest: image.digest() })
    });
    let controllers = controllers.collect();
    let (view, end, mut findings) =
        evidence.finish(now.0, &WorldDisks(&world), controllers, missing);
    if museum::canary::sings(&resolved.bugs, resolved.seed) {
        museum::canary::sing(now.0, &mut findings);
    }
    let judgement = verdict::judge(&view, &end, &findings);
    unknown.extend(judgement.unknown);

    let exercised = exercised(world.exercised(), &reached);
    let not_exercised = not_exercised(&resolved, &exercised, plan, &judgement.counts);
    let outcome = if !judgement.violations.is_empty() {
        Outcome::Violation
    } else if !unknown.is_empty() {
        Outcome::Unknown
    } else if !not_exercised.is_empty() {
        Outcome::Vacuous
    } else {
        Outcome::Pass
    };
    let verdict = Verdict {
        version: VERSION,
        scenario: resolved.scenario.name.clone(),
        seed: resolved.seed,
        outcome,
        digest: world.digest().hex(),
        simulated_ns: now.0,
        events: world.events(),
        counts: judgement.counts,
        errors,
        writes,
        reads,
        notices,
        groups: BTreeMap::new(),
        violations: judgement.violations,
        permitted: judgement.permitted,
        exercised,
        not_exercised,
        bugs: bugs(&resolved, &reached.differed),
        unknown,
        not_read_back: judgement.not_read_back,
        panic: None,
        // Known where the command line was read and the files are written.
        reproduce: String::new(),
        replay: String::new(),
        out: String::new(),
    };
    (verdict, judgement.lost)
}

/// The museum bugs of a run, and how often each made a difference.
pub(super) fn bugs(resolved: &Resolved, differed: &BTreeMap<&str, u64>) -> Vec<BugReached> {
    let reached = |id: &String| match museum::find(id) {
        Some(bug) if bug.rules.is_empty() => {
            u64::from(museum::canary::sings(&resolved.bugs, resolved.seed))
        }
        Some(bug) => bug.rules.iter().filter_map(|rule| differed.get(rule)).sum(),
        None => 0,
    };
    resolved.bugs.iter().map(|id| BugReached { id: id.clone(), reached: reached(id) }).collect()
}

/// Effects of the world and of the protocol, by name.
pub(super) fn exercised(world: &sim::Exercised, reached: &Reached) -> BTreeMap<String, u64> {
    let of_world = world.by_name().into_iter();
    of_world.chain(reached.counts()).map(|(name, count)| (name.to_owned(), count)).collect()
}

/// What the run had to exercise and has not: then a pass shows nothing.
fn not_exercised(
    resolved: &Resolved,
    exercised: &BTreeMap<String, u64>,
    plan: &[PlannedFault],
    counts: &Counts,
) -> Vec<String> {
    let scenario = &resolved.scenario;
    let wanted = scenario.must_reach_here().filter(|must| !must.seldom);
    let mut missing: Vec<String> = wanted
        .filter(|must| !must.names().any(|name| exercised.contains_key(name)))
        .map(|must| must.reach.clone())
        .collect();
    // A fault that the scenario lists is what it is about. Of those of a swarm some may fall away.
    let mut drawn = plan.iter().filter(|planned| planned.generated).peekable();
    if drawn.peek().is_some() && !drawn.any(|planned| planned.fate.took_effect()) {
        missing.push("a fault of the swarm that has an effect".to_owned());
    }
    for planned in plan.iter().filter(|planned| !planned.generated) {
        if !planned.fate.took_effect() {
            let fault = &planned.fault;
            let name = fault.name.as_deref().unwrap_or(fault.kind.family().name());
            missing.push(format!("fault {name}{}", planned.fate.why_not()));
        }
    }
    if !scenario.producers.is_empty() {
        // What was never promised cannot be broken.
        if counts.sent == 0 {
            missing.push("a record sent".to_owned());
        } else if counts.acked + counts.unconfirmed == 0 {
            missing.push("a record acknowledged".to_owned());
        }
    }
    missing
}
