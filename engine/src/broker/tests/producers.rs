//! Idempotent producers: what leaders make of their batches, and where their ids come from. How
//! they respond to sequences is in `transcripts`.

use super::cluster::{BROKERS, CONTROLLER, Cluster};
use super::produced;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::TopicPartition;
use crate::protocol::{
    InitProducerIdRequest, InitProducerIdResponse, ProducePartition, ProduceRequest,
    ProducedPartition, Request, Response,
};
use crate::reach::Reach;
use crate::record::BatchBuilder;
use bytes::Bytes;
use machine::{ConnId, Span};

fn batch(producer: (i64, i16), sequence: i32, times: &[i64]) -> Bytes {
    let mut batch = BatchBuilder::new().producer(producer.0, producer.1, sequence);
    for time in times {
        batch.append(*time, Some(b"k"), Some(b"v"), &[]);
    }
    batch.build()
}

fn send(cluster: &mut Cluster, conn: ConnId, to: TopicPartition, acks: i16, records: Bytes) {
    let partitions = vec![ProducePartition { partition: to, records }];
    cluster.ask(
        conn,
        ProduceRequest {
            version: ProduceRequest::NEWEST,
            transactional_id: None,
            acks,
            timeout: Span::secs(30),
            partitions,
        },
    );
}

fn ask(
    cluster: &mut Cluster,
    conn: ConnId,
    to: TopicPartition,
    sequence: i32,
) -> ProducedPartition {
    let time = cluster.now.0 as i64 / 1_000_000;
    send(cluster, conn, to, -1, batch((7, 0), sequence, &[time]));
    produced(cluster, conn)
}

#[test]
fn a_duplicate_waits_for_the_high_watermark_as_its_batch_does() {
    let (mut cluster, orders) = Cluster::start(2);
    let (first, second) = (cluster.connect(1), cluster.connect(1));
    cluster.cut(1, &[2, 3]);
    let time = cluster.now.0 as i64 / 1_000_000;
    for conn in [first, second] {
        send(&mut cluster, conn, orders, -1, batch((7, 0), 0, &[time]));
    }
    cluster.run_for(Span::millis(200));
    assert!(cluster.answers.values().all(Vec::is_empty), "no other broker has it");
    assert!(cluster.facts.contains(&(1, Fact::Reached(Reach::DuplicateFound))));
    cluster.heal();
    for conn in [first, second] {
        let answer = produced(&mut cluster, conn);
        assert_eq!((answer.error, answer.base_offset), (ErrorCode::None, 0));
    }
    assert_eq!(cluster.broker(1).partition(orders).unwrap().log_end, 1);
}

/// KAFKA-5494: what followers have appended they know by sequence when they lead.
#[test]
fn a_new_leader_knows_the_batches_of_the_last_one() {
    let (mut cluster, orders) = Cluster::start(2);
    let conn = cluster.connect(1);
    for sequence in 0..5 {
        assert_eq!(ask(&mut cluster, conn, orders, sequence).error, ErrorCode::None);
    }
    cluster.run_for(Span::secs(1));
    cluster.crash(1);
    cluster.until(|cluster| cluster.leads(2, orders));
    let conn = cluster.connect(2);
    for sequence in 0..5 {
        let answer = ask(&mut cluster, conn, orders, sequence);
        let expected = (ErrorCode::None, i64::from(sequence));
        assert_eq!((answer.error, answer.base_offset), expected);
    }
    let gap = ErrorCode::OutOfOrderSequenceNumber;
    assert_eq!(ask(&mut cluster, conn, orders, 6).error, gap);
    assert_eq!(ask(&mut cluster, conn, orders, 5).base_offset, 5);
}

#[test]
fn an_idle_producer_expires_and_begins_at_sequence_0() {
    let (mut cluster, orders) = Cluster::start_with(1, |config| {
        config.producer_id_expiration = Span::secs(5);
        config.producer_id_expiration_check = Span::secs(1);
    });
    let conn = cluster.connect(1);
    assert_eq!(ask(&mut cluster, conn, orders, 0).base_offset, 0);
    cluster.run_for(Span::secs(3));
    let gap = ErrorCode::OutOfOrderSequenceNumber;
    assert_eq!(ask(&mut cluster, conn, orders, 7).error, gap);
    cluster.run_for(Span::secs(4));
    assert!(cluster.facts.contains(&(1, Fact::Reached(Reach::ProducerForgotten))));
    assert_eq!(ask(&mut cluster, conn, orders, 7).error, gap, "FL-4");
    assert_eq!(ask(&mut cluster, conn, orders, 0).base_offset, 1, "the leader does not know 0");
}

fn init(cluster: &mut Cluster, conn: ConnId) -> InitProducerIdResponse {
    cluster.ask(conn, InitProducerIdRequest::idempotent(-1, -1));
    match cluster.answer(conn) {
        Response::InitProducerId(response) => response,
        other => panic!("no producer id: {other:?}"),
    }
}

#[test]
fn ids_come_in_blocks_and_no_two_brokers_give_the_same() {
    let (mut cluster, _) = Cluster::start(1);
    let mut given = Vec::new();
    for broker in BROKERS {
        let conn = cluster.connect(broker);
        let first = init(&mut cluster, conn);
        assert_eq!(first.error, ErrorCode::CoordinatorLoadInProgress, "the block is on its way");
        assert_eq!((first.producer_id, first.producer_epoch), (-1, -1));
        cluster.run_for(Span::millis(200));
        for _ in 0..2 {
            let response = init(&mut cluster, conn);
            assert_eq!((response.error, response.producer_epoch), (ErrorCode::None, 0));
            given.push(response.producer_id);
        }
    }
    assert_eq!(given, [0, 1, 1000, 1001, 2000, 2001]);
    let asked = |request: &Request| matches!(request, Request::AllocateProducerIds(_));
    assert_eq!(cluster.asked_controller(1, asked).len(), 1);

    // The rest of a block is lost with the life of its broker.
    cluster.crash(1);
    cluster.crash(CONTROLLER);
    cluster.boot(CONTROLLER);
    cluster.boot(1);
    cluster.until(|cluster| !cluster.broker(1).is_fenced());
    let conn = cluster.connect(1);
    init(&mut cluster, conn);
    cluster.run_for(Span::millis(200));
    assert_eq!(init(&mut cluster, conn).producer_id, 3000);
}

#[test]
fn an_id_without_an_epoch_is_no_request() {
    let (mut cluster, _) = Cluster::start(1);
    let conn = cluster.connect(1);
    for (producer_id, producer_epoch) in [(5, -1), (-1, 5)] {
        cluster.ask(conn, InitProducerIdRequest::idempotent(producer_id, producer_epoch));
        let Response::InitProducerId(response) = cluster.answer(conn) else { panic!("no answer") };
        assert_eq!(response.error, ErrorCode::InvalidRequest);
    }
}

/// A duplicate of the first of three batches waits ahead of the later ones, and its response comes
/// with that of the first.
#[test]
fn a_copy_waits_in_the_place_of_its_batch() {
    let (mut cluster, orders) = Cluster::start(2);
    let conns: Vec<ConnId> = (0..4).map(|_| cluster.connect(1)).collect();
    cluster.cut(1, &[2, 3]);
    let time = cluster.now.0 as i64 / 1_000_000;
    for (conn, sequence) in conns.iter().zip([0, 1, 2, 0]) {
        send(&mut cluster, *conn, orders, -1, batch((7, 0), sequence, &[time]));
    }
    cluster.run_for(Span::millis(200));
    assert!(cluster.answers.values().all(Vec::is_empty));
    cluster.heal();
    let offsets: Vec<i64> =
        conns.iter().map(|conn| produced(&mut cluster, *conn).base_offset).collect();
    assert_eq!(offsets, [0, 1, 2, 0]);
}
