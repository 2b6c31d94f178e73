//! Successive producers of a transactional id, and aborts and tombstones by the coordinator.

use super::*;

#[test]
fn each_new_producer_gets_the_next_epoch_and_fences_the_previous_one() {
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

#[test]
fn end_txn_gets_its_response_when_the_decision_is_committed_and_other_requests_wait_for_the_markers()
 {
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
fn an_open_transaction_is_aborted_before_another_instance_gets_the_id() {
    for (version, owner) in [
        (TransactionVersion::V1, ErrorCode::ProducerFenced),
        (TransactionVersion::V2, ErrorCode::ConcurrentTransactions),
    ] {
        let (mut cluster, orders) =
            start_with(|cluster| cluster.controller_config.transaction_version = version);
        let (_, conn) = coordinator(&mut cluster, ID, &[]);
        let producer = new_instance(&mut cluster, conn);
        assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);

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
fn unused_ids_expire_with_a_tombstone_and_ids_with_an_open_transaction_stay() {
    let (mut cluster, orders) =
        start_with(|cluster| cluster.config.transactional_id_expiration = Span::secs(3));
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    let first = new_instance(&mut cluster, conn);
    assert_eq!(add(&mut cluster, conn, first, orders), ErrorCode::None);
    cluster.run_for(Span::secs(5));
    assert_eq!(describe(&mut cluster, conn).error, ErrorCode::None, "its transaction is open");
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
    assert_ne!(new_id, id, "the id gets another producer id");
}

/// O1: in Kafka 4.1.1 the id cannot be used from then on.
#[test]
fn after_a_record_that_level_0_cannot_encode_the_id_stays_usable() {
    let (mut cluster, orders) = start_with(|cluster| {
        cluster.controller_config.transaction_version = TransactionVersion::V0
    });
    let (_, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    assert_eq!(end(&mut cluster, conn, producer, false, 5).error, ErrorCode::UnsupportedVersion);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    assert_eq!(end(&mut cluster, conn, producer, true, 4).error, ErrorCode::None);
}
