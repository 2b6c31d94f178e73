//! Patterns, pauses, and listeners of assignments.

use super::*;

/// A member that subscribes by a pattern, and has been polled once.
fn by(pattern: &str) -> Scene {
    let mut stage = Stage::new(&[(1, 3), (1, 3)]);
    let group = GROUP.into();
    let (rules, boot) = (Rulebook::kafka(), boot());
    let mut member = GroupConsumer::new(&config(), &group, &[], rules, &boot, &[1, 2, 3], 0);
    member.subscribe_to(Pattern::new(pattern).expect("it is a pattern"));
    member.poll(stage.now, &mut stage.out);
    stage.settle(&mut member);
    Scene { stage, member }
}

fn topics_of(join: &JoinGroupRequest) -> Vec<Arc<str>> {
    let sent = wire::read_subscription(&join.protocols[0].1).expect("it is a subscription");
    sent.subscription.topics
}

#[test]
fn a_member_joins_with_the_topics_that_match_its_pattern() {
    for (pattern, topics) in [("ord.*", &["orders"][..]), ("rders", &[])] {
        let mut scene = by(pattern);
        scene.found();
        let (_, join) = scene.next_join();
        let expected: Vec<Arc<str>> = topics.iter().map(|topic| Arc::from(*topic)).collect();
        assert_eq!(topics_of(&join), expected, "{pattern}");
    }
}

/// The leader may know a topic that the member does not.
#[test]
fn a_member_takes_what_matches_its_pattern_and_joins_again_for_what_does_not() {
    let mut scene = by("ord.*");
    scene.found();
    scene.require_id();
    scene.join(1, &[0]);
    assert_eq!(scene.member.owned(), partitions(&[0]));
    let mut scene = by("rders");
    scene.found();
    scene.require_id();
    scene.join(1, &[0]);
    assert!(scene.member.owned().is_empty());
    let (_, join) = scene.next_join();
    assert!(topics_of(&join).is_empty());
}

#[test]
fn a_paused_partition_keeps_position_and_records_while_others_go_on() {
    let mut scene = Scene::owner(&config(), &[0, 1]);
    scene.fetched(0, 5, 3);
    let paused =
        scene.member.consumer_mut().pause(scene.stage.now, &partitions(&[0]), &mut scene.stage.out);
    assert_eq!(paused, [orders(0)]);
    assert!(scene.poll().is_empty(), "what is fetched is not handed out");
    assert_eq!(scene.member.consumer().position(orders(0)), Some(5));
    scene.stage.settle(&mut scene.member);
    let fetch = |it: &Asked| match &it.body {
        Request::Fetch(fetch) => Some(fetch.partitions.clone()),
        _ => None,
    };
    let asked: Vec<_> = scene.stage.asked.iter().filter_map(fetch).flatten().collect();
    assert!(asked.iter().all(|it| it.partition == orders(1)) && !asked.is_empty(), "{asked:?}");
    let now = scene.stage.now;
    let consumer = scene.member.consumer_mut();
    assert!(consumer.resume(now, &partitions(&[1]), &mut scene.stage.out).is_empty());
    assert_eq!(consumer.resume(now, &partitions(&[0]), &mut scene.stage.out), [orders(0)]);
    let polled = scene.poll();
    assert_eq!((polled[0].partition, polled[0].from, polled[0].to), (orders(0), 5, 8));
}

/// `onPartitionsRevoked` of an eager member ends a pause, an assignment that keeps the partition does not.
#[test]
fn a_pause_ends_with_the_assignment() {
    for (config, is_kept) in [(config(), false), (cooperative(), true)] {
        let mut scene = Scene::owner(&config, &[0, 1]);
        scene.member.consumer_mut().pause(scene.stage.now, &partitions(&[0]), &mut scene.stage.out);
        scene.beat(ErrorCode::RebalanceInProgress);
        if !is_kept {
            scene.listener_returns();
        }
        scene.join(2, &[0, 1]);
        let now = scene.stage.now;
        let consumer = scene.member.consumer_mut();
        let resumed = consumer.resume(now, &partitions(&[0]), &mut scene.stage.out);
        assert_eq!(!resumed.is_empty(), is_kept);
    }
}

/// What a listener seeks to, the consumer does not ask the coordinator for.
#[test]
fn a_listener_of_assignments_runs_before_committed_offsets_are_asked_for() {
    let mut scene = Scene::new(&config());
    scene.member.listen_to_assignments();
    scene.found();
    scene.require_id();
    scene.join(1, &[0]);
    assert_eq!(scene.events(), [assigned(&[0])]);
    assert!(scene.poll().is_empty() && scene.maybe_next().is_none(), "the listener runs");
    let now = scene.stage.now;
    scene.member.consumer_mut().seek(now, "orders", 0, 42, None, &mut scene.stage.out);
    scene.listener_returns();
    assert!(scene.maybe_next().is_none());
    assert_eq!(scene.member.consumer().position(orders(0)), Some(42));
    scene.fetched(0, 42, 1);
    assert_eq!(scene.poll()[0].from, 42);
}
