//! The world: nodes, future events, and time.

mod effects;
mod faults;
mod glance;
mod handle;
mod handshake;
mod life;
mod outputs;
mod step;
mod transport;

use crate::disk::{DiskProfile, SimDisk};
use crate::exercised::Exercised;
use crate::fault::{ActiveFault, ActiveId};
use crate::heap::{EventHeap, Source};
use crate::net::{Connections, LinkProfile, Links};
use crate::node::Node;
use crate::random::{Key, node_stream, stream};
use crate::trace::Recorder;
use crate::{EventId, HostConfig, Observation, SimTime, Status, TraceEvent};
use machine::{Digest, Marks, NodeId, Process, Vocabulary};
use rand::Rng;
use std::collections::BTreeMap;
use step::Event;

type TimerOf<P> = <<P as Process>::Vocabulary as Vocabulary>::Timer;
type LockOf<P> = <<P as Process>::Vocabulary as Vocabulary>::Lock;

/// The configuration of a world.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Links, unless [`World::set_link`] says otherwise.
    pub link: LinkProfile,
    /// Disks, unless [`HostConfig::disk`] says otherwise.
    pub disk: DiskProfile,
    /// Whether to collect trace events.
    pub trace: bool,
    /// Check [`Process::invariants`] after every n-th input; 0 means never.
    pub invariants_every: u32,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            link: LinkProfile::default(),
            disk: DiskProfile::default(),
            trace: false,
            invariants_every: 64,
        }
    }
}

/// A world of processes. It is plain data: a clone continues as the original would.
#[derive(Clone, Debug)]
pub struct World<P: Process> {
    seed: u64,
    config: WorldConfig,
    now: SimTime,
    heap: EventHeap<Event<P::Vocabulary>>,
    nodes: Vec<Node<P>>,
    by_id: BTreeMap<NodeId, usize>,
    links: Links,
    connections: Connections<P::Vocabulary>,
    /// The key of network decisions; each is drawn by its subject.
    network: Key,
    fault_source: Source,
    /// Everything is being healed: nodes come back at once, not one after another.
    healing: bool,
    active: Vec<ActiveFault>,
    next_active: u32,
    /// Faults that have had an effect.
    effective: BTreeMap<ActiveId, SimTime>,
    recorder: Recorder,
    observations: Vec<Observation<P::Vocabulary>>,
    facts: u64,
    exercised: Exercised,
    /// The branches that processes took.
    marks: Marks,
    /// Inputs until invariants are checked.
    until_check: u32,
    /// Pending events that are neither timers nor of faults.
    pending: u64,
    /// Scratch space, empty between inputs.
    wanted: Vec<LockOf<P>>,
    /// Scratch space, empty between handlers.
    outputs: Vec<machine::Output<P::Vocabulary>>,
}

impl<P: Process> World<P> {
    /// An empty world.
    pub fn new(seed: u64, config: WorldConfig) -> Self {
        let priority = stream(seed, "plan", 0).next_u32();
        Self {
            seed,
            now: SimTime::ZERO,
            heap: EventHeap::default(),
            nodes: Vec::new(),
            by_id: BTreeMap::new(),
            links: Links::new(config.link.clone()),
            connections: Connections::new(),
            network: Key::new(seed, "network", 0),
            fault_source: Source::new(priority),
            healing: false,
            active: Vec::new(),
            next_active: 0,
            effective: BTreeMap::new(),
            recorder: Recorder::new(config.trace),
            observations: Vec::new(),
            facts: 0,
            exercised: Exercised::default(),
            marks: Marks::default(),
            until_check: config.invariants_every,
            pending: 0,
            wanted: Vec::new(),
            outputs: Vec::new(),
            config,
        }
    }

    /// Adds a node, which is off. By convention all nodes are added before the world runs.
    ///
    /// # Panics
    ///
    /// If the node exists already.
    pub fn add_node(&mut self, id: NodeId, config: P::Config, host: HostConfig) {
        let index = self.nodes.len();
        assert!(self.by_id.insert(id, index).is_none(), "node {id} exists");
        let profile = host.disk.clone().unwrap_or_else(|| self.config.disk.clone());
        let mut disk = SimDisk::new(self.seed, id, profile);
        disk.mount(&host.directories);
        let mut tie = stream(self.seed, "node", node_stream(id));
        let priorities = [tie.next_u32(), tie.next_u32()];
        self.nodes.push(Node::new(self.seed, id, config, host, disk, priorities));
        self.connections.add_node(id);
        let name = |i: usize| node_stream(self.nodes[i].id);
        let priority =
            |from, to| stream(self.seed, "link", (name(from) << 32) | name(to)).next_u32();
        self.links.add_host(priority);
        self.reshape_links();
    }

    /// Gives the link from one node to another a profile of its own.
    pub fn set_link(&mut self, from: NodeId, to: NodeId, profile: LinkProfile) {
        self.links.set_profile(self.index(from), self.index(to), profile);
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// True time.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The ids of all nodes, sorted.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.by_id.keys().copied()
    }

    /// Whether a handler of the node has returned and waits for its disk operations: the process
    /// then holds state that it has not reported yet, and that a crash takes from it.
    pub fn awaits_disk(&self, node: NodeId) -> bool {
        self.nodes[self.index(node)].lanes.iter().any(|lane| lane.running.is_some())
    }

    /// The process on a node, if it is there.
    pub fn process(&self, node: NodeId) -> Option<&P> {
        self.nodes[self.index(node)].process.as_ref()
    }

    /// The configuration of a node.
    pub fn node_config(&self, node: NodeId) -> &P::Config {
        &self.nodes[self.index(node)].config
    }

    /// Changes the configuration of a node, from its next start onwards.
    pub fn set_node_config(&mut self, node: NodeId, config: P::Config) {
        let index = self.index(node);
        self.nodes[index].config = config;
    }

    /// The status of a node.
    pub fn status(&self, node: NodeId) -> Status {
        self.nodes[self.index(node)].status()
    }

    /// The number of the node's life, from zero; of its latest life if it is down.
    pub fn incarnation(&self, node: NodeId) -> u16 {
        self.nodes[self.index(node)].incarnation()
    }

    /// The clocks of a node.
    pub fn clocks(&self, node: NodeId) -> machine::Now {
        self.nodes[self.index(node)].clock.now(self.now)
    }

    /// A node's disk.
    pub fn disk(&self, node: NodeId) -> &SimDisk {
        &self.nodes[self.index(node)].disk
    }

    /// A node's disk, to be changed without its process: for tests, and for preparing a disk before
    /// the first start.
    pub fn disk_mut(&mut self, node: NodeId) -> &mut SimDisk {
        let index = self.index(node);
        &mut self.nodes[index].disk
    }

    /// The digest of everything so far.
    pub fn digest(&self) -> Digest {
        self.recorder.digest()
    }

    /// The number of events so far.
    pub fn events(&self) -> u64 {
        self.recorder.events()
    }

    /// The effects so far.
    pub fn exercised(&self) -> &Exercised {
        &self.exercised
    }

    /// The branches that processes have taken ([`machine::Outbox::mark`]) since the last call.
    pub fn take_marks(&mut self) -> Marks {
        std::mem::take(&mut self.marks)
    }

    /// Whether there are observations since the last [`World::take_observations`].
    #[inline]
    pub fn has_observations(&self) -> bool {
        !self.observations.is_empty()
    }

    /// Gives the buffer of [`World::take_observations`] back for reuse.
    pub fn reuse_observations(&mut self, mut buffer: Vec<Observation<P::Vocabulary>>) {
        if self.observations.is_empty() {
            buffer.clear();
            self.observations = buffer;
        }
    }

    /// The observations since the last call, in order.
    pub fn take_observations(&mut self) -> Vec<Observation<P::Vocabulary>> {
        std::mem::take(&mut self.observations)
    }

    /// The trace events collected since the last call, in order.
    pub fn take_trace(&mut self) -> Vec<TraceEvent> {
        self.recorder.take()
    }

    /// Switches the collection of trace events on or off.
    pub fn set_trace(&mut self, collect: bool) {
        self.recorder.set_collect(collect);
    }

    /// The active faults, oldest first.
    pub fn active_faults(&self) -> &[ActiveFault] {
        &self.active
    }

    /// Whether only timers can make anything happen: no message is in flight, no handler in
    /// progress, no input waiting and no fault active.
    pub fn is_quiet(&self) -> bool {
        self.pending == 0
            && self.active.is_empty()
            && self.nodes.iter().all(|node| {
                node.lanes.iter().all(|lane| lane.running.is_none() && lane.queue.is_empty())
            })
    }

    /// The number of connections that are open, opening or not yet forgotten by both ends.
    pub fn connections(&self) -> usize {
        self.connections.slots().len()
    }

    fn index(&self, node: NodeId) -> usize {
        *self.by_id.get(&node).unwrap_or_else(|| panic!("there is no node {node}"))
    }

    fn active_id(&mut self) -> ActiveId {
        self.next_active += 1;
        ActiveId(self.next_active)
    }

    #[inline(always)]
    fn record(&mut self, node: usize, cause: EventId, kind: crate::TraceKind) -> EventId {
        let id = self.nodes[node].id;
        self.recorder.record(self.now, Some(id), cause, kind)
    }
}
