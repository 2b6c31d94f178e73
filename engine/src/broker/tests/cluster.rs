//! A cluster of three brokers and one controller on a tiny network: messages take a millisecond and
//! stay in order, and links can be cut. Disk operations take no time.

use crate::broker::context::Io;
use crate::broker::{Broker, BrokerSettings};
use crate::config::{BrokerConfig, ControllerConfig, TopicConfig};
use crate::controller::{Controller, ControllerSettings};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, TopicPartition};
use crate::log::testdisk::TestDisk;
use crate::protocol::{
    CreatableTopic, CreateTopicsRequest, Message, ProducePartition, ProduceRequest, Request,
    Response,
};
use crate::record::BatchBuilder;
use crate::rules::sequence::{Sequence, check_sequence};
use crate::rules::{Rulebook, Rules};
use crate::timer::Timer;
use crate::{Input, Outbox};
use bytes::Bytes;
use machine::{
    Boot, CloseReason, ConnId, Halt, Lane, Mono, NodeId, Now, Output, Process, Span, Wall,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const BROKERS: [BrokerId; 3] = [1, 2, 3];
pub(super) const CONTROLLER: BrokerId = 101;
const CLIENT: BrokerId = 1001;
const LATENCY: Span = Span::millis(1);

enum Member {
    Broker(Box<Broker>),
    Controller(Box<Controller>),
}

struct Node {
    member: Member,
    out: Outbox,
    timers: BTreeMap<Timer, Mono>,
}

enum Event {
    Deliver(ConnId, BrokerId, Message),
    Opened(ConnId, BrokerId, BrokerId),
    Closed(ConnId, BrokerId, BrokerId),
}

pub(super) struct Cluster {
    pub(super) now: Mono,
    /// What wall clocks show beyond `now`, in milliseconds.
    wall: i64,
    nodes: BTreeMap<BrokerId, Node>,
    pub(super) disks: BTreeMap<BrokerId, TestDisk>,
    events: BTreeMap<(Mono, u64), Event>,
    count: u64,
    connections: BTreeMap<ConnId, (BrokerId, BrokerId)>,
    /// Pairs of nodes between which messages are lost.
    cuts: BTreeSet<(BrokerId, BrokerId)>,
    lives: u16,
    pub(super) config: BrokerConfig,
    pub(super) controller_config: ControllerConfig,
    pub(super) rules: Rulebook,
    pub(super) topic: TopicConfig,
    pub(super) facts: Vec<(BrokerId, Fact)>,
    pub(super) halts: BTreeMap<BrokerId, Halt>,
    /// The responses to the client, by connection.
    pub(super) answers: BTreeMap<ConnId, Vec<Response>>,
    pub(super) closed: BTreeSet<ConnId>,
    correlation_ids: BTreeMap<ConnId, u32>,
    /// The requests of brokers, even if they were lost: time, sender, receiver.
    pub(super) asked: Vec<(Mono, BrokerId, BrokerId, Request)>,
    /// The number of steps so far.
    pub(super) steps: u64,
    /// The broker that crashes before a step, by its number.
    pub(super) crash_at: Option<(u64, BrokerId)>,
    /// The broker that restarts, and when.
    boot_at: Option<(Mono, BrokerId)>,
}

/// How long a broker stays down after a crash before a step.
const DOWN: Span = Span::millis(700);

impl Cluster {
    /// Brokers that are unfenced, and a topic `orders` of one partition with replicas 1, 2, 3.
    pub(super) fn start(min_isr: u32) -> (Self, TopicPartition) {
        Self::start_with(min_isr, |_| {})
    }

    /// A started cluster, with another configuration of brokers.
    pub(super) fn start_with(
        min_isr: u32,
        configure: impl FnOnce(&mut BrokerConfig),
    ) -> (Self, TopicPartition) {
        Self::start_set_up(min_isr, |cluster| configure(&mut cluster.config))
    }

    /// A started cluster, with another configuration of brokers and topics.
    pub(super) fn start_set_up(
        min_isr: u32,
        set_up: impl FnOnce(&mut Self),
    ) -> (Self, TopicPartition) {
        let mut cluster = Self::start_bare(&BROKERS, 0, |cluster| {
            cluster.config.replica_lag_time_max = Span::secs(3);
            cluster.topic.min_insync_replicas = min_isr;
            set_up(cluster);
        });
        let conn = cluster.connect(2);
        let topic = CreatableTopic {
            name: "orders".to_owned(),
            num_partitions: 1,
            replication_factor: 3,
            assignments: vec![vec![1, 2, 3]],
            configs: vec![],
        };
        let timeout = Span::secs(30);
        cluster.ask(conn, CreateTopicsRequest { topics: vec![topic], timeout });
        let Response::CreateTopics(created) = cluster.answer(conn) else { panic!("no topic") };
        let partition = TopicPartition::new(created.topics[0].topic, 0);
        cluster.until(|cluster| cluster.isr(1, partition).len() == 3);
        (cluster, partition)
    }

    /// Brokers that are unfenced, without topics. Wall clocks show `wall` milliseconds more than the
    /// time since the beginning.
    pub(super) fn start_bare(
        brokers: &[BrokerId],
        wall: i64,
        set_up: impl FnOnce(&mut Self),
    ) -> Self {
        let mut cluster = Self::new(wall);
        set_up(&mut cluster);
        for id in [CONTROLLER].iter().chain(brokers) {
            cluster.boot(*id);
        }
        cluster.until(|cluster| brokers.iter().all(|id| !cluster.broker(*id).is_fenced()));
        cluster
    }

    fn new(wall: i64) -> Self {
        Self {
            now: Mono(Span::secs(1).0),
            wall,
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            events: BTreeMap::new(),
            count: 0,
            connections: BTreeMap::new(),
            cuts: BTreeSet::new(),
            lives: 0,
            config: BrokerConfig::default(),
            controller_config: ControllerConfig::default(),
            rules: Rulebook::kafka(),
            topic: TopicConfig::default(),
            facts: Vec::new(),
            halts: BTreeMap::new(),
            answers: BTreeMap::new(),
            closed: BTreeSet::new(),
            correlation_ids: BTreeMap::new(),
            asked: Vec::new(),
            steps: 0,
            crash_at: None,
            boot_at: None,
        }
    }

    fn clocks(&self) -> Now {
        Now { mono: self.now, wall: Wall(self.wall + self.now.0 as i64 / 1_000_000) }
    }

    pub(super) fn boot(&mut self, id: BrokerId) {
        self.lives += 1;
        let node = NodeId::new(0, id);
        let boot = Boot {
            node,
            incarnation: self.lives,
            now: self.clocks(),
            entropy: u64::from(id) * 7919 + u64::from(self.lives),
        };
        let mut out = Outbox::new(node, self.lives);
        let disk = self.disks.entry(id).or_default();
        let (voters, rules) = (vec![CONTROLLER], self.rules);
        let topic_defaults = self.topic.clone();
        let member = if id == CONTROLLER {
            let config = self.controller_config.clone();
            let settings = ControllerSettings { config, topic_defaults, voters, rules };
            let controller = Controller::boot(&settings, boot, disk, &mut out);
            Member::Controller(Box::new(controller.unwrap()))
        } else {
            let (rack, config) = (None, self.config.clone());
            let settings = BrokerSettings { node, rack, config, topic_defaults, voters, rules };
            Member::Broker(Box::new(Broker::boot(&settings, boot, disk, &mut out).unwrap()))
        };
        self.nodes.insert(id, Node { member, out, timers: BTreeMap::new() });
        self.carry_out(id);
    }

    /// Ends the process; its files stay.
    pub(super) fn crash(&mut self, id: BrokerId) {
        self.nodes.remove(&id);
        let ended: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, (a, b))| *a == id || *b == id)
            .map(|(conn, ends)| (*conn, *ends))
            .collect();
        for (conn, (a, b)) in ended {
            self.end(conn, if a == id { b } else { a });
        }
    }

    /// Cuts the links between `id` and the others, without closing connections.
    pub(super) fn cut(&mut self, id: BrokerId, others: &[BrokerId]) {
        self.cuts.extend(others.iter().flat_map(|other| [(id, *other), (*other, id)]));
    }

    /// Heals all links; connections stay open, and lost messages stay lost.
    pub(super) fn let_through(&mut self) {
        self.cuts.clear();
    }

    /// Heals all links, with new connections.
    pub(super) fn heal(&mut self) {
        let cuts = std::mem::take(&mut self.cuts);
        let broken: Vec<_> =
            self.connections.iter().filter(|(_, ends)| cuts.contains(ends)).collect();
        let broken: Vec<_> = broken.into_iter().map(|(conn, ends)| (*conn, *ends)).collect();
        for (conn, (a, b)) in broken {
            self.end(conn, a);
            self.end(conn, b);
        }
    }

    fn end(&mut self, conn: ConnId, told: BrokerId) {
        self.connections.remove(&conn);
        self.push(Event::Closed(conn, told, told));
    }

    fn push(&mut self, event: Event) {
        self.count += 1;
        self.events.insert((self.now + LATENCY, self.count), event);
    }

    fn carry_out(&mut self, id: BrokerId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        for output in node.out.drain().collect::<Vec<_>>() {
            match output {
                Output::Connect { conn, peer } => self.open(conn, id, peer.node),
                Output::Send { conn, message } => self.send(conn, id, message),
                Output::Close { conn } => {
                    if let Some((a, b)) = self.connections.remove(&conn) {
                        self.push(Event::Closed(conn, if a == id { b } else { a }, id));
                    }
                }
                Output::SetTimer { timer, at } => {
                    self.nodes.get_mut(&id).unwrap().timers.insert(timer, at);
                }
                Output::CancelTimer { timer } => {
                    self.nodes.get_mut(&id).unwrap().timers.remove(&timer);
                }
                Output::Observe(fact) => self.facts.push((id, fact)),
                Output::Halt(halt) => {
                    self.halts.insert(id, halt);
                    return self.crash(id);
                }
            }
        }
    }

    fn open(&mut self, conn: ConnId, from: BrokerId, to: BrokerId) {
        if self.cuts.contains(&(from, to)) {
            return;
        }
        let there = to == CLIENT || self.nodes.contains_key(&to);
        if there {
            self.connections.insert(conn, (from, to));
            self.push(Event::Opened(conn, from, to));
        } else {
            self.push(Event::Closed(conn, from, to));
        }
    }

    fn send(&mut self, conn: ConnId, from: BrokerId, message: Message) {
        if let Some((a, b)) = self.connections.get(&conn).copied() {
            let to = if a == from { b } else { a };
            if let Message::Request { body, .. } = &message {
                self.asked.push((self.now, from, to, body.clone()));
            }
            if !self.cuts.contains(&(from, to)) {
                self.push(Event::Deliver(conn, to, message));
            }
        }
    }

    fn handle(&mut self, id: BrokerId, input: Input) {
        let now = self.clocks();
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let disk = self.disks.get_mut(&id).unwrap();
        match &mut node.member {
            Member::Broker(broker) => {
                broker.locks(&input, &mut Vec::new());
                broker.handle(now, input, disk, &mut node.out);
                broker.invariants();
            }
            Member::Controller(controller) => {
                controller.handle(now, input, disk, &mut node.out);
                controller.invariants();
            }
        }
        self.carry_out(id);
    }

    fn step(&mut self) {
        self.steps += 1;
        if let Some((_, id)) = self.crash_at.take_if(|(at, _)| *at <= self.steps) {
            self.crash(id);
            self.boot_at = Some((self.now + DOWN, id));
        }
        if let Some((_, id)) = self.boot_at.take_if(|(at, _)| *at <= self.now) {
            self.boot(id);
        }
        let timers = self.nodes.iter().flat_map(|(id, node)| {
            node.timers.iter().map(move |(timer, at)| (*at, *id, timer.clone()))
        });
        let timer = timers.min();
        let event = self.events.keys().next().copied();
        match (timer, event) {
            (Some((at, id, timer)), event) if event.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                self.nodes.get_mut(&id).unwrap().timers.remove(&timer);
                self.handle(id, Input::Timer(timer));
            }
            (_, Some(key)) => {
                self.now = self.now.max(key.0);
                let event = self.events.remove(&key).unwrap();
                self.on_event(event);
            }
            _ => panic!("nothing will ever happen again"),
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Deliver(conn, CLIENT, Message::Response { body, .. }) => {
                self.answers.entry(conn).or_default().push(body);
            }
            Event::Closed(conn, CLIENT, _) => {
                self.closed.insert(conn);
            }
            Event::Deliver(conn, to, message) if self.connections.contains_key(&conn) => {
                let from = NodeId::new(0, 0);
                self.handle(to, Input::Message { conn, from, message });
            }
            Event::Deliver(..) => {}
            Event::Opened(conn, opener, peer) => {
                self.handle(opener, Input::Opened { conn, peer: NodeId::new(0, peer) });
            }
            Event::Closed(conn, told, peer) => {
                let (peer, reason) = (NodeId::new(0, peer), CloseReason::Reset);
                self.handle(told, Input::Closed { conn, peer, reason });
            }
        }
    }

    pub(super) fn run_for(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    /// Runs for a time that ends between two events.
    pub(super) fn pause(&mut self, span: Span) {
        let end = self.now + span;
        loop {
            let timers = self.nodes.values().flat_map(|node| node.timers.values());
            let events = self.events.keys().map(|(at, _)| at);
            if timers.chain(events).min().is_none_or(|next| *next > end) {
                break;
            }
            self.step();
        }
        self.now = end;
    }

    /// Runs until the condition holds, for a minute at most.
    pub(super) fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let end = self.now + Span::secs(60);
        while !done(self) {
            assert!(self.now < end, "it does not happen");
            self.step();
        }
    }

    pub(super) fn begin_stop(&mut self, id: BrokerId) {
        self.handle(id, Input::Stop);
    }

    pub(super) fn stop(&mut self, id: BrokerId) {
        self.begin_stop(id);
        self.until(|cluster| cluster.halts.contains_key(&id));
    }

    pub(super) fn broker(&self, id: BrokerId) -> &Broker {
        match &self.nodes[&id].member {
            Member::Broker(broker) => broker,
            Member::Controller(_) => panic!("{id} is a controller"),
        }
    }

    /// Runs a function on a broker outside its inputs.
    pub(super) fn on_broker(&mut self, id: BrokerId, act: impl FnOnce(&mut Broker, &mut Io<'_>)) {
        let now = self.clocks();
        let Node { member: Member::Broker(broker), out, .. } = self.nodes.get_mut(&id).unwrap()
        else {
            panic!("{id} is a controller")
        };
        let disk = self.disks.get_mut(&id).unwrap();
        act(broker, &mut Io { now, lane: Lane::Control, disk, out });
    }

    /// Fsyncs a log, and writes its recovery point.
    pub(super) fn fsync(&mut self, id: BrokerId, partition: TopicPartition) {
        self.on_broker(id, |broker, io| {
            let (parts, mut cx) = broker.split(io);
            let partitions = &mut parts.replicas.partitions;
            partitions.hosted.get_mut(&partition).unwrap().close(&mut cx.io).unwrap();
            partitions.checkpoint_recovery_points(&mut cx);
        });
    }

    pub(super) fn isr(&self, leader: BrokerId, id: TopicPartition) -> Vec<BrokerId> {
        self.broker(leader).partition(id).map_or(vec![], |partition| partition.isr)
    }

    pub(super) fn leads(&self, id: BrokerId, partition: TopicPartition) -> bool {
        self.nodes.contains_key(&id)
            && self.broker(id).partition(partition).is_some_and(|partition| partition.is_leader)
    }

    /// The client opens a connection to a broker.
    pub(super) fn connect(&mut self, to: BrokerId) -> ConnId {
        let conn = ConnId::new(NodeId::new(0, CLIENT), 0, self.correlation_ids.len() as u32);
        self.correlation_ids.insert(conn, 0);
        self.connections.insert(conn, (CLIENT, to));
        conn
    }

    /// The client closes a connection.
    pub(super) fn hang_up(&mut self, conn: ConnId) {
        if let Some((_, broker)) = self.connections.remove(&conn) {
            self.push(Event::Closed(conn, broker, CLIENT));
        }
    }

    pub(super) fn ask(&mut self, conn: ConnId, request: impl Into<Request>) {
        let correlation_id = self.correlation_ids.get_mut(&conn).unwrap();
        *correlation_id += 1;
        let message = Message::Request { correlation_id: *correlation_id, body: request.into() };
        self.send(conn, CLIENT, message);
    }

    /// The next response on a connection.
    pub(super) fn answer(&mut self, conn: ConnId) -> Response {
        self.until(|cluster| cluster.answers.get(&conn).is_some_and(|answers| !answers.is_empty()));
        self.answers.get_mut(&conn).unwrap().remove(0)
    }

    pub(super) fn produce(&mut self, conn: ConnId, partition: TopicPartition, acks: i16) {
        let partitions = vec![ProducePartition { partition, records: batch() }];
        self.ask(
            conn,
            ProduceRequest {
                version: ProduceRequest::NEWEST,
                transactional_id: None,
                acks,
                timeout: Span::secs(30),
                partitions,
            },
        );
    }

    /// When `from` sent the controller a request for which `like` is true.
    pub(super) fn asked_controller(
        &self,
        from: BrokerId,
        like: impl Fn(&Request) -> bool,
    ) -> Vec<Mono> {
        let of = self.asked.iter().filter(|(_, by, to, _)| (*by, *to) == (from, CONTROLLER));
        of.filter(|(.., request)| like(request)).map(|(at, ..)| *at).collect()
    }

    /// Whether the controller has registered `id` since facts were last cleared.
    pub(super) fn is_registered(&self, id: BrokerId) -> bool {
        let of = self.facts.iter().filter(|(node, _)| *node == id);
        of.into_iter().any(|(_, fact)| matches!(fact, Fact::Registered { .. }))
    }

    /// How many replicas joined or, if negative, left by each ISR that this leader proposed.
    pub(super) fn proposed(&self, id: BrokerId) -> Vec<isize> {
        let of = self.facts.iter().filter(|(node, _)| *node == id);
        of.filter_map(|(_, fact)| match fact {
            Fact::IsrProposed { from, to, .. } => Some(to.len() as isize - from.len() as isize),
            _ => None,
        })
        .collect()
    }
}

pub(super) fn batch() -> Bytes {
    let mut batch = BatchBuilder::new();
    batch.append(1_000, None, Some(b"value"), &[]);
    batch.build()
}

/// The rules of Kafka 4.1 as released, open defects included, for comparison with a real broker.
pub(super) fn released() -> Rulebook {
    fn begin_anywhere_if_unknown(sequence: Sequence) -> Result<(), ErrorCode> {
        if sequence.known_epoch == -1 { Ok(()) } else { check_sequence(sequence) }
    }
    Rulebook::compared(Rules { check_sequence: begin_anywhere_if_unknown, ..Rules::kafka() })
}
