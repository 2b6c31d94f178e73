//! Joining, rebalances, heartbeats and leaving.

use super::*;

#[test]
fn a_member_joins_with_the_id_that_it_is_given_and_begins_at_committed_offsets() {
    let mut scene = Scene::new(&config());
    scene.found();
    scene.require_id();
    scene.join(1, &[0]);
    assert_eq!(scene.events(), [assigned(&[0])]);
    scene.show_committed(7);
    assert_eq!(scene.member.consumer().position(orders(0)), Some(7));
    assert_eq!(scene.member.consumer().position(orders(1)), None);
    scene.fetched(0, 7, 3);
    let polled = scene.poll();
    assert_eq!((polled[0].from, polled[0].to), (7, 10));
    assert!(scene.member.is_settled());
}

#[test]
fn a_leader_assigns_to_all_members() {
    let mut scene = Scene::new(&config());
    scene.found();
    scene.require_id();
    let (asked, join) = scene.next_join();
    let metadata = join.protocols[0].1.clone();
    let members = [(ME, metadata.clone()), ("you", metadata)];
    scene.answer(&asked, joined(1, ME, "range".into(), &members));
    let (asked, sync) = scene.next_sync();
    let of = |place: usize| wire::read_assignment(&sync.assignments[place].1).unwrap();
    assert_eq!((&*sync.assignments[0].0, of(0)), (ME, partitions(&[0])));
    assert_eq!((&*sync.assignments[1].0, of(1)), ("you", partitions(&[1])));
    scene.answer(&asked, synced(&sync, &[0]));
    assert_eq!(scene.member.owned(), partitions(&[0]));
}

#[test]
fn an_eager_member_gives_up_all_before_it_joins_again() {
    let mut scene = Scene::owner(&config(), &[0, 1]);
    scene.beat(ErrorCode::RebalanceInProgress);
    assert_eq!(scene.events(), [revoking(&[0, 1], Revocation::Rebalance)]);
    assert!(scene.maybe_next().is_none(), "the listener runs");
    scene.listener_returns();
    assert!(scene.member.owned().is_empty());
    scene.join(2, &[1]);
    assert_eq!(scene.events(), [assigned(&[1])]);
    let [MemberFact::Revoked { why: Revocation::Rebalance, generation: 1, .. }, rest @ ..] =
        &*scene.facts()
    else {
        panic!("it revokes first");
    };
    assert!(matches!(rest[0], MemberFact::Joined { generation: 2, .. }), "{rest:?}");
}

#[test]
fn a_cooperative_member_gives_up_what_the_assignment_lacks_and_joins_once_more() {
    let mut scene = Scene::owner(&cooperative(), &[0, 1]);
    scene.beat(ErrorCode::RebalanceInProgress);
    assert_eq!(scene.events(), [], "it keeps its partitions");
    let (asked, join) = scene.next_join();
    let sent = wire::read_subscription(&join.protocols[0].1).unwrap().subscription;
    assert_eq!((sent.owned, sent.generation), (partitions(&[0, 1]), Some(1)));
    scene.answer(&asked, joined(2, "other", "cooperative-sticky".into(), &[]));
    scene.sync(&[0]);
    assert_eq!(scene.events(), [revoking(&[1], Revocation::Rebalance)]);
    assert_eq!(scene.member.owned(), partitions(&[0, 1]));
    scene.listener_returns();
    assert_eq!(scene.member.owned(), partitions(&[0]));
    assert_eq!(scene.events(), [assigned(&[])]);
    scene.join(3, &[0]);
    assert_eq!(scene.events(), [assigned(&[])]);
    assert!(scene.member.is_settled());
    assert_eq!(scene.member.consumer().position(orders(0)), Some(5), "it reads on");
}

#[test]
fn a_member_that_is_unknown_has_lost_its_partitions() {
    let mut scene = Scene::owner(&cooperative(), &[0, 1]);
    scene.beat(ErrorCode::UnknownMemberId);
    let why = Revocation::Lost { error: Some(ErrorCode::UnknownMemberId) };
    assert_eq!(scene.events(), [revoking(&[0, 1], why)]);
    scene.listener_returns();
    scene.require_id();
}

/// KAFKA-13214: with another id, the coordinator would wait for the old one.
#[test]
fn a_member_of_an_old_generation_joins_again_with_its_id() {
    let mut scene = Scene::owner(&config(), &[0]);
    scene.beat(ErrorCode::IllegalGeneration);
    scene.listener_returns();
    let (_, join) = scene.next_join();
    assert_eq!(&*join.member, ME);
}

/// KAFKA-9823: the error belongs to the generation before.
#[test]
fn an_error_of_an_earlier_generation_ends_no_membership() {
    let mut scene = Scene::owner(&config(), &[0]);
    scene.pass(Span::secs(3));
    let late = scene.next();
    // Without a response to the heartbeat, the next one says that the group rebalances.
    scene.pass(Span::secs(3));
    let asked = scene.next();
    let Request::Heartbeat(_) = &asked.body else { panic!("{asked:?}") };
    scene.member.needs_rejoin = true;
    scene.poll();
    scene.listener_returns();
    let (join, _) = scene.next_join();
    scene.answer(&late, HeartbeatResponse { error: ErrorCode::None });
    scene.answer(&asked, HeartbeatResponse { error: ErrorCode::RebalanceInProgress });
    scene.answer(&join, joined(2, "other", "range".into(), &[]));
    scene.sync(&[0]);
    let stale = Generation { id: 1, member: ME.into(), protocol: Some("range".into()) };
    let mut out = Outbox::new(boot().node, 0);
    scene.member.on_heartbeat(scene.stage.now.mono, &stale, ErrorCode::IllegalGeneration, &mut out);
    assert_eq!(scene.member.state, MemberState::Stable);
}

#[test]
fn a_busy_application_learns_of_a_rebalance_with_its_next_poll() {
    let mut scene = Scene::owner(&config(), &[0]);
    scene.fetched(0, 5, 1);
    assert_eq!(scene.poll().len(), 1);
    scene.beat(ErrorCode::RebalanceInProgress);
    scene.beat(ErrorCode::RebalanceInProgress);
    assert_eq!(scene.events(), [], "it keeps its session, and its partitions");
    scene.poll();
    assert_eq!(scene.events(), [revoking(&[0], Revocation::Rebalance)]);
}

/// KIP-62.
#[test]
fn a_member_that_does_not_poll_leaves() {
    let mut scene = Scene::owner(&config(), &[0]);
    scene.fetched(0, 5, 1);
    assert_eq!(scene.poll().len(), 1);
    for _ in 0..19 {
        scene.beat(ErrorCode::None);
    }
    scene.pass(Span::secs(4));
    let asked = scene.next();
    let Request::LeaveGroup(leave) = &asked.body else { panic!("{asked:?}") };
    assert_eq!(&*leave.members[0].member, ME);
    assert!(
        matches!(&*scene.facts(), [MemberFact::Left { why: Leaving::PollTimeout, .. }]),
        "it reports why"
    );
    let members = Vec::new();
    scene.answer(&asked, LeaveGroupResponse { error: ErrorCode::None, members });
    scene.pass(Span::secs(30));
    assert!(scene.maybe_next().is_none(), "it is silent until it polls");
    scene.poll();
    assert_eq!(scene.events(), [revoking(&[0], Revocation::Lost { error: None })]);
    scene.listener_returns();
    scene.require_id();
}

/// KIP-345.
#[test]
fn a_static_member_that_does_not_poll_or_closes_keeps_its_place() {
    let mut config = config();
    config.group_instance_id.0 = Some("s".into());
    let mut scene = Scene::new(&config);
    scene.found();
    let (asked, join) = scene.next_join();
    assert_eq!(join.instance.as_deref(), Some("s"));
    scene.answer(&asked, joined(1, "other", "range".into(), &[]));
    scene.sync(&[0]);
    scene.show_committed(5);
    scene.events();
    scene.member.close(scene.stage.now, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    assert_eq!(scene.events(), [revoking(&[0], Revocation::Leaving)]);
    scene.listener_returns();
    assert_eq!(scene.events(), [GroupEvent::Closed]);
    assert!(scene.maybe_next().is_none(), "it does not leave");
}

#[test]
fn closing_leaves_the_group() {
    let mut scene = Scene::owner(&config(), &[0]);
    scene.member.close(scene.stage.now, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    scene.listener_returns();
    let asked = scene.next();
    assert!(matches!(asked.body, Request::LeaveGroup(_)), "{asked:?}");
    scene.events();
    let members = Vec::new();
    scene.answer(&asked, LeaveGroupResponse { error: ErrorCode::None, members });
    assert_eq!(scene.events(), [GroupEvent::Closed]);
    scene.pass(Span::secs(60));
    assert!(scene.maybe_next().is_none());
}

#[test]
fn a_coordinator_that_has_moved_or_is_gone_is_found_again() {
    let mut scene = Scene::owner(&config(), &[0]);
    scene.beat(ErrorCode::NotCoordinator);
    scene.found();
    scene.pass(Span::secs(1));
    let asked = scene.next();
    assert!(matches!(asked.body, Request::Heartbeat(_)), "{asked:?}");
    scene.stage.cut(&mut scene.member, &asked);
    scene.found();
    assert_eq!(scene.member.owned(), partitions(&[0]), "it still is a member");
    // Without responses, the session ends as far as the member knows.
    scene.pass(Span::millis(10_100));
    while let Some(asked) = scene.maybe_next() {
        if matches!(asked.body, Request::FindCoordinator(_)) {
            return;
        }
    }
    panic!("it does not look for the coordinator");
}

#[test]
fn a_lost_join_is_repeated_and_a_fatal_error_is_thrown() {
    let mut scene = Scene::new(&config());
    scene.found();
    let (asked, _) = scene.next_join();
    scene.stage.cut(&mut scene.member, &asked);
    scene.found();
    scene.pass(Span::millis(200));
    let (asked, _) = scene.next_join();
    let refused = JoinGroupResponse::refused(ErrorCode::GroupMaxSizeReached, "".into());
    scene.answer(&asked, refused);
    assert_eq!(scene.events(), [GroupEvent::Failed(ErrorCode::GroupMaxSizeReached)]);
    scene.pass(Span::secs(10));
    assert!(scene.maybe_next().is_none());
}

#[test]
fn a_rebalance_during_a_sync_is_joined_at_once() {
    let mut scene = Scene::new(&config());
    scene.found();
    scene.require_id();
    let (asked, _) = scene.next_join();
    scene.answer(&asked, joined(1, "other", "range".into(), &[]));
    let (asked, _) = scene.next_sync();
    scene.answer(&asked, SyncGroupResponse::refused(ErrorCode::RebalanceInProgress));
    scene.join(2, &[0]);
    assert!(scene.member.is_settled());
}
