//! From one generation to the next.

use super::*;
use crate::ids::MemberId;

#[test]
fn the_first_rebalance_waits_again_for_each_member_that_comes() {
    let mut bench = Bench::new();
    let delay = bench.config.group_initial_rebalance_delay;
    let (_, effects) = bench.join("", Some("a"));
    let (timeout, after) = set(&effects).pop().expect("a timer");
    let remaining = Span::secs(30 - 3);
    let group = GROUP.into();
    assert_eq!((&timeout, after), (&Timeout::InitialJoin { group, delay, remaining }, delay));
    bench.join("", Some("b"));
    let effects = bench.operate(|state, turn| state.on_timeout(timeout, turn));
    assert_eq!(bench.state_of_group(), Some(GroupState::PreparingRebalance));
    let (timeout, _) = set(&effects).pop().expect("it waits again");
    let effects = bench.operate(|state, turn| state.on_timeout(timeout, turn));
    assert_eq!(bench.state_of_group(), Some(GroupState::CompletingRebalance));
    assert_eq!(effects.responses.len(), 2);
}

#[test]
fn no_member_has_an_assignment_before_it_is_committed() {
    let mut bench = Bench::new();
    let (a, _) = bench.join("", Some("a"));
    let (b, _) = bench.join("", Some("b"));
    let effects = bench.initial_delay_is_over();
    let (a, b) = (joined(&effects, a), joined(&effects, b));
    assert_eq!((a.generation, &a.leader, a.members.len()), (1, &a.member, 2));
    assert_eq!((b.generation, &b.leader, b.members.len()), (1, &a.member, 0));

    let waiting = bench.sync(&b.member, 1, &[]);
    assert!(waiting.responses.is_empty() && waiting.records.is_empty());
    let written = bench.sync(&a.member, 1, &[(&a.member, "one"), (&b.member, "two")]);
    assert!(written.responses.is_empty(), "not before the record is committed");
    assert_eq!(written.records.len(), 1);
    assert_eq!(bench.state_of_group(), Some(GroupState::CompletingRebalance));

    let effects = bench.settle(written, Ok(()));
    let mut assignments: Vec<Bytes> =
        synced(&effects).into_iter().map(|it| it.assignment).collect();
    assignments.sort_unstable();
    assert_eq!(assignments, ["one", "two"]);
    assert_eq!(bench.state_of_group(), Some(GroupState::Stable));
    assert_eq!(bench.heartbeat(&b.member, 1), ErrorCode::None);
    assert_eq!(bench.heartbeat(&b.member, 0), ErrorCode::IllegalGeneration);
    assert_eq!(bench.heartbeat("stranger", 1), ErrorCode::UnknownMemberId);
}

#[test]
fn an_assignment_that_is_not_written_begins_the_next_rebalance() {
    let mut bench = Bench::new();
    let (a, _) = bench.join("", Some("a"));
    let effects = bench.initial_delay_is_over();
    let a = joined(&effects, a).member;
    let written = bench.sync(&a, 1, &[(&a, "one")]);
    let effects = bench.settle(written, Err(ErrorCode::CoordinatorNotAvailable));
    assert_eq!(synced(&effects)[0].error, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.state_of_group(), Some(GroupState::PreparingRebalance));
}

#[test]
fn an_assignment_of_a_generation_that_is_over_changes_nothing() {
    let mut bench = Bench::new();
    let (a, _) = bench.join("", Some("a"));
    let effects = bench.initial_delay_is_over();
    let a = joined(&effects, a).member;
    let written = bench.sync(&a, 1, &[(&a, "one")]);
    // The leader joins again with other topics, before its record is committed.
    let (reply, effects) = bench.join_with(&a, Some("a"), b"other");
    assert_eq!(synced(&effects)[0].error, ErrorCode::RebalanceInProgress);
    assert_eq!(joined(&effects, reply).generation, 2);
    let effects = bench.settle(written, Ok(()));
    assert!(effects.responses.is_empty());
    assert_eq!(bench.state_of_group(), Some(GroupState::CompletingRebalance));
}

#[test]
fn members_that_do_not_sync_in_time_lose_their_place() {
    let mut bench = Bench::new();
    let (a, _) = bench.join("", Some("a"));
    let (b, _) = bench.join("", Some("b"));
    let effects = bench.initial_delay_is_over();
    let overdue = set(&effects).pop().expect("a timer");
    assert_eq!(overdue, (Timeout::Sync { group: GROUP.into(), generation: 1 }, Span::secs(30)));
    let (a, b) = (joined(&effects, a).member, joined(&effects, b).member);
    bench.sync(&b, 1, &[]);
    let effects = bench.operate(|state, turn| state.on_timeout(overdue.0, turn));
    assert_eq!(synced(&effects)[0].error, ErrorCode::RebalanceInProgress);
    assert_eq!(bench.state_of_group(), Some(GroupState::PreparingRebalance));
    assert_eq!(bench.heartbeat(&a, 1), ErrorCode::UnknownMemberId, "the leader has not synced");
    assert_eq!(bench.heartbeat(&b, 1), ErrorCode::RebalanceInProgress);
}

#[test]
fn the_session_of_a_member_that_waits_does_not_end_unless_it_is_new() {
    let mut bench = Bench::new();
    let (reply, effects) = bench.join("", Some("a"));
    let session = |(timeout, after): &(Timeout, Span)| {
        matches!(timeout, Timeout::Session { .. }).then(|| (timeout.clone(), *after))
    };
    let (timeout, after) = set(&effects).iter().find_map(session).expect("a session");
    assert_eq!(after, Span::secs(300), "a new member waits for longer");
    let effects = bench.operate(|state, turn| state.on_timeout(timeout, turn));
    assert_eq!(joined(&effects, reply).error, ErrorCode::UnknownMemberId);

    let mut bench = Bench::new();
    let ids = bench.stable(&["a", "b"]);
    let (_, effects) = bench.join_with(&ids[0], Some("a"), b"other");
    assert!(effects.responses.is_empty(), "it waits for the other");
    let member: MemberId = ids[0].as_str().into();
    let timeout = Timeout::Session { group: GROUP.into(), member };
    let effects = bench.operate(|state, turn| state.on_timeout(timeout, turn));
    assert!(effects.responses.is_empty());
    assert_eq!(bench.heartbeat(&ids[0], 1), ErrorCode::RebalanceInProgress, "it is still there");
    let member: MemberId = ids[1].as_str().into();
    let timeout = Timeout::Session { group: GROUP.into(), member };
    let effects = bench.operate(|state, turn| state.on_timeout(timeout, turn));
    assert_eq!(effects.responses.len(), 1, "the other is gone, and the generation complete");
    assert_eq!(bench.heartbeat(&ids[1], 1), ErrorCode::UnknownMemberId);
}

#[test]
fn the_last_member_leaves_an_empty_group_behind() {
    let mut bench = Bench::new();
    let ids = bench.stable(&["a"]);
    let member: MemberId = ids[0].as_str().into();
    let timeout = Timeout::Session { group: GROUP.into(), member };
    let effects = bench.operate(|state, turn| state.on_timeout(timeout, turn));
    assert_eq!(bench.state_of_group(), Some(GroupState::Empty));
    assert_eq!(effects.records.len(), 1);
    let group = bench.state.classic(&GROUP.into()).expect("it is there");
    assert_eq!(group.generation(), 2);
}
