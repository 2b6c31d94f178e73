//! A member of the consumer protocol and a coordinator that a test plays (KIP-848).

use super::*;
use crate::client::testing::TOPIC;
use crate::config::{GroupProtocol, RemoteAssignor};
use crate::ids::GroupInstanceId;
use crate::protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

fn consumer() -> ConsumerConfig {
    ConsumerConfig { group_protocol: GroupProtocol::Consumer, ..config() }
}

/// A response with the heartbeat interval of 1 s.
fn assigns(epoch: i32, indexes: Option<&[i32]>) -> ConsumerGroupHeartbeatResponse {
    let of = |all: &[i32]| match all {
        [] => Vec::new(),
        all => vec![(TOPIC, all.to_vec())],
    };
    ConsumerGroupHeartbeatResponse {
        error: ErrorCode::None,
        member: Some(ME.into()),
        epoch,
        heartbeat_interval_ms: 1000,
        assignment: indexes.map(of),
    }
}

impl Scene {
    fn next_beat(&mut self) -> (Asked, ConsumerGroupHeartbeatRequest) {
        let asked = self.next();
        let Request::ConsumerGroupHeartbeat(beat) = asked.body.clone() else { panic!("{asked:?}") };
        (asked, beat)
    }

    /// The next heartbeat gets this response.
    fn beaten(
        &mut self,
        response: ConsumerGroupHeartbeatResponse,
    ) -> ConsumerGroupHeartbeatRequest {
        let (asked, beat) = self.next_beat();
        self.answer(&asked, response);
        beat
    }

    fn refuse(&mut self, error: ErrorCode) -> ConsumerGroupHeartbeatRequest {
        self.beaten(ConsumerGroupHeartbeatResponse::refused(error))
    }

    /// A member in epoch 1 that owns these partitions, has said so, and begins at offset 5 in each.
    fn member(config: &ConsumerConfig, indexes: &[i32]) -> Self {
        let mut scene = Self::new(config);
        scene.found();
        scene.beaten(assigns(1, Some(indexes)));
        let acknowledged = scene.beaten(assigns(1, None));
        assert_eq!(owned(&acknowledged), Some(indexes.to_vec()));
        if !indexes.is_empty() {
            scene.show_committed(5);
        }
        assert!(scene.member.is_settled());
        scene.events();
        scene.stage.members.clear();
        scene
    }
}

/// The partitions in a heartbeat, if it says what the member owns.
fn owned(beat: &ConsumerGroupHeartbeatRequest) -> Option<Vec<i32>> {
    let of =
        |owned: &Vec<_>| owned.iter().flat_map(|(_, all): &(_, Vec<i32>)| all.clone()).collect();
    beat.owned.as_ref().map(of)
}

#[test]
fn a_member_makes_its_id_and_says_everything_once() {
    let assignor = RemoteAssignor(Some("range".into()));
    let mut scene = Scene::new(&ConsumerConfig { group_remote_assignor: assignor, ..consumer() });
    scene.found();
    let joined = scene.beaten(assigns(1, Some(&[0])));
    assert_eq!((joined.epoch, joined.member.len()), (0, 22), "KIP-1082");
    assert_eq!(joined.topics, Some(vec!["orders".into()]));
    assert_eq!((joined.assignor.as_deref(), joined.rebalance_timeout_ms), (Some("range"), 60_000));
    assert_eq!(owned(&joined), Some(Vec::new()));

    assert_eq!(scene.events(), [assigned(&[0])]);
    let acknowledged = scene.beaten(assigns(1, None));
    assert_eq!((acknowledged.epoch, owned(&acknowledged)), (1, Some(vec![0])));
    assert_eq!((&acknowledged.topics, &acknowledged.assignor), (&None, &None));
    assert_eq!(acknowledged.member, joined.member);
    let asked = scene.next();
    let Request::OffsetFetch(fetch) = &asked.body else { panic!("{asked:?}") };
    assert_eq!((fetch.member.as_ref(), fetch.epoch), (Some(&joined.member), 1));

    scene.pass(Span::millis(999));
    assert!(scene.maybe_next().is_none(), "the interval is the coordinator's");
    scene.pass(Span::millis(1));
    assert_eq!(owned(&scene.beaten(assigns(1, None))), None, "nothing has changed");
}

#[test]
fn partitions_are_given_up_before_that_is_acknowledged() {
    let mut scene = Scene::member(&consumer(), &[0]);
    scene.fetched(0, 5, 3);
    assert!(scene.member.consumer().has_records());
    scene.pass(Span::secs(1));
    scene.beaten(assigns(1, Some(&[])));
    assert!(!scene.member.consumer().has_records(), "what has to go is not handed out");
    assert_eq!(scene.events(), [revoking(&[0], Revocation::Rebalance)]);
    scene.pass(Span::secs(1));
    let meanwhile = scene.beaten(assigns(1, None));
    assert_eq!(owned(&meanwhile), None, "the listener runs");
    scene.listener_returns();
    let acknowledged = scene.beaten(assigns(2, None));
    assert_eq!(owned(&acknowledged), Some(Vec::new()));
    assert_eq!(scene.member.owned(), partitions(&[]));
    assert!(scene.member.is_settled());
}

#[test]
fn an_assignment_that_comes_during_a_reconciliation_is_the_next_one() {
    let mut scene = Scene::member(&consumer(), &[0, 1]);
    scene.pass(Span::secs(1));
    scene.beaten(assigns(1, Some(&[0])));
    assert_eq!(scene.events(), [revoking(&[1], Revocation::Rebalance)]);
    scene.pass(Span::secs(1));
    scene.beaten(assigns(1, Some(&[0, 1])));
    scene.listener_returns();
    let acknowledged = scene.beaten(assigns(3, None));
    assert_eq!(owned(&acknowledged), Some(vec![0]), "it has given the partition up");
    assert_eq!(scene.events(), [assigned(&[]), assigned(&[1])]);
    assert_eq!(owned(&scene.beaten(assigns(3, None))), Some(vec![0, 1]));
}

#[test]
fn after_an_error_or_a_lost_connection_a_heartbeat_says_everything() {
    let mut scene = Scene::member(&consumer(), &[0]);
    scene.pass(Span::secs(1));
    scene.refuse(ErrorCode::CoordinatorLoadInProgress);
    assert!(scene.maybe_next().is_none(), "there is a back-off");
    scene.pass(Span::millis(150));
    let repeated = scene.beaten(assigns(1, None));
    assert_eq!((owned(&repeated), repeated.epoch), (Some(vec![0]), 1));
    assert!(repeated.topics.is_some() && repeated.rebalance_timeout_ms == 60_000);

    scene.pass(Span::secs(1));
    let (asked, beat) = scene.next_beat();
    assert_eq!(owned(&beat), None);
    scene.stage.cut(&mut scene.member, &asked);
    scene.pass(Span::millis(100));
    scene.found();
    scene.pass(Span::millis(300));
    assert_eq!(owned(&scene.beaten(assigns(1, None))), Some(vec![0]));

    scene.pass(Span::secs(1));
    scene.refuse(ErrorCode::NotCoordinator);
    scene.found();
    // It only waits for the connection.
    scene.pass(Span::millis(70));
    assert_eq!(owned(&scene.beaten(assigns(1, None))), Some(vec![0]), "without a back-off");
}

#[test]
fn a_fenced_member_loses_its_partitions_and_joins_again_with_its_id() {
    for error in [ErrorCode::FencedMemberEpoch, ErrorCode::UnknownMemberId] {
        let mut scene = Scene::member(&consumer(), &[0]);
        scene.pass(Span::secs(1));
        let before = scene.refuse(error);
        assert_eq!(scene.events(), [revoking(&[0], Revocation::Lost { error: Some(error) })]);
        scene.pass(Span::secs(2));
        assert!(scene.maybe_next().is_none(), "not before they are released");
        scene.listener_returns();
        let joins = scene.beaten(assigns(4, Some(&[0])));
        assert_eq!((joins.epoch, owned(&joins)), (0, Some(Vec::new())));
        assert_eq!(joins.member, before.member);
        assert_eq!(owned(&scene.beaten(assigns(4, None))), Some(vec![0]));
    }
}

#[test]
fn a_member_whose_application_does_not_poll_leaves_and_comes_back_with_the_next_poll() {
    for (instance, epoch) in [(None, -1), (Some("s"), -2)] {
        let instance: Option<GroupInstanceId> = instance.map(Into::into);
        let mut config = consumer();
        config.group_instance_id.0 = instance;
        config.max_poll_interval = Span::secs(10);
        let mut scene = Scene::member(&config, &[0]);
        scene.fetched(0, 5, 1);
        assert_eq!(scene.poll().len(), 1);
        for _ in 0..9 {
            scene.pass(Span::secs(1));
            scene.beaten(assigns(1, None));
        }
        scene.pass(Span::secs(1));
        let beats: Vec<_> = std::iter::from_fn(|| scene.maybe_next()).collect();
        let Request::ConsumerGroupHeartbeat(leaves) = &beats[beats.len() - 1].body else {
            panic!("{beats:?}")
        };
        assert_eq!(leaves.epoch, epoch);
        scene.answer(&beats[beats.len() - 1], assigns(epoch, None));
        assert_eq!(scene.events(), [], "the listener runs in a poll");
        scene.poll();
        assert_eq!(scene.events(), [revoking(&[0], Revocation::Lost { error: None })]);
        scene.listener_returns();
        assert_eq!(scene.beaten(assigns(3, Some(&[0]))).epoch, 0);
    }
}

#[test]
fn positions_are_committed_before_a_reconciliation_and_again_with_a_later_epoch() {
    let auto = ConsumerConfig {
        enable_auto_commit: true,
        auto_commit_interval: Span::secs(100),
        ..consumer()
    };
    let mut scene = Scene::member(&auto, &[0]);
    scene.fetched(0, 5, 1);
    assert_eq!(scene.poll()[0].to, 6);
    scene.pass(Span::secs(1));
    scene.beaten(assigns(1, Some(&[])));
    assert!(scene.maybe_next().is_none(), "only a poll commits what it has returned");
    scene.poll();
    let (asked, commit) = scene.next_commit();
    assert_eq!(commit.generation, 1);
    scene.pass(Span::secs(1));
    scene.beaten(assigns(2, None));
    scene.answer(&asked, commit.with_error(ErrorCode::StaleMemberEpoch));
    scene.pass(Span::millis(150));
    assert_eq!(scene.committed(ErrorCode::None).generation, 2);
    assert_eq!(scene.events(), [revoking(&[0], Revocation::Rebalance)]);
}

#[test]
fn a_commit_of_a_former_epoch_fails_and_the_member_stays_one() {
    for error in [ErrorCode::StaleMemberEpoch, ErrorCode::UnknownMemberId] {
        let mut scene = Scene::member(&consumer(), &[0]);
        scene.fetched(0, 5, 1);
        scene.poll();
        let number = scene.member.commit_sync(scene.stage.now, None, &mut scene.stage.out);
        scene.stage.settle(&mut scene.member);
        scene.committed(error);
        let ended =
            GroupEvent::Committed { commit: number, error: Some(CommitError::NotMember(error)) };
        assert_eq!(scene.events(), [ended]);
        assert!(scene.member.is_settled(), "heartbeats decide about the membership");
    }
}

#[test]
fn a_close_leaves_the_group_and_a_static_member_for_a_time() {
    for (instance, epoch) in [(None, -1), (Some("s"), -2)] {
        let mut config = consumer();
        config.group_instance_id.0 = instance.map(Into::into);
        let mut scene = Scene::member(&config, &[0]);
        scene.member.close(scene.stage.now, &mut scene.stage.out);
        scene.stage.settle(&mut scene.member);
        assert_eq!(scene.events(), [revoking(&[0], Revocation::Leaving)]);
        scene.listener_returns();
        assert_eq!(scene.beaten(assigns(epoch, None)).epoch, epoch);
        assert_eq!(scene.events(), [GroupEvent::Closed]);
    }
}

#[test]
fn errors_that_no_heartbeat_mends_are_thrown() {
    for error in [ErrorCode::UnsupportedAssignor, ErrorCode::UnreleasedInstanceId] {
        let mut scene = Scene::new(&consumer());
        scene.found();
        scene.refuse(error);
        assert_eq!(scene.events(), [GroupEvent::Failed(error)]);
        scene.pass(Span::secs(9));
        assert!(scene.maybe_next().is_none());
    }
}
