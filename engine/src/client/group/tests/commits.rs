//! Commits of positions, and committed offsets.

use super::*;

fn offset_of(commit: &OffsetCommitRequest) -> (i32, i64) {
    (commit.offsets[0].partition.1, commit.offsets[0].offset)
}

/// A member that has polled one record at offset 5 of partition 0.
fn reader(config: &ConsumerConfig) -> Scene {
    let mut scene = Scene::owner(config, &[0]);
    scene.fetched(0, 5, 1);
    assert_eq!(scene.poll()[0].to, 6);
    scene
}

fn end(scene: &mut Scene, commit: u64) -> Option<CommitError> {
    let found = scene.events().into_iter().find_map(|event| match event {
        GroupEvent::Committed { commit: number, error } if number == commit => Some(error),
        _ => None,
    });
    found.expect("the commit has ended")
}

#[test]
fn a_synchronous_commit_is_repeated_at_the_next_coordinator() {
    let mut scene = reader(&config());
    let number = scene.member.commit_sync(scene.stage.now, None, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    assert_eq!(offset_of(&scene.committed(ErrorCode::CoordinatorLoadInProgress)), (0, 6));
    scene.pass(Span::millis(150));
    scene.committed(ErrorCode::NotCoordinator);
    scene.found();
    scene.pass(Span::millis(300));
    let commit = scene.committed(ErrorCode::None);
    assert_eq!((commit.generation, &*commit.member), (1, ME));
    assert_eq!(end(&mut scene, number), None);
    let kinds = scene.facts();
    assert!(matches!(kinds[0], MemberFact::CommitAsked { kind: CommitKind::Sync, .. }));
    assert_eq!(kinds.len(), 2, "one commit, one answer: {kinds:?}");
}

#[test]
fn an_asynchronous_commit_is_not_repeated() {
    let mut scene = reader(&config());
    let number = scene.member.commit_async(scene.stage.now, None, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    scene.committed(ErrorCode::CoordinatorLoadInProgress);
    let error = CommitError::Retriable(ErrorCode::CoordinatorLoadInProgress);
    assert_eq!(end(&mut scene, number), Some(error));
    scene.pass(Span::secs(1));
    assert!(scene.maybe_next().is_none());
}

#[test]
fn a_commit_of_a_member_that_was_thrown_out_fails_and_its_partitions_are_lost() {
    let mut scene = reader(&config());
    let number = scene.member.commit_sync(scene.stage.now, None, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    scene.committed(ErrorCode::UnknownMemberId);
    let error = CommitError::NotMember(ErrorCode::UnknownMemberId);
    assert_eq!(end(&mut scene, number), Some(error));
    scene.poll();
    let why = Revocation::Lost { error: Some(ErrorCode::UnknownMemberId) };
    assert_eq!(scene.events(), [revoking(&[0], why)]);
}

#[test]
fn a_member_without_a_generation_commits_nothing() {
    let mut scene = reader(&config());
    scene.beat(ErrorCode::UnknownMemberId);
    let number = scene.member.commit_sync(scene.stage.now, None, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    assert!(scene.maybe_next().is_none());
    let error = CommitError::NotMember(ErrorCode::UnknownMemberId);
    assert_eq!(end(&mut scene, number), Some(error));
}

#[test]
fn positions_are_committed_by_interval_when_the_application_polls() {
    let config = ConsumerConfig { enable_auto_commit: true, ..config() };
    let mut scene = reader(&config);
    scene.beat(ErrorCode::None);
    scene.beat(ErrorCode::None);
    assert!(scene.maybe_next().is_none(), "the application is busy");
    scene.poll();
    assert_eq!(offset_of(&scene.committed(ErrorCode::None)), (0, 6));
}

/// KAFKA-18641: records that have been fetched are not committed before a poll returns them.
#[test]
fn what_has_been_fetched_and_not_polled_is_not_committed() {
    let mut scene = reader(&config());
    scene.fetched(0, 6, 4);
    scene.member.commit_async(scene.stage.now, None, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    assert_eq!(offset_of(&scene.committed(ErrorCode::None)), (0, 6));
}

/// KAFKA-14196: the next owner begins at the position that is being committed.
#[test]
fn before_a_rebalance_positions_are_committed_and_nothing_is_handed_out() {
    let config = ConsumerConfig { enable_auto_commit: true, ..config() };
    let mut scene = reader(&config);
    scene.fetched(0, 6, 4);
    scene.beat(ErrorCode::RebalanceInProgress);
    assert!(scene.poll().is_empty(), "records wait, and are not handed out");
    assert_eq!(scene.events(), []);
    assert_eq!(offset_of(&scene.committed(ErrorCode::CoordinatorLoadInProgress)), (0, 6));
    scene.pass(Span::millis(150));
    assert!(scene.poll().is_empty());
    assert_eq!(offset_of(&scene.committed(ErrorCode::None)), (0, 6));
    assert_eq!(scene.events(), [revoking(&[0], Revocation::Rebalance)]);
    scene.listener_returns();
    scene.join(2, &[0]);
    scene.show_committed(6);
    assert_eq!(scene.member.consumer().position(orders(0)), Some(6));
}

#[test]
fn a_listener_can_commit() {
    let mut scene = reader(&config());
    scene.beat(ErrorCode::RebalanceInProgress);
    scene.poll();
    scene.events();
    let number = scene.member.commit_sync(scene.stage.now, None, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    scene.committed(ErrorCode::None);
    assert_eq!(end(&mut scene, number), None);
    let facts = scene.facts();
    assert!(matches!(facts[0], MemberFact::CommitAsked { kind: CommitKind::OnRevoke, .. }));
    scene.listener_returns();
    scene.next_join();
}

#[test]
fn an_unstable_offset_is_asked_for_again_and_one_that_is_not_there_is_reset() {
    let mut scene = Scene::new(&config());
    scene.found();
    scene.require_id();
    scene.join(1, &[0]);
    let asked = scene.next();
    let offset = |error, offset| FetchedOffset {
        partition: ("orders".into(), 0),
        error,
        offset,
        leader_epoch: -1,
        metadata: "".into(),
    };
    let offsets = vec![offset(ErrorCode::UnstableOffsetCommit, -1)];
    scene.answer(&asked, OffsetFetchResponse { error: ErrorCode::None, offsets });
    assert!(scene.maybe_next().is_none(), "it backs off");
    scene.pass(Span::millis(150));
    let asked = scene.next();
    let offsets = vec![offset(ErrorCode::None, -1)];
    scene.answer(&asked, OffsetFetchResponse { error: ErrorCode::None, offsets });
    let is_reset = |it: &Asked| matches!(it.body, Request::ListOffsets(_));
    assert!(scene.stage.asked.iter().any(is_reset), "auto.offset.reset decides");
}

#[test]
fn closing_commits_positions_first() {
    let config = ConsumerConfig { enable_auto_commit: true, ..config() };
    let mut scene = reader(&config);
    scene.member.close(scene.stage.now, &mut scene.stage.out);
    scene.stage.settle(&mut scene.member);
    assert_eq!(scene.events(), [], "the listener waits for the commit");
    assert_eq!(offset_of(&scene.committed(ErrorCode::None)), (0, 6));
    assert_eq!(scene.events(), [revoking(&[0], Revocation::Leaving)]);
}
