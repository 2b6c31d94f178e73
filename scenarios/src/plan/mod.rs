//! Fault plans in a run: what fires when, upon which nodes, and what became of every entry.
//!
//! A plan is what the scenario file lists and, after that, what the seed makes of its `swarm`. An
//! entry waits for its moment, then for its condition if it has one; then its targets are looked
//! up, the budget is asked, and it is injected. The record keeps what was meant, what was
//! suppressed and why, and what never fired. An entry that never fired has left no trace in the
//! run: nothing is drawn, scheduled or sent for it.

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

/// The plan of a run, while it is carried out.
#[derive(Clone, Debug)]
pub struct Director {
    seed: u64,
    began: SimTime,
    entries: Vec<Entry>,
    /// Entries before this one in order of moments have fired or are watched.
    next: usize,
    /// Indices into `entries` by moment.
    by_moment: Vec<usize>,
    /// Entries whose moment has come and whose condition has not.
    watched: Vec<usize>,
    /// The most brokers and controllers that swarm faults may hold down at the same time.
    limits: Option<Limits>,
    /// Nodes held down or paused by injected faults, and until when.
    held: Vec<(NodeId, SimTime)>,
    /// The injected faults, in order, with nodes in place of roles.
    struck: Vec<Struck>,
    /// The fault of the simulator that was applied last, by its event.
    applied: Option<(EventId, ActiveId)>,
    /// The sectors that faults of the simulator met, in words.
    sectors: BTreeMap<ActiveId, String>,
}

/// Something that was injected.
#[derive(Clone, Debug)]
struct Struck {
    /// As an entry of a plan.
    fault: Fault,
    /// The entry of this plan,
    entry: usize,
    /// and which of the faults that the entry came to it is.
    place: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    fault: Fault,
    /// Made by the seed.
    generated: bool,
    /// Under the budget.
    bounded: bool,
    condition: Option<Compiled>,
    fate: Fate,
    /// What was injected, in the order of the fate's list, as the simulator knows it; `None`: an
    /// election.
    injected: Vec<Option<ActiveId>>,
    /// For each of those why it has no effect if it has none, in words: a fault in force that stood in
    /// its way, or what did not happen.
    hindered: Vec<String>,
    /// A preferred replica was elected for it.
    elected: bool,
}

impl Entry {
    /// Its fate, with what of it had no effect, and the sectors that it met.
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
    /// Which entry of the plan.
    pub entry: usize,
    /// The faults to inject.
    pub strikes: Vec<FaultKind<NodeId>>,
    /// For how long; until everything is healed if `None`.
    pub lasts: Option<Span>,
}

/// The state that the director uses.
pub struct Scene<'a> {
    /// Now.
    pub now: SimTime,
    /// The state of the run.
    pub board: &'a Board,
    /// The roles of the nodes.
    pub roster: &'a Roster,
    /// The faults that are active.
    pub active: &'a [ActiveFault],
    /// The partitions as the active controllers have committed them; `None` if no active controller can be asked.
    pub partitions: &'a dyn Fn() -> Option<Vec<PartitionView>>,
}

impl Director {
    /// The plan of a scenario.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        Self::with(scenario, seed, swarm_faults(scenario, seed), true)
    }

    /// The plan of a scenario with what another run of the seed met ([`Director::struck`]) in
    /// place of a plan of its own, whatever the budget would say.
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

    /// The load begins now, and the names in conditions mean something.
    pub fn begin(&mut self, now: SimTime, clusters: &ClusterNames, board: &Board) {
        self.began = now;
        for entry in &mut self.entries {
            let when = entry.fault.when.as_ref();
            entry.condition = when.map(|when| Compiled::new(when, clusters, board));
        }
    }

    /// When something may have to be done next, whatever happens in the run.
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

    /// Whether conditions are watched, so that every change of the run matters.
    pub fn is_watching(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Whether no entry can fire any more but those that wait for a condition.
    pub fn is_out_of_moments(&self) -> bool {
        self.next == self.by_moment.len()
    }

    /// What fires now, in the order of the plan. To be asked again until nothing does, since a
    /// fault may make the condition of another true.
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

    /// Looks targets up and asks the budget.
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

    /// No more faults: everything is healed.
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

    /// The next injection of an entry was made: a fault of the simulator, or an election.
    pub fn injected(&mut self, entry: usize, fault: Option<ActiveId>) {
        self.entries[entry].injected.push(fault);
    }

    /// The simulator has applied a fault.
    pub fn applied(&mut self, event: EventId, fault: ActiveId) {
        self.applied = Some((event, fault));
    }

    /// The fault that was applied in this event has corrupted a sector.
    pub fn corrupted(&mut self, by: EventId, sector: String) {
        if let Some((_, fault)) = self.applied.filter(|(event, _)| *event == by) {
            self.sectors.insert(fault, sector);
        }
    }

    /// A preferred replica was made leader: every election that was injected has had an effect.
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

    /// What has been injected for the entries that the seed made, in order: each at its moment,
    /// and for the nodes that it met. Another run of the seed can be given it. `when` returns at what
    /// moment a fault of the simulator took effect, if it did.
    pub fn struck(&self, when: impl Fn(ActiveId) -> Option<SimTime>) -> Vec<Fault> {
        let at = |struck: &Struck| Some(when(self.active_id(struck)?)?.since(self.began));
        let generated = self.struck.iter().filter(|struck| self.entries[struck.entry].generated);
        generated.filter_map(|it| struck::observed(&it.fault, || at(it))).collect()
    }

    /// Everything that was injected and took effect, as a plan by itself: the same nodes at the same
    /// moments.
    pub fn resolved(&self, took_effect: impl Fn(ActiveId) -> bool) -> Vec<Fault> {
        let counts = |struck: &&Struck| match self.active_id(struck) {
            Some(fault) => took_effect(fault),
            None => self.entries[struck.entry].elected,
        };
        let entry = |struck: &Struck| {
            let fault = &struck.fault;
            // A file does not give a duration to a fault that is a moment.
            let lasts = fault.lasts.filter(|_| !fault.kind.family().is_moment());
            Fault { lasts, ..fault.clone() }
        };
        self.struck.iter().filter(counts).map(entry).collect()
    }

    /// The fault of the simulator that something injected is; `None` for an election.
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
