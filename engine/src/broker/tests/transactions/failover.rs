//! The state of a coordinator after a failover, and records that were not committed in time.

use super::*;
use crate::broker::context::Io;
use crate::broker::internal_topics::Internal;
use crate::broker::transactions::Services;
use crate::broker::{Broker, Parts};
use crate::metadata::{MetadataRecord, PartitionChange};
use crate::timer::TransactionTimer;

#[test]
fn a_new_coordinator_continues_from_the_records_of_the_old_one() {
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
    // The old coordinator reads the log again when it returns.
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
    assert_eq!(again.error, ErrorCode::ProducerFenced, "the previous epoch is not in the log");
}

#[test]
fn without_enough_in_sync_replicas_no_state_changes() {
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

/// A decision was written, but not committed in time: its coordinator treats it as failed, and the
/// next coordinator finds it in the log.
#[test]
fn the_next_coordinator_may_find_a_decision_that_was_not_committed_in_time() {
    // No coordinator looks for overdue transactions in this test.
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

/// Gives a partition of `__transaction_state` a leader in the next epoch, in the metadata of the
/// broker.
fn lead(broker: &mut Broker, io: &mut Io<'_>, partition: TopicPartition, leader: BrokerId) {
    let change = PartitionChange { leader: Some(Some(leader)), ..PartitionChange::of(partition) };
    let offset = broker.context.image.offset() + 1;
    broker.context.image.replay(offset, &MetadataRecord::PartitionChange(change)).unwrap();
    let (parts, mut cx) = broker.split(io);
    parts.transactions.publish(&[partition].into(), &mut cx);
}

/// The broker's state of the id.
fn known(broker: &mut Broker, io: &mut Io<'_>) -> DescribedTransaction {
    let (parts, cx) = broker.split(io);
    let request = DescribeTransactionsRequest { transactional_ids: vec![ID.into()] };
    parts.transactions.describe(&request, &cx).transactions.remove(0)
}

/// KAFKA-9307: ids that were read for an earlier epoch are not installed, and requests are refused
/// in between.
#[test]
fn a_log_counts_only_in_the_epoch_for_which_it_was_read() {
    let (mut cluster, _) = start();
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    let image = cluster.broker(node).image();
    let partition = Internal::TransactionState.partition_of(image, ID).expect("it is there");
    let index = partition.partition;
    let epoch = image.partition(partition).expect("it is there").leader_epoch;
    cluster.on_broker(node, |broker, io| {
        let run = |broker: &mut Broker, io: &mut Io<'_>, timer| {
            let (parts, mut cx) = broker.split(io);
            let Parts { transactions, replicas, forwards, .. } = parts;
            let mut services = Services { replicas: &mut replicas.partitions, ids: forwards };
            transactions.on_timer(timer, &mut services, &mut cx).expect("it goes on");
        };
        // In a new epoch of the same leader the log is read again.
        lead(broker, io, partition, node);
        assert_eq!(known(broker, io).error, ErrorCode::CoordinatorLoadInProgress);
        run(broker, io, TransactionTimer::Load(index));
        assert_eq!(known(broker, io).error, ErrorCode::CoordinatorLoadInProgress, "not installed");
        lead(broker, io, partition, node);
        run(broker, io, TransactionTimer::Loaded(index, epoch + 1));
        assert_eq!(known(broker, io).error, ErrorCode::CoordinatorLoadInProgress, "it is over");
        run(broker, io, TransactionTimer::Load(index));
        run(broker, io, TransactionTimer::Loaded(index, epoch + 2));
        let found = known(broker, io);
        assert_eq!((found.error, found.producer_id), (ErrorCode::None, producer.0));
        // Another broker leads.
        let other = BROKERS.into_iter().find(|it| *it != node).expect("another");
        lead(broker, io, partition, other);
        assert_eq!(known(broker, io).error, ErrorCode::NotCoordinator);
        run(broker, io, TransactionTimer::Loaded(index, epoch + 2));
        assert_eq!(known(broker, io).error, ErrorCode::NotCoordinator);
    });
}
