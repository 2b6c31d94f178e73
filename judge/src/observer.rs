//! Takes in a run while it goes on.

use crate::check::{Checks, Findings};
use crate::evidence::{Change, ControllerAtEnd, Disks, End, Fault, Moment, Observed, Setup, View};
use engine::fact::Fact;
use machine::NodeId;

/// Keeps the evidence of a run and hands each observation to all checks. Plain data: a clone goes on
/// by itself.
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

    /// What has been put in order so far.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What the checks have found so far.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// A process reported a fact. `at` is true time in nanoseconds since the run began; observations
    /// come in its order. `event` is the number of the event in the trace.
    #[inline]
    pub fn observe(&mut self, at: u64, node: NodeId, incarnation: u16, event: u64, fact: &Fact) {
        let moment = Moment { at, node, incarnation, event };
        let effect = self.view.on_fact(&moment, fact);
        self.checks.on_fact(&self.view, &moment, fact, &effect, &mut self.findings);
    }

    /// Something became of a node.
    pub fn node(&mut self, at: u64, node: NodeId, incarnation: u16, event: u64, change: Change) {
        self.view.on_node(&Moment { at, node, incarnation, event }, change);
    }

    /// A fault was applied or undone.
    pub fn fault(&mut self, at: u64, event: u64, fault: Fault) {
        let node = fault.nodes.first().copied().unwrap_or(NodeId::new(0, 0));
        self.view.faults.push((Moment { at, node, incarnation: 0, event }, fault));
    }

    /// The load begins: times in explanations count from here.
    pub fn load_begins(&mut self, at: u64) {
        self.view.load_began = Some(at);
    }

    /// Processes have kept each other busy beyond every bound, with this.
    pub fn livelocked(&mut self, what: String) {
        self.view.livelock = Some(what);
    }

    /// Whether [`Observer::look_at`] is to be called, since a replica came back from its disk
    /// with something else than it had reported.
    pub fn wants_disks(&self) -> bool {
        self.view.wants_disks()
    }

    /// Looks at the disks of replicas that came back. To be called before the world goes on.
    pub fn look_at(&mut self, disks: &impl Disks) {
        self.view.look_at(disks);
    }

    /// One observation of a history.
    pub fn on(&mut self, observed: &Observed) {
        match observed {
            Observed::Fact(moment, fact) => {
                self.observe(moment.at, moment.node, moment.incarnation, moment.event, fact);
            }
            Observed::Node(moment, change) => self.view.on_node(moment, change.clone()),
            Observed::Fault(moment, fault) => self.view.faults.push((*moment, fault.clone())),
        }
    }

    /// The run is over: looks at the disks, and runs the checks that need the whole of it.
    pub fn finish(
        mut self,
        at: u64,
        disks: &impl Disks,
        controllers: Vec<ControllerAtEnd>,
        missing: Vec<String>,
    ) -> (View, End, Findings) {
        let end = End::new(&self.view, at, disks, controllers, missing);
        self.checks.at_end(&self.view, &end, &mut self.findings);
        (self.view, end, self.findings)
    }
}
