//! Offsets that transactions commit (KIP-447, KIP-890).

use super::*;
use crate::protocol::{
    AddOffsetsToTxnRequest, EndTxnRequest, InitProducerIdRequest, TxnOffsetCommitRequest,
};

const ID: &str = "tx-a";

/// A transactional producer of a consumer's group.
struct Producer {
    id: i64,
    epoch: i16,
    /// Connections to the coordinators of the transaction and of the group.
    transaction: ConnId,
    group: ConnId,
}

fn producer(cluster: &mut Cluster) -> Producer {
    let (_, group) = coordinator(cluster, &[]);
    let (_, transaction) = coordinator_of(cluster, CoordinatorType::Transaction, ID, &[]);
    let request = InitProducerIdRequest {
        transactional_id: Some(ID.into()),
        transaction_timeout: Span::secs(60),
        producer_id: -1,
        producer_epoch: -1,
    };
    for _ in 0..100 {
        cluster.ask(transaction, request.clone());
        let Response::InitProducerId(given) = cluster.answer(transaction) else { panic!("no id") };
        if given.error == ErrorCode::None {
            let (id, epoch) = (given.producer_id, given.producer_epoch);
            return Producer { id, epoch, transaction, group };
        }
        cluster.run_for(Span::millis(50));
    }
    panic!("it loads for too long");
}

impl Producer {
    fn request(&self, version: i16, offset: i64) -> TxnOffsetCommitRequest {
        TxnOffsetCommitRequest {
            version,
            transactional_id: ID.into(),
            group: GROUP.into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            generation: -1,
            member: "".into(),
            instance: None,
            offsets: offsets(offset),
        }
    }

    fn commit(&self, cluster: &mut Cluster, version: i16, offset: i64) -> ErrorCode {
        cluster.ask(self.group, self.request(version, offset));
        let Response::TxnOffsetCommit(response) = cluster.answer(self.group) else {
            panic!("nothing")
        };
        response.partitions[0].1
    }

    /// Ends the transaction and returns when its markers are written.
    fn end(&mut self, cluster: &mut Cluster, version: i16, committed: bool) {
        let request = EndTxnRequest {
            version,
            transactional_id: ID.into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed,
        };
        cluster.ask(self.transaction, request);
        let Response::EndTxn(ended) = cluster.answer(self.transaction) else { panic!("nothing") };
        assert_eq!(ended.error, ErrorCode::None);
        if ended.producer_epoch >= 0 {
            (self.id, self.epoch) = (ended.producer_id, ended.producer_epoch);
        }
        cluster.run_for(Span::millis(200));
    }
}

#[test]
fn offsets_of_a_transaction_are_shown_when_it_is_committed() {
    let mut cluster = start();
    let mut producer = producer(&mut cluster);
    let conn = producer.group;
    assert_eq!(commit(&mut cluster, conn, "", -1, 1), ErrorCode::None);
    let newest = TxnOffsetCommitRequest::NEWEST;
    assert_eq!(producer.commit(&mut cluster, newest, 5), ErrorCode::None);
    assert_eq!(fetch(&mut cluster, conn, true).0, ErrorCode::UnstableOffsetCommit);
    assert_eq!(fetch(&mut cluster, conn, false), (ErrorCode::None, 1));
    producer.end(&mut cluster, EndTxnRequest::NEWEST, true);
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 5));

    assert_eq!(producer.commit(&mut cluster, newest, 9), ErrorCode::None);
    producer.end(&mut cluster, EndTxnRequest::NEWEST, false);
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 5), "it was aborted");
}

/// The coordinator of the transaction is asked first, and meanwhile the client goes.
#[test]
fn offsets_of_a_client_that_has_gone_are_committed_all_the_same() {
    let mut cluster = start();
    let mut producer = producer(&mut cluster);
    let (by, conn) = coordinator(&mut cluster, &[]);
    cluster.ask(conn, producer.request(TxnOffsetCommitRequest::NEWEST, 5));
    cluster.until(|cluster| cluster.broker(by).requests.is_muted(conn));
    cluster.hang_up(conn);
    cluster.run_for(Span::secs(1));
    cluster.broker(by).requests.invariants();
    producer.end(&mut cluster, EndTxnRequest::NEWEST, true);
    assert_eq!(fetch(&mut cluster, producer.group, true), (ErrorCode::None, 5));
}

#[test]
fn what_is_open_stays_open_at_the_next_coordinator() {
    let mut cluster = start();
    let mut producer = producer(&mut cluster);
    assert_eq!(producer.commit(&mut cluster, TxnOffsetCommitRequest::NEWEST, 5), ErrorCode::None);
    let (old, _) = coordinator(&mut cluster, &[]);
    cluster.crash(old);
    let (_, conn) = coordinator(&mut cluster, &[old]);
    assert_eq!(fetch(&mut cluster, conn, true).0, ErrorCode::UnstableOffsetCommit);
    // The transaction may have had the same coordinator.
    producer.transaction = coordinator_of(&mut cluster, CoordinatorType::Transaction, ID, &[old]).1;
    cluster.run_for(Span::millis(200));
    producer.end(&mut cluster, EndTxnRequest::NEWEST, true);
    cluster.run_for(Span::secs(1));
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 5));
}

#[test]
fn a_producer_of_version_1_adds_the_partition_of_the_group_first() {
    let mut cluster = start();
    let mut producer = producer(&mut cluster);
    let conn = producer.group;
    let before_endings = 4;
    assert_eq!(
        producer.commit(&mut cluster, 3, 5),
        ErrorCode::InvalidTxnState,
        "the transaction does not have the partition"
    );
    assert_eq!(producer.commit(&mut cluster, 4, 5), ErrorCode::TransactionAbortable);
    let add = AddOffsetsToTxnRequest {
        transactional_id: ID.into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        group: GROUP.into(),
    };
    cluster.ask(producer.transaction, add.clone());
    let Response::AddOffsetsToTxn(added) = cluster.answer(producer.transaction) else {
        panic!("nothing")
    };
    assert_eq!(added.error, ErrorCode::None);
    assert_eq!(producer.commit(&mut cluster, 3, 5), ErrorCode::None);
    producer.end(&mut cluster, before_endings, true);
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 5));
    let stale = AddOffsetsToTxnRequest { producer_epoch: producer.epoch + 1, ..add };
    cluster.ask(producer.transaction, stale);
    let Response::AddOffsetsToTxn(added) = cluster.answer(producer.transaction) else {
        panic!("nothing")
    };
    assert_eq!(added.error, ErrorCode::ProducerFenced);
}

#[test]
fn a_zombie_commits_nothing() {
    let mut cluster = start();
    let zombie = producer(&mut cluster);
    let newest = TxnOffsetCommitRequest::NEWEST;
    assert_eq!(zombie.commit(&mut cluster, newest, 5), ErrorCode::None);
    // The next instance aborts what the one before has open.
    let request = InitProducerIdRequest {
        transactional_id: Some(ID.into()),
        transaction_timeout: Span::secs(60),
        producer_id: -1,
        producer_epoch: -1,
    };
    for _ in 0..20 {
        cluster.ask(zombie.transaction, request.clone());
        let Response::InitProducerId(given) = cluster.answer(zombie.transaction) else {
            panic!("no id")
        };
        if given.error == ErrorCode::None {
            break;
        }
        cluster.run_for(Span::millis(100));
    }
    assert_eq!(zombie.commit(&mut cluster, newest, 9), ErrorCode::InvalidProducerEpoch);
    assert_eq!(fetch(&mut cluster, zombie.group, true), (ErrorCode::None, -1));
}
