//! Sequences, ids and snapshots of idempotent producers.

use super::{finish, names, orders};
use crate::testing::{History, ORDERS, numbers};
use bytes::{BufMut, Bytes, BytesMut};
use engine::fact::Fact;

/// The producer's id.
const ID: i64 = 5;

/// Batches of one record each, by epoch and sequence.
fn log(batches: &[(i16, i32)]) -> History {
    let mut history = History::new(2);
    history.setup.producers[0].idempotence = true;
    for (count, (epoch, sequence)) in batches.iter().enumerate() {
        let of = numbers(count..count + 1);
        history.send(ORDERS, &of, -1);
        history.write_as(1, ORDERS, 0, (ID, *epoch, *sequence), &of);
        history.follow(2, 1, ORDERS);
        history.follow(3, 1, ORDERS);
        history.watermark(1, &[2, 3], ORDERS, 0);
        history.confirm(1, ORDERS, count as i64, &of, -1);
    }
    finish(history, 1)
}

#[test]
fn sequences_follow_one_another_and_epochs_do_not_decrease() {
    let found = |batches: &[(i16, i32)]| log(batches).findings();
    for good in [
        &[(0, 0), (0, 1), (0, 2)][..],
        &[(0, 7), (0, 8)],
        &[(0, 0), (1, 0), (1, 1)],
        &[(0, i32::MAX), (0, 0)],
    ] {
        assert_eq!(found(good), vec![], "{good:?}");
    }
    let wrong = |at| vec![orders("sequences-follow", at)];
    assert_eq!(found(&[(0, 0), (0, 0)]), wrong(1), "twice");
    assert_eq!(found(&[(0, 0), (0, 1), (0, 3)]), wrong(2), "a gap");
    assert_eq!(found(&[(0, 0), (0, 1), (0, 2), (0, 1)]), wrong(3), "an earlier one");
    assert_eq!(found(&[(0, 0), (1, 1)]), wrong(1), "a new epoch begins at 0");
    assert_eq!(
        found(&[(1, 0), (0, 1)])[0],
        orders("sequences-follow", 1),
        "an epoch that was left"
    );
}

#[test]
fn a_producer_id_is_given_to_one_producer() {
    let given = |ids: &[(u16, i64)]| {
        let mut history = History::new(2);
        for (broker, producer_id) in ids {
            history.fact(*broker, Fact::ProducerIdIssued { producer_id: *producer_id });
        }
        names(&finish(history, 1))
    };
    assert_eq!(given(&[(1, 0), (2, 1000), (1, 1)]), Vec::<&str>::new());
    assert_eq!(given(&[(1, 0), (2, 0)]), ["producer-id-once"], "KAFKA-13357");
}

/// A snapshot with these entries: id, epoch, last sequence, last offset.
fn snapshot(entries: &[(i64, i16, i32, i64)]) -> Bytes {
    let mut content = BytesMut::new();
    content.put_i32(entries.len() as i32);
    for (id, epoch, sequence, offset) in entries {
        content.put_i64(*id);
        content.put_i16(*epoch);
        content.put_i32(*sequence);
        content.put_i64(*offset);
        content.put_i32(0);
        content.put_i64(1_000);
        content.put_i32(-1);
        content.put_i64(-1);
    }
    let mut bytes = BytesMut::new();
    bytes.put_i16(1);
    bytes.put_u32(crc32c::crc32c(&content));
    bytes.put_slice(&content);
    bytes.freeze()
}

#[test]
fn a_snapshot_matches_the_log_before_it() {
    let with = |offset: i64, bytes: Bytes| {
        let mut history = log(&[(0, 0), (0, 1), (1, 0)]);
        history.snapshots.insert((2, ORDERS), vec![(offset, bytes)]);
        history.findings()
    };
    assert_eq!(with(2, snapshot(&[(ID, 0, 1, 1)])), vec![]);
    assert_eq!(with(3, snapshot(&[(ID, 1, 0, 2)])), vec![]);
    let wrong = |at| vec![orders("snapshots-of-producers", at)];
    assert_eq!(with(2, snapshot(&[(ID, 1, 0, 2)])), wrong(2), "what comes after it");
    assert_eq!(with(3, snapshot(&[(ID, 0, 1, 1)])), wrong(3), "less than there is");
    assert_eq!(with(3, snapshot(&[])), wrong(3), "a producer is missing");
    assert_eq!(with(3, snapshot(&[(ID, 1, 0, 2), (9, 0, 0, 0)])), wrong(3), "one too many");
    // An unreadable snapshot is ignored, and one beyond the log end is removed.
    let torn = snapshot(&[(ID, 0, 1, 1)]).slice(..20);
    assert_eq!(with(3, torn), vec![]);
    assert_eq!(with(9, snapshot(&[])), vec![]);
}
