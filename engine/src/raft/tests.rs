//! A quorum of three over a tiny network of its own: instant, in order, and cut at will.

use super::{DIR, Quorum, QuorumChange, QuorumConfig};
use crate::Outbox;
use crate::config::ControllerConfig;
use crate::ids::BrokerId;
use crate::log::testdisk::TestDisk;
use crate::log::{LogConfig, files};
use crate::protocol::{BeginQuorumEpochRequest, FetchRequest, Message, Request};
use crate::rules::Rulebook;
use crate::timer::{Channel, Timer};
use bytes::Bytes;
use machine::{Boot, ConnId, Mono, NodeId, Now, Output, Span, Wall};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const VOTERS: [BrokerId; 3] = [101, 102, 103];
const OBSERVER: BrokerId = 1;

#[derive(Default)]
struct Net {
    now: Mono,
    members: BTreeMap<BrokerId, Quorum>,
    disks: BTreeMap<BrokerId, TestDisk>,
    outboxes: BTreeMap<BrokerId, Outbox>,
    timers: BTreeMap<(BrokerId, Timer), Mono>,
    /// Both ends of each connection.
    connections: BTreeMap<ConnId, (BrokerId, BrokerId)>,
    wire: VecDeque<(ConnId, BrokerId, Option<Message>)>,
    down: BTreeSet<BrokerId>,
    /// The requests of the observer that were answered.
    answered: Vec<(ConnId, u32)>,
    lives: u64,
}

impl Net {
    fn new(members: &[BrokerId]) -> Self {
        let mut net = Self::default();
        for id in members {
            net.start(*id);
        }
        net
    }

    fn start(&mut self, id: BrokerId) {
        let defaults = ControllerConfig::default();
        let config = QuorumConfig {
            id,
            voters: VOTERS.to_vec(),
            election_timeout: defaults.election_timeout,
            fetch_timeout: defaults.fetch_timeout,
            election_backoff_max: defaults.election_backoff_max,
            request_timeout: defaults.request_timeout,
            retry_backoff: defaults.retry_backoff,
            append_linger: defaults.append_linger,
            log: LogConfig::default(),
        };
        self.lives += 1;
        self.down.remove(&id);
        let node = NodeId::new(0, id);
        let boot = Boot {
            node,
            incarnation: self.lives as u16,
            now: self.now(),
            entropy: u64::from(id) * 7919 + self.lives,
        };
        let mut out = Outbox::new(node, self.lives as u16);
        let disk = self.disks.entry(id).or_default();
        let quorum = Quorum::boot(config, boot, Rulebook::kafka(), disk, &mut out).unwrap();
        self.members.insert(id, quorum);
        self.outboxes.insert(id, out);
        self.carry_out(id);
    }

    fn crash(&mut self, id: BrokerId) {
        self.members.remove(&id);
        self.timers.retain(|(member, _), _| *member != id);
        self.cut(id);
    }

    /// Ends all connections of a member and lets it have no new ones.
    fn cut(&mut self, id: BrokerId) {
        self.down.insert(id);
        let ended: Vec<(ConnId, (BrokerId, BrokerId))> = self
            .connections
            .iter()
            .filter(|(_, (a, b))| *a == id || *b == id)
            .map(|(conn, ends)| (*conn, *ends))
            .collect();
        for (conn, (a, b)) in ended {
            self.connections.remove(&conn);
            self.wire.push_back((conn, a, None));
            self.wire.push_back((conn, b, None));
        }
    }

    fn now(&self) -> Now {
        Now { mono: self.now, wall: Wall(self.now.0 as i64 / 1_000_000) }
    }

    fn carry_out(&mut self, id: BrokerId) {
        let out = self.outboxes.get_mut(&id).unwrap();
        for output in out.drain().collect::<Vec<_>>() {
            match output {
                Output::Connect { conn, peer } => {
                    if self.down.contains(&peer.node) || self.down.contains(&id) {
                        self.wire.push_back((conn, id, None));
                    } else {
                        self.connections.insert(conn, (id, peer.node));
                        self.members.get_mut(&id).unwrap().on_opened(conn);
                    }
                }
                Output::Send { conn, message } => {
                    if let Some((a, b)) = self.connections.get(&conn) {
                        let to = if *a == id { *b } else { *a };
                        self.wire.push_back((conn, to, Some(message)));
                    }
                }
                Output::Close { conn } => {
                    self.connections.remove(&conn);
                }
                Output::SetTimer { timer, at } => {
                    self.timers.insert((id, timer), at);
                }
                Output::CancelTimer { timer } => {
                    self.timers.remove(&(id, timer));
                }
                Output::Observe(_) => {}
                Output::Halt(halt) => panic!("{id} halted: {halt:?}"),
            }
        }
    }

    fn on_member(
        &mut self,
        id: BrokerId,
        act: impl FnOnce(&mut Quorum, Now, &mut TestDisk, &mut Outbox),
    ) {
        let now = self.now();
        let Some(member) = self.members.get_mut(&id) else { return };
        let disk = self.disks.get_mut(&id).unwrap();
        act(member, now, disk, self.outboxes.get_mut(&id).unwrap());
        member.invariants();
        self.carry_out(id);
    }

    fn ask(
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

    fn step(&mut self) {
        if let Some((conn, to, message)) = self.wire.pop_front() {
            self.now += Span::micros(100);
            if let (OBSERVER, Some(Message::Response { correlation_id, .. })) = (to, &message) {
                self.answered.push((conn, *correlation_id));
            }
            self.on_member(to, |member, now, disk, out| match message {
                Some(message) => member.on_message(now, conn, message, disk, out).unwrap(),
                None => {
                    member.on_closed(now, conn, out);
                }
            });
            return;
        }
        let next =
            self.timers.iter().min_by_key(|(_, at)| **at).map(|(key, at)| (key.clone(), *at));
        let Some(((id, timer), at)) = next else { return };
        self.timers.remove(&(id, timer.clone()));
        self.now = self.now.max(at);
        self.on_member(id, |member, now, disk, out| match timer {
            Timer::Quorum(timer) => member.on_timer(now, timer, disk, out).unwrap(),
            Timer::Requests(Channel::Quorum) => member.on_requests_timer(now, out),
            other => panic!("not a timer of the quorum: {other:?}"),
        });
    }

    fn run_for(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    fn leader(&self) -> Option<BrokerId> {
        let reachable = self.members.iter().filter(|(id, _)| !self.down.contains(id));
        let mut leaders = reachable.filter(|(_, member)| member.is_leader());
        let leader = leaders.next().map(|(id, _)| *id);
        assert!(leaders.next().is_none(), "two leaders");
        leader
    }

    fn append(&mut self, value: &'static str) {
        let leader = self.leader().expect("a leader");
        self.on_member(leader, |member, now, _, out| {
            member.append(now, vec![Bytes::from_static(value.as_bytes())], out).unwrap();
        });
    }

    fn values(&mut self, id: BrokerId) -> Vec<String> {
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

#[test]
fn a_leader_is_elected_and_what_it_appends_is_committed_everywhere() {
    let mut net = Net::new(&[101, 102, 103, OBSERVER]);
    net.run_for(Span::secs(5));
    net.append("a");
    net.append("b");
    net.run_for(Span::secs(1));
    for id in [101, 102, 103, OBSERVER] {
        assert_eq!(net.values(id), ["a", "b"], "member {id}");
    }
    let epochs: BTreeSet<i32> = net.members.values().map(Quorum::epoch).collect();
    assert_eq!(epochs.len(), 1);
}

#[test]
fn the_others_go_on_when_the_leader_crashes_and_it_comes_back_as_a_follower() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    net.append("a");
    net.run_for(Span::secs(1));
    let first = net.leader().unwrap();
    net.crash(first);
    net.run_for(Span::secs(10));
    let second = net.leader().unwrap();
    assert_ne!(first, second);
    net.append("b");
    net.run_for(Span::secs(1));
    net.start(first);
    net.run_for(Span::secs(5));
    assert_eq!(net.leader(), Some(second));
    assert_eq!(net.values(first), ["a", "b"]);
}

#[test]
fn what_a_voter_finds_at_its_start_is_durable_before_it_speaks_of_it() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    net.append("once");
    net.run_for(Span::secs(1));
    let id = VOTERS[0];
    net.crash(id);
    // Its last life died between an append and the fsync.
    let segment = files::at_offset(DIR, 0, files::LOG);
    net.disks.get_mut(&id).unwrap().forget_syncs(&segment);
    net.start(id);
    let end = net.members[&id].log().end_offset();
    net.crash(id);
    net.disks.get_mut(&id).unwrap().lose_unsynced();
    net.start(id);
    assert!(end > 1);
    assert_eq!(net.members[&id].log().end_offset(), end, "it may have voted for a log as long");
}

#[test]
fn an_isolated_leader_resigns_and_loses_what_nobody_fetched() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    net.append("a");
    net.run_for(Span::secs(1));
    let old = net.leader().unwrap();
    net.members.get_mut(&old).unwrap().take_changes();
    net.append("lost");
    net.cut(old);
    net.run_for(Span::secs(10));
    assert!(!net.members[&old].is_leader(), "no majority fetches (KAFKA-15489)");
    let changes = net.members.get_mut(&old).unwrap().take_changes();
    assert!(changes.iter().any(|change| matches!(change, QuorumChange::LostLeadership { .. })));
    net.append("b");
    net.run_for(Span::secs(1));
    let epoch = net.members[&net.leader().unwrap()].epoch();
    net.down.remove(&old);
    net.run_for(Span::secs(10));
    assert_eq!(net.values(old), ["a", "b"]);
    assert_eq!(net.members[&old].epoch(), epoch, "its return disturbs nobody (KIP-996)");
}

#[test]
fn a_leader_that_resigns_is_followed_soon() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let old = net.leader().unwrap();
    net.on_member(old, |member, now, _, out| member.resign(now, out));
    net.run_for(Span::millis(1_500));
    assert!(net.leader().is_some_and(|leader| leader != old));
}

#[test]
fn without_a_majority_nothing_is_committed() {
    let mut net = Net::new(&[101]);
    net.run_for(Span::secs(20));
    assert_eq!(net.leader(), None);
    assert_eq!(net.members[&101].epoch(), 0, "pre-votes change no epoch");
}

/// A connection of the observer on which a fetch waits, and a request behind that.
fn waiting_connection(net: &mut Net, leader: BrokerId) -> ConnId {
    let conn = ConnId::new(NodeId::new(0, OBSERVER), 1, net.connections.len() as u32);
    net.connections.insert(conn, (OBSERVER, leader));
    let fetch = net.members[&leader].fetch_request();
    net.ask(leader, conn, 0, FetchRequest { replica: None, ..fetch });
    net.ask(leader, conn, 1, BeginQuorumEpochRequest { leader, leader_epoch: 0 });
    let answer = net.wire.iter().find(|(on, ..)| *on == conn);
    assert!(answer.is_none(), "there is nothing to fetch, and one waits behind it");
    conn
}

#[test]
fn a_connection_is_answered_in_order_when_the_leader_resigns() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let conn = waiting_connection(&mut net, leader);
    net.on_member(leader, |member, now, _, out| member.resign(now, out));
    // Before what waited behind the fetch is looked at.
    net.ask(leader, conn, 2, BeginQuorumEpochRequest { leader, leader_epoch: 0 });
    net.run_for(Span::millis(10));
    assert_eq!(net.answered, [(conn, 0), (conn, 1), (conn, 2)]);
}

#[test]
fn each_connection_is_answered_in_order_when_there_is_something_to_fetch() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let conns = [(); 3].map(|()| waiting_connection(&mut net, leader));
    net.append("a");
    net.run_for(Span::secs(1));
    for conn in conns {
        let answers = net.answered.iter().filter(|(on, _)| *on == conn);
        assert!(answers.map(|(_, id)| id).eq(&[0, 1]), "{:?}", net.answered);
    }
}
