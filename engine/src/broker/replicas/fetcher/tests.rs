//! The order of the partitions of a fetcher, and the partitions that a fetch names.

use super::*;
use crate::ids::TopicId;

const MAX_BYTES: u32 = 1000;

fn id(index: i32) -> TopicPartition {
    TopicPartition::new(TopicId(7), index)
}

fn state() -> FetchState {
    FetchState {
        fetch_offset: 0,
        leader_epoch: 0,
        last_fetched_epoch: None,
        log_start: 0,
        not_before: Mono::default(),
        place: 0,
        fetched: false,
    }
}

/// A fetcher of partitions 0, 1 and 2, in this order.
fn fetcher() -> Fetcher {
    let mut fetcher = Fetcher::default();
    for index in 0..3 {
        fetcher.insert(id(index), state());
    }
    fetcher
}

/// The partitions that the next fetch names, and those that it forgets.
fn next(fetcher: &mut Fetcher, now: Mono) -> (Vec<i32>, Vec<i32>) {
    let fetch = fetcher.session_fetch(now, MAX_BYTES);
    let named = fetch.partitions.iter().map(|read| read.partition.partition).collect();
    (named, fetch.forgotten.iter().map(|id| id.partition).collect())
}

fn respond(fetcher: &mut Fetcher, session_id: i32, indexes: &[i32]) -> bool {
    let answer = |index: &i32| FetchedPartition {
        partition: id(*index),
        error: ErrorCode::None,
        high_watermark: 0,
        last_stable_offset: 0,
        log_start_offset: 0,
        diverging_epoch: None,
        current_leader: None,
        aborted_transactions: None,
        preferred_read_replica: None,
        records: Default::default(),
    };
    let partitions = indexes.iter().map(answer).collect();
    let response = FetchResponse { error: ErrorCode::None, session_id, partitions };
    fetcher.session.on_response(&response)
}

#[test]
fn a_partition_moves_to_the_end_after_its_records_were_appended() {
    let mut fetcher = fetcher();
    assert_eq!(next(&mut fetcher, Mono(0)).0, [0, 1, 2]);
    fetcher.partitions.get_mut(&id(0)).unwrap().fetch_offset = 5;
    fetcher.move_to_end(id(0));
    assert_eq!(next(&mut fetcher, Mono(0)).0, [1, 2, 0], "B10: partitions take turns");
}

#[test]
fn a_fetch_names_only_partitions_that_have_changed() {
    let mut fetcher = fetcher();
    next(&mut fetcher, Mono(0));
    assert!(respond(&mut fetcher, 9, &[0, 1, 2]));
    assert_eq!(next(&mut fetcher, Mono(0)), (vec![], vec![]));
    assert!(respond(&mut fetcher, 9, &[]));
    fetcher.partitions.get_mut(&id(1)).unwrap().fetch_offset = 5;
    fetcher.move_to_end(id(1));
    fetcher.remove(id(2));
    fetcher.insert(id(3), state());
    assert_eq!(next(&mut fetcher, Mono(0)), (vec![1, 3], vec![2]));
}

#[test]
fn a_delayed_partition_leaves_the_session_and_returns() {
    let mut fetcher = fetcher();
    next(&mut fetcher, Mono(0));
    assert!(respond(&mut fetcher, 9, &[0, 1, 2]));
    fetcher.back_off(id(1), Mono(10));
    assert_eq!(next(&mut fetcher, Mono(0)), (vec![], vec![1]));
    assert!(respond(&mut fetcher, 9, &[]));
    assert_eq!(next(&mut fetcher, Mono(9)), (vec![], vec![]));
    assert!(respond(&mut fetcher, 9, &[]));
    fetcher.wake_delayed(Mono(10));
    assert_eq!(next(&mut fetcher, Mono(10)), (vec![1], vec![]));
}

#[test]
fn an_unexpected_error_of_the_log_fails_the_partition() {
    let failed = |error| matches!(not_appended(AppendError(error)), Applied::Failed);
    assert!(failed(ErrorCode::OffsetOutOfRange), "B11: offsets out of order");
    assert!(failed(ErrorCode::RecordListTooLarge), "B11: records too large");
    assert!(!failed(ErrorCode::CorruptMessage));
}
