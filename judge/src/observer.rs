//! Receives the observations of a run as it proceeds, and passes them to all checks.

use crate::check::{Checks, Findings};
use crate::evidence::{Change, ControllerAtEnd, Disks, End, Fault};
use crate::evidence::{Missing, Moment, Observed, Setup, View};
use engine::fact::Fact;
use machine::NodeId;

/// Keeps the evidence of a run and hands each observation to all checks. Plain data: a clone goes
/// on by itself.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    view: View,
    checks: Checks,
    findings: Findings,
}

impl Observer {
    /// Nothing has been observed yet.
    pub fn new(setup: Setup) -> Self {
        Self { view: View::new(setup), ..Self::default() }
    }

    /// The evidence collected so far.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The findings of the checks so far.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Records a fact that a process reported. `at` is true time in nanoseconds since the run began
    /// and must not decrease from call to call. `event` is the number of the event in the trace.
    #[inline]
    pub fn observe(&mut self, at: u64, node: NodeId, incarnation: u16, event: u64, fact: &Fact) {
        let moment = Moment { at, node, incarnation, event };
        let effect = self.view.on_fact(&moment, fact);
        self.checks.on_fact(&self.view, &moment, fact, &effect, &mut self.findings);
    }

    /// Records that a node started, ended or changed its state.
    pub fn node(&mut self, at: u64, node: NodeId, incarnation: u16, event: u64, change: Change) {
        self.view.on_node(&Moment { at, node, incarnation, event }, change);
    }

    /// Records that a fault was applied or undone.
    pub fn fault(&mut self, at: u64, event: u64, fault: Fault) {
        let node = fault.nodes.first().copied().unwrap_or(NodeId::new(0, 0));
        self.view.faults.push((Moment { at, node, incarnation: 0, event }, fault));
    }

    /// Records when the load began; times in explanations count from here.
    pub fn load_begins(&mut self, at: u64) {
        self.view.load_began = Some(at);
    }

    /// Records a livelock; `what` describes the events that exceeded the bound.
    pub fn livelocked(&mut self, what: String) {
        self.view.livelock = Some(what);
    }

    /// Whether [`Observer::look_at`] has to be called: a replica restarted with a log that differs
    /// from what it had reported before.
    pub fn wants_disks(&self) -> bool {
        self.view.wants_disks()
    }

    /// Reads the disks of the replicas that restarted. Has to be called before the next
    /// observation, even one of the same event: the only controller of a cluster leads, and commits
    /// the first record of its epoch, in the step that loads its log.
    pub fn look_at(&mut self, disks: &impl Disks) {
        self.view.look_at(disks);
    }

    /// Records one observation of a stored history.
    pub fn on(&mut self, observed: &Observed) {
        match observed {
            Observed::Fact(moment, fact) => {
                self.observe(moment.at, moment.node, moment.incarnation, moment.event, fact);
            }
            Observed::Node(moment, change) => self.view.on_node(moment, change.clone()),
            Observed::Fault(moment, fault) => self.view.faults.push((*moment, fault.clone())),
        }
    }

    /// Ends the run: reads the disks, and runs the checks that need the whole history.
    pub fn finish(
        mut self,
        at: u64,
        disks: &impl Disks,
        controllers: Vec<ControllerAtEnd>,
        missing: Vec<Missing>,
    ) -> (View, End, Findings) {
        let end = End::new(&self.view, at, disks, controllers, missing);
        self.checks.at_end(&self.view, &end, &mut self.findings);
        (self.view, end, self.findings)
    }
}
