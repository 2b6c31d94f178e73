//! Details of timing and order in Kafka 4.1 that a simpler model of Raft would miss.

use super::net::{Net, OBSERVER, VOTERS};
use crate::fact::Fact;
use crate::ids::BrokerId;
use crate::log::files;
use crate::protocol::{VoteRequest, VoteResponse};
use crate::raft::DIR;
use crate::raft::role::Role;
use crate::timer::QuorumTimer;
use machine::{ConnId, Mono, NodeId, Span};

fn others(of: BrokerId) -> Vec<BrokerId> {
    VOTERS.into_iter().filter(|voter| *voter != of).collect()
}

fn requests(net: &Net, from: BrokerId, to: BrokerId, name: &str) -> usize {
    net.sent.iter().filter(|sent| (sent.0, sent.1, sent.2) == (from, to, name)).count()
}

/// A vote request of voter 103 that arrives at `to`.
fn vote_request(net: &mut Net, to: BrokerId, epoch: i32, pre_vote: bool) {
    let conn = ConnId::new(NodeId::new(0, OBSERVER), 2, net.connections.len() as u32);
    net.connections.insert(conn, (OBSERVER, to));
    let request = VoteRequest {
        replica: 103,
        replica_epoch: epoch,
        last_offset_epoch: 0,
        last_offset: 0,
        pre_vote,
    };
    net.ask(to, conn, 0, request);
}

/// A net in which voter 101 was granted its pre-votes and then denied its votes by both others, and
/// the time at which its candidacy began.
fn rejected_candidate() -> (Net, Mono) {
    let mut net = Net::new(&VOTERS[..1]);
    let id = VOTERS[0];
    let vote = |epoch, vote_granted| VoteResponse {
        error: crate::error::ErrorCode::None,
        leader: None,
        leader_epoch: epoch,
        vote_granted,
    };
    net.on_member(id, |member, now, disk, out| {
        member.on_timer(now, QuorumTimer::Election, disk, out).unwrap();
        member.on_vote_response(102, &vote(0, true), now, disk, out).unwrap();
    });
    let began = net.now;
    net.on_member(id, |member, now, disk, out| {
        member.on_vote_response(102, &vote(1, false), now, disk, out).unwrap();
        member.on_vote_response(103, &vote(1, false), now, disk, out).unwrap();
    });
    (net, began)
}

#[test]
fn b9_a_rejected_candidate_waits_out_its_election_time_out() {
    let (mut net, began) = rejected_candidate();
    let deadline = net.members[&101].election_deadline;
    let waits = deadline.since(began);
    assert!((1_000..2_000).contains(&waits.as_millis()), "it waits {waits:?} in all");
    net.facts.clear();
    net.run_for(Span::secs(2));
    let next = net.facts.iter().find(|(_, _, fact)| matches!(fact, Fact::QuorumCandidate { .. }));
    let pre_votes = Fact::QuorumCandidate { epoch: 1, pre_vote: true };
    assert_eq!(next, Some(&(deadline, 101, pre_votes)), "no shorter back-off, and pre-votes first");
}

#[test]
fn b9_a_higher_epoch_leaves_the_time_out_of_a_waiting_voter_as_it_was() {
    let mut net = Net::new(&VOTERS[..1]);
    let unattached = net.members[&101].election_deadline;
    net.now += Span::millis(300);
    vote_request(&mut net, 101, 7, true);
    assert_eq!(net.members[&101].epoch(), 7);
    assert_eq!(net.members[&101].election_deadline, unattached);

    let (mut net, _) = rejected_candidate();
    let candidate = net.members[&101].election_deadline;
    net.now += Span::millis(300);
    vote_request(&mut net, 101, 7, true);
    assert!(matches!(net.members[&101].role, Role::Unattached));
    assert_eq!(net.members[&101].election_deadline, candidate);
}

#[test]
fn b9_a_higher_epoch_draws_a_time_out_for_a_follower_and_a_vote_for_a_waiting_voter() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let follower = others(net.leader().unwrap())[0];
    let fetch = net.members[&follower].election_deadline;
    vote_request(&mut net, follower, 70, true);
    assert_ne!(net.members[&follower].election_deadline, fetch);

    let mut net = Net::new(&VOTERS[..1]);
    let before = net.members[&101].election_deadline;
    vote_request(&mut net, 101, 7, false);
    assert_eq!(net.members[&101].vote, Some(103));
    assert_ne!(net.members[&101].election_deadline, before);
}

#[test]
fn b9_a_voter_that_sends_pre_votes_continues_after_it_has_voted() {
    let mut net = Net::new(&VOTERS[..1]);
    vote_request(&mut net, 101, 7, true);
    net.on_member(101, |member, now, disk, out| {
        member.on_timer(now, QuorumTimer::Election, disk, out).unwrap();
    });
    let before = net.members[&101].election_deadline;
    vote_request(&mut net, 101, 7, false);
    assert_eq!(net.members[&101].vote, Some(103));
    assert!(matches!(net.members[&101].role, Role::Prospective { .. }));
    assert_ne!(net.members[&101].election_deadline, before);
}

#[test]
fn b9_an_unattached_voter_fetches_from_the_others() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let follower = others(leader)[0];
    net.crash(follower);
    // It does not know the present epoch.
    net.disks.remove(&follower);
    net.sent.clear();
    net.start(follower);
    net.run_for(Span::millis(100));
    let fetches: usize =
        others(follower).into_iter().map(|to| requests(&net, follower, to, "FetchRequest")).sum();
    assert!(fetches > 0);
    assert_eq!(net.members[&follower].leader(), Some(leader), "found by fetching");
}

#[test]
fn b9_a_follower_fetches_from_the_other_voters_while_its_leader_backs_off() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let [one, other] = others(leader)[..] else { panic!() };
    net.crash(leader);
    net.sent.clear();
    net.run_for(Span::secs(1));
    assert!(requests(&net, one, other, "FetchRequest") > 0, "long before the fetch time-out");
    assert!(requests(&net, one, leader, "FetchRequest") == 0, "it cannot be reached");
    assert_eq!(net.members[&one].leader(), Some(leader));
}

#[test]
fn b8_an_observer_keeps_its_controller_after_the_fetch_time_out() {
    let mut net = Net::new(&[101, 102, 103, OBSERVER]);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    net.cut(OBSERVER);
    net.run_for(Span::secs(10));
    assert_eq!(net.members[&OBSERVER].leader(), Some(leader));
    // It looks for a newer leader nevertheless.
    net.crash(leader);
    net.run_for(Span::secs(8));
    net.down.remove(&OBSERVER);
    net.run_for(Span::secs(1));
    assert_eq!(net.members[&OBSERVER].leader(), net.leader());
}

#[test]
fn records_that_a_voter_recovers_are_fsynced_with_its_next_append() {
    let recovered = |appends: bool| {
        let mut net = Net::new(&VOTERS);
        net.run_for(Span::secs(5));
        net.append("once");
        net.run_for(Span::secs(1));
        let id = others(net.leader().unwrap())[0];
        net.crash(id);
        // Its last life died between an append and the fsync.
        let segment = files::at_offset(DIR, 0, files::LOG);
        net.disks.get_mut(&id).unwrap().forget_syncs(&segment);
        net.start(id);
        if appends {
            net.append("again");
        }
        net.run_for(Span::secs(1));
        let end = net.members[&id].log().end_offset();
        net.lose_power(id);
        net.start(id);
        (end, net.members[&id].log().end_offset())
    };
    let (end, after) = recovered(false);
    assert!(after < end, "loading the log fsyncs nothing");
    let (end, after) = recovered(true);
    assert_eq!(after, end);
}

#[test]
fn a_leader_that_restarts_ends_its_epoch_at_once() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let epoch = net.members[&leader].epoch();
    net.crash(leader);
    net.sent.clear();
    net.start(leader);
    assert!(matches!(net.members[&leader].role, Role::Resigned { .. }));
    net.run_for(Span::millis(100));
    for voter in others(leader) {
        assert_eq!(requests(&net, leader, voter, "EndQuorumEpochRequest"), 1);
    }
    // The successors are not ordered, so none waits for another.
    let next = net.leader().expect("elected long before a fetch time-out");
    assert!(net.members[&next].epoch() > epoch);
}

#[test]
fn a_candidate_that_restarts_continues_its_election() {
    let (mut net, _) = rejected_candidate();
    net.crash(101);
    net.facts.clear();
    net.start(101);
    let stands = (net.now, 101, Fact::QuorumCandidate { epoch: 1, pre_vote: false });
    assert!(net.facts.contains(&stands));
}

#[test]
fn the_only_voter_leads_at_once() {
    let mut net = Net { voters: vec![101], ..Net::default() };
    for epoch in 1..4 {
        net.start(101);
        assert!(net.members[&101].is_leader());
        assert_eq!(net.members[&101].epoch(), epoch);
        net.crash(101);
    }
}

/// A member without its log ends its process, and the others continue. The Raft IO thread hands
/// every exception to a fault handler that terminates (`KafkaRaftClientDriver.doWork`,
/// `ProcessTerminatingFaultHandler`). With an empty disk the member is a voter again, since voters
/// are identified by their ids alone (`kraft.version` 0), and fetches the log from the others.
#[test]
fn a_voter_without_its_disk_ends_and_returns_with_an_empty_log() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(10));
    net.append("one");
    net.run_for(Span::secs(1));
    let lost = net.leader().expect("one leads");
    net.disks.get_mut(&lost).unwrap().broken = Some(DIR);
    net.append("two");
    net.run_for(Span::secs(10));
    assert_eq!(net.fallen, [lost]);
    let next = net.leader().expect("two of three voters are a majority");
    assert_ne!(next, lost);
    net.disks.insert(lost, crate::log::testdisk::TestDisk::default());
    net.start(lost);
    net.run_for(Span::secs(10));
    let values = net.values(next);
    assert!(values.contains(&"one".to_owned()), "{values:?}");
    assert_eq!(net.values(lost), values);
}
