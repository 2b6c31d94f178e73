use super::*;
use crate::client::testing::{Asked, Stage, boot, orders};
use crate::error::ErrorCode;
use crate::protocol::{
    EARLIEST_TIMESTAMP, EpochEndOffset, FetchMetadata, FetchRequest, FetchResponse,
    FetchedPartition, LATEST_TIMESTAMP, LeaderIdAndEpoch, ListOffsetsRequest, ListOffsetsResponse,
    ListedOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderEpochResult, Records, Request,
};
use crate::record::BatchBuilder;
use bytes::Bytes;
use machine::Span;

fn scene(leaders: &[(u16, i32)], reset: Reset) -> (Stage, Consumer) {
    let (mut stage, mut consumer) = unsettled(leaders, reset);
    stage.settle(&mut consumer);
    (stage, consumer)
}

fn unsettled(leaders: &[(u16, i32)], reset: Reset) -> (Stage, Consumer) {
    let config = ConsumerConfig { auto_offset_reset: reset, ..ConsumerConfig::default() };
    let mut stage = Stage::new(leaders);
    let mut consumer = Consumer::new(&config, Rulebook::kafka(), &boot(), &[1, 2, 3]);
    let partitions: Vec<_> = (0..leaders.len() as i32).map(|index| ("orders", index)).collect();
    consumer.assign(stage.now, &partitions, &mut stage.out);
    (stage, consumer)
}

fn batch(base: i64, count: i64, epoch: i32) -> Bytes {
    let mut builder = BatchBuilder::new().base_offset(base).leader_epoch(epoch);
    for _ in 0..count {
        builder.append(1, None, Some(b"value"), &[]);
    }
    builder.build()
}

fn fetch(asked: &Asked) -> &FetchRequest {
    let Request::Fetch(request) = &asked.body else { panic!("{asked:?}") };
    request
}

fn list_offsets(asked: &Asked) -> &ListOffsetsRequest {
    let Request::ListOffsets(request) = &asked.body else { panic!("{asked:?}") };
    request
}

fn epochs(asked: &Asked) -> &OffsetForLeaderEpochRequest {
    let Request::OffsetForLeaderEpoch(request) = &asked.body else { panic!("{asked:?}") };
    request
}

/// The offset that a fetch for one partition requests.
fn offset_of(asked: &Asked) -> i64 {
    fetch(asked).partitions[0].fetch_offset
}

fn fetched(error: ErrorCode, batches: Vec<Bytes>) -> FetchedPartition {
    FetchedPartition {
        partition: orders(0),
        error,
        high_watermark: 1000,
        last_stable_offset: 1000,
        log_start_offset: 0,
        diverging_epoch: None,
        current_leader: None,
        aborted_transactions: None,
        preferred_read_replica: None,
        records: Records(batches),
    }
}

fn fetch_response(partition: FetchedPartition) -> FetchResponse {
    FetchResponse {
        error: ErrorCode::None,
        session_id: FetchMetadata::NO_SESSION,
        partitions: vec![partition],
    }
}

fn listed(error: ErrorCode, offset: i64, epoch: i32) -> ListOffsetsResponse {
    let answer = ListedOffset {
        partition: orders(0),
        error,
        timestamp: -1,
        offset,
        leader_epoch: Some(epoch),
    };
    ListOffsetsResponse { partitions: vec![answer] }
}

fn end_of_epoch(end: Option<(i32, i64)>) -> OffsetForLeaderEpochResponse {
    let end = end.map(|(epoch, end_offset)| EpochEndOffset { epoch, end_offset });
    let answer = OffsetForLeaderEpochResult { partition: orders(0), error: ErrorCode::None, end };
    OffsetForLeaderEpochResponse { partitions: vec![answer] }
}

fn positioned(from: Option<i64>, to: i64, why: Positioning) -> ConsumerEvent {
    ConsumerEvent::Positioned { partition: orders(0), from, to, why }
}

fn error(error: ConsumerError) -> ConsumerEvent {
    ConsumerEvent::Error { partition: orders(0), error }
}

/// Broker 1 returned `at` as the end of the first partition.
fn is_end(event: &ConsumerEvent, at: i64) -> bool {
    matches!(event, ConsumerEvent::EndShown { partition, offset, broker: 1, .. }
        if *partition == orders(0) && *offset == at)
}

fn events(consumer: &mut Consumer) -> Vec<ConsumerEvent> {
    consumer.take_events().collect()
}

/// A consumer of one partition, led by broker 1 in epoch 3, that has read up to `offset`.
fn at(offset: i64, reset: Reset) -> (Stage, Consumer) {
    let (mut stage, mut consumer) = unsettled(&[(1, 3)], reset);
    consumer.seek(stage.now, "orders", 0, offset - 1, None, &mut stage.out);
    stage.settle(&mut consumer);
    let asked = stage.next();
    let records = fetched(ErrorCode::None, vec![batch(offset - 1, 1, 3)]);
    stage.answer(&mut consumer, &asked, fetch_response(records));
    assert_eq!(consumer.poll(stage.now, &mut stage.out)[0].to, offset);
    stage.settle(&mut consumer);
    consumer.take_events();
    (stage, consumer)
}

/// The same after a fetch response that names broker 2 as leader in epoch 4.
fn under_another_leader(offset: i64, reset: Reset) -> (Stage, Consumer) {
    let (mut stage, mut consumer) = at(offset, reset);
    let asked = stage.next();
    let mut moved = fetched(ErrorCode::NotLeaderOrFollower, vec![]);
    moved.current_leader = Some(LeaderIdAndEpoch { leader: Some(2), epoch: 4 });
    stage.leaders = vec![(Some(2), 4)];
    stage.answer(&mut consumer, &asked, fetch_response(moved));
    (stage, consumer)
}

#[test]
fn a_consumer_starts_at_the_reset_policy_and_returns_fetched_records() {
    let (mut stage, mut consumer) = scene(&[(1, 3)], Reset::Earliest);
    let asked = stage.next();
    assert_eq!(list_offsets(&asked).partitions[0].timestamp, EARLIEST_TIMESTAMP);
    stage.answer(&mut consumer, &asked, listed(ErrorCode::None, 5, 1));
    assert_eq!(events(&mut consumer), [positioned(None, 5, Positioning::Start)]);
    // The epoch in the response is not that of the leader, but the response is from this leader.
    let asked = stage.next();
    assert_eq!((offset_of(&asked), asked.broker), (5, 1));
    assert_eq!(fetch(&asked).partitions[0].current_leader_epoch, Some(3));
    let batches = vec![batch(4, 3, 3), batch(7, 600, 3)];
    stage.answer(&mut consumer, &asked, fetch_response(fetched(ErrorCode::None, batches)));
    assert!(stage.asked.is_empty(), "buffered records are not fetched again");
    let first = consumer.poll(stage.now, &mut stage.out);
    assert_eq!((first[0].from, first[0].to, first[0].records), (5, 505, 500));
    assert_eq!(first[0].batches.len(), 2);
    stage.settle(&mut consumer);
    assert!(stage.asked.is_empty() && consumer.has_records());
    let rest = consumer.poll(stage.now, &mut stage.out);
    assert_eq!((rest[0].from, rest[0].to, rest[0].records), (505, 607, 102));
    stage.settle(&mut consumer);
    assert_eq!(offset_of(&stage.next()), 607);
}

#[test]
fn without_a_reset_policy_a_partition_waits_for_a_seek() {
    let (mut stage, mut consumer) = scene(&[(1, 3)], Reset::None);
    assert_eq!(events(&mut consumer), [error(ConsumerError::NoOffset)]);
    stage.pass(&mut consumer, Span::secs(10));
    assert!(stage.asked.is_empty() && events(&mut consumer).is_empty());
    consumer.seek(stage.now, "orders", 0, 8, None, &mut stage.out);
    stage.settle(&mut consumer);
    assert_eq!(events(&mut consumer), [positioned(None, 8, Positioning::Seek)]);
    assert_eq!(offset_of(&stage.next()), 8);
}

#[test]
fn a_seek_before_the_topic_is_known_takes_effect_later() {
    let mut stage = Stage::new(&[]);
    let config = ConsumerConfig::default();
    let mut consumer = Consumer::new(&config, Rulebook::kafka(), &boot(), &[1]);
    consumer.assign(stage.now, &[("orders", 0)], &mut stage.out);
    consumer.seek(stage.now, "orders", 0, 8, None, &mut stage.out);
    stage.pass(&mut consumer, Span::secs(1));
    stage.leaders = vec![(Some(2), 0)];
    stage.pass(&mut consumer, Span::secs(2));
    assert_eq!(events(&mut consumer), [positioned(None, 8, Positioning::Seek)]);
    assert_eq!(offset_of(&stage.next()), 8);
}

#[test]
fn one_fetch_is_in_flight_to_each_leader() {
    let (mut stage, mut consumer) = scene(&[(1, 0), (2, 0), (1, 0)], Reset::None);
    for index in 0..3 {
        consumer.seek(stage.now, "orders", index, 0, None, &mut stage.out);
    }
    stage.settle(&mut consumer);
    let mut brokers: Vec<u16> = stage.asked.iter().map(|asked| asked.broker).collect();
    brokers.sort_unstable();
    assert_eq!(brokers, [1, 2]);
}

/// A3: records arrive in one of two partitions of a broker. The fetch after them is for both, and
/// goes out when the application has taken them; a fetch for the idle one alone would keep the
/// other waiting for `fetch.max.wait.ms`.
#[test]
fn the_next_fetch_to_a_leader_waits_for_the_application() {
    let (mut stage, mut consumer) = scene(&[(1, 3), (1, 3)], Reset::None);
    for index in 0..2 {
        consumer.seek(stage.now, "orders", index, 0, None, &mut stage.out);
    }
    stage.settle(&mut consumer);
    let first = stage.next();
    assert!(stage.asked.is_empty());
    let records = fetched(ErrorCode::None, vec![batch(0, 600, 3)]);
    let nothing = FetchedPartition { partition: orders(1), ..fetched(ErrorCode::None, vec![]) };
    let both = |asked: &Asked| -> Vec<_> {
        fetch(asked).partitions.iter().map(|p| (p.partition.partition, p.fetch_offset)).collect()
    };
    let mut response = fetch_response(records);
    response.partitions.push(nothing);
    if both(&first).len() == 1 {
        // The seek of the second partition came after the first fetch had gone out.
        stage.answer(&mut consumer, &first, fetch_response(response.partitions.remove(0)));
    } else {
        stage.answer(&mut consumer, &first, response);
    }
    assert!(stage.asked.is_empty(), "nothing is fetched while records are buffered");
    assert_eq!(consumer.poll(stage.now, &mut stage.out)[0].to, 500);
    stage.settle(&mut consumer);
    assert!(stage.asked.is_empty(), "some are still buffered");
    assert_eq!(consumer.poll(stage.now, &mut stage.out)[0].to, 600);
    stage.settle(&mut consumer);
    assert_eq!(both(&stage.next()), [(0, 600), (1, 0)]);
}

#[test]
fn a_position_out_of_range_follows_the_reset_policy() {
    let (mut stage, mut consumer) = at(10, Reset::Latest);
    let asked = stage.next();
    let out_of_range = fetch_response(fetched(ErrorCode::OffsetOutOfRange, vec![]));
    stage.answer(&mut consumer, &asked, out_of_range.clone());
    let asked = stage.next();
    assert_eq!(list_offsets(&asked).partitions[0].timestamp, LATEST_TIMESTAMP);
    stage.answer(&mut consumer, &asked, listed(ErrorCode::None, 7, 3));
    let moved = positioned(Some(10), 7, Positioning::OutOfRange);
    let seen = events(&mut consumer);
    assert!(is_end(&seen[0], 7) && seen[1..] == [moved], "{seen:?}");

    let (mut stage, mut consumer) = at(10, Reset::None);
    let asked = stage.next();
    stage.answer(&mut consumer, &asked, out_of_range);
    let expected = error(ConsumerError::OffsetOutOfRange { position: 10 });
    assert_eq!(events(&mut consumer), [expected]);
    assert!(stage.asked.is_empty());
}

#[test]
fn a_response_to_a_request_before_a_seek_is_stale() {
    let (mut stage, mut consumer) = at(10, Reset::Latest);
    let asked = stage.next();
    consumer.seek(stage.now, "orders", 0, 50, None, &mut stage.out);
    let out_of_range = fetched(ErrorCode::OffsetOutOfRange, vec![]);
    stage.answer(&mut consumer, &asked, fetch_response(out_of_range));
    assert_eq!(events(&mut consumer), [positioned(Some(10), 50, Positioning::Seek)]);
    assert_eq!(offset_of(&stage.next()), 50);
}

#[test]
fn under_a_new_leader_the_position_is_validated_before_the_next_fetch() {
    let (mut stage, mut consumer) = under_another_leader(10, Reset::Latest);
    let asked = stage.next();
    let question = epochs(&asked).partitions[0];
    assert_eq!((asked.broker, question.leader_epoch), (2, 3));
    assert_eq!(question.current_leader_epoch, Some(4));
    assert!(stage.asked.is_empty());
    stage.answer(&mut consumer, &asked, end_of_epoch(Some((3, 10))));
    let asked = stage.next();
    assert_eq!((asked.broker, offset_of(&asked)), (2, 10));
    assert_eq!(fetch(&asked).partitions[0].current_leader_epoch, Some(4));
    assert!(events(&mut consumer).is_empty());
}

#[test]
fn a_consumer_without_validation_reads_on_and_the_rule_is_reported() {
    let rules = crate::rules::Rules { has_to_validate: |_| false, ..crate::rules::Rules::kafka() };
    let (mut stage, mut consumer) = at(10, Reset::Latest);
    consumer.rules = Rulebook::compared(rules);
    let asked = stage.next();
    let mut moved = fetched(ErrorCode::NotLeaderOrFollower, vec![]);
    moved.current_leader = Some(LeaderIdAndEpoch { leader: Some(2), epoch: 4 });
    stage.answer(&mut consumer, &asked, fetch_response(moved));
    assert_eq!(offset_of(&stage.next()), 10);
    assert_eq!(stage.differed, ["has_to_validate"]);
}

#[test]
fn a_log_truncated_below_the_position_is_detected() {
    let (mut stage, mut consumer) = under_another_leader(10, Reset::Latest);
    let asked = stage.next();
    stage.answer(&mut consumer, &asked, end_of_epoch(Some((2, 6))));
    assert_eq!(events(&mut consumer), [positioned(Some(10), 6, Positioning::Truncated)]);
    assert_eq!(offset_of(&stage.next()), 6);

    let (mut stage, mut consumer) = under_another_leader(10, Reset::Earliest);
    let asked = stage.next();
    stage.answer(&mut consumer, &asked, end_of_epoch(None));
    let asked = stage.next();
    assert_eq!(list_offsets(&asked).partitions[0].timestamp, EARLIEST_TIMESTAMP);
    stage.answer(&mut consumer, &asked, listed(ErrorCode::None, 0, 4));
    assert_eq!(events(&mut consumer), [positioned(Some(10), 0, Positioning::Truncated)]);

    let (mut stage, mut consumer) = under_another_leader(10, Reset::None);
    let asked = stage.next();
    stage.answer(&mut consumer, &asked, end_of_epoch(Some((2, 6))));
    let diverging = Some(EpochEndOffset { epoch: 2, end_offset: 6 });
    let expected = error(ConsumerError::LogTruncation { position: 10, diverging });
    assert_eq!(events(&mut consumer), [expected]);
    assert!(stage.asked.is_empty());
}

#[test]
fn a_seek_during_validation_is_not_overwritten() {
    let (mut stage, mut consumer) = under_another_leader(10, Reset::Latest);
    let asked = stage.next();
    consumer.seek(stage.now, "orders", 0, 2, None, &mut stage.out);
    stage.settle(&mut consumer);
    stage.answer(&mut consumer, &asked, end_of_epoch(Some((2, 6))));
    assert_eq!(events(&mut consumer), [positioned(Some(10), 2, Positioning::Seek)]);
    assert_eq!(consumer.position(orders(0)), Some(2));
}

#[test]
fn a_leader_change_during_validation_restarts_it() {
    let (mut stage, mut consumer) = under_another_leader(10, Reset::Latest);
    let asked = stage.next();
    stage.leaders = vec![(Some(3), 5)];
    let mut fenced = end_of_epoch(None);
    fenced.partitions[0].error = ErrorCode::FencedLeaderEpoch;
    stage.answer(&mut consumer, &asked, fenced);
    stage.pass(&mut consumer, Span::millis(150));
    let asked = stage.next();
    let question = epochs(&asked).partitions[0];
    assert_eq!((asked.broker, question.current_leader_epoch), (3, Some(5)));
    stage.answer(&mut consumer, &asked, end_of_epoch(Some((3, 11))));
    assert_eq!(offset_of(&stage.next()), 10);
}

#[test]
fn records_buffered_before_validation_are_not_returned() {
    let (mut stage, mut consumer) = at(10, Reset::Latest);
    let asked = stage.next();
    let mut last = fetched(ErrorCode::None, vec![batch(10, 5, 3)]);
    last.current_leader = Some(LeaderIdAndEpoch { leader: Some(2), epoch: 4 });
    stage.answer(&mut consumer, &asked, fetch_response(last));
    assert!(!consumer.has_records());
    assert_eq!(epochs(&stage.next()).partitions[0].leader_epoch, 3);
}

#[test]
fn the_end_offset_is_requested_until_a_leader_returns_it() {
    let (mut stage, mut consumer) = at(10, Reset::Latest);
    consumer.request_end(stage.now, "orders", 0, &mut stage.out);
    stage.settle(&mut consumer);
    let (first, asked) = (stage.next(), stage.next());
    let before = stage.metadata_requests;
    stage.answer(&mut consumer, &first, fetch_response(fetched(ErrorCode::None, vec![])));
    stage.answer(&mut consumer, &asked, listed(ErrorCode::OffsetNotAvailable, -1, 0));
    assert!(events(&mut consumer).is_empty() && stage.metadata_requests > before);
    stage.pass(&mut consumer, Span::millis(150));
    let first = stage.next();
    let asked = stage.next();
    stage.answer(&mut consumer, &first, fetch_response(fetched(ErrorCode::None, vec![])));
    stage.answer(&mut consumer, &asked, listed(ErrorCode::None, 12, 3));
    let seen = events(&mut consumer);
    assert!(seen.len() == 1 && is_end(&seen[0], 12), "{seen:?}");
    assert_eq!(consumer.position(orders(0)), Some(10));
}

/// S7: `offsetsForTimes`, which returns an offset, or none if no record is late enough.
#[test]
fn the_offset_of_a_timestamp_is_requested_until_a_leader_returns_it() {
    let (mut stage, mut consumer) = at(10, Reset::Latest);
    let mut fetch = stage.next();
    for (error, offset, shown) in [
        (ErrorCode::NotLeaderOrFollower, -1, None),
        (ErrorCode::None, 4, Some(Some(4))),
        (ErrorCode::None, -1, Some(None)),
    ] {
        if stage.asked.is_empty() {
            consumer.request_time(stage.now, "orders", 0, 1_234, &mut stage.out);
            stage.pass(&mut consumer, Span::millis(150));
        }
        let asked = stage.next();
        assert_eq!(list_offsets(&asked).partitions[0].timestamp, 1_234);
        // Responses come in order, so the fetch goes first.
        stage.answer(&mut consumer, &fetch, fetch_response(fetched(ErrorCode::None, vec![])));
        fetch = stage.next();
        stage.answer(&mut consumer, &asked, listed(error, offset, 3));
        let expected = shown.map(|offset| ConsumerEvent::TimeShown {
            partition: orders(0),
            timestamp: 1_234,
            offset,
            broker: 1,
        });
        assert_eq!(events(&mut consumer), Vec::from_iter(expected));
        if shown.is_none() {
            // The request is sent again without a call of the application.
            stage.pass(&mut consumer, Span::millis(150));
        }
    }
}

#[test]
fn a_corrupt_batch_is_an_error_until_the_application_seeks() {
    let (mut stage, mut consumer) = at(10, Reset::Latest);
    let asked = stage.next();
    let mut broken = batch(10, 1, 3).to_vec();
    *broken.last_mut().unwrap() ^= 1;
    let records = fetched(ErrorCode::None, vec![broken.into()]);
    stage.answer(&mut consumer, &asked, fetch_response(records));
    assert!(consumer.poll(stage.now, &mut stage.out).is_empty());
    assert_eq!(events(&mut consumer), [error(ConsumerError::Corrupt { position: 10 })]);
    stage.pass(&mut consumer, Span::secs(60));
    assert!(stage.asked.is_empty(), "it is not fetched again");
    consumer.seek(stage.now, "orders", 0, 13, None, &mut stage.out);
    stage.settle(&mut consumer);
    assert_eq!(offset_of(&stage.next()), 13);
}

#[test]
fn a_lost_fetch_is_sent_again_over_a_new_connection() {
    let (mut stage, mut consumer) = at(10, Reset::Latest);
    let asked = stage.next();
    stage.cut(&mut consumer, &asked);
    stage.pass(&mut consumer, Span::millis(60));
    let again = stage.next();
    assert_ne!(again.conn, asked.conn);
    assert_eq!(offset_of(&again), 10);
}
