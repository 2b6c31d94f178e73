//! How long a fetch waits for `min_bytes` (`ReplicaManager.fetchMessages`, `DelayedFetch`).

use super::cluster::{self, Cluster};
use super::{consume, produced};
use crate::ids::{Offset, TopicPartition};
use crate::protocol::{FetchRequest, ReplicaState, Response};
use machine::{ConnId, Span};

/// More bytes than any of these logs has.
const NEVER: u32 = 1 << 20;

/// A cluster with `batches` committed batches, of which two fill a segment, and a client's
/// connection to their leader.
fn filled(batches: usize) -> (Cluster, TopicPartition, ConnId) {
    let (mut cluster, orders) = Cluster::start_set_up(2, |cluster| {
        cluster.topic.segment_bytes = 2 * cluster::batch().len() as u32;
    });
    let conn = cluster.connect(1);
    append(&mut cluster, orders, batches);
    (cluster, orders, conn)
}

fn append(cluster: &mut Cluster, orders: TopicPartition, batches: usize) {
    let producer = cluster.connect(1);
    for _ in 0..batches {
        cluster.produce(producer, orders, -1);
        produced(cluster, producer);
    }
}

/// A fetch of one partition as broker 2 sends it, of at most so many bytes of the partition.
fn follow(
    cluster: &Cluster,
    orders: TopicPartition,
    from: Offset,
    min_bytes: u32,
    max_bytes: u32,
) -> FetchRequest {
    let epoch = cluster.broker(1).context.image.broker(2).unwrap().epoch;
    let replica = Some(ReplicaState { id: 2, epoch });
    let mut request = FetchRequest { replica, min_bytes, ..consume(orders, from) };
    request.partitions[0].partition_max_bytes = max_bytes;
    request
}

/// The number of batches in the response to a fetch; `None` without a response within a second.
fn batches(cluster: &mut Cluster, conn: ConnId) -> Option<usize> {
    cluster.run_for(Span::secs(1));
    match cluster.answers.get_mut(&conn)?.pop()? {
        Response::Fetch(fetch) => Some(fetch.partitions[0].records.0.len()),
        other => panic!("not a response to a fetch: {other:?}"),
    }
}

#[test]
fn a_fetch_from_an_earlier_segment_does_not_wait() {
    for from in [0, 2, 3] {
        let (mut cluster, orders, conn) = filled(6);
        cluster.ask(conn, FetchRequest { min_bytes: NEVER, ..consume(orders, from) });
        assert!(batches(&mut cluster, conn).is_some(), "case F for consumers, from {from}");
        let request = follow(&cluster, orders, from, NEVER, 1);
        cluster.ask(conn, request);
        assert_eq!(batches(&mut cluster, conn), Some(1), "case F for followers, from {from}");
    }
    let (mut cluster, orders, conn) = filled(6);
    cluster.ask(conn, FetchRequest { min_bytes: NEVER, ..consume(orders, 4) });
    assert_eq!(batches(&mut cluster, conn), None, "it is in the last segment");
    let other = cluster.connect(1);
    let request = follow(&cluster, orders, 4, NEVER, 1);
    cluster.ask(other, request);
    assert_eq!(batches(&mut cluster, other), None, "it is in the last segment");
}

#[test]
fn a_new_segment_ends_the_wait_of_a_follower_at_the_end_of_the_previous_one() {
    let (mut cluster, orders, conn) = filled(3);
    let request = follow(&cluster, orders, 3, NEVER, 1 << 20);
    cluster.ask(conn, request);
    append(&mut cluster, orders, 1);
    assert_eq!(batches(&mut cluster, conn), None, "the batch fits into the segment");
    append(&mut cluster, orders, 1);
    assert_eq!(batches(&mut cluster, conn), Some(1), "a fetch does not go past a segment's end");
    let request = follow(&cluster, orders, 6, NEVER, 1 << 20);
    append(&mut cluster, orders, 1);
    cluster.ask(conn, request);
    append(&mut cluster, orders, 1);
    assert_eq!(batches(&mut cluster, conn), Some(1), "without records before the new segment");
}

#[test]
fn a_batch_beyond_the_byte_limit_counts_up_to_the_limit() {
    let size = cluster::batch().len() as u32;
    let (mut cluster, orders) = Cluster::start(2);
    append(&mut cluster, orders, 3);
    let conn = cluster.connect(1);
    let request = follow(&cluster, orders, 0, size + 10, size + 10);
    cluster.ask(conn, request);
    assert_eq!(batches(&mut cluster, conn), Some(1), "the first and ten bytes of the second");
    let request = follow(&cluster, orders, 0, size + 11, size + 10);
    cluster.ask(conn, request);
    assert_eq!(batches(&mut cluster, conn), None);
}

#[test]
fn the_first_batch_counts_whole_on_arrival_and_up_to_the_limit_while_parked() {
    let size = cluster::batch().len() as u32;
    let (mut cluster, orders) = Cluster::start(2);
    let conn = cluster.connect(1);
    let request = follow(&cluster, orders, 0, size, size - 1);
    cluster.ask(conn, request);
    append(&mut cluster, orders, 1);
    assert_eq!(
        batches(&mut cluster, conn),
        None,
        "case G: the partition has no more bytes within its limit"
    );
    let other = cluster.connect(1);
    let request = follow(&cluster, orders, 0, size, size - 1);
    cluster.ask(other, request);
    assert_eq!(batches(&mut cluster, other), Some(1), "KIP-74");
}
