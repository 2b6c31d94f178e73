//! Passes the observations of a run to all that use them: the evidence, the board for conditions,
//! the budget, the counts and the history.

use super::converge;
use super::disks::WorldDisks;
use super::simulation::{Phase, Simulation};
use crate::node::NodeConfig;
use crate::roles::is_broker;
use crate::view::PartitionView;
use engine::fact::Fact;
use engine::ids::TopicPartition;
use engine::reach::Reach;
use engine::rules::election::Reason;
use judge::evidence::{Change, Fault, FaultKind};
use machine::{Halt, NodeId};
use sim::{FaultChange, NodeChange, Observation, Seen};

impl Simulation {
    /// Takes in observations.
    pub(super) fn absorb(&mut self) {
        if !self.world.has_observations() {
            return;
        }
        let observations = self.world.take_observations();
        // This comes first, so that the event is recorded even if the rest fails.
        if let Some(history) = &mut self.history {
            history.extend(&observations);
        }
        for observation in &observations {
            self.observe(observation);
            // Later observations of the same step depend on the loaded log.
            if self.evidence.wants_disks() {
                self.evidence.look_at(&WorldDisks(&self.world));
            }
        }
        self.world.reuse_observations(observations);
    }

    fn observe(&mut self, observation: &Observation<engine::Kafka>) {
        let Observation { event, cause, time, what } = observation;
        match what {
            Seen::Fact { node, incarnation, fact } => {
                self.measure.on_fact(*time, node.cluster, fact);
                self.reads.on_fact(*time, *node, fact);
                self.errors.on_fact(fact);
                self.board.on_fact(*node, fact);
                self.reached.on_fact(*node, fact);
                self.evidence.observe(time.0, *node, *incarnation, event.0, fact);
                match fact {
                    Fact::Registered { .. } if is_broker(*node) => self.budget.registered(*node),
                    Fact::BrokerFenced { broker, fenced, .. } => {
                        let broker = NodeId { cluster: node.cluster, node: *broker };
                        if *fenced {
                            self.fenced.insert(broker, *time);
                        } else {
                            self.fenced.remove(&broker);
                        }
                    }
                    Fact::Elected { reason: Reason::Preferred, .. } => self.director.elected(),
                    Fact::BecameLeader { partition, .. } => self.learn_topic(*node, *partition),
                    _ => {}
                }
            }
            Seen::Node { node, incarnation, change } => {
                self.on_node(*node, *incarnation, change);
                if let NodeChange::SectorCorrupted { file, at } = change {
                    self.director.corrupted(*cause, format!("the sector at byte {at} of {file}"));
                }
                if let Some(change) = as_change(change) {
                    self.evidence.node(time.0, *node, *incarnation, event.0, change);
                }
            }
            Seen::Fault { id, fault, change } => {
                if *change == FaultChange::Applied {
                    self.director.applied(*event, *id);
                }
                let fault = Fault {
                    kind: kind(fault),
                    nodes: fault.nodes(),
                    what: fault.in_words(&|node| node.to_string()),
                    applied: *change == FaultChange::Applied,
                };
                self.evidence.fault(time.0, event.0, fault);
            }
        }
    }

    /// The topic of a partition may be one that is created during the load, by the administrator or by
    /// brokers themselves.
    fn learn_topic(&mut self, node: NodeId, partition: TopicPartition) {
        if self.phase < Phase::Load || self.board.knows(node.cluster, partition) {
            return;
        }
        let active = converge::active_controller(&self.world, &self.roster, node.cluster);
        let Some((_, image)) = active else { return };
        let topic = image.topics().find(|topic| topic.id == partition.topic);
        let (Some(topic), Some(views)) = (topic, self.partitions()) else { return };
        let scenario = &self.resolved.scenario;
        let is_named = scenario.topics.iter().any(|it| {
            let cluster = scenario.cluster_index(it.cluster.as_deref());
            it.name == topic.name && cluster == Some(node.cluster.0.into())
        });
        match is_named {
            true => self.board.add_topic(node.cluster, &topic.name, topic.id, &views),
            false => self.board.add_internal(node.cluster, &topic.name, topic.id, &views),
        }
        if let Some(history) = &mut self.history {
            history.name_topic(node.cluster, topic.id, &topic.name);
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
            NodeChange::PowerLost(_) => {
                self.board.on_node(node, false);
                self.on_loss(node, |_| true);
            }
            NodeChange::DiskLost { emptied, .. } => {
                let names: Vec<&str> = emptied.iter().map(|path| last_name(path)).collect();
                self.on_loss(node, |name| names.contains(&name));
            }
            NodeChange::SectorCorrupted { file, .. } => {
                let log = file.rsplit_once('/').filter(|(_, name)| name.ends_with(".log"));
                let log = log.map_or("", |(path, _)| last_name(path));
                self.on_sector(node, log);
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
                    // The judge decides about the reason.
                    Halt::Clean | Halt::Failed(_) => {}
                }
            }
            NodeChange::BootFailed(_) => self.ended(node, false),
        }
    }

    /// Records that a broker lost unsynced data, or a disk, of the partitions for which `is_hurt`
    /// is true.
    fn on_loss(&mut self, node: NodeId, is_hurt: impl Fn(&str) -> bool) {
        if !is_broker(node) {
            return;
        }
        let mut views = self.views();
        views.retain(|view| is_hurt(&self.name_of(view)));
        let alone =
            |view: &PartitionView| view.leader == Some(node.node) && view.isr_nodes().eq([node]);
        let several = |view: &PartitionView| view.replicas.len() > 1;
        if views.iter().any(|view| alone(view) && several(view)) {
            self.reached.add(Reach::LoneLeaderLostPower, 1);
        }
        self.budget.lost_power(node, &views);
    }

    /// A sector of a broker's log is corrupted. It may stay so: recovery cuts it only where it
    /// scans. Whether it does is not tracked, and the budget no longer relies on the replica.
    fn on_sector(&mut self, node: NodeId, log: &str) {
        if is_broker(node) {
            let mut views = self.views();
            views.retain(|view| self.name_of(view) == log);
            self.budget.went_bad(node, &views);
        }
    }

    /// The partitions in the metadata of the active controller, or those known last.
    fn views(&self) -> Vec<PartitionView> {
        self.partitions().unwrap_or_else(|| self.board.rows().map(PartitionView::from).collect())
    }

    /// The name of the directory of a partition.
    fn name_of(&self, view: &PartitionView) -> String {
        let known = self.evidence.view().find(view.cluster, view.partition);
        known.map_or_else(String::new, |partition| partition.name.clone())
    }

    fn ended(&mut self, node: NodeId, cleanly: bool) {
        self.board.on_node(node, false);
        self.reads.gone(node);
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

/// The effect of a fault on the promises.
fn kind(fault: &sim::Fault<NodeId>) -> FaultKind {
    use sim::Fault;
    match fault {
        Fault::FullDisk(_) => FaultKind::FullDisk,
        Fault::DiskError(_) => FaultKind::FailingDisk,
        Fault::LostDisk(_) => FaultKind::LostDisk,
        Fault::CorruptDisk(_) => FaultKind::CorruptDisk,
        Fault::ClockJump(_) => FaultKind::ClockJump,
        Fault::Restart(_) => FaultKind::Stop,
        Fault::Partition(_)
        | Fault::OneWayPartition(_)
        | Fault::SlowLink(_)
        | Fault::LossyLink(_)
        | Fault::DelayMetadata(_) => FaultKind::Link,
        // The loss of a power failure is recorded when the node ends; a hung or slow disk loses
        // nothing.
        Fault::Crash(_)
        | Fault::PowerLoss(_)
        | Fault::Pause(_)
        | Fault::HungDisk(_)
        | Fault::SlowDisk(_) => FaultKind::Other,
    }
}

fn as_change(change: &NodeChange) -> Option<Change> {
    Some(match change {
        NodeChange::Started => Change::Started,
        NodeChange::Halted(Halt::Clean) => Change::Stopped,
        NodeChange::Halted(Halt::Failed(why)) | NodeChange::BootFailed(Halt::Failed(why)) => {
            Change::Halted { why: why.clone() }
        }
        NodeChange::BootFailed(Halt::Clean) => Change::Crashed { cut_short: false },
        NodeChange::Crashed { undone } => Change::Crashed { cut_short: *undone > 0 },
        NodeChange::PowerLost(report) => Change::PowerLost { bytes: report.bytes },
        NodeChange::DiskLost { bytes, emptied, .. } => {
            Change::DiskLost { bytes: *bytes, emptied: emptied.clone() }
        }
        NodeChange::SectorCorrupted { file, at } => {
            Change::SectorCorrupted { file: file.clone(), at: *at }
        }
        NodeChange::Paused | NodeChange::Resumed => return None,
    })
}

fn last_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
