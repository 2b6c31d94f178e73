//! A quorum of three over a tiny network of its own.

mod fidelity;
mod net;
mod requests;
mod safety;
mod script;

use super::{Quorum, QuorumChange};
use crate::ids::BrokerId;
use crate::protocol::{BeginQuorumEpochRequest, FetchRequest};
use machine::{ConnId, NodeId, Span};
use net::{Net, OBSERVER, VOTERS};
use std::collections::BTreeSet;

#[test]
fn a_leader_is_elected_and_its_records_are_committed_everywhere() {
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
fn a_leader_that_crashes_is_replaced_and_returns_as_a_follower() {
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
fn an_isolated_leader_resigns_and_loses_records_that_were_not_fetched() {
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
    assert_eq!(net.members[&old].epoch(), epoch, "its return begins no new epoch (KIP-996)");
}

#[test]
fn a_leader_that_resigns_is_soon_replaced() {
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

/// A connection of the observer with a parked fetch.
fn parked_connection(net: &mut Net, leader: BrokerId) -> ConnId {
    let conn = ConnId::new(NodeId::new(0, OBSERVER), 1, net.connections.len() as u32);
    net.connections.insert(conn, (OBSERVER, leader));
    let fetch = net.members[&leader].fetch_request();
    net.ask(leader, conn, 0, FetchRequest { replica: None, ..fetch });
    let answer = net.wire.iter().find(|(on, ..)| *on == conn);
    assert!(answer.is_none(), "there is nothing to fetch");
    conn
}

#[test]
fn a_parked_fetch_is_answered_at_once_when_the_leader_resigns() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let conn = parked_connection(&mut net, leader);
    net.on_member(leader, |member, now, _, out| member.resign(now, out));
    // The connection accepts the next request, although its member no longer leads.
    net.ask(leader, conn, 1, BeginQuorumEpochRequest { leader, leader_epoch: 0 });
    net.run_for(Span::millis(10));
    assert_eq!(net.answered, [(conn, 0), (conn, 1)]);
}

#[test]
fn each_parked_fetch_is_answered_once_when_there_is_something_to_fetch() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let conns = [(); 3].map(|()| parked_connection(&mut net, leader));
    net.append("a");
    net.run_for(Span::secs(1));
    assert_eq!(net.answered, conns.map(|conn| (conn, 0)));
}

#[test]
#[should_panic(expected = "a member has one request in flight on a connection")]
fn nothing_is_sent_behind_a_parked_fetch() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let conn = parked_connection(&mut net, leader);
    net.ask(leader, conn, 1, BeginQuorumEpochRequest { leader, leader_epoch: 0 });
}
