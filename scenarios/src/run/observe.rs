//! What is observed of a run, handed to all that want to know: the evidence, the board that
//! conditions look at, the budget, the counts and the history.

use super::disks::WorldDisks;
use super::simulation::{Phase, Simulation};
use crate::node::NodeConfig;
use crate::view::PartitionView;
use engine::fact::Fact;
use engine::reach::Reach;
use engine::rules::election::Reason;
use judge::evidence::Change;
use judge::node::is_broker;
use machine::{Halt, NodeId};
use sim::{FaultChange, NodeChange, Observation, Seen};

impl Simulation {
    /// Takes in what was observed.
    pub(super) fn absorb(&mut self) {
        if !self.world.has_observations() {
            return;
        }
        let observations = self.world.take_observations();
        // First of all, so that it is there whatever may come of the rest.
        if let Some(history) = &mut self.history {
            history.extend(&observations);
        }
        for observation in &observations {
            self.observe(observation);
        }
        self.world.reuse_observations(observations);
        if self.evidence.wants_disks() {
            self.evidence.look_at(&WorldDisks(&self.world));
        }
    }

    fn observe(&mut self, observation: &Observation<engine::Kafka>) {
        let Observation { event, time, what, .. } = observation;
        match what {
            Seen::Fact { node, incarnation, fact } => {
                if let Some(measure) = &mut self.measure {
                    measure.on_fact(*time, fact);
                }
                self.board.on_fact(*node, fact);
                self.reached.on_fact(*node, fact);
                self.evidence.observe(time.0, *node, *incarnation, event.0, fact);
                match fact {
                    Fact::Registered { .. } if is_broker(*node) => self.budget.registered(*node),
                    Fact::BrokerFenced { broker, fenced } => {
                        let broker = NodeId { cluster: node.cluster, node: *broker };
                        if *fenced {
                            self.fenced.insert(broker, *time);
                        } else {
                            self.fenced.remove(&broker);
                        }
                    }
                    Fact::Elected { reason: Reason::Preferred, .. } => self.director.elected(),
                    _ => {}
                }
            }
            Seen::Node { node, incarnation, change } => {
                self.on_node(*node, *incarnation, change);
                if let Some(change) = as_change(change) {
                    self.evidence.node(time.0, *node, *incarnation, event.0, change);
                }
            }
            Seen::Fault { fault, change, .. } => {
                let what = match change {
                    FaultChange::Applied => "applied",
                    FaultChange::Undone => "undone",
                };
                let node = fault.nodes().first().copied().unwrap_or(NodeId::new(0, 0));
                let text = format!("{} {what}", fault.in_words(&|node| node.to_string()));
                self.evidence.fault(time.0, node, event.0, text);
            }
        }
    }

    fn on_node(&mut self, node: NodeId, incarnation: u16, change: &NodeChange) {
        match change {
            NodeChange::Started => {
                self.board.on_node(node, true);
                if incarnation == 0 && self.phase == Phase::Load {
                    self.remember_beginning(node);
                }
            }
            NodeChange::Paused | NodeChange::Resumed => {}
            NodeChange::PowerLost(_) | NodeChange::DiskLost { .. } => {
                if matches!(change, NodeChange::PowerLost(_)) {
                    self.board.on_node(node, false);
                }
                if is_broker(node) {
                    let partitions = self.partitions();
                    let known = self.board.rows().map(PartitionView::from);
                    let views = partitions.unwrap_or_else(|| known.collect());
                    self.budget.lost_power(node, &views);
                }
            }
            NodeChange::Crashed { .. } => {
                if is_broker(node) && self.board.had_requests_in_flight(node) {
                    self.reached.add(Reach::CrashWithRequestsInFlight, 1);
                }
                self.ended(node, false);
            }
            NodeChange::Halted(halt) => {
                self.ended(node, *halt == Halt::Clean);
                match halt {
                    Halt::Clean if self.phase >= Phase::Converge => {
                        self.reached.add(Reach::StoppedAfterHeal, 1);
                    }
                    Halt::Clean => {}
                    // Healing starts it again, so nothing else would show that it gave up.
                    Halt::Failed(why) => self.unknown.push(format!("node {node} gave up: {why}")),
                }
            }
            NodeChange::BootFailed(halt) => {
                self.ended(node, false);
                self.unknown.push(format!("node {node} could not start: {halt:?}"));
            }
        }
    }

    fn ended(&mut self, node: NodeId, cleanly: bool) {
        self.board.on_node(node, false);
        if is_broker(node) {
            self.budget.stopped(node, cleanly);
        }
    }

    /// Times of applications count from their first start.
    fn remember_beginning(&mut self, node: NodeId) {
        let began = self.world.clocks(node).mono;
        let mut config = self.world.node_config(node).clone();
        if let NodeConfig::Client(config, _) = &mut config {
            config.set_began(began);
        }
        self.world.set_node_config(node, config);
    }
}

fn as_change(change: &NodeChange) -> Option<Change> {
    Some(match change {
        NodeChange::Started => Change::Started,
        NodeChange::Halted(Halt::Clean) => Change::Stopped,
        NodeChange::Halted(Halt::Failed(_))
        | NodeChange::BootFailed(_)
        | NodeChange::Crashed { .. } => Change::Crashed,
        NodeChange::PowerLost(report) => Change::PowerLost { bytes: report.bytes },
        NodeChange::DiskLost { bytes, .. } => Change::PowerLost { bytes: *bytes },
        NodeChange::Paused | NodeChange::Resumed => return None,
    })
}
