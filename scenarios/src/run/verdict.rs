//! Makes the verdict of a run from its results.

use super::disks::WorldDisks;
use super::exercised::Reached;
use super::measure::Measured;
use super::notices;
use super::simulation::Simulation;
use crate::condition::Roster;
use crate::museum;
use crate::node::{Node, NodeConfig};
use crate::plan::PlannedFault;
use crate::result::{BugReached, Outcome, VERSION, Verdict, describe};
use judge::evidence::ControllerAtEnd;
use judge::outcome::{Counts, Transactions};
use judge::verdict::{self, Lost};
use machine::NodeId;
use spec::Resolved;
use std::collections::BTreeMap;

/// Judges a run that has ended.
pub(super) fn judge(
    mut run: Simulation,
    plan: &[PlannedFault],
    measured: &Measured,
) -> (Verdict, Vec<Lost>) {
    let reads = std::mem::take(&mut run.reads).finish(&run);
    let (errors, writes) = (run.errors.finish(), measured.writes(&run));
    let notices = notices::of_clients(&run);
    let Simulation { resolved, world, evidence, reached, mut unknown, missing, roster, .. } = run;
    let now = world.now();
    // The records of a lone controller are committed at once, before its disk has written them and
    // it reports the append.
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
    let mut judgement = verdict::judge(&view, &end, &findings);
    judgement.counts.never_sent = never_sent(&resolved, &world, &roster, &judgement.counts);
    unknown.extend(judgement.unknown);

    let exercised = exercised(world.exercised(), &reached);
    let transactions = Some(judgement.transactions).filter(|it| !it.is_none());
    let mut not_exercised = not_exercised(&resolved, &exercised, plan, &judgement.counts);
    if commits_nothing(&resolved, transactions.as_ref()) {
        not_exercised.push("a committed transaction".to_owned());
    }
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
        transactions,
        sum: judgement.sum,
        errors,
        writes,
        reads,
        notices,
        groups: judgement.groups,
        violations: judgement.violations,
        permitted: judgement.permitted,
        exercised,
        not_exercised,
        bugs: bugs(&resolved, &reached.differed),
        unknown,
        not_read_back: judgement.not_read_back,
        panic: None,
        // The command sets it, which knows the command line and the files.
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

/// The points that the run had to reach and has not: then a pass shows nothing.
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
    // A listed fault is essential to the scenario; faults of a swarm are not.
    let mut drawn = plan.iter().filter(|planned| planned.generated).peekable();
    if drawn.peek().is_some() && !drawn.any(|planned| planned.fate.took_effect()) {
        missing.push("a fault of the swarm that has an effect".to_owned());
    }
    for planned in plan.iter().filter(|planned| !planned.generated) {
        if !planned.fate.took_effect() {
            missing.push(format!("fault {}{}", which(planned, plan), planned.fate.why_not()));
        }
    }
    if !scenario.producers.is_empty() {
        // Without a promise there is no violation.
        if counts.sent == 0 {
            missing.push("a record sent".to_owned());
        } else if counts.acked + counts.unconfirmed == 0 {
            missing.push("a record acknowledged".to_owned());
        }
    }
    missing
}

/// The name of a fault, with details if other faults of the plan have the same name.
fn which(planned: &PlannedFault, plan: &[PlannedFault]) -> String {
    let name = |planned: &PlannedFault| {
        let fault = &planned.fault;
        fault.name.clone().unwrap_or_else(|| fault.kind.family().name().to_owned())
    };
    let own = name(planned);
    let same = plan.iter().filter(|other| !other.generated && name(other) == own).count();
    match (same, &planned.fault.name) {
        (..=1, _) => own,
        (_, Some(_)) => format!("{own} ({})", describe(&planned.fault)),
        (_, None) => describe(&planned.fault),
    }
}

/// Whether there are transactions of which some are to be committed, and none is.
fn commits_nothing(resolved: &Resolved, transactions: Option<&Transactions>) -> bool {
    let commits = |group: &spec::Producers| {
        let ends = group.transactions.as_ref();
        let shares = ends.map_or(0, |it| u64::from(it.aborted.0) + u64::from(it.abandoned.0));
        group.config().transactional_id.0.is_some() && shares < u64::from(spec::Share::WHOLE.0)
    };
    let known = transactions.map_or(0, |it| it.committed.transactions + it.maybe_committed);
    resolved.scenario.producers.iter().any(commits) && known == 0
}

/// The number of records that were due and never given to a producer. Applications that send
/// messages again give them new numbers, and are not counted.
fn never_sent(
    resolved: &Resolved,
    world: &sim::World<Node>,
    roster: &Roster,
    counts: &Counts,
) -> u64 {
    if resolved.scenario.producers.iter().any(|it| it.resend || it.rewind.is_some()) {
        return 0;
    }
    let due = |node: &NodeId| match world.node_config(*node) {
        NodeConfig::Client(config, _) => config.due(),
        _ => 0,
    };
    roster.producers.iter().map(due).sum::<u64>().saturating_sub(counts.sent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::outcome::Share;

    /// A run with transactions that commits none shows nothing, unless none was to be committed.
    #[test]
    fn a_run_that_commits_no_transaction_is_noticed() {
        let resolved = |name: &str, settings: &[&str]| {
            let (mut scenario, _) = crate::catalog::scenario(name).unwrap();
            let settings: Vec<String> = settings.iter().map(|it| (*it).to_owned()).collect();
            scenario.set_all(&settings).unwrap();
            Resolved { scenario, seed: 1, bugs: Vec::new(), trace: false }
        };
        let transactional = resolved("transactional-append", &[]);
        let one = Share { transactions: 1, records: 4 };
        let aborted = Transactions { aborted: one, ..Transactions::default() };
        let committed = Transactions { committed: one, ..aborted.clone() };
        let maybe = Transactions { unanswered: one, maybe_committed: 1, ..aborted.clone() };
        assert!(commits_nothing(&transactional, None));
        assert!(commits_nothing(&transactional, Some(&aborted)));
        assert!(!commits_nothing(&transactional, Some(&committed)));
        assert!(!commits_nothing(&transactional, Some(&maybe)));
        let none = ["transactions.aborted=100%", "transactions.abandoned=0%"];
        let none = resolved("transactional-append", &none);
        assert!(!commits_nothing(&none, Some(&aborted)));
        assert!(!commits_nothing(&resolved("leader-crash", &[]), None));
    }
}
