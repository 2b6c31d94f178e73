//! Static members that start again (KIP-345, KIP-814).

use super::*;

#[test]
fn a_static_member_takes_its_own_place_without_a_rebalance() {
    let mut bench = Bench::new();
    let ids = bench.stable(&["a", "b"]);
    let (reply, effects) = bench.join("", Some("a"));
    assert!(effects.responses.is_empty(), "its record is not committed");
    assert_eq!(effects.records.len(), 1);
    let effects = bench.settle(effects, Ok(()));
    let again = joined(&effects, reply);
    assert_eq!((again.generation, again.skip_assignment), (1, true));
    assert_eq!((&again.leader, again.members.len()), (&again.member, 2));
    assert_ne!(*again.member, *ids[0]);
    assert_eq!(bench.state_of_group(), Some(GroupState::Stable));
    let effects = bench.sync(&again.member, 1, &[]);
    assert_eq!(synced(&effects)[0].assignment, "all");

    let (reply, effects) = bench.join(&ids[0], Some("a"));
    assert_eq!(joined(&effects, reply).error, ErrorCode::FencedInstanceId, "the one before");
    assert_eq!(bench.heartbeat(&ids[0], 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_static_member_whose_record_fails_is_the_one_before() {
    let mut bench = Bench::new();
    let ids = bench.stable(&["a", "b"]);
    let (reply, effects) = bench.join("", Some("a"));
    let effects = bench.settle(effects, Err(ErrorCode::NotCoordinator));
    assert_eq!(joined(&effects, reply).error, ErrorCode::NotCoordinator);
    assert_eq!(bench.heartbeat(&ids[0], 1), ErrorCode::None);
    bench.state.invariants();
}

#[test]
fn a_static_member_that_comes_while_the_leader_assigns_begins_a_rebalance() {
    let mut bench = Bench::new();
    let (a, _) = bench.join("", Some("a"));
    let (b, _) = bench.join("", Some("b"));
    let effects = bench.initial_delay_is_over();
    let (a, b) = (joined(&effects, a).member, joined(&effects, b).member);
    bench.sync(&b, 1, &[]);
    let (_, effects) = bench.join("", Some("b"));
    assert_eq!(synced(&effects)[0].error, ErrorCode::FencedInstanceId, "the one that waits");
    assert_eq!(bench.state_of_group(), Some(GroupState::PreparingRebalance));
    assert_eq!(bench.heartbeat(&a, 1), ErrorCode::RebalanceInProgress);
}
