//! A small network without delays, whose connections a test can end. It refuses a second request of
//! a member on a connection before the response to the first.

use super::super::{Quorum, QuorumConfig};
use crate::Outbox;
use crate::config::ControllerConfig;
use crate::fact::Fact;
use crate::ids::BrokerId;
use crate::log::LogConfig;
use crate::log::testdisk::TestDisk;
use crate::protocol::{Message, Request};
use crate::rules::Rulebook;
use crate::script::millis;
use crate::timer::{Channel, Timer};
use bytes::Bytes;
use machine::{Boot, ConnId, Halt, Mono, NodeId, Now, Output, Span, Wall};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) const VOTERS: [BrokerId; 3] = [101, 102, 103];
pub(super) const OBSERVER: BrokerId = 1;

#[derive(Default)]
pub(super) struct Net {
    pub(super) now: Mono,
    pub(super) members: BTreeMap<BrokerId, Quorum>,
    pub(super) disks: BTreeMap<BrokerId, TestDisk>,
    pub(super) outboxes: BTreeMap<BrokerId, Outbox>,
    pub(super) timers: BTreeMap<(BrokerId, Timer), Mono>,
    /// Both ends of each connection.
    pub(super) connections: BTreeMap<ConnId, (BrokerId, BrokerId)>,
    pub(super) wire: VecDeque<(ConnId, BrokerId, Option<Message>)>,
    pub(super) down: BTreeSet<BrokerId>,
    /// The members that neither receive messages nor wake up.
    pub(super) paused: BTreeSet<BrokerId>,
    /// The connections with a request of a member in flight.
    pub(super) in_flight: BTreeSet<ConnId>,
    /// All requests: sender, receiver, name.
    pub(super) sent: Vec<(BrokerId, BrokerId, &'static str)>,
    /// The facts that members observed, in order.
    pub(super) facts: Vec<(Mono, BrokerId, Fact)>,
    /// The words of the `trace` command of a transcript; see [`super::script`]. Nothing is traced
    /// if `None`.
    pub(super) trace: Option<Vec<String>>,
    /// The lines of the transcript that are not printed yet.
    pub(super) lines: Vec<String>,
    /// The requests of the observer that have a response.
    pub(super) answered: Vec<(ConnId, u32)>,
    pub(super) seed: u64,
    /// The voters; [`VOTERS`] if empty.
    pub(super) voters: Vec<BrokerId>,
    /// The rules of members; Kafka's if `None`.
    pub(super) rules: Option<Rulebook>,
    /// The members that stopped because their disk failed at the planned change.
    pub(super) fallen: Vec<BrokerId>,
    pub(super) lives: u64,
    pub(super) lives_of: BTreeMap<BrokerId, u64>,
}

impl Net {
    pub(super) fn new(members: &[BrokerId]) -> Self {
        Self::seeded(members, 0)
    }

    pub(super) fn seeded(members: &[BrokerId], seed: u64) -> Self {
        let mut net = Self { seed, ..Self::default() };
        for id in members {
            net.start(*id);
        }
        net
    }

    pub(super) fn start(&mut self, id: BrokerId) {
        let defaults = ControllerConfig::default();
        let config = QuorumConfig {
            id,
            voters: if self.voters.is_empty() { VOTERS.to_vec() } else { self.voters.clone() },
            election_timeout: defaults.election_timeout,
            fetch_timeout: defaults.fetch_timeout,
            election_backoff_max: defaults.election_backoff_max,
            request_timeout: defaults.request_timeout,
            retry_backoff: defaults.retry_backoff,
            append_linger: defaults.append_linger,
            log: LogConfig::default(),
        };
        self.lives += 1;
        self.lives_of.insert(id, self.lives);
        self.down.remove(&id);
        let node = NodeId::new(0, id);
        let boot = Boot {
            node,
            incarnation: self.lives as u16,
            now: self.now(),
            entropy: self.seed * 104_729 + u64::from(id) * 7919 + self.lives,
        };
        let mut out = Outbox::new(node, self.lives as u16);
        let rules = self.rules.unwrap_or_else(Rulebook::kafka);
        let disk = self.disks.entry(id).or_default();
        let quorum = Quorum::boot(config, boot, rules, disk, &mut out);
        let quorum = match quorum {
            Ok(quorum) => quorum,
            Err(_) if disk.writes_left == Some(0) => {
                self.fall(id);
                return;
            }
            Err(halt) => panic!("{id} does not start: {halt:?}"),
        };
        self.members.insert(id, quorum);
        self.outboxes.insert(id, out);
        self.carry_out(id);
    }

    pub(super) fn crash(&mut self, id: BrokerId) {
        self.members.remove(&id);
        self.timers.retain(|(member, _), _| *member != id);
        self.cut(id);
    }

    /// The disk of a member failed as planned: the member loses power, and with it the outputs of
    /// the input that it was handling.
    fn fall(&mut self, id: BrokerId) {
        let disk = self.disks.get_mut(&id).unwrap();
        assert!(disk.writes_left == Some(0) || disk.broken.is_some(), "no other disk fails");
        disk.writes_left = None;
        self.outboxes.remove(&id);
        self.fallen.push(id);
        self.lose_power(id);
    }

    /// A member has stopped by itself, although its disk works.
    fn end(&mut self, id: BrokerId, why: &str) {
        assert!(self.trace.is_some(), "{id} halted: {why}");
        self.lines.push(format!("{:>8}  {id:>5}  ends: {why}", millis(self.now)));
        self.crash(id);
    }

    /// The disk of a member is replaced by an empty one, after a crash.
    pub(super) fn lose_disk(&mut self, id: BrokerId) {
        self.crash(id);
        self.disks.remove(&id);
    }

    /// A member crashes and its disk loses all unsynced data.
    pub(super) fn lose_power(&mut self, id: BrokerId) {
        self.crash(id);
        self.disks.get_mut(&id).unwrap().lose_unsynced();
    }

    /// Ends all connections of a member and prevents new ones.
    pub(super) fn cut(&mut self, id: BrokerId) {
        self.down.insert(id);
        self.disconnect(|(a, b)| a == id || b == id);
    }

    /// Ends the connections whose ends (the member that opened it, the other) satisfy `ends`.
    pub(super) fn disconnect(&mut self, ends: impl Fn((BrokerId, BrokerId)) -> bool) {
        for (conn, (a, b)) in self.connections.extract_if(.., |_, both| ends(*both)) {
            self.in_flight.remove(&conn);
            self.wire.retain(|(on, ..)| *on != conn);
            self.wire.push_back((conn, a, None));
            self.wire.push_back((conn, b, None));
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.now, wall: Wall(self.now.0 as i64 / 1_000_000) }
    }

    fn carry_out(&mut self, id: BrokerId) {
        let out = self.outboxes.get_mut(&id).unwrap();
        for output in out.drain().collect::<Vec<_>>() {
            match output {
                Output::Connect { conn, peer } => {
                    let is_there = self.members.contains_key(&peer.node);
                    if !is_there || self.down.contains(&peer.node) || self.down.contains(&id) {
                        self.wire.push_back((conn, id, None));
                    } else {
                        self.connections.insert(conn, (id, peer.node));
                        self.members.get_mut(&id).unwrap().on_opened(conn);
                    }
                }
                Output::Send { conn, message } => {
                    if let Some((a, b)) = self.connections.get(&conn) {
                        let to = if *a == id { *b } else { *a };
                        if let Message::Request { body, .. } = &message {
                            self.sent.push((id, to, body.name()));
                            assert!(self.in_flight.insert(conn), "two are in flight to {to}");
                        }
                        self.wire.push_back((conn, to, Some(message)));
                    }
                }
                Output::Close { conn } => {
                    self.connections.remove(&conn);
                    self.in_flight.remove(&conn);
                }
                Output::SetTimer { timer, at } => {
                    self.timers.insert((id, timer), at);
                }
                Output::CancelTimer { timer } => {
                    self.timers.remove(&(id, timer));
                }
                Output::Observe(fact) => {
                    self.note_fact(id, &fact);
                    self.facts.push((self.now, id, fact));
                }
                Output::Halt(halt) => panic!("{id} halted: {halt:?}"),
            }
        }
    }

    pub(super) fn on_member(
        &mut self,
        id: BrokerId,
        act: impl FnOnce(&mut Quorum, Now, &mut TestDisk, &mut Outbox),
    ) {
        self.try_on_member(id, |member, now, disk, out| {
            act(member, now, disk, out);
            Ok(())
        });
    }

    /// Lets a member handle an input, during which its disk may fail.
    pub(super) fn try_on_member(
        &mut self,
        id: BrokerId,
        act: impl FnOnce(&mut Quorum, Now, &mut TestDisk, &mut Outbox) -> Result<(), Halt>,
    ) {
        let now = self.now();
        let Some(member) = self.members.get_mut(&id) else { return };
        let disk = self.disks.get_mut(&id).unwrap();
        if let Err(halt) = act(member, now, disk, self.outboxes.get_mut(&id).unwrap()) {
            match halt {
                Halt::Failed(why) if disk.writes_left != Some(0) && disk.broken.is_none() => {
                    self.end(id, &why);
                }
                _ => self.fall(id),
            }
            return;
        }
        member.invariants();
        self.carry_out(id);
    }

    pub(super) fn ask(
        &mut self,
        id: BrokerId,
        conn: ConnId,
        correlation_id: u32,
        request: impl Into<Request>,
    ) {
        let message = Message::Request { correlation_id, body: request.into() };
        self.on_member(id, |member, now, disk, out| {
            member.on_message(now, conn, message, disk, out).unwrap();
        });
    }

    /// Delivers the next message to a member that is not paused. Returns whether there was one.
    fn deliver_next(&mut self) -> bool {
        let awake = |member: &BrokerId| !self.paused.contains(member);
        let next = self.wire.iter().position(|(_, to, _)| awake(to));
        let Some((conn, to, message)) = next.and_then(|at| self.wire.remove(at)) else {
            return false;
        };
        self.now += Span::micros(100);
        if let (Some(message), Some((a, b))) = (&message, self.connections.get(&conn).copied()) {
            self.note_message(if a == to { b } else { a }, to, message);
        }
        if let Some(Message::Response { .. }) = &message {
            self.in_flight.remove(&conn);
        }
        if let (OBSERVER, Some(Message::Response { correlation_id, .. })) = (to, &message) {
            self.answered.push((conn, *correlation_id));
        }
        self.try_on_member(to, |member, now, disk, out| match message {
            Some(message) => member.on_message(now, conn, message, disk, out),
            None => {
                member.on_closed(now, conn, out);
                Ok(())
            }
        });
        true
    }

    /// Delivers messages until none is in flight.
    pub(super) fn deliver(&mut self) {
        while self.deliver_next() {}
    }

    pub(super) fn step(&mut self) {
        if self.deliver_next() {
            return;
        }
        let awake = |member: &BrokerId| !self.paused.contains(member);
        let timers = self.timers.iter().filter(|((member, _), _)| awake(member));
        let next = timers.min_by_key(|(_, at)| **at).map(|(key, at)| (key.clone(), *at));
        let Some(((id, timer), at)) = next else { return };
        self.timers.remove(&(id, timer.clone()));
        self.now = self.now.max(at);
        self.try_on_member(id, |member, now, disk, out| match timer {
            Timer::Quorum(timer) => member.on_timer(now, timer, disk, out),
            Timer::Requests(Channel::Quorum) => {
                member.on_requests_timer(now, out);
                Ok(())
            }
            other => panic!("not a timer of the quorum: {other:?}"),
        });
    }

    /// Whether no further event is possible: there are no messages, and no timers of running
    /// members.
    pub(super) fn is_idle(&self) -> bool {
        let awake = |member: &BrokerId| !self.paused.contains(member);
        !self.wire.iter().any(|(_, to, _)| awake(to))
            && !self.timers.keys().any(|(member, _)| awake(member))
    }

    /// The number of the present life of a member.
    pub(super) fn life(&self, id: BrokerId) -> u64 {
        self.lives_of.get(&id).copied().unwrap_or(0)
    }

    pub(super) fn run_for(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    pub(super) fn leader(&self) -> Option<BrokerId> {
        let reachable = self.members.iter().filter(|(id, _)| !self.down.contains(id));
        let mut leaders = reachable.filter(|(_, member)| member.is_leader());
        let leader = leaders.next().map(|(id, _)| *id);
        assert!(leaders.next().is_none(), "two leaders");
        leader
    }

    pub(super) fn append(&mut self, value: &str) {
        let leader = self.leader().expect("a leader");
        let value = Bytes::copy_from_slice(value.as_bytes());
        self.on_member(leader, |member, now, _, out| {
            member.append(now, vec![value], out).unwrap();
        });
    }

    pub(super) fn values(&mut self, id: BrokerId) -> Vec<String> {
        let mut values = Vec::new();
        let member = &self.members[&id];
        let disk = self.disks.get_mut(&id).unwrap();
        let mut from = 0;
        loop {
            let batches = member.read_committed(from, disk).unwrap();
            let Some(last) = batches.last() else { return values };
            from = crate::record::Batch::new(last).unwrap().next_offset();
            for batch in &batches {
                if crate::record::Batch::new(batch).unwrap().is_control() {
                    continue;
                }
                for record in crate::record::records(batch).unwrap() {
                    values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
                }
            }
        }
    }
}
