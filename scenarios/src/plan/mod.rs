//! Carries out the fault plan of a run: which faults fire, when and on which nodes, and the fate of
//! every entry.
//!
//! A plan consists of the faults that the scenario file lists, followed by those that the seed
//! draws for its `swarm`. An entry waits for its time, then for its condition if it has one; then
//! its targets are resolved, the budget is checked, and the fault is injected. The record has every
//! entry, with the reason if it was suppressed or never fired. An entry that never fired has no
//! effect on the run: nothing is drawn, scheduled or sent for it.

mod allowed;
mod frozen;
mod record;
pub mod settings;
mod story;
mod strike;
mod struck;
mod swarm;
mod trouble;

pub use frozen::{frozen, is_expectable};
pub use record::{Fate, PlannedFault};
pub use strike::Election;
pub use swarm::swarm_faults;

use crate::budget::Budget;
use crate::condition::{ClusterNames, Compiled, Roster};
use crate::view::{Board, PartitionView};
use allowed::Limits;
use machine::{NodeId, Span};
use sim::{ActiveFault, ActiveId, EventId, SimTime};
use spec::{Fault, FaultKind, Scenario};
use std::collections::BTreeMap;
use strike::Strikes;

/// The plan of a run, and its progress.
#[derive(Clone, Debug)]
pub struct Director {
    seed: u64,
    began: SimTime,
    entries: Vec<Entry>,
    /// Entries before this one, in order of time, have fired or are watched.
    next: usize,
    /// Indices into `entries`, in order of time.
    by_moment: Vec<usize>,
    /// Entries whose time has come, and whose condition does not hold yet.
    watched: Vec<usize>,
    /// The largest numbers of brokers and controllers that swarm faults may hold down at the same
    /// time.
    limits: Option<Limits>,
    /// Nodes held down or paused by injected faults, and until when.
    held: Vec<(NodeId, SimTime)>,
    /// The injected faults, in order, with nodes in place of roles.
    struck: Vec<Struck>,
    /// The fault of the simulator that was applied last, by its event.
    applied: Option<(EventId, ActiveId)>,
    /// The sectors that faults of the simulator have corrupted, in words.
    sectors: BTreeMap<ActiveId, String>,
}

/// An injected fault.
#[derive(Clone, Debug)]
struct Struck {
    /// The fault as an entry of a plan.
    fault: Fault,
    /// The index of its entry in this plan.
    entry: usize,
    /// Its position among the injected faults of the entry.
    place: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    fault: Fault,
    /// Whether the seed has drawn it.
    generated: bool,
    /// Whether the budget applies to it.
    bounded: bool,
    condition: Option<Compiled>,
    fate: Fate,
    /// The ids of the injected faults in the simulator, in the order of the fate's list; `None`: an
    /// election.
    injected: Vec<Option<ActiveId>>,
    /// For each injected fault the reason, in words, in case it has no effect: the fault in force
    /// that prevented it, or the event that did not occur.
    hindered: Vec<String>,
    /// Whether a preferred replica was elected because of it.
    elected: bool,
}

impl Entry {
    /// Its fate, with the faults that had no effect, and the corrupted sectors.
    fn fate_by(
        &self,
        took_effect: &impl Fn(ActiveId) -> bool,
        sectors: &BTreeMap<ActiveId, String>,
    ) -> Fate {
        let mut fate = self.fate.clone();
        if let Fate::Fired { injected, without_effect, .. } = &mut fate {
            let is_idle = |fault: &Option<ActiveId>| match fault {
                Some(fault) => !took_effect(*fault),
                None => !self.elected,
            };
            let idle = injected.iter().zip(&self.injected).zip(&self.hindered);
            let idle = idle.filter(|((_, fault), _)| is_idle(fault));
            *without_effect = idle.map(|((what, _), why)| format!("{what}{why}")).collect();
            for (what, fault) in injected.iter_mut().zip(&self.injected) {
                if let Some(sector) = fault.and_then(|fault| sectors.get(&fault)) {
                    what.push_str(&format!(" ({sector})"));
                }
            }
        }
        fate
    }
}

/// The actions of a run for a fault that fires now.
#[derive(Clone, Debug)]
pub struct Firing {
    /// The index of the entry in the plan.
    pub entry: usize,
    /// The faults to inject.
    pub strikes: Vec<FaultKind<NodeId>>,
    /// The duration; `None`: until everything is healed.
    pub lasts: Option<Span>,
}

/// The state that the director uses.
pub struct Scene<'a> {
    /// The present time.
    pub now: SimTime,
    /// The state of the run.
    pub board: &'a Board,
    /// The roles of the nodes.
    pub roster: &'a Roster,
    /// The faults that are active.
    pub active: &'a [ActiveFault],
    /// The partitions in the committed metadata of the active controllers; `None` if a cluster has
    /// none.
    pub partitions: &'a dyn Fn() -> Option<Vec<PartitionView>>,
}

impl Director {
    /// The plan of a scenario.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        Self::with(scenario, seed, swarm_faults(scenario, seed), true)
    }

    /// The plan of a scenario with the faults of another run of the seed ([`Director::struck`])
    /// instead of its own swarm, without a budget.
    pub fn paired(scenario: &Scenario, seed: u64, struck: &[Fault]) -> Self {
        Self::with(scenario, seed, struck.to_vec(), false)
    }

    fn with(scenario: &Scenario, seed: u64, generated: Vec<Fault>, bounded: bool) -> Self {
        let written = scenario.faults.iter().cloned().map(|fault| (fault, false));
        let generated = generated.into_iter().map(|fault| (fault, true));
        let entries: Vec<Entry> = written
            .chain(generated)
            .map(|(fault, generated)| Entry {
                fault,
                generated,
                bounded: generated && bounded,
                condition: None,
                fate: Fate::NeverFired { because: "the load never began".to_owned() },
                injected: Vec::new(),
                hindered: Vec::new(),
                elected: false,
            })
            .collect();
        let mut by_moment: Vec<usize> = (0..entries.len()).collect();
        by_moment.sort_by_key(|entry| entries[*entry].fault.at.unwrap_or_default());
        let limits = scenario.swarm.as_ref().map(|swarm| Limits {
            brokers: swarm.brokers_at_once.into(),
            controllers: swarm.controllers_at_once.into(),
        });
        Self {
            seed,
            began: SimTime::MAX,
            entries,
            next: 0,
            by_moment,
            watched: Vec::new(),
            limits,
            held: Vec::new(),
            struck: Vec::new(),
            applied: None,
            sectors: BTreeMap::new(),
        }
    }

    /// Begins the load: conditions are resolved from now on.
    pub fn begin(&mut self, now: SimTime, clusters: &ClusterNames, board: &Board) {
        self.began = now;
        for entry in &mut self.entries {
            let when = entry.fault.when.as_ref();
            entry.condition = when.map(|when| Compiled::new(when, clusters, board));
        }
    }

    /// The next time at which an entry may fire, apart from changes in the run.
    pub fn next_moment(&self, now: SimTime) -> Option<SimTime> {
        let own = self.by_moment.get(self.next).map(|entry| self.moment(*entry));
        let elapsed = now.since(self.began);
        let watched = self.watched.iter().filter_map(|entry| {
            let condition = self.entries[*entry].condition.as_ref()?;
            Some(self.began + condition.next_moment(elapsed)?)
        });
        own.into_iter().chain(watched).min()
    }

    fn moment(&self, entry: usize) -> SimTime {
        self.began + self.entries[entry].fault.at.unwrap_or_default().0
    }

    /// Whether conditions are watched, so that every change in the run has to be checked.
    pub fn is_watching(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Whether only entries that wait for a condition can still fire.
    pub fn is_out_of_moments(&self) -> bool {
        self.next == self.by_moment.len()
    }

    /// The faults that fire now, in the order of the plan. Has to be called again until there are
    /// none, since a fault may make the condition of another one true.
    pub fn fire(&mut self, scene: &Scene<'_>, budget: &mut Budget) -> Option<Firing> {
        while let Some(&entry) = self.by_moment.get(self.next)
            && self.moment(entry) <= scene.now
        {
            self.next += 1;
            self.watched.push(entry);
        }
        let elapsed = scene.now.since(self.began);
        let holds = |entry: &usize| {
            let condition = self.entries[*entry].condition.as_ref();
            condition.is_none_or(|condition| condition.holds(scene.board, elapsed))
        };
        let place = self.watched.iter().position(holds)?;
        let entry = self.watched.remove(place);
        let strikes = self.strike(entry, scene, budget);
        let lasts = self.entries[entry].fault.lasts.map(|lasts| lasts.0);
        Some(Firing { entry, strikes, lasts })
    }

    /// Resolves targets and checks the budget.
    fn strike(
        &mut self,
        index: usize,
        scene: &Scene<'_>,
        budget: &mut Budget,
    ) -> Vec<FaultKind<NodeId>> {
        let fault = self.entries[index].fault.clone();
        let (at, mut suppressed) = (scene.now.since(self.began), Vec::new());
        let Strikes { all: mut strikes, unmatched } =
            strike::strikes(&fault, self.seed, scene.board, scene.roster);
        let bounded = self.entries[index].bounded;
        let lasts = fault.lasts.map_or(Span::MAX, |lasts| lasts.0);
        let mut active: Vec<_> = scene.active.iter().map(|active| active.fault.clone()).collect();
        strikes.retain(|strike| {
            let allowed =
                self.contradiction(strike, scene).map_or(Ok(()), Err).and_then(
                    |()| match bounded {
                        true => self.allows(strike, lasts, &active, scene, budget),
                        false => Ok(()),
                    },
                );
            match (allowed, strike) {
                (Ok(()), FaultKind::World(fault)) => active.push(fault.clone()),
                (Ok(()), FaultKind::PreferredElection(_)) => {}
                (Err(reason), _) => {
                    suppressed.push(reason);
                    return false;
                }
            }
            true
        });
        let clusters = &scene.roster.clusters;
        let struck = |(place, strike): (usize, &FaultKind<NodeId>)| {
            let fault = struck::resolved(&fault, at, strike, clusters);
            Struck { fault, entry: index, place }
        };
        self.struck.extend(strikes.iter().enumerate().map(struck));
        let in_words = |strike: &FaultKind<NodeId>| strike.in_words(&|node| clusters.node(*node));
        let hindered = strikes.iter().map(|strike| match strike {
            FaultKind::World(fault) => fault.hindered_by(scene.active).map_or_else(
                || format!(": {}", record::why_idle(fault)),
                |active| format!(", as {}", self.in_force(active, scene)),
            ),
            FaultKind::PreferredElection(_) => ": no preferred replica was made leader".to_owned(),
        });
        self.entries[index].hindered = hindered.collect();
        self.entries[index].fate = match (strikes.is_empty(), suppressed.is_empty()) {
            (true, true) => Fate::NoTarget { at_ns: at.0, because: unmatched },
            (true, false) => Fate::Suppressed { at_ns: at.0, because: suppressed },
            _ => Fate::Fired {
                at_ns: at.0,
                injected: strikes.iter().map(in_words).collect(),
                suppressed: suppressed.into_iter().chain(unmatched).collect(),
                without_effect: Vec::new(),
            },
        };
        strikes
    }

    /// Ends the plan: everything is healed.
    pub fn end(&mut self, now: SimTime) {
        let ended = crate::result::moment(now.since(self.began).0);
        for entry in self.by_moment.split_off(self.next) {
            let because = format!("its moment had not come when the load ended, at {ended}");
            self.entries[entry].fate = Fate::NeverFired { because };
        }
        for entry in self.watched.drain(..) {
            let because = format!("its condition had not held when the load ended, at {ended}");
            self.entries[entry].fate = Fate::NeverFired { because };
        }
    }

    /// Records the next injection of an entry: a fault of the simulator, or an election.
    pub fn injected(&mut self, entry: usize, fault: Option<ActiveId>) {
        self.entries[entry].injected.push(fault);
    }

    /// Records that the simulator has applied a fault.
    pub fn applied(&mut self, event: EventId, fault: ActiveId) {
        self.applied = Some((event, fault));
    }

    /// The fault that was applied in this event has corrupted a sector.
    pub fn corrupted(&mut self, by: EventId, sector: String) {
        if let Some((_, fault)) = self.applied.filter(|(event, _)| *event == by) {
            self.sectors.insert(fault, sector);
        }
    }

    /// Records that a preferred replica became leader: every injected election has had an effect.
    pub fn elected(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry.injected.contains(&None)) {
            entry.elected = true;
        }
    }

    /// The fate of the plan; `took_effect` says whether a fault of the simulator has had an effect.
    pub fn record(&self, took_effect: impl Fn(ActiveId) -> bool) -> Vec<PlannedFault> {
        let planned = |entry: &Entry| PlannedFault {
            fault: entry.fault.clone(),
            generated: entry.generated,
            fate: entry.fate_by(&took_effect, &self.sectors),
        };
        self.entries.iter().map(planned).collect()
    }

    /// The injected faults of the entries that the seed drew, in order, each at its time and with
    /// its nodes, for another run of the seed. `when` returns the time at which a fault of the
    /// simulator took effect, if it did.
    pub fn struck(&self, when: impl Fn(ActiveId) -> Option<SimTime>) -> Vec<Fault> {
        let at = |struck: &Struck| Some(when(self.active_id(struck)?)?.since(self.began));
        let generated = self.struck.iter().filter(|struck| self.entries[struck.entry].generated);
        generated.filter_map(|it| struck::observed(&it.fault, || at(it))).collect()
    }

    /// All injected faults that took effect, as a separate plan: the same nodes at the same times.
    pub fn resolved(&self, took_effect: impl Fn(ActiveId) -> bool) -> Vec<Fault> {
        let counts = |struck: &&Struck| match self.active_id(struck) {
            Some(fault) => took_effect(fault),
            None => self.entries[struck.entry].elected,
        };
        let entry = |struck: &Struck| {
            let fault = &struck.fault;
            // An instantaneous fault has no duration in a file.
            let lasts = fault.lasts.filter(|_| !fault.kind.family().is_moment());
            Fault { lasts, ..fault.clone() }
        };
        self.struck.iter().filter(counts).map(entry).collect()
    }

    /// The fault of the simulator for an injected fault; `None` for an election.
    fn active_id(&self, struck: &Struck) -> Option<ActiveId> {
        self.entries[struck.entry].injected.get(struck.place).copied()?
    }

    /// The fault of an entry.
    pub fn fault(&self, entry: usize) -> &Fault {
        &self.entries[entry].fault
    }

    /// The preferred elections that the plan may hold, by entry: the topics of each.
    pub fn elections(&self) -> Vec<Election> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(entry, of)| Election::of(entry, &of.fault.kind))
            .collect()
    }
}
