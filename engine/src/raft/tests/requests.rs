//! Requests: one at a time to each member, and lost requests are sent again.

use super::net::{Net, OBSERVER, VOTERS};
use crate::ids::BrokerId;
use crate::timer::QuorumTimer;
use machine::Span;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A quorum with a leader that has parked the fetch of a follower. The follower then sends
/// pre-votes. Returns leader and follower.
fn pre_votes_behind_a_fetch(net: &mut Net) -> (BrokerId, BrokerId) {
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let follower = VOTERS.into_iter().find(|voter| *voter != leader).unwrap();
    // The leader responds to this fetch, so that it parks the next one.
    net.append("a");
    net.run_for(Span::millis(100));
    net.sent.clear();
    net.on_member(follower, |member, now, disk, out| {
        member.on_timer(now, QuorumTimer::Election, disk, out).unwrap();
    });
    (leader, follower)
}

fn votes(net: &Net, from: BrokerId, to: BrokerId) -> usize {
    net.sent.iter().filter(|sent| **sent == (from, to, "VoteRequest")).count()
}

#[test]
fn a_pre_vote_is_queued_behind_a_fetch_and_sent_after_its_response() {
    let mut net = Net::new(&VOTERS);
    let (leader, follower) = pre_votes_behind_a_fetch(&mut net);
    let other = VOTERS.into_iter().find(|id| ![leader, follower].contains(id)).unwrap();
    assert_eq!(votes(&net, follower, other), 1, "nothing is ahead of it");
    assert_eq!(votes(&net, follower, leader), 0, "a fetch is ahead of it");
    // The follower fetches again before the response to the old fetch; the pre-vote is still sent.
    net.run_for(Span::millis(600));
    assert_eq!(votes(&net, follower, leader), 1);
    assert_eq!(net.leader(), Some(leader));
    net.append("b");
    net.run_for(Span::secs(1));
    assert_eq!(net.values(follower), ["a", "b"]);
}

#[test]
fn a_pre_vote_that_is_lost_with_the_connection_is_sent_again() {
    let mut net = Net::new(&VOTERS);
    let (leader, follower) = pre_votes_behind_a_fetch(&mut net);
    // The other two would decide without the leader.
    net.paused.extend(VOTERS.into_iter().filter(|id| ![leader, follower].contains(id)));
    net.disconnect(|ends| ends == (follower, leader));
    net.run_for(Span::millis(10));
    assert_eq!(votes(&net, follower, leader), 0, "a connection is not tried again at once");
    net.run_for(Span::millis(100));
    assert_eq!(votes(&net, follower, leader), 1);
}

#[test]
fn a_pre_vote_without_a_response_is_sent_again() {
    let mut net = Net::new(&VOTERS[..1]);
    net.start(VOTERS[1]);
    net.paused.insert(VOTERS[1]);
    net.run_for(Span::secs(20));
    let (sent, elections) = (votes(&net, VOTERS[0], VOTERS[1]), 20 / 2);
    assert!(sent >= elections / 2, "{sent} pre-votes were sent");
    net.paused.clear();
    net.run_for(Span::secs(5));
    assert!(net.leader().is_some());
}

#[test]
fn a_leader_announces_itself_every_half_of_the_fetch_time_out() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    net.sent.clear();
    net.run_for(Span::millis(10_500));
    for voter in VOTERS.into_iter().filter(|voter| *voter != leader) {
        let announced =
            net.sent.iter().filter(|s| **s == (leader, voter, "BeginQuorumEpochRequest")).count();
        assert!(
            (10..=11).contains(&announced),
            "{announced} times, not every half of the fetch time-out"
        );
    }
}

#[test]
fn a_leader_that_resigned_announces_it_until_all_have_acknowledged() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    net.sent.clear();
    net.on_member(leader, |member, now, _, out| member.resign(now, out));
    net.disconnect(|(from, _)| from == leader);
    net.run_for(Span::millis(200));
    for voter in VOTERS.into_iter().filter(|voter| *voter != leader) {
        let announced =
            net.sent.iter().filter(|s| **s == (leader, voter, "EndQuorumEpochRequest")).count();
        assert!(announced > 0, "{voter} was not informed");
    }
    assert!(net.leader().is_some_and(|next| next != leader), "no voter waited for a time-out");
}

#[test]
fn an_observer_fetches_from_other_voters_when_its_leader_is_gone() {
    let mut net = Net::new(&[101, 102, 103, OBSERVER]);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    net.crash(leader);
    net.sent.clear();
    net.run_for(Span::secs(1));
    let others = net.sent.iter().filter(|(from, to, _)| *from == OBSERVER && *to != leader);
    assert!(others.count() > 0, "long before its fetch time-out");
    net.run_for(Span::secs(5));
    net.append("a");
    net.run_for(Span::secs(1));
    assert_eq!(net.values(OBSERVER), ["a"]);
}

#[test]
fn a_leader_that_crashes_is_replaced_in_time() {
    for seed in 0..100 {
        let mut net = Net::seeded(&VOTERS, seed);
        net.run_for(Span::secs(10));
        let leader = net.leader().expect("a leader");
        net.crash(leader);
        // A fetch time-out, and two elections that each take at most twice the election time-out.
        net.run_for(Span::secs(2 + 2 * 2));
        assert!(net.leader().is_some(), "seed {seed}");
    }
}

/// The network refuses a second request in flight, and invariants are checked after each step.
#[test]
fn no_request_is_sent_twice_under_any_partition() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut net = Net::seeded(&[101, 102, 103, OBSERVER], seed);
        for _ in 0..30 {
            net.run_for(Span::millis(rng.random_range(1..2_000)));
            let member = VOTERS[rng.random_range(0..3)];
            match rng.random_range(0..6) {
                0 => net.disconnect(|(a, b)| a == member || b == member),
                1 => net.disconnect(|(a, _)| a == member),
                2 => drop(net.paused.insert(member)),
                3 if net.members.contains_key(&member) => net.crash(member),
                3 => net.start(member),
                4 => net.cut(member),
                _ => {
                    net.paused.clear();
                    net.down.retain(|id| !net.members.contains_key(id));
                }
            }
        }
        net.paused.clear();
        net.down.clear();
        for voter in VOTERS {
            if !net.members.contains_key(&voter) {
                net.start(voter);
            }
        }
        net.run_for(Span::secs(15));
        assert!(net.leader().is_some(), "seed {seed}");
        net.append("last");
        net.run_for(Span::secs(1));
        for member in [101, 102, 103, OBSERVER] {
            assert_eq!(net.values(member).last().unwrap(), "last", "seed {seed}, member {member}");
        }
    }
}
