//! What is reported of generations and of members that lose their place.

use super::*;
use crate::fact::{Fact, GroupFact, MemberRemoval};
use crate::ids::MemberId;
use crate::protocol::{LeaveGroupRequest, LeavingMember};
use machine::Output;

/// An assignment of partition 0 of `a`, as consumers write it.
const ASSIGNED: &str = "\0\0\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\0\0\0\0\0";

/// What was reported of groups since the last call.
fn reported(bench: &mut Bench) -> Vec<GroupFact> {
    let of = |output| match output {
        Output::Observe(Fact::Group(fact)) => Some(fact),
        _ => None,
    };
    bench.out.drain().filter_map(of).collect()
}

/// The members that were removed since the last call, each with its generation.
fn removed(bench: &mut Bench) -> Vec<(MemberId, i32, MemberRemoval)> {
    let of = |fact| match fact {
        GroupFact::MemberRemoved { member, generation, why, .. } => Some((member, generation, why)),
        _ => None,
    };
    reported(bench).into_iter().filter_map(of).collect()
}

#[test]
fn a_generation_is_reported_when_its_assignments_are_committed() {
    let mut bench = Bench::new();
    let (a, _) = bench.join("", Some("a"));
    let (b, _) = bench.join("", Some("b"));
    let effects = bench.initial_delay_is_over();
    let (a, b) = (joined(&effects, a).member, joined(&effects, b).member);
    let written = bench.sync(&a, 1, &[(&a, ASSIGNED), (&b, "no assignment")]);
    assert_eq!(reported(&mut bench), [], "the record is not committed");
    bench.settle(written, Ok(()));
    let all = reported(&mut bench);
    let [GroupFact::GenerationComplete { group, generation, protocol, leader, members }] = &all[..]
    else {
        panic!("{all:?}")
    };
    assert_eq!((&**group, *generation, protocol.as_deref()), (GROUP, 1, Some("range")));
    assert_eq!(leader.as_ref(), Some(&a));
    let of = |id: &MemberId| members.iter().find(|it| it.member == *id).expect("a member");
    assert_eq!(of(&a).partitions, Some(vec![("a".into(), 0)]));
    assert_eq!((of(&b).partitions.clone(), of(&b).instance.as_deref()), (None, Some("b")));
    assert_eq!(&*of(&a).host, "/h");
}

#[test]
fn a_generation_whose_assignments_are_not_written_is_not_reported() {
    let mut bench = Bench::new();
    let (a, _) = bench.join("", Some("a"));
    let effects = bench.initial_delay_is_over();
    let a = joined(&effects, a).member;
    let written = bench.sync(&a, 1, &[(&a, ASSIGNED)]);
    bench.settle(written, Err(ErrorCode::CoordinatorNotAvailable));
    assert_eq!(reported(&mut bench), []);
}

#[test]
fn each_way_to_lose_a_place_is_reported() {
    let mut bench = Bench::new();
    let ids = bench.stable(&["a", "b", "c", "d"]);
    let id = |at: usize| MemberId::from(ids[at].as_str());
    reported(&mut bench);

    let leaving = LeavingMember { member: id(3), instance: Some("d".into()) };
    let request = LeaveGroupRequest { group: GROUP.into(), members: vec![leaving] };
    let reply = bench.reply();
    bench.operate(|state, turn| state.leave(&request, reply, turn));
    assert_eq!(removed(&mut bench), [(id(3), 1, MemberRemoval::Left)]);

    let session = Timeout::Session { group: GROUP.into(), member: id(2) };
    bench.operate(|state, turn| state.on_timeout(session, turn));
    assert_eq!(removed(&mut bench), [(id(2), 1, MemberRemoval::SessionEnded)]);

    // The other two join again, and one of them does not sync.
    let (reply, _) = bench.join(&ids[0], Some("a"));
    let (_, effects) = bench.join(&ids[1], Some("b"));
    assert_eq!(joined(&effects, reply).generation, 2);
    let written = bench.sync(&ids[0], 2, &[(&ids[0], ASSIGNED)]);
    bench.settle(written, Ok(()));
    reported(&mut bench);
    let overdue = Timeout::Sync { group: GROUP.into(), generation: 2 };
    bench.operate(|state, turn| state.on_timeout(overdue, turn));
    assert_eq!(removed(&mut bench), [(id(1), 2, MemberRemoval::DidNotSync)]);
}

#[test]
fn a_dynamic_member_that_does_not_join_again_is_reported_and_so_is_an_empty_group() {
    let mut bench = Bench::new();
    let (given, effects) = bench.join("", None);
    let a = joined(&effects, given).member;
    bench.join(&a, None);
    let (b, _) = bench.join("", Some("b"));
    let effects = bench.initial_delay_is_over();
    let b = joined(&effects, b).member;
    reported(&mut bench);
    bench.join_with(&b, Some("b"), b"other");
    let due = Timeout::Join { group: GROUP.into() };
    bench.operate(|state, turn| state.on_timeout(due, turn));
    assert_eq!(removed(&mut bench), [(a, 1, MemberRemoval::DidNotRejoin)]);

    let session = Timeout::Session { group: GROUP.into(), member: b.clone() };
    bench.operate(|state, turn| state.on_timeout(session, turn));
    let all = reported(&mut bench);
    let [GroupFact::MemberRemoved { member, .. }, GroupFact::GenerationComplete { .. }] = &all[..]
    else {
        panic!("{all:?}")
    };
    assert_eq!(*member, b);
    let GroupFact::GenerationComplete { generation, protocol, leader, members, .. } = &all[1]
    else {
        panic!("{all:?}")
    };
    assert_eq!((*generation, protocol, leader, members.len()), (3, &None, &None, 0));
}

#[test]
fn a_static_member_that_is_replaced_is_reported_with_the_generation_as_it_is_then() {
    let mut bench = Bench::new();
    let ids = bench.stable(&["a", "b"]);
    reported(&mut bench);
    let (_, effects) = bench.join("", Some("b"));
    let all = removed(&mut bench);
    let [(old, 1, MemberRemoval::Replaced { by })] = &all[..] else { panic!("{all:?}") };
    assert_eq!(**old, *ids[1]);
    bench.settle(effects, Ok(()));
    let all = reported(&mut bench);
    let [GroupFact::GenerationComplete { generation: 1, members, .. }] = &all[..] else {
        panic!("{all:?}")
    };
    let of = |instance| members.iter().find(|it| it.instance.as_deref() == Some(instance));
    assert_eq!(of("b").map(|it| &it.member), Some(by));
    assert_eq!(of("a").map(|it| &*it.member), Some(&*ids[0]));
}

#[test]
fn a_member_without_room_is_reported() {
    let mut bench = Bench::new();
    let (given, effects) = bench.join("", None);
    let a = joined(&effects, given).member;
    bench.join(&a, None);
    bench.join("", Some("b"));
    bench.initial_delay_is_over();
    bench.join("", Some("c"));
    bench.config.group_max_size = 1;
    reported(&mut bench);
    let (reply, effects) = bench.join(&a, None);
    assert_eq!(joined(&effects, reply).error, ErrorCode::GroupMaxSizeReached);
    assert_eq!(removed(&mut bench), [(a, 1, MemberRemoval::NoRoom)]);
}
