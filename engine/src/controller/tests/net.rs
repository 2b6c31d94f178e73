//! Controllers over a tiny network of their own: instant, in order, and cut at will.

use crate::Outbox;
use crate::config::{ControllerConfig, TopicConfig};
use crate::controller::{Controller, ControllerSettings};
use crate::fact::Fact;
use crate::ids::BrokerId;
use crate::log::testdisk::TestDisk;
use crate::protocol::{Message, Request, Response};
use crate::rules::Rulebook;
use crate::timer::Timer;
use crate::{Input, Kafka};
use machine::{Boot, CloseReason, ConnId, Halt, Mono, NodeId, Now, Output, Process, Span, Wall};
use std::collections::{BTreeMap, VecDeque};

pub(super) const VOTERS: [BrokerId; 3] = [101, 102, 103];

/// The node that sends requests.
const CLIENT: BrokerId = 1001;

#[derive(Default)]
pub(super) struct Net {
    pub(super) now: Mono,
    pub(super) controllers: BTreeMap<BrokerId, Controller>,
    pub(super) disks: BTreeMap<BrokerId, TestDisk>,
    outboxes: BTreeMap<BrokerId, Outbox>,
    timers: BTreeMap<(BrokerId, Timer), Mono>,
    connections: BTreeMap<ConnId, (BrokerId, BrokerId)>,
    wire: VecDeque<(BrokerId, Input)>,
    /// The responses to the client, by connection and number.
    pub(super) answers: BTreeMap<(ConnId, u32), Response>,
    pub(super) facts: Vec<(BrokerId, Fact)>,
    pub(super) halts: Vec<(BrokerId, Halt)>,
    /// The controllers that lost power at a planned disk operation.
    pub(super) fallen: Vec<BrokerId>,
    lives: u16,
    asked: u32,
}

impl Net {
    pub(super) fn new() -> Self {
        let mut net = Self::default();
        for id in VOTERS {
            net.start(id);
        }
        net.run_for(Span::secs(5));
        net
    }

    pub(super) fn start(&mut self, id: BrokerId) {
        self.lives += 1;
        let node = NodeId::new(0, id);
        let entropy = u64::from(id) * 7919 + u64::from(self.lives);
        let boot = Boot { node, incarnation: self.lives, now: self.now(), entropy };
        let settings = ControllerSettings {
            config: ControllerConfig::default(),
            topic_defaults: TopicConfig::default(),
            voters: VOTERS.to_vec(),
            rules: Rulebook::kafka(),
        };
        let mut out = Outbox::new(node, self.lives);
        let disk = self.disks.entry(id).or_default();
        let booted = Controller::boot(&settings, boot, disk, &mut out);
        let Ok(controller) = booted else {
            self.fall(id);
            return;
        };
        self.controllers.insert(id, controller);
        self.outboxes.insert(id, out);
        self.carry_out(id);
    }

    /// The disk of a controller failed as planned: the controller loses power, and with it the
    /// outputs of the input that it was handling.
    fn fall(&mut self, id: BrokerId) {
        assert_eq!(self.disks[&id].writes_left, Some(0), "no other disk fails");
        self.outboxes.remove(&id);
        self.fallen.push(id);
        self.lose_power(id);
    }

    /// The process dies, and all unsynced data of its disk is lost.
    pub(super) fn lose_power(&mut self, id: BrokerId) {
        self.controllers.remove(&id);
        self.timers.retain(|(node, _), _| *node != id);
        let disk = self.disks.get_mut(&id).unwrap();
        disk.writes_left = None;
        disk.lose_unsynced();
        self.cut(id);
    }

    /// Ends all connections of a node.
    pub(super) fn cut(&mut self, id: BrokerId) {
        let ends = |(a, b): &(BrokerId, BrokerId)| *a == id || *b == id;
        let ended: Vec<_> = self.connections.iter().filter(|(_, both)| ends(both)).collect();
        let ended: Vec<_> = ended.into_iter().map(|(conn, both)| (*conn, *both)).collect();
        for (conn, (a, b)) in ended {
            self.connections.remove(&conn);
            self.close(conn, a, b);
            self.close(conn, b, a);
        }
    }

    fn close(&mut self, conn: ConnId, end: BrokerId, peer: BrokerId) {
        let peer = NodeId::new(0, peer);
        self.wire.push_back((end, Input::Closed { conn, peer, reason: CloseReason::Reset }));
    }

    fn now(&self) -> Now {
        Now { mono: self.now, wall: Wall(self.now.0 as i64 / 1_000_000) }
    }

    /// A new connection of the client.
    pub(super) fn connect(&mut self, to: BrokerId) -> ConnId {
        self.asked += 1;
        let conn = ConnId::new(NodeId::new(0, CLIENT), 0, self.asked);
        self.connections.insert(conn, (CLIENT, to));
        conn
    }

    /// Sends a request on a connection, and returns its number.
    pub(super) fn ask(&mut self, conn: ConnId, request: impl Into<Request>) -> u32 {
        self.asked += 1;
        let correlation_id = self.asked;
        let message = Message::Request { correlation_id, body: request.into() };
        let to = self.connections[&conn].1;
        let from = NodeId::new(0, CLIENT);
        self.wire.push_back((to, Input::Message { conn, from, message }));
        correlation_id
    }

    fn carry_out(&mut self, id: BrokerId) {
        let outputs: Vec<Output<Kafka>> = self.outboxes.get_mut(&id).unwrap().drain().collect();
        let halts = |output: &Output<Kafka>| matches!(output, Output::Halt(Halt::Failed(_)));
        if self.disks[&id].writes_left == Some(0) && outputs.iter().any(halts) {
            self.fall(id);
            return;
        }
        for output in outputs {
            match output {
                Output::Connect { conn, peer } if self.controllers.contains_key(&peer.node) => {
                    self.connections.insert(conn, (id, peer.node));
                    self.wire.push_back((id, Input::Opened { conn, peer }));
                }
                Output::Connect { conn, peer } => self.close(conn, id, peer.node),
                Output::Send { conn, message } => self.send(id, conn, message),
                Output::Close { conn } => {
                    if let Some((a, b)) = self.connections.remove(&conn) {
                        let peer = if a == id { b } else { a };
                        self.close(conn, peer, id);
                    }
                }
                Output::SetTimer { timer, at } => {
                    self.timers.insert((id, timer), at);
                }
                Output::CancelTimer { timer } => {
                    self.timers.remove(&(id, timer));
                }
                Output::Observe(fact) => self.facts.push((id, fact)),
                Output::Halt(halt) => {
                    self.halts.push((id, halt));
                    self.controllers.remove(&id);
                    self.timers.retain(|(node, _), _| *node != id);
                    self.cut(id);
                    return;
                }
            }
        }
    }

    fn send(&mut self, id: BrokerId, conn: ConnId, message: Message) {
        let Some((a, b)) = self.connections.get(&conn) else { return };
        let to = if *a == id { *b } else { *a };
        if to == CLIENT {
            let Message::Response { correlation_id, body } = message else {
                panic!("a request to the client")
            };
            let again = self.answers.insert((conn, correlation_id), body);
            assert_eq!(again, None, "answered twice");
        } else {
            let from = NodeId::new(0, id);
            self.wire.push_back((to, Input::Message { conn, from, message }));
        }
    }

    pub(super) fn handle(&mut self, id: BrokerId, input: Input) {
        let now = self.now();
        let Some(controller) = self.controllers.get_mut(&id) else { return };
        let disk = self.disks.get_mut(&id).unwrap();
        controller.handle(now, input, disk, self.outboxes.get_mut(&id).unwrap());
        self.carry_out(id);
        if let Some(controller) = self.controllers.get(&id) {
            controller.invariants();
        }
    }

    /// Whether nothing will ever happen.
    pub(super) fn is_idle(&self) -> bool {
        self.wire.is_empty() && self.timers.is_empty()
    }

    pub(super) fn step(&mut self) {
        if let Some((to, input)) = self.wire.pop_front() {
            self.now += Span::micros(100);
            self.handle(to, input);
            return;
        }
        let next = self.timers.iter().min_by_key(|(_, at)| **at);
        let Some(((id, timer), at)) = next.map(|(key, at)| (key.clone(), *at)) else { return };
        self.timers.remove(&(id, timer.clone()));
        self.now = self.now.max(at);
        self.handle(id, Input::Timer(timer));
    }

    pub(super) fn run_for(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    /// The active controller.
    pub(super) fn active(&self) -> BrokerId {
        let mut active = self.controllers.iter().filter(|(_, c)| c.active_epoch().is_some());
        let (id, _) = active.next().expect("an active controller");
        assert!(active.next().is_none(), "two are active");
        *id
    }

    /// The response to a request.
    pub(super) fn answer(&self, conn: ConnId, correlation_id: u32) -> Option<&Response> {
        self.answers.get(&(conn, correlation_id))
    }
}
