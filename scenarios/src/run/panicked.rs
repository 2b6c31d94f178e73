//! A run that ended with a panic: its results, and the events that led to it.
//!
//! After a panic the state of the world may be anything. It is only read here and not judged; and
//! if reading panics too, the first panic is reported all the same.

use super::caught::{Caught, caught};
use super::simulation::{Phase, Simulation};
use super::{Account, RunOutcome, Stats, verdict};
use crate::plan::PlannedFault;
use crate::result::{Panic, Verdict};
use engine::Input;
use machine::{ConnId, NodeId};
use sim::text::conn_to_text;
use sim::{EventId, TraceEvent, TraceKind};
use spec::{Fault, Resolved};
use std::collections::BTreeMap;

/// How many events are listed of a node, of a connection, and of a chain of causes.
const LISTED: usize = 12;
/// How many characters of a message are kept.
const INPUT: usize = 4_000;

/// The input of a node in the next step of the world.
#[derive(Clone, Debug)]
pub(super) struct Upcoming {
    /// The number of events before it.
    pub(super) events: u64,
    pub(super) node: NodeId,
    pub(super) input: Input,
}

/// The results of a run, whatever its outcome.
#[derive(Default)]
pub(super) struct Left {
    pub(super) stats: Stats,
    pub(super) digest: String,
    pub(super) exercised: BTreeMap<String, u64>,
    pub(super) differed: BTreeMap<&'static str, u64>,
    pub(super) account: Account,
    pub(super) plan: Vec<PlannedFault>,
    pub(super) struck: Vec<Fault>,
    pub(super) resolved: Vec<Fault>,
}

/// The outcome of a run that could not even be set up.
pub(super) fn before_it_began(resolved: &Resolved, panic: Caught) -> RunOutcome {
    outcome(resolved, Left::default(), Panic::of(panic, "setting up"))
}

impl Simulation {
    /// Moves out the results that need no verdict, those about the panic first, in case another
    /// panic follows.
    pub(super) fn leave(&mut self, left: &mut Left) {
        left.stats = self.stats();
        left.digest = self.world.digest().hex();
        left.account.trace = self.world.take_trace();
        if let Some(mut history) = self.history.take() {
            // Includes observations that have not been taken in yet.
            history.extend(&self.world.take_observations());
            left.account.history = history;
        }
        left.differed = self.reached.differed.clone();
        self.reached.take_in(self.world.take_marks());
        left.exercised = verdict::exercised(self.world.exercised(), &self.reached);
        left.struck = self.director.struck(|fault| self.world.took_effect_at(fault));
        left.resolved = self.director.resolved(|fault| self.world.took_effect(fault));
        left.plan = self.director.record(|fault| self.world.took_effect(fault));
    }

    /// The outcome of a run that a panic has ended.
    pub(super) fn panicked(mut self, panic: Caught) -> RunOutcome {
        let mut left = Left::default();
        let _ = caught(|| self.leave(&mut left));
        self.panicked_with(left, panic)
    }

    /// The outcome after these results have been moved out.
    pub(super) fn panicked_with(self, left: Left, panic: Caught) -> RunOutcome {
        let mut panic = Panic::of(panic, during(self.phase));
        let _ = caught(|| self.explain(&left, &mut panic));
        outcome(&self.resolved, left, panic)
    }

    fn explain(&self, left: &Left, panic: &mut Panic) {
        let handling = self.world.handling();
        panic.at_ns = left.stats.since_load();
        panic.event = left.stats.events;
        panic.node = handling.map(|node| node.to_string()).unwrap_or_default();
        let Some(last) = left.account.trace.last() else { return };
        if let Some(node) = handling.filter(|node| last.node == Some(*node)) {
            panic.handling = handled(last, &left.account);
            panic.input = self.input(node, &left.account.trace).unwrap_or_default();
        }
        lead_up(last, &left.account, panic);
    }

    /// The message or timer that `node` was handling, if that is certain: the input of the last
    /// step, if it was the first one handled in that step.
    fn input(&self, node: NodeId, trace: &[TraceEvent]) -> Option<String> {
        let upcoming = self.upcoming.as_ref().filter(|upcoming| upcoming.node == node)?;
        let step = &trace[trace.partition_point(|event| event.id.0 <= upcoming.events)..];
        let mut handled = step.iter().filter(|event| is_input(&event.kind));
        let (first, None) = (handled.next()?, handled.next()) else { return None };
        let same = match (&first.kind, &upcoming.input) {
            (TraceKind::Woke, Input::Timer(_)) => true,
            (TraceKind::Received { conn, .. }, Input::Message { conn: on, .. }) => conn == on,
            _ => false,
        };
        let text = match &upcoming.input {
            Input::Message { message, .. } => format!("{message:?}"),
            Input::Timer(timer) => format!("{timer:?}"),
            _ => return None,
        };
        (same && first.node == Some(node)).then(|| shortened(text))
    }
}

/// The outcome of a run whose verdict panicked.
pub(super) fn when_judged(resolved: &Resolved, left: Left, panic: Caught) -> RunOutcome {
    let mut panic = Panic::of(panic, "judging what had happened");
    panic.at_ns = left.stats.since_load();
    panic.event = left.stats.events;
    outcome(resolved, left, panic)
}

/// The outcome of a run that was to repeat the faults of another run, which has panicked.
pub(super) fn in_the_reference(resolved: &Resolved, mut panicked: RunOutcome) -> RunOutcome {
    panicked.verdict.bugs = verdict::bugs(resolved, &BTreeMap::new());
    if let Some(panic) = &mut panicked.verdict.panic {
        panic.during.push_str(" of the run under the reference setting, whose faults it meets");
    }
    panicked
}

fn outcome(resolved: &Resolved, left: Left, panic: Panic) -> RunOutcome {
    let Left { stats, digest, exercised, differed, account, plan, struck, resolved: met } = left;
    let mut bugs = verdict::bugs(resolved, &differed);
    // The bug that provokes a panic has made a difference.
    for bug in bugs.iter_mut().filter(|bug| bug.id == crate::museum::provoked::ID) {
        bug.reached = 1;
    }
    let verdict = Verdict {
        digest,
        events: stats.events,
        simulated_ns: stats.simulated_ns,
        exercised,
        bugs,
        ..Verdict::of_panic(&resolved.scenario.name, resolved.seed, &resolved.bugs, panic)
    };
    let (lost, measured) = (Vec::new(), super::Measured::default());
    RunOutcome { verdict, account, plan, struck, resolved: met, stats, differed, lost, measured }
}

fn during(phase: Phase) -> &'static str {
    match phase {
        Phase::SetUp => "setting up",
        Phase::Load => "the load",
        Phase::Converge => "convergence",
        Phase::ReadBack => "reading back",
        Phase::Over => "the end",
    }
}

/// Whether an event begins a handler.
fn is_input(kind: &TraceKind) -> bool {
    matches!(
        kind,
        TraceKind::Received { .. }
            | TraceKind::Woke
            | TraceKind::Opened { .. }
            | TraceKind::Closed { .. }
            | TraceKind::Stopping
            | TraceKind::Started { .. }
    )
}

/// The input that a process was handling: its node, its connection, and its cause.
fn handled(event: &TraceEvent, account: &Account) -> String {
    let what = match &event.kind {
        TraceKind::Received { conn, from, message } => {
            let (from, conn) = (crate::roles::name(*from), conn_to_text(*conn));
            format!("{message} from {from} on connection {conn}")
        }
        TraceKind::Woke => "a timer".to_owned(),
        TraceKind::Opened { conn, peer } => {
            format!(
                "that connection {} with {} is open",
                conn_to_text(*conn),
                crate::roles::name(*peer)
            )
        }
        TraceKind::Closed { conn, peer, .. } => {
            let (conn, peer) = (conn_to_text(*conn), crate::roles::name(*peer));
            format!("the end of connection {conn} with {peer}")
        }
        TraceKind::Stopping => "the request to stop".to_owned(),
        TraceKind::Started { incarnation } => format!("its own start, life {incarnation}"),
        kind => super::words::happened(kind),
    };
    let because = match (&event.kind, account.event(event.cause)) {
        (_, None) => String::new(),
        (TraceKind::Woke, Some(cause)) => {
            format!(", set in event {} at {}", cause.id.0, account.moment(cause))
        }
        (_, Some(cause)) => {
            let (at, who) = (account.moment(cause), cause.node.map(crate::roles::name));
            let who = who.map(|who| format!(" of {who}")).unwrap_or_default();
            format!(", caused by event {}{who} at {at}", cause.id.0)
        }
    };
    format!("{what}{because}")
}

/// The events that led to the last one.
fn lead_up(last: &TraceEvent, account: &Account, panic: &mut Panic) {
    let mut causes = vec![last];
    while let Some(cause) = causes.last().and_then(|event| account.event(event.cause))
        && causes.len() < LISTED
    {
        causes.push(cause);
    }
    panic.causes = causes.iter().rev().map(|event| account.numbered(event)).collect();
    if last.node.is_some() {
        panic.of_node = latest(account, |event| event.node == last.node);
    }
    if let Some(conn) = connection(&last.kind) {
        panic.of_connection = latest(account, |event| connection(&event.kind) == Some(conn));
    }
}

/// The latest events of a kind, in order of time.
fn latest(account: &Account, is_wanted: impl Fn(&TraceEvent) -> bool) -> Vec<String> {
    let wanted = account.trace.iter().rev().filter(|event| is_wanted(event)).take(LISTED);
    let mut lines: Vec<String> = wanted.map(|event| account.numbered(event)).collect();
    lines.reverse();
    lines
}

/// The connection of an event.
fn connection(kind: &TraceKind) -> Option<ConnId> {
    match kind {
        TraceKind::Received { conn, .. }
        | TraceKind::Opened { conn, .. }
        | TraceKind::Closed { conn, .. }
        | TraceKind::Connecting { conn, .. }
        | TraceKind::Sent { conn, .. }
        | TraceKind::Cut { conn }
        | TraceKind::Unexpected { conn }
        | TraceKind::Closing { conn } => Some(*conn),
        _ => None,
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(INPUT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl Panic {
    fn of(panic: Caught, during: &str) -> Self {
        let Caught { message, place } = panic;
        Self { message, place, during: during.to_owned(), ..Self::default() }
    }
}

impl Account {
    /// An event by its number; ids of a trace that began with the run have no gaps.
    fn event(&self, id: EventId) -> Option<&TraceEvent> {
        let index = usize::try_from(id.0.checked_sub(1)?).ok()?;
        self.trace.get(index).filter(|event| event.id == id)
    }

    /// An event in words, with its number.
    fn numbered(&self, event: &TraceEvent) -> String {
        format!("{:>6}  {}", event.id.0, self.in_words(event))
    }

    fn moment(&self, event: &TraceEvent) -> String {
        crate::result::moment(self.history.since_load(event.time))
    }
}
