//! From a decision to the last marker.

use super::*;

#[test]
fn a_transaction_is_complete_when_every_partition_has_its_marker() {
    let (mut cluster, orders) = start();
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    let ended = end(&mut cluster, conn, producer, true, 5);
    assert_eq!((ended.error, ended.producer_epoch), (ErrorCode::None, 1));
    cluster.until(|cluster| !completed(cluster).is_empty());
    assert_eq!(completed(&cluster), [(node, true)]);
    let marker = EndTransactionMarker { committed: true, coordinator_epoch: 0 };
    assert_eq!(markers(&cluster), [(1, marker)]);
    let described = describe(&mut cluster, conn);
    assert_eq!(described.state, Some(TransactionState::CompleteCommit));
    assert!(described.partitions.is_empty());
    // The same request again.
    let again = end(&mut cluster, conn, producer, true, 5);
    assert_eq!((again.error, again.producer_epoch), (ErrorCode::None, 1));
    assert_eq!(decisions(&cluster).len(), 1);
}

#[test]
fn markers_go_to_the_next_leader_of_a_partition() {
    let (mut cluster, orders) = start();
    let (node, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    assert_ne!(node, 1, "broker 1 leads the partition");
    cluster.crash(1);
    let ended = end(&mut cluster, conn, producer, false, 5);
    assert_eq!(ended.error, ErrorCode::None, "the decision does not wait");
    cluster.until(|cluster| !completed(cluster).is_empty());
    assert_eq!(completed(&cluster), [(node, false)]);
    let (by, marker) = markers(&cluster)[0];
    assert!(by != 1 && !marker.committed);
}

/// KAFKA-5131: a coordinator that takes over writes the markers of decided transactions.
#[test]
fn a_new_coordinator_finishes_transactions_that_the_old_one_has_decided() {
    let (mut cluster, orders) = start();
    let (old, conn) = coordinator(&mut cluster, ID, &[]);
    let producer = new_instance(&mut cluster, conn);
    assert_eq!(add(&mut cluster, conn, producer, orders), ErrorCode::None);
    cut_markers(&mut cluster, old);
    assert_eq!(end(&mut cluster, conn, producer, true, 5).error, ErrorCode::None);
    cluster.run_for(Span::secs(1));
    assert_eq!(markers(&cluster), []);
    cluster.crash(old);
    cluster.until(|cluster| !completed(cluster).is_empty());
    let (new, committed) = completed(&cluster)[0];
    assert!(new != old && committed);
    let marker = EndTransactionMarker { committed: true, coordinator_epoch: 1 };
    assert_eq!(markers(&cluster), [(1, marker)]);
    // The producer continues, and its repeated request is recognised from the log alone.
    let (_, conn) = coordinator(&mut cluster, ID, &[old]);
    let again = end(&mut cluster, conn, producer, true, 5);
    assert_eq!((again.error, again.producer_epoch), (ErrorCode::None, 1));
    assert_eq!(add(&mut cluster, conn, (producer.0, 1), orders), ErrorCode::None);
}
