//! Transactions at the leaders of partitions: their markers, and the requests that wait for
//! markers.

use super::cluster::Cluster;
use super::produced;
use crate::error::ErrorCode;
use crate::ids::{TopicId, TopicPartition};
use crate::protocol::{
    AbortedTransaction, DescribeProducersRequest, FetchMetadata, FetchPartition, FetchRequest,
    Isolation, ProducePartition, ProduceRequest, Response, TxnMarker, WriteTxnMarkersRequest,
};
use crate::record::BatchBuilder;
use bytes::Bytes;
use machine::{ConnId, Span};

fn batch(cluster: &Cluster, producer: i64, epoch: i16) -> Bytes {
    let time = cluster.now.0 as i64 / 1_000_000;
    let mut batch = BatchBuilder::new().producer(producer, epoch, 0).transactional(true);
    batch.append(time, None, Some(b"value"), &[]);
    batch.build()
}

/// Sends a batch of each producer and epoch, by version 1 of the transaction protocol.
fn send(
    cluster: &mut Cluster,
    conn: ConnId,
    id: Option<&str>,
    acks: i16,
    batches: &[(TopicPartition, i64, i16)],
) {
    let partitions = batches.iter().map(|(partition, producer, epoch)| ProducePartition {
        partition: *partition,
        records: batch(cluster, *producer, *epoch),
    });
    let request = ProduceRequest {
        version: 11,
        transactional_id: id.map(Into::into),
        acks,
        timeout: Span::secs(30),
        partitions: partitions.collect(),
    };
    cluster.ask(conn, request);
}

fn marker(producer_id: i64, committed: bool, partitions: &[TopicPartition]) -> TxnMarker {
    TxnMarker {
        producer_id,
        producer_epoch: 0,
        committed,
        coordinator_epoch: 5,
        own_epoch: false,
        partitions: partitions.to_vec(),
    }
}

/// A cluster whose leaders open transactions without verification by the coordinator.
fn start(min_isr: u32) -> (Cluster, TopicPartition, ConnId) {
    let (mut cluster, orders) =
        Cluster::start_with(min_isr, |config| config.transaction_partition_verification = false);
    let conn = cluster.connect(1);
    (cluster, orders, conn)
}

fn written(cluster: &mut Cluster, conn: ConnId) -> Vec<(i64, Vec<(TopicPartition, ErrorCode)>)> {
    match cluster.answer(conn) {
        Response::WriteTxnMarkers(response) => {
            response.markers.into_iter().map(|it| (it.producer_id, it.partitions)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_marker_is_confirmed_when_it_is_replicated() {
    let (mut cluster, orders, conn) = start(2);
    send(&mut cluster, conn, Some("a"), -1, &[(orders, 7, 0)]);
    assert_eq!(produced(&mut cluster, conn).error, ErrorCode::None);
    cluster.cut(1, &[2, 3]);
    cluster.ask(conn, WriteTxnMarkersRequest { markers: vec![marker(7, true, &[orders])] });
    cluster.run_for(Span::millis(200));
    assert!(cluster.answers.get(&conn).is_none_or(Vec::is_empty), "no follower has it");
    cluster.heal();
    assert_eq!(written(&mut cluster, conn), [(7, vec![(orders, ErrorCode::None)])]);
}

#[test]
fn a_marker_that_is_not_replicated_in_time_stays() {
    let (mut cluster, orders, conn) = start(1);
    cluster.cut(1, &[2, 3, super::cluster::CONTROLLER]);
    cluster.ask(conn, WriteTxnMarkersRequest { markers: vec![marker(7, true, &[orders])] });
    cluster.run_for(Span::secs(31));
    let end = cluster.broker(1).partition(orders).unwrap().log_end;
    assert_eq!(written(&mut cluster, conn), [(7, vec![(orders, ErrorCode::RequestTimedOut)])]);
    assert_eq!(end, 1);
}

#[test]
fn markers_are_reported_once_for_each_producer() {
    let (mut cluster, orders, conn) = start(1);
    let unknown = TopicPartition::new(TopicId(99), 0);
    let mut fenced = marker(7, true, &[orders]);
    fenced.coordinator_epoch = 4;
    let markers = vec![
        marker(7, true, &[orders, unknown]),
        marker(8, false, &[orders]),
        // The second marker is written as well; the outcome of the first one is not reported.
        fenced,
    ];
    cluster.ask(conn, WriteTxnMarkersRequest { markers });
    let expected = [
        (
            7,
            vec![
                (orders, ErrorCode::TransactionCoordinatorFenced),
                (unknown, ErrorCode::UnknownTopicOrPartition),
            ],
        ),
        (8, vec![(orders, ErrorCode::None)]),
    ];
    assert_eq!(written(&mut cluster, conn), expected);
    cluster.ask(conn, WriteTxnMarkersRequest { markers: Vec::new() });
    assert_eq!(written(&mut cluster, conn), []);
}

#[test]
fn a_follower_writes_no_marker() {
    let (mut cluster, orders, _) = start(1);
    let conn = cluster.connect(2);
    cluster.ask(conn, WriteTxnMarkersRequest { markers: vec![marker(7, true, &[orders])] });
    assert_eq!(written(&mut cluster, conn), [(7, vec![(orders, ErrorCode::NotLeaderOrFollower)])]);
}

#[test]
fn the_producer_state_of_a_leader_can_be_described() {
    let (mut cluster, orders, conn) = start(1);
    send(&mut cluster, conn, Some("a"), -1, &[(orders, 7, 0)]);
    produced(&mut cluster, conn);
    cluster.ask(conn, DescribeProducersRequest { partitions: vec![orders] });
    let Response::DescribeProducers(response) = cluster.answer(conn) else { panic!() };
    let described = response.partitions[0].producers[0];
    assert_eq!((described.producer_id, described.last_sequence), (7, 0));
    assert_eq!((described.coordinator_epoch, described.current_txn_start_offset), (-1, 0));
}

#[test]
fn a_request_with_transactional_batches_needs_one_transaction_and_its_id() {
    let (mut cluster, orders, conn) = start(1);
    send(&mut cluster, conn, None, -1, &[(orders, 7, 0)]);
    let refused = produced(&mut cluster, conn);
    assert_eq!(refused.error, ErrorCode::TransactionalIdAuthorizationFailed);
    assert_eq!(refused.log_start_offset, -1);
    let other = TopicPartition::new(orders.topic, 1);
    let batches = [(orders, 7, 0), (other, 7, 1)];
    send(&mut cluster, conn, Some("a"), -1, &batches);
    let Response::Produce(response) = cluster.answer(conn) else { panic!() };
    let errors: Vec<_> = response.partitions.iter().map(|it| it.error).collect();
    assert_eq!(errors, [ErrorCode::InvalidProducerIdMapping; 2]);
    send(&mut cluster, conn, None, 0, &[(orders, 7, 0)]);
    cluster.until(|cluster| cluster.closed.contains(&conn));
}

#[test]
fn a_reader_of_committed_data_waits_for_the_marker() {
    let (mut cluster, orders, conn) = start(1);
    send(&mut cluster, conn, Some("a"), -1, &[(orders, 7, 0)]);
    produced(&mut cluster, conn);
    let reader = cluster.connect(1);
    cluster.ask(
        reader,
        FetchRequest {
            replica: None,
            max_wait: Span::secs(20),
            min_bytes: 1,
            max_bytes: 1 << 20,
            isolation: Isolation::ReadCommitted,
            session: FetchMetadata::SESSIONLESS,
            partitions: vec![FetchPartition {
                partition: orders,
                current_leader_epoch: None,
                fetch_offset: 0,
                last_fetched_epoch: None,
                log_start_offset: -1,
                partition_max_bytes: 1 << 20,
                high_watermark: None,
            }],
            forgotten: Vec::new(),
        },
    );
    cluster.run_for(Span::secs(1));
    assert!(cluster.answers.get(&reader).is_none_or(Vec::is_empty), "the transaction is open");
    cluster.ask(conn, WriteTxnMarkersRequest { markers: vec![marker(7, false, &[orders])] });
    let Response::Fetch(response) = cluster.answer(reader) else { panic!() };
    let fetched = &response.partitions[0];
    assert_eq!((fetched.last_stable_offset, fetched.records.0.len()), (2, 2));
    let aborted = AbortedTransaction { producer_id: 7, first_offset: 0 };
    assert_eq!(fetched.aborted_transactions, Some(vec![aborted]));
}
