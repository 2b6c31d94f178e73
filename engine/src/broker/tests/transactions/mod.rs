//! Transaction coordinators on a small cluster.

mod course;
mod crashes;
mod failover;
mod marking;
mod place;

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
use crate::record::{Batch, EndTransactionMarker, for_each};
use machine::{ConnId, Span};

/// The transactional id of most tests.
const ID: &str = "tx-a";

fn find(cluster: &mut Cluster, conn: ConnId, key: &str) -> FindCoordinatorResponse {
    let key_type = CoordinatorType::Transaction;
    cluster.ask(conn, FindCoordinatorRequest { key_type, key: key.into() });
    let Response::FindCoordinator(found) = cluster.answer(conn) else { panic!("no coordinator") };
    found
}

/// A cluster whose `__transaction_state` has few partitions, and whose coordinators look for
/// overdue transactions and unused ids every 200 ms.
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

/// The coordinator of an id and a connection to it, as soon as a broker that is not in `not` names
/// a coordinator that is not in `not` either.
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
    panic!("the coordinator does not finish loading");
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

/// The coordinators that have completed a transaction so far, and whether it was committed.
fn completed(cluster: &Cluster) -> Vec<(BrokerId, bool)> {
    let of = |(node, fact): &(BrokerId, Fact)| match fact {
        Fact::TransactionCompleted { committed, .. } => Some((*node, *committed)),
        _ => None,
    };
    cluster.facts.iter().filter_map(of).collect()
}

/// The markers that leaders have appended so far, with the leader.
fn markers(cluster: &Cluster) -> Vec<(BrokerId, EndTransactionMarker)> {
    let of = |(node, fact): &(BrokerId, Fact)| {
        let Fact::Appended { as_leader: true, batch, .. } = fact else { return None };
        let mut found = None;
        for_each(batch, |record| {
            if Batch::new(batch).expect("a batch").is_control() {
                found = EndTransactionMarker::read(&record).expect("a control record");
            }
        })
        .expect("records");
        Some((*node, found?))
    };
    cluster.facts.iter().filter_map(of).collect()
}

/// The decisions about transactions so far: whether to commit, and the epoch in the markers.
fn decisions(cluster: &Cluster) -> Vec<(bool, i16)> {
    let of = |(_, fact): &(BrokerId, Fact)| match fact {
        Fact::TransactionDecided { committed, producer_epoch, .. } => {
            Some((*committed, *producer_epoch))
        }
        _ => None,
    };
    cluster.facts.iter().filter_map(of).collect()
}

/// Cuts the link on which markers go from the coordinator to broker 1, the leader of `orders`.
fn cut_markers(cluster: &mut Cluster, coordinator: BrokerId) {
    assert_ne!(coordinator, 1, "markers to the broker itself cannot be cut");
    cluster.cut(1, &[coordinator]);
}
