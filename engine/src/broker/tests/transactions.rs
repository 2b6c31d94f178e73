//! Transaction coordinators: where they are, what they know after a failover, and what they do of their
//! own accord.

use super::cluster::{BROKERS, Cluster};
use crate::config::TransactionVersion;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, TopicPartition};
use crate::metadata::Feature;
use crate::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, ApiVersionsRequest, CoordinatorType,
    DescribeTransactionsRequest, DescribedTransaction, EndTxnRequest, EndTxnResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse,
    ListTransactionsRequest, Request, Response, TransactionState,
};
use crate::reach::Reach;
use machine::{ConnId, Span};

/// The id of most tests.
const ID: &str = "tx-a";

fn find(cluster: &mut Cluster, conn: ConnId, key: &str) -> FindCoordinatorResponse {
    let key_type = CoordinatorType::Transaction;
    cluster.ask(conn, FindCoordinatorRequest { key_type, key: key.into() });
    let Response::FindCoordinator(found) = cluster.answer(conn) else { panic!("no coordinator") };
    found
}

#[test]
fn the_first_search_for_a_coordinator_creates_the_internal_topic_and_later_ones_find_its_leader() {
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
    assert_eq!(asked(&cluster), 1, "it has been asked");
    cluster.run_for(Span::secs(2));
    let image = cluster.broker(1).image();
    let topic = image.topic_by_name("__transaction_state").expect("it is there");
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
fn a_fenced_leader_is_no_coordinator() {
    let (mut cluster, _) = Cluster::start(1);
    let conn = cluster.connect(1);
    find(&mut cluster, conn, "hello");
    cluster.run_for(Span::secs(2));
    let leader = find(&mut cluster, conn, "hello").node.expect("there is one");
    let other = if leader == 1 { 2 } else { 1 };
    let conn = cluster.connect(other);
    cluster.crash(leader);
    cluster.until(|cluster| cluster.broker(other).image().broker(leader).unwrap().fenced);
    let found = find(&mut cluster, conn, "hello");
    assert_ne!(found.node, Some(leader));
}

#[test]
fn brokers_say_which_version_of_transactions_the_cluster_has_agreed_on() {
    let (mut cluster, _) = Cluster::start(1);
    let conn = cluster.connect(1);
    cluster.ask(conn, ApiVersionsRequest);
    let Response::ApiVersions(versions) = cluster.answer(conn) else { panic!("no versions") };
    assert_eq!(versions.transaction_version, 2, "new clusters begin with the newest");
    let image = cluster.broker(1).image();
    assert_eq!(image.feature(Feature::TransactionVersion), 2);
    assert!(versions.finalized_features_epoch > 0);
}

/// A cluster whose `__transaction_state` has few partitions, and whose coordinators look for what is
/// overdue every 200 ms.
fn start_with(set_up: impl FnOnce(&mut Cluster)) -> (Cluster, TopicPartition) {
    Cluster::start_set_up(1, |cluster| {
        cluster.config.transaction_log_partitions = 3;
        cluster.config.transaction_abort_interval = Span::millis(200);
        cluster.config.transactional_id_expiration_check = Span::millis(500);
        set_up(cluster);
    })
}

fn start() -> (Cluster, TopicPartition) {
    start_with(|_| {})
}

/// The coordinator of an id as some other broker knows it, and a connection to it.
fn coordinator(cluster: &mut Cluster, id: &str, not: &[BrokerId]) -> (BrokerId, ConnId) {
    let asked = BROKERS.into_iter().find(|it| !not.contains(it)).expect("one is left");
    let conn = cluster.connect(asked);
    for _ in 0..200 {
        match find(cluster, conn, id).node {
            Some(node) if !not.contains(&node) => return (node, cluster.connect(node)),
            _ => cluster.run_for(Span::millis(100)),
        }
    }
    panic!("there is no coordinator");
}

fn init(
    cluster: &mut Cluster,
    conn: ConnId,
    named: (i64, i16),
    timeout: Span,
) -> InitProducerIdResponse {
    let request = InitProducerIdRequest {
        transactional_id: Some(ID.into()),
        transaction_timeout: timeout,
        producer_id: named.0,
        producer_epoch: named.1,
    };
    for _ in 0..100 {
        cluster.ask(conn, request.clone());
        let Response::InitProducerId(response) = cluster.answer(conn) else { panic!("no id") };
        if response.error != ErrorCode::CoordinatorLoadInProgress {
            return response;
        }
        cluster.run_for(Span::millis(50));
    }
    panic!("it loads for too long");
}

/// The producer id and epoch that a new instance gets.
fn new_instance(cluster: &mut Cluster, conn: ConnId) -> (i64, i16) {
    let given = init(cluster, conn, (-1, -1), Span::secs(60));
    assert_eq!(given.error, ErrorCode::None);
    (given.producer_id, given.producer_epoch)
}

/// Adds a partition as a producer of version 1 does.
fn add(
    cluster: &mut Cluster,
    conn: ConnId,
    producer: (i64, i16),
    partition: TopicPartition,
) -> ErrorCode {
    let transaction = AddPartitionsToTxn {
        transactional_id: ID.into(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        verify_only: false,
        partitions: vec![partition],
    };
    let version = AddPartitionsToTxnRequest::OF_CLIENTS;
    cluster.ask(conn, AddPartitionsToTxnRequest { version, transactions: vec![transaction] });
    let Response::AddPartitionsToTxn(response) = cluster.answer(conn) else { panic!("nothing") };
    response.transactions[0].partitions[0].1
}

fn send_end(
    cluster: &mut Cluster,
    conn: ConnId,
    producer: (i64, i16),
    committed: bool,
    version: i16,
) {
    cluster.ask(
        conn,
        EndTxnRequest {
            version,
            transactional_id: ID.into(),
            producer_id: producer.0,
            producer_epoch: producer.1,
            committed,
        },
    );
}

fn end(
    cluster: &mut Cluster,
    conn: ConnId,
    producer: (i64, i16),
    committed: bool,
    version: i16,
) -> EndTxnResponse {
    send_end(cluster, conn, producer, committed, version);
    let Response::EndTxn(response) = cluster.answer(conn) else { panic!("nothing") };
    response
}

fn describe(cluster: &mut Cluster, conn: ConnId) -> DescribedTransaction {
    cluster.ask(conn, DescribeTransactionsRequest { transactional_ids: vec![ID.into()] });
    let Response::DescribeTransactions(mut response) = cluster.answer(conn) else {
        panic!("nothing")
    };
    response.transactions.remove(0)
}

/// How transactions were decided so far: whether they were committed, and the epoch in their markers.
fn decisions(cluster: &Cluster) -> Vec<(bool, i16)> {
    let of = |(_, fact): &(BrokerId, Fact)| match fact {
        Fact::TransactionDecided { committed, producer_epoch, .. } => {
            Some((*committed, *producer_epoch))
        }
        _ => None,
    };
    cluster.facts.iter().filter_map(of).collect()
}

#[test]
fn one_producer_after_another_gets_an_id_and_the_one_before_is_fenced() {
    let (mut cluster, orders) = start();
    let (_, conn) = coordinator(&mut cluster, ID, &[]);
    let first = new_instance(&mut cluster, conn);
    let second = new_instance(&mut cluster, conn);
    assert_eq!((second.0, second.1), (first.0, 1));
    assert_eq!(add(&mut cluster, conn, first, orders), ErrorCode::ProducerFenced);
    assert!(!cluster.facts.iter().any(|(_, fact)| matches!(fact, Fact::TransactionDecided { .. })));
    assert_eq!(add(&mut cluster, conn, second, orders), ErrorCode::None);
    assert_eq!(end(&mut cluster, conn, first, true, 5).error, ErrorCode::ProducerFenced);
    assert!(cluster.facts.iter().any(|(_, it)| *it == Fact::Reached(Reach::ZombieRefused)));
}

/// Keeps markers from the leader of `orders`, broker 1, which is not the coordinator.
fn cut_markers(cluster: &mut Cluster, coordinator: BrokerId) {
    assert_ne!(coordinator, 1, "markers to the broker itself cannot be cut");
    cluster.cut(1, &[coordinator]);
}

#[test]
fn a_decision_is_answered_when_it_is_committed_and_nothing_else_is_done_before_all_is_over() {
    let (mut cluster, orders) = start();
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    cut_markers(&mut cluster, node);
    let ended = end(&mut cluster, conn, producer, true, 5);
    assert_eq!(
        (ended.error, ended.producer_id, ended.producer_epoch),
        (ErrorCode::None, producer.0, 1)
    );
    assert_eq!(decisions(&cluster), [(true, 1)]);
    let next = (ended.producer_id, ended.producer_epoch);
    let concurrent = ErrorCode::ConcurrentTransactions;
    assert_eq!(add(&mut cluster, conn, next, orders), concurrent);
    assert_eq!(end(&mut cluster, conn, producer, true, 5).error, concurrent);
    assert_eq!(init(&mut cluster, conn, (-1, -1), Span::secs(60)).error, concurrent);
    assert_eq!(describe(&mut cluster, conn).state, Some(TransactionState::PrepareCommit));
}

#[test]
fn a_new_coordinator_goes_on_from_what_the_old_one_has_written() {
    let (mut cluster, orders) = start();
    let (old, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    let before = describe(&mut cluster, conn);
    assert_eq!(
        (before.state, &before.partitions),
        (Some(TransactionState::Ongoing), &vec![orders])
    );
    cluster.crash(old);
    let (_, conn) = coordinator(&mut cluster, ID, &[old]);
    cluster.run_for(Span::millis(100));
    assert_eq!(describe(&mut cluster, conn), before);
    let ended = end(&mut cluster, conn, producer, false, 5);
    assert_eq!((ended.error, ended.producer_epoch), (ErrorCode::None, 1));
    // What the old one knew is gone when it comes back.
    cluster.boot(old);
    cluster.until(|cluster| !cluster.broker(old).is_fenced());
    let conn = cluster.connect(old);
    assert_eq!(describe(&mut cluster, conn).error, ErrorCode::NotCoordinator);
    assert_eq!(end(&mut cluster, conn, producer, false, 5).error, ErrorCode::NotCoordinator);
}

#[test]
fn a_repeated_request_for_the_next_epoch_is_not_recognized_after_a_failover() {
    let (mut cluster, _) = start();
    let (old, conn) = coordinator(&mut cluster, ID, &[]);
    let first = new_instance(&mut cluster, conn);
    for _ in 0..2 {
        let again = init(&mut cluster, conn, first, Span::secs(60));
        assert_eq!((again.error, again.producer_epoch), (ErrorCode::None, 1), "a retry");
    }
    cluster.crash(old);
    let (_, conn) = coordinator(&mut cluster, ID, &[old]);
    let again = init(&mut cluster, conn, first, Span::secs(60));
    assert_eq!(again.error, ErrorCode::ProducerFenced, "the epoch before is never written");
}

#[test]
fn without_enough_in_sync_replicas_nothing_is_written_and_nothing_changes() {
    let (mut cluster, orders) = start();
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    let others: Vec<BrokerId> = BROKERS.into_iter().filter(|it| *it != node).collect();
    others.iter().for_each(|other| cluster.crash(*other));
    cluster.run_for(Span::secs(20));
    let conn = cluster.connect(node);
    let refused = add(&mut cluster, conn, producer, orders);
    assert_eq!(refused, ErrorCode::CoordinatorNotAvailable);
    let described = describe(&mut cluster, conn);
    assert_eq!(
        (described.state, described.error),
        (Some(TransactionState::Empty), ErrorCode::None)
    );
    others.iter().for_each(|other| cluster.boot(*other));
    cluster.run_for(Span::secs(10));
    let (_, conn) = coordinator(&mut cluster, ID, &[]);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
}

/// A decision that was written and not committed in time: its coordinator takes it for failed, and the
/// one after it finds it in the log.
#[test]
fn what_was_not_committed_in_time_may_be_found_by_the_next_coordinator() {
    // Nothing looks for what is open for too long.
    let (mut cluster, orders) =
        start_with(|cluster| cluster.config.transaction_abort_interval = Span::secs(60));
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    let given = init(&mut cluster, conn, (-1, -1), Span::secs(1));
    let producer = (given.producer_id, given.producer_epoch);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    let others: Vec<BrokerId> = BROKERS.into_iter().filter(|it| *it != node).collect();
    cluster.cut(node, &others);
    let before = cluster.now;
    let ended = end(&mut cluster, conn, producer, true, 5);
    assert_eq!(ended.error, ErrorCode::CoordinatorNotAvailable);
    assert!(cluster.now.since(before) >= Span::secs(1), "transaction.timeout.ms of the producer");
    assert_eq!(describe(&mut cluster, conn).state, Some(TransactionState::Ongoing));
    assert_eq!(decisions(&cluster), []);
    cluster.heal();
    cluster.run_for(Span::secs(3));
    cluster.crash(node);
    coordinator(&mut cluster, ID, &[node]);
    cluster.run_for(Span::secs(1));
    let taken_over = Fact::Reached(Reach::TransactionTakenOver);
    assert!(cluster.facts.iter().any(|(by, it)| *by != node && *it == taken_over));
}

#[test]
fn a_transaction_that_is_open_for_too_long_is_aborted_under_the_next_epoch() {
    let (mut cluster, orders) = start();
    let (_, conn) = coordinator(&mut cluster, ID, &[]);
    let given = init(&mut cluster, conn, (-1, -1), Span::secs(1));
    let producer = (given.producer_id, given.producer_epoch);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    cluster.run_for(Span::millis(900));
    assert_eq!(decisions(&cluster), []);
    cluster.run_for(Span::millis(600));
    assert_eq!(decisions(&cluster), [(false, 1)]);
    let commit = end(&mut cluster, conn, producer, true, 5).error;
    assert!([ErrorCode::InvalidTxnState, ErrorCode::ConcurrentTransactions].contains(&commit));
}

#[test]
fn another_instance_has_an_open_transaction_aborted_before_it_gets_the_id() {
    for (version, owner) in [
        (TransactionVersion::V1, ErrorCode::ProducerFenced),
        (TransactionVersion::V2, ErrorCode::ConcurrentTransactions),
    ] {
        let (mut cluster, orders) =
            start_with(|cluster| cluster.controller_config.transaction_version = version);
        let (_, conn) = coordinator(&mut cluster, ID, &[]);
        let producer = new_instance(&mut cluster, conn);
        assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
        // A stale epoch aborts too.
        let refused = init(&mut cluster, conn, (-1, -1), Span::secs(60));
        assert_eq!(refused.error, ErrorCode::ConcurrentTransactions);
        assert_eq!(decisions(&cluster), [(false, 1)]);
        let end = end(
            &mut cluster,
            conn,
            producer,
            false,
            if owner == ErrorCode::ProducerFenced { 4 } else { 5 },
        );
        assert!([owner, ErrorCode::None].contains(&end.error), "{version:?}: {end:?}");
    }
}

#[test]
fn ids_that_are_not_used_expire_with_a_tombstone_and_open_ones_stay() {
    let (mut cluster, orders) =
        start_with(|cluster| cluster.config.transactional_id_expiration = Span::secs(3));
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    let first = new_instance(&mut cluster, conn);
    assert_eq!(add(&mut cluster, conn, first, orders), ErrorCode::None);
    cluster.run_for(Span::secs(5));
    assert_eq!(describe(&mut cluster, conn).error, ErrorCode::None, "it is open");
    assert_eq!(
        init(&mut cluster, conn, (-1, -1), Span::secs(60)).error,
        ErrorCode::ConcurrentTransactions
    );
    // The other id has never had a transaction.
    let other = "tx-b";
    let (_, there) = coordinator(&mut cluster, other, &[]);
    let request = InitProducerIdRequest {
        transactional_id: Some(other.into()),
        transaction_timeout: Span::secs(60),
        producer_id: -1,
        producer_epoch: -1,
    };
    let ask = |cluster: &mut Cluster| loop {
        cluster.ask(there, request.clone());
        let Response::InitProducerId(given) = cluster.answer(there) else { panic!("no id") };
        if given.error != ErrorCode::CoordinatorLoadInProgress {
            return (given.error, given.producer_id, given.producer_epoch);
        }
        cluster.run_for(Span::millis(50));
    };
    let (error, id, epoch) = ask(&mut cluster);
    assert_eq!((error, epoch), (ErrorCode::None, 0));
    let list = |cluster: &mut Cluster| {
        let all = ListTransactionsRequest { states: vec![], producer_ids: vec![], duration_ms: -1 };
        cluster.ask(there, all);
        let Response::ListTransactions(listed) = cluster.answer(there) else { panic!("nothing") };
        listed.transactions.iter().any(|it| &*it.transactional_id == other)
    };
    assert!(list(&mut cluster));
    cluster.run_for(Span::secs(5));
    assert!(!list(&mut cluster));
    let forgotten = cluster.facts.iter().any(|(_, fact)| {
        matches!(fact, Fact::TransactionalIdChanged { transactional_id, value: None, .. }
            if &**transactional_id == other)
    });
    assert!(forgotten, "{node}");
    let (error, new_id, epoch) = ask(&mut cluster);
    assert_eq!((error, epoch), (ErrorCode::None, 0));
    assert_ne!(new_id, id, "another producer id");
}

/// O1: in Kafka 4.1.1 the id is of no use from then on.
#[test]
fn a_record_that_level_0_has_no_room_for_leaves_the_id_usable() {
    let (mut cluster, orders) = start_with(|cluster| {
        cluster.controller_config.transaction_version = TransactionVersion::V0
    });
    let (_, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    assert_eq!(end(&mut cluster, conn, producer, false, 5).error, ErrorCode::UnsupportedVersion);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    assert_eq!(end(&mut cluster, conn, producer, true, 4).error, ErrorCode::None);
}

#[test]
fn an_id_is_refused_where_it_is_not_coordinated_and_without_a_timeout_that_is_allowed() {
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
