//! The phases of a run, step by step.
//!
//! All state is plain data: a clone made at any time and run to its end gives the same digest.

use super::build::{self, Built};
use super::caught::caught;
use super::converge::Lack;
use super::deadline::{converge_within, cut_short, read_back_within};
use super::errors::ErrorCounts;
use super::event_budget::EventBudget;
use super::exercised::Reached;
use super::history::History;
use super::measure::Measure;
use super::panicked::{self, Left, Upcoming};
use super::progress::Progress;
use super::reads::ReadsMeasure;
use super::{RunOutcome, Stats, converge, verdict};
use crate::budget::Budget;
use crate::condition::Roster;
use crate::node::Node;
use crate::plan::{Director, Firing, Scene, settings};
use crate::view::{Board, PartitionView};
use crate::workload::{LOAD_BEGINS, election_timer};
use engine::rules::{Rulebook, Rules};
use judge::Observer;
use judge::evidence::Missing;
use machine::{ClusterId, NodeId, Span};
use sim::host::Clock;
use sim::{SimTime, World};
use spec::{Fault, FaultKind, Resolved};
use std::collections::BTreeMap;

/// The interval at which a run checks whether a phase has ended.
const TICK: Span = Span::millis(20);
/// The number of events after which a run ends undecided: settings can cause any number of them,
/// even at the same time. A run of 100 brokers with 10,000 partitions has fewer than half as many.
const MOST_EVENTS: u64 = 100_000_000;
/// The interval at which a run records the progress of its readers.
const NOTE: Span = Span::millis(500);

/// The phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Servers boot, topics are created, all replicas get in sync.
    SetUp,
    /// Clients work and faults happen.
    Load,
    /// Everything is healed; the cluster has to recover.
    Converge,
    /// Everything is read back.
    ReadBack,
    /// The run has ended.
    Over,
}

/// A run in progress.
#[derive(Clone, Debug)]
pub struct Simulation {
    pub(super) resolved: Resolved,
    pub(super) world: World<Node>,
    pub(super) roster: Roster,
    admins: Vec<NodeId>,
    readers: Vec<NodeId>,
    pub(super) board: Board,
    pub(super) budget: Budget,
    pub(super) director: Director,
    pub(super) evidence: Observer,
    pub(super) history: Option<History>,
    pub(super) measure: Measure,
    pub(super) reads: ReadsMeasure,
    pub(super) errors: ErrorCounts,
    pub(super) progress: Progress,
    pub(super) event_budget: EventBudget,
    next_note: SimTime,
    /// The observations of the step in progress; collected only with the history.
    pub(super) upcoming: Option<Upcoming>,
    pub(super) reached: Reached,
    pub(super) phase: Phase,
    /// When the phase has to end.
    deadline: SimTime,
    next_tick: SimTime,
    most_events: u64,
    load_began: SimTime,
    healed: SimTime,
    converged: SimTime,
    /// An error of the run itself, which leaves it undecided.
    pub(super) unknown: Vec<String>,
    /// The items that were still missing at a deadline.
    pub(super) missing: Vec<Missing>,
    /// Since when each fenced broker is fenced.
    pub(super) fenced: BTreeMap<NodeId, SimTime>,
}

/// The run with the settings that its seed draws.
fn settled(resolved: &Resolved) -> Resolved {
    let (scenario, _) = settings::drawn(&resolved.scenario, resolved.seed);
    Resolved { scenario, ..resolved.clone() }
}

impl Simulation {
    /// A run before its first event.
    pub fn new(resolved: &Resolved) -> Self {
        let resolved = &settled(resolved);
        let director = Director::new(&resolved.scenario, resolved.seed);
        Self::directed(resolved, director, build::rulebook(&resolved.bugs))
    }

    /// A run under other rules, instead of the bugs of `resolved`.
    pub fn under(resolved: &Resolved, rules: Rules) -> Self {
        let resolved = &settled(resolved);
        let director = Director::new(&resolved.scenario, resolved.seed);
        Self::directed(resolved, director, Rulebook::compared(rules))
    }

    /// A run with the faults of another run of the seed.
    pub fn paired(resolved: &Resolved, struck: &[Fault]) -> Self {
        let resolved = &settled(resolved);
        let director = Director::paired(&resolved.scenario, resolved.seed, struck);
        Self::directed(resolved, director, build::rulebook(&resolved.bugs))
    }

    fn directed(resolved: &Resolved, director: Director, rules: Rulebook) -> Self {
        let built = build::build(resolved, rules, &director.elections());
        let Built { world, roster, admins, readers, setup } = built;
        Self {
            resolved: resolved.clone(),
            roster,
            admins,
            readers,
            board: Board::default(),
            budget: Budget::default(),
            director,
            evidence: Observer::new(setup),
            history: resolved.trace.then(History::default),
            measure: Measure::default(),
            reads: ReadsMeasure::default(),
            errors: ErrorCounts::default(),
            progress: Progress::default(),
            event_budget: EventBudget::new(&resolved.scenario),
            next_note: SimTime::ZERO,
            upcoming: None,
            reached: Reached::default(),
            phase: Phase::SetUp,
            deadline: SimTime::ZERO + resolved.scenario.durations.setup.0,
            next_tick: SimTime::ZERO + TICK,
            most_events: MOST_EVENTS,
            load_began: SimTime::MAX,
            healed: SimTime::MAX,
            converged: SimTime::MAX,
            unknown: Vec::new(),
            missing: Vec::new(),
            fenced: BTreeMap::new(),
            world,
        }
    }

    /// The phase of the run.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The world.
    pub fn world(&self) -> &World<Node> {
        &self.world
    }

    /// Runs to the end.
    pub fn run(&mut self, clock: &mut Clock) {
        while self.phase != Phase::Over {
            self.advance(clock);
        }
    }

    /// Runs to the next time at which a decision may be due.
    pub fn advance(&mut self, clock: &mut Clock) {
        if self.world.events() == 0 {
            for node in self.roster.servers.iter().chain(&self.admins) {
                self.world.start(*node);
            }
        }
        let until = match self.phase {
            Phase::Load => {
                let moment = self.director.next_moment(self.world.now());
                moment.map_or(self.next_tick, |moment| moment.min(self.next_tick))
            }
            _ => self.next_tick,
        };
        self.run_until(clock, until);
        if self.phase == Phase::Over {
            return;
        }
        if self.phase == Phase::Load {
            self.direct();
        }
        if self.phase != Phase::Over && self.world.now() >= self.next_tick {
            self.next_tick = self.world.now() + TICK;
            self.look();
        }
    }

    fn run_until(&mut self, clock: &mut Clock, until: SimTime) {
        self.absorb();
        while self.world.next_event_at().is_some_and(|at| at <= until) {
            if self.world.events() >= self.most_events {
                self.give_up();
                return;
            }
            if self.world.events() >= self.event_budget.limit && self.is_livelocked() {
                self.phase = Phase::Over;
                return;
            }
            if self.history.is_some() {
                let (events, next) = (self.world.events(), self.world.next_input());
                self.upcoming = next.map(|(node, input)| Upcoming { events, node, input });
            }
            clock.step(&mut self.world);
            if self.world.has_observations() {
                self.absorb();
                if self.phase == Phase::Load && self.director.is_watching() {
                    self.direct();
                }
            }
        }
        clock.run_until(&mut self.world, until);
    }

    /// Ends the run now, undecided.
    fn give_up(&mut self) {
        let (events, now) = (self.world.events(), self.world.now());
        let seconds = now.0 / 1_000_000_000;
        self.unknown.push(format!(
            "the run was ended after {events} events, at {seconds} s of simulated time: its \
             settings make more of them than are simulated"
        ));
        self.phase = Phase::Over;
    }

    /// Ends the run undecided after `most` events; for tests.
    pub fn bound_events(&mut self, most: u64) {
        self.most_events = most;
    }

    /// The partitions in the committed metadata of the active controllers; `None` if a cluster has
    /// none.
    pub(super) fn partitions(&self) -> Option<Vec<PartitionView>> {
        converge::partitions(&self.world, &self.roster, self.resolved.scenario.clusters.len())
    }

    /// Injects the faults of the plan that fire now.
    fn direct(&mut self) {
        loop {
            let Self { world, roster, board, budget, director, resolved, .. } = self;
            let clusters = resolved.scenario.clusters.len();
            let known = || converge::partitions(world, roster, clusters);
            let active = world.active_faults();
            let scene = Scene { now: world.now(), board, roster, active, partitions: &known };
            let Some(firing) = director.fire(&scene, budget) else { return };
            let Firing { entry, strikes, lasts } = firing;
            for strike in strikes {
                let injected = match (strike, lasts) {
                    (FaultKind::World(fault), Some(lasts)) => {
                        Some(self.world.apply_for(fault, lasts))
                    }
                    (FaultKind::World(fault), None) => Some(self.world.apply(fault)),
                    (FaultKind::PreferredElection(_), _) => {
                        for admin in &self.admins {
                            self.world.poke(*admin, election_timer(entry as u32));
                        }
                        None
                    }
                };
                self.director.injected(entry, injected);
            }
            self.absorb();
        }
    }

    /// Checks whether the phase has ended.
    fn look(&mut self) {
        let late = self.world.now() >= self.deadline;
        // Before the deadline it is enough to know that something is missing.
        let most = if late { usize::MAX } else { 1 };
        match self.phase {
            Phase::SetUp => {
                let missing = self.not_set_up(most);
                if missing.is_empty() {
                    self.begin_load();
                } else if late {
                    let within = self.resolved.scenario.durations.setup;
                    self.unknown.push(format!("setting up took longer than {within}"));
                    self.unknown.extend(missing.into_iter().map(|lack| lack.what));
                    self.phase = Phase::Over;
                }
            }
            Phase::Load if late || self.is_load_over() => self.heal(),
            Phase::Converge => {
                self.note_progress();
                let mut missing = converge::missing(self, most);
                if missing.is_empty() || late {
                    self.is_early(&mut missing);
                    self.leave_out(missing);
                    self.read_back();
                }
            }
            Phase::ReadBack => {
                self.note_progress();
                let missing = converge::not_read_back(self);
                if missing.is_empty() || late {
                    self.leave_out(missing);
                    self.phase = Phase::Over;
                }
            }
            _ => {}
        }
    }

    /// A lack at a deadline that is too short for the configuration is no violation.
    fn is_early(&mut self, missing: &mut [Lack]) {
        let Some(allowed) = cut_short(&self.resolved.scenario, self.measure.written()) else {
            return;
        };
        if missing.iter().any(|lack| lack.is_owed) {
            self.unknown.push(format!(
                "`durations.converge` is shorter than the {allowed} that the configuration allows"
            ));
        }
        missing.iter_mut().for_each(|lack| lack.is_owed = false);
    }

    /// Ends a phase at its deadline, with the items that are still missing.
    fn leave_out(&mut self, missing: Vec<Lack>) {
        let at = self.world.now().0;
        for Lack { what, about, is_owed, group, held_by } in missing {
            if is_owed {
                self.missing.push(Missing { at, what, about, group, held_by })
            } else {
                self.unknown.push(what)
            }
        }
    }

    /// Records the progress of readers from time to time.
    fn note_progress(&mut self) {
        let now = self.world.now();
        if now < self.next_note {
            return;
        }
        self.next_note = now + NOTE;
        let Self { world, roster, readers, progress, board, .. } = self;
        for node in roster.consumers.iter().chain(readers.iter()) {
            let app = world.process(*node).and_then(Node::client);
            for row in board.rows().filter(|row| row.cluster == node.cluster) {
                let position = app.and_then(|app| app.position(row.partition));
                progress.note(now, *node, row.partition, position);
            }
        }
    }

    /// What is missing before the load can begin: at most `most` items.
    fn not_set_up(&self, most: usize) -> Vec<Lack> {
        for admin in &self.admins {
            let app = self.world.process(*admin).and_then(Node::client);
            if let Some(crate::workload::Application::Admin(app)) = app
                && !app.is_set_up()
            {
                let refused = app.refused().map(|error| format!(": {error}"));
                let what = format!("topics are not created{}", refused.unwrap_or_default());
                return vec![Lack { what, about: None, is_owed: true, group: None, held_by: None }];
            }
        }
        converge::missing(self, most)
    }

    fn begin_load(&mut self) {
        let now = self.world.now();
        self.add_topics();
        self.phase = Phase::Load;
        self.load_began = now;
        self.evidence.load_begins(now.0);
        if let Some(history) = &mut self.history {
            history.begin_load(now);
        }
        self.deadline = now + self.resolved.scenario.durations.load.0;
        self.reached.begin();
        // Events of the setup do not count.
        self.world.take_marks();
        self.director.begin(now, &self.roster.clusters, &self.board);
        if self.resolved.scenario.topics.iter().any(|topic| topic.created_at.is_some()) {
            for admin in &self.admins {
                self.world.poke(*admin, LOAD_BEGINS);
            }
        }
        let clients = self.roster.producers.iter().chain(&self.roster.consumers);
        for client in self.roster.stores.iter().chain(clients) {
            self.world.start(*client);
        }
        self.absorb();
    }

    fn add_topics(&mut self) {
        let Some(views) = self.partitions() else { return };
        for (index, admin) in self.admins.iter().enumerate() {
            let cluster = ClusterId(index as u8);
            let app = self.world.process(*admin).and_then(Node::client);
            let Some(crate::workload::Application::Admin(app)) = app else { continue };
            for (name, id) in app.topics() {
                self.board.add_topic(cluster, name, *id, &views);
                if let Some(history) = &mut self.history {
                    history.name_topic(cluster, *id, name);
                }
            }
        }
    }

    /// Whether every producer is done and every fault has ended. Entries that still wait for their
    /// condition do not keep a load going: a fault that never fires makes no difference.
    fn is_load_over(&self) -> bool {
        self.director.is_out_of_moments()
            && self.world.active_faults().is_empty()
            && converge::unfinished_producers(self).next().is_none()
    }

    fn heal(&mut self) {
        let now = self.world.now();
        self.measure.end(now);
        self.reads.end(now);
        self.director.end(now);
        self.world.heal();
        self.absorb();
        self.phase = Phase::Converge;
        self.healed = now;
        self.deadline = now + converge_within(&self.resolved.scenario, self.measure.written());
    }

    fn read_back(&mut self) {
        let now = self.world.now();
        self.phase = Phase::ReadBack;
        self.converged = now;
        self.deadline = now + read_back_within(&self.resolved.scenario, self.measure.written());
        for reader in &self.readers {
            self.world.start(*reader);
        }
        self.absorb();
    }

    /// Since when the controllers have had a broker fenced.
    pub(super) fn fenced_since(&self, broker: NodeId) -> Option<SimTime> {
        self.fenced.get(&broker).copied()
    }

    /// The clients that read everything back.
    pub(super) fn readers(&self) -> &[NodeId] {
        &self.readers
    }

    /// The state of the run.
    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// Judges the run.
    pub fn finish(mut self) -> RunOutcome {
        let mut left = Left::default();
        if let Err(panic) = caught(|| self.absorb()) {
            return self.panicked(panic);
        }
        if let Err(panic) = caught(|| self.leave(&mut left)) {
            return self.panicked_with(left, panic);
        }
        let resolved = self.resolved.clone();
        let measured = std::mem::take(&mut self.measure).finish();
        let (verdict, lost) = match caught(|| verdict::judge(self, &left.plan, &measured)) {
            Ok(judged) => judged,
            Err(panic) => return panicked::when_judged(&resolved, left, panic),
        };
        let Left { stats, differed, account, plan, struck, resolved: met, .. } = left;
        RunOutcome {
            verdict,
            account,
            plan,
            struck,
            resolved: met,
            stats,
            differed,
            lost,
            measured,
        }
    }

    /// A time in nanoseconds since the start of the load, negative before it.
    pub(super) fn since_load(&self, at: SimTime) -> i64 {
        let began = if self.load_began == SimTime::MAX { SimTime::ZERO } else { self.load_began };
        at.0.cast_signed() - began.0.cast_signed()
    }

    pub(super) fn stats(&self) -> Stats {
        let now = self.world.now();
        Stats {
            events: self.world.events(),
            simulated_ns: now.0,
            setup_ns: self.load_began.0.min(now.0),
            load_ns: self.healed.since(self.load_began).0,
            converge_ns: self.converged.since(self.healed).0,
        }
    }
}
