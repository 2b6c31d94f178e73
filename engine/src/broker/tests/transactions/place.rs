//! The choice of the coordinator, and the requests that it refuses.

use super::*;

#[test]
fn the_first_find_coordinator_creates_the_internal_topic_and_later_ones_find_its_leader() {
    let (mut cluster, _) = Cluster::start(1);
    let conn = cluster.connect(1);
    let asked = |cluster: &Cluster| {
        let is_creation = |request: &Request| matches!(request, Request::CreateTopics(_));
        cluster.asked_controller(1, is_creation).len()
    };
    for _ in 0..2 {
        let found = find(&mut cluster, conn, "tx-a");
        assert_eq!((found.error, found.node), (ErrorCode::CoordinatorNotAvailable, None));
    }
    assert_eq!(asked(&cluster), 1, "the topic is requested only once");
    cluster.run_for(Span::secs(2));
    let image = cluster.broker(1).image();
    let topic = image.topic_by_name("__transaction_state").expect("the topic exists");
    assert_eq!(topic.partitions.len(), 50);
    assert_eq!(topic.config.min_insync_replicas, 2);
    assert_eq!(topic.config.segment_bytes, 100 << 20);
    assert!(topic.partitions.iter().all(|partition| partition.replicas.len() == 3));
    // The hash of `hello` is 99162322.
    let leader = topic.partitions[22].leader;
    let found = find(&mut cluster, conn, "hello");
    assert_eq!((found.error, found.node), (ErrorCode::None, leader));
    assert_eq!(asked(&cluster), 1);
}

#[test]
fn a_fenced_leader_is_not_returned_as_coordinator() {
    let (mut cluster, _) = Cluster::start(1);
    let conn = cluster.connect(1);
    find(&mut cluster, conn, "hello");
    cluster.run_for(Span::secs(2));
    let leader = find(&mut cluster, conn, "hello").node.expect("a coordinator");
    let other = if leader == 1 { 2 } else { 1 };
    let conn = cluster.connect(other);
    cluster.crash(leader);
    cluster.until(|cluster| cluster.broker(other).image().broker(leader).unwrap().fenced);
    let found = find(&mut cluster, conn, "hello");
    assert_ne!(found.node, Some(leader));
}

#[test]
fn api_versions_has_the_level_of_transaction_version() {
    let (mut cluster, _) = Cluster::start(1);
    let conn = cluster.connect(1);
    cluster.ask(conn, ApiVersionsRequest);
    let Response::ApiVersions(versions) = cluster.answer(conn) else { panic!("no versions") };
    assert_eq!(versions.transaction_version, 2, "new clusters begin with the newest");
    let image = cluster.broker(1).image();
    assert_eq!(image.feature(Feature::TransactionVersion), 2);
    assert!(versions.finalized_features_epoch > 0);
}

#[test]
fn init_producer_id_is_refused_by_other_brokers_and_with_an_invalid_timeout() {
    let (mut cluster, _) = start();
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    for timeout in [Span::ZERO, Span::secs(901)] {
        let refused = init(&mut cluster, conn, (-1, -1), timeout);
        assert_eq!(refused.error, ErrorCode::InvalidTransactionTimeout);
    }
    for named in [(5, -1), (-1, 5)] {
        let refused = init(&mut cluster, conn, named, Span::secs(60));
        assert_eq!(refused.error, ErrorCode::InvalidRequest);
    }
    let other = BROKERS.into_iter().find(|it| *it != node).expect("another");
    let conn = cluster.connect(other);
    let refused = init(&mut cluster, conn, (-1, -1), Span::secs(60));
    assert_eq!(refused.error, ErrorCode::NotCoordinator);
}
