//! An idempotent producer, and brokers whose responses a test chooses.

mod rules;

use super::sequences::{Identity, Sequence};
use super::*;
use crate::client::testing::{Asked, Stage, boot, orders};
use crate::ids::TopicPartition;
use crate::protocol::{
    InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducedPartition, Request,
};
use crate::record;
use machine::Span;

/// A producer without linger on partitions led by these brokers.
fn scene_with(
    leaders: &[u16],
    rules: Rulebook,
    change: impl FnOnce(&mut ProducerConfig),
) -> (Stage, Producer) {
    let mut config = ProducerConfig { linger: Span::ZERO, ..ProducerConfig::default() };
    change(&mut config);
    let leaders: Vec<_> = leaders.iter().map(|id| (*id, 1)).collect();
    (Stage::new(&leaders), Producer::new(&config, rules, &boot(), &[1, 2, 3]))
}

/// The same with id 9000 in epoch 0, after its first batch, with tag 0, has been confirmed.
fn begun(leaders: &[u16], change: impl FnOnce(&mut ProducerConfig)) -> (Stage, Producer) {
    let (mut stage, mut producer) = scene_with(leaders, Rulebook::kafka(), change);
    send(&mut stage, &mut producer, 0, 0);
    stage.settle(&mut producer);
    give_id(&mut stage, &mut producer, 9000);
    stage.pass(&mut producer, Span::millis(5));
    let first = stage.next();
    assert_eq!(batches(&first), [(0, 9000, 0, 0, 1)]);
    answer(&mut stage, &mut producer, &first, ErrorCode::None);
    producer.take_events();
    (stage, producer)
}

fn give_id(stage: &mut Stage, producer: &mut Producer, id: i64) {
    let asked = stage.next();
    assert!(matches!(asked.body, Request::InitProducerId(_)), "{asked:?}");
    let error = ErrorCode::None;
    let given = InitProducerIdResponse { error, producer_id: id, producer_epoch: 0 };
    stage.answer(producer, &asked, given);
}

/// Sends a record in a batch of its own.
fn send(stage: &mut Stage, producer: &mut Producer, partition: i32, tag: u64) {
    let record = ProducerRecord {
        topic: "orders",
        partition: Some(partition),
        key: None,
        value: Some(b"value"),
        headers: &[],
        timestamp: None,
    };
    producer.send(stage.now, record, tag, &mut stage.out).unwrap();
    stage.settle(producer);
}

fn produce(asked: &Asked) -> &ProduceRequest {
    let Request::Produce(request) = &asked.body else { panic!("{asked:?}") };
    request
}

/// The batches of a request: partition, producer id, epoch, first sequence, records.
fn batches(asked: &Asked) -> Vec<(i32, i64, i16, i32, i32)> {
    let batch = |partition: &crate::protocol::ProducePartition| {
        let view = record::Batch::new(&partition.records).expect("a batch");
        view.check_crc().expect("a checksum");
        let (epoch, sequence) = (view.producer_epoch(), view.base_sequence());
        let index = partition.partition.partition;
        (index, view.producer_id(), epoch, sequence, view.record_count())
    };
    produce(asked).partitions.iter().map(batch).collect()
}

fn answer(stage: &mut Stage, producer: &mut Producer, asked: &Asked, error: ErrorCode) {
    let partition = |partition: TopicPartition| ProducedPartition {
        partition,
        error,
        base_offset: if error.is_none() { 40 } else { -1 },
        log_append_time: -1,
        log_start_offset: 0,
        current_leader: None,
    };
    let partitions = produce(asked).partitions.iter().map(|it| partition(it.partition)).collect();
    stage.answer(producer, asked, ProduceResponse { partitions });
}

/// The tags that were confirmed, in order.
fn confirmed(producer: &mut Producer) -> Vec<u64> {
    let tags = |event| match event {
        ProducerEvent::Confirmed { tags, .. } => tags,
        _ => Vec::new(),
    };
    producer.take_events().flat_map(tags).collect()
}

#[test]
fn without_a_producer_id_no_batch_is_sent_and_none_expires() {
    let (mut stage, mut producer) = scene_with(&[1], Rulebook::kafka(), |config| {
        config.delivery_timeout = Span::secs(2);
        config.request_timeout = Span::secs(30);
    });
    send(&mut stage, &mut producer, 0, 0);
    let asked = stage.next();
    assert!(matches!(asked.body, Request::InitProducerId(_)));
    let error = ErrorCode::CoordinatorLoadInProgress;
    let refused = InitProducerIdResponse { error, producer_id: -1, producer_epoch: -1 };
    stage.answer(&mut producer, &asked, refused);
    stage.pass(&mut producer, Span::millis(99));
    assert!(stage.asked.is_empty(), "after the back-off");
    stage.pass(&mut producer, Span::millis(1));
    let again = stage.next();
    stage.cut(&mut producer, &again);
    stage.pass(&mut producer, Span::secs(10));
    assert!(!producer.take_events().any(|event| matches!(event, ProducerEvent::Failed { .. })));
    give_id(&mut stage, &mut producer, 12);
    // Only now does the batch expire.
    let failed = producer.take_events().find(|event| matches!(event, ProducerEvent::Failed { .. }));
    let Some(ProducerEvent::Failed { maybe_written, tags, .. }) = failed else { panic!("expired") };
    assert_eq!((maybe_written, tags), (false, vec![0]));
}

#[test]
fn sequences_count_records_by_partition() {
    let (mut stage, mut producer) = begun(&[1, 1], |config| config.linger = Span::millis(5));
    for (partition, tag) in [(0, 1), (0, 2), (1, 3)] {
        send(&mut stage, &mut producer, partition, tag);
    }
    stage.pass(&mut producer, Span::millis(5));
    let asked = stage.next();
    assert_eq!(batches(&asked), [(0, 9000, 0, 1, 2), (1, 9000, 0, 0, 1)]);
    send(&mut stage, &mut producer, 0, 4);
    stage.pass(&mut producer, Span::millis(5));
    assert_eq!(batches(&stage.next()), [(0, 9000, 0, 3, 1)], "five may be in flight");
}

#[test]
fn failed_batches_are_sent_again_one_at_a_time_and_in_order() {
    let (mut stage, mut producer) = begun(&[1], |_| {});
    for tag in 1..4 {
        send(&mut stage, &mut producer, 0, tag);
    }
    let (first, second, third) = (stage.next(), stage.next(), stage.next());
    answer(&mut stage, &mut producer, &first, ErrorCode::NotEnoughReplicas);
    let gap = ErrorCode::OutOfOrderSequenceNumber;
    answer(&mut stage, &mut producer, &second, gap);
    answer(&mut stage, &mut producer, &third, gap);
    send(&mut stage, &mut producer, 0, 4);
    for sequence in 1..4 {
        stage.pass(&mut producer, Span::secs(2));
        let again = stage.next();
        assert_eq!(batches(&again), [(0, 9000, 0, sequence, 1)], "with its own sequence");
        assert_eq!(stage.asked.is_empty(), sequence < 3, "new batches follow the last failed one");
        answer(&mut stage, &mut producer, &again, ErrorCode::None);
    }
    let new = stage.next();
    assert_eq!(batches(&new), [(0, 9000, 0, 4, 1)]);
    answer(&mut stage, &mut producer, &new, ErrorCode::None);
    assert_eq!(confirmed(&mut producer), [1, 2, 3, 4]);
    assert_eq!(producer.stats().epochs, 0);
}

#[test]
fn a_batch_that_fails_late_is_queued_by_its_sequence() {
    let (mut stage, mut producer) = begun(&[1], |_| {});
    for tag in 1..4 {
        send(&mut stage, &mut producer, 0, tag);
    }
    let asked: Vec<_> = (0..3).map(|_| stage.next()).collect();
    // The responses of one connection come in order; the leader has changed, and all come at once.
    stage.leaders = vec![(Some(2), 2)];
    stage.cut(&mut producer, &asked[0]);
    for sequence in 1..4 {
        stage.pass(&mut producer, Span::secs(2));
        let again = stage.next();
        assert_eq!((again.broker, batches(&again)), (2, vec![(0, 9000, 0, sequence, 1)]));
        answer(&mut stage, &mut producer, &again, ErrorCode::None);
    }
    assert_eq!(confirmed(&mut producer), [1, 2, 3]);
}

#[test]
fn a_partition_that_waits_delays_later_partitions_of_that_broker() {
    let (mut stage, mut producer) = begun(&[1, 1, 2], |_| {});
    for tag in 1..3 {
        send(&mut stage, &mut producer, 0, tag);
    }
    let (first, second) = (stage.next(), stage.next());
    answer(&mut stage, &mut producer, &first, ErrorCode::NotEnoughReplicas);
    answer(&mut stage, &mut producer, &second, ErrorCode::OutOfOrderSequenceNumber);
    stage.pass(&mut producer, Span::secs(2));
    let again = stage.next();
    assert_eq!(batches(&again), [(0, 9000, 0, 1, 1)]);
    send(&mut stage, &mut producer, 1, 8);
    assert!(stage.asked.is_empty(), "partition 1 waits for 0");
    send(&mut stage, &mut producer, 2, 9);
    assert_eq!(stage.next().broker, 2, "another broker does not");
    answer(&mut stage, &mut producer, &again, ErrorCode::None);
    assert!(!stage.asked.is_empty());
}

/// The leader has lost its producer state, so that even the first batch is out of order.
#[test]
fn a_gap_begins_a_new_epoch_and_renumbers_batches_in_flight() {
    let (mut stage, mut producer) = begun(&[1, 2], |_| {});
    send(&mut stage, &mut producer, 1, 1);
    let other = stage.next();
    for tag in 2..4 {
        send(&mut stage, &mut producer, 0, tag);
    }
    let (first, second) = (stage.next(), stage.next());
    assert_eq!(
        (batches(&first), batches(&second)),
        (vec![(0, 9000, 0, 1, 1)], vec![(0, 9000, 0, 2, 1)],)
    );
    answer(&mut stage, &mut producer, &first, ErrorCode::OutOfOrderSequenceNumber);
    let events: Vec<_> = producer.take_events().collect();
    let partition = orders(0);
    assert!(events.contains(&ProducerEvent::Renumbered { partition, tags: vec![2] }));
    assert!(events.contains(&ProducerEvent::Renumbered { partition, tags: vec![3] }));
    assert!(events.contains(&ProducerEvent::Identified { producer_id: 9000, producer_epoch: 1 }));
    answer(&mut stage, &mut producer, &second, ErrorCode::OutOfOrderSequenceNumber);
    for sequence in 0..2 {
        stage.pass(&mut producer, Span::secs(2));
        let again = stage.next();
        assert_eq!(batches(&again), [(0, 9000, 1, sequence, 1)]);
        answer(&mut stage, &mut producer, &again, ErrorCode::None);
    }
    // The other partition stays in its epoch until nothing of it is in flight.
    send(&mut stage, &mut producer, 1, 4);
    assert!(stage.asked.is_empty());
    answer(&mut stage, &mut producer, &other, ErrorCode::None);
    assert_eq!(batches(&stage.next()), [(1, 9000, 1, 0, 1)], "KAFKA-12152");
    assert_eq!(producer.stats().epochs, 1);
}

#[test]
fn after_an_expired_batch_new_ones_wait_until_a_gap_is_certain_or_excluded() {
    let hurried = |config: &mut ProducerConfig| {
        config.delivery_timeout = Span::secs(2);
        config.request_timeout = Span::secs(30);
    };
    // The expired batch was written after all: no gap, the epoch stays.
    let (mut stage, mut producer) = begun(&[1], hurried);
    send(&mut stage, &mut producer, 0, 1);
    let first = stage.next();
    answer(&mut stage, &mut producer, &first, ErrorCode::NotLeaderOrFollower);
    stage.pass(&mut producer, Span::secs(1));
    let again = stage.next();
    stage.pass(&mut producer, Span::secs(2));
    send(&mut stage, &mut producer, 0, 2);
    assert_eq!(batches(&stage.next()), [(0, 9000, 1, 0, 1)], "nothing is in flight: a new epoch");
    answer(&mut stage, &mut producer, &again, ErrorCode::None);
    assert_eq!(producer.stats().epochs, 1);

    // A later batch is still in flight, and its outcome decides.
    for (outcome, expected) in [(ErrorCode::None, 0), (ErrorCode::RequestTimedOut, 1)] {
        let (mut stage, mut producer) = begun(&[1], hurried);
        send(&mut stage, &mut producer, 0, 1);
        let first = stage.next();
        stage.pass(&mut producer, Span::secs(1));
        send(&mut stage, &mut producer, 0, 2);
        let second = stage.next();
        answer(&mut stage, &mut producer, &first, ErrorCode::NotLeaderOrFollower);
        stage.pass(&mut producer, Span::millis(500));
        let again = stage.next();
        assert_eq!(batches(&again), [(0, 9000, 0, 1, 1)]);
        stage.pass(&mut producer, Span::millis(500));
        send(&mut stage, &mut producer, 0, 3);
        assert!(stage.asked.is_empty(), "1 has expired, 2 is on its way, 3 waits");
        answer(&mut stage, &mut producer, &second, outcome);
        stage.pass(&mut producer, Span::secs(4));
        answer(&mut stage, &mut producer, &again, ErrorCode::RequestTimedOut);
        stage.pass(&mut producer, Span::secs(1));
        assert_eq!(producer.stats().epochs, expected, "{outcome}");
    }
}

#[test]
fn a_batch_that_finally_fails_leaves_a_gap_that_a_new_epoch_closes() {
    let (mut stage, mut producer) = begun(&[1], |_| {});
    for tag in 1..3 {
        send(&mut stage, &mut producer, 0, tag);
    }
    let (first, second) = (stage.next(), stage.next());
    answer(&mut stage, &mut producer, &first, ErrorCode::InvalidRecord);
    answer(&mut stage, &mut producer, &second, ErrorCode::OutOfOrderSequenceNumber);
    stage.pass(&mut producer, Span::secs(2));
    let again = stage.next();
    assert_eq!(batches(&again), [(0, 9000, 1, 0, 1)]);
    answer(&mut stage, &mut producer, &again, ErrorCode::None);
    assert_eq!(confirmed(&mut producer), [2]);
}

#[test]
fn parts_of_a_batch_share_its_sequences() {
    let (mut stage, mut producer) = begun(&[1], |config| {
        config.linger = Span::millis(5);
        config.batch_size = 16_384;
    });
    for tag in 1..4 {
        send(&mut stage, &mut producer, 0, tag);
    }
    stage.pass(&mut producer, Span::millis(5));
    let asked = stage.next();
    assert_eq!(batches(&asked), [(0, 9000, 0, 1, 3)]);
    // The limit is below the size known to the producer, which therefore splits a part again.
    producer.config.batch_size = 80;
    answer(&mut stage, &mut producer, &asked, ErrorCode::MessageTooLarge);
    for sequence in 1..4 {
        let part = stage.next();
        assert_eq!(batches(&part), [(0, 9000, 0, sequence, 1)]);
        answer(&mut stage, &mut producer, &part, ErrorCode::None);
    }
    assert_eq!(confirmed(&mut producer), [1, 2, 3]);
}

#[test]
fn a_duplicate_that_is_not_remembered_counts_as_written() {
    let (mut stage, mut producer) = begun(&[1], |_| {});
    send(&mut stage, &mut producer, 0, 1);
    let asked = stage.next();
    answer(&mut stage, &mut producer, &asked, ErrorCode::DuplicateSequenceNumber);
    assert_eq!(confirmed(&mut producer), [1]);
    send(&mut stage, &mut producer, 0, 2);
    assert_eq!(batches(&stage.next()), [(0, 9000, 0, 2, 1)]);
}

#[test]
fn after_the_last_epoch_a_producer_gets_a_new_id() {
    let (mut stage, mut producer) = begun(&[1], |_| {});
    let sequences = producer.sequences.as_mut().unwrap();
    sequences.producer.epoch = i16::MAX;
    send(&mut stage, &mut producer, 0, 1);
    let asked = stage.next();
    assert_eq!(batches(&asked), [(0, 9000, i16::MAX, 0, 1)]);
    answer(&mut stage, &mut producer, &asked, ErrorCode::InvalidRecord);
    send(&mut stage, &mut producer, 0, 2);
    give_id(&mut stage, &mut producer, 9500);
    assert_eq!(batches(&stage.next()), [(0, 9500, 0, 0, 1)]);
}

#[test]
fn sequences_wrap_to_zero() {
    let (mut stage, mut producer) = begun(&[1], |_| {});
    let id = Identity { id: 9000, epoch: 0 };
    let sequences = producer.sequences.as_mut().unwrap();
    let before = sequences.assign(0, i32::MAX as usize - 2);
    sequences.untrack(0, before);
    assert_eq!(sequences.assign(0, 3), Sequence { producer: id, first: i32::MAX - 1 });
    sequences.untrack(0, Sequence { producer: id, first: i32::MAX - 1 });
    send(&mut stage, &mut producer, 0, 1);
    assert_eq!(batches(&stage.next()), [(0, 9000, 0, 1, 1)], "MAX - 1, MAX, 0, then 1");
    assert_eq!(producer.sequences.as_ref().unwrap().in_flight(0), 1);
}

#[test]
fn without_acks_all_or_retries_a_producer_is_not_idempotent() {
    for change in [
        |config: &mut ProducerConfig| config.acks = crate::config::Acks::Leader,
        |config: &mut ProducerConfig| config.retries = 0,
        |config: &mut ProducerConfig| config.enable_idempotence = false,
    ] {
        let (mut stage, mut producer) = scene_with(&[1], Rulebook::kafka(), change);
        send(&mut stage, &mut producer, 0, 0);
        assert_eq!(batches(&stage.next()), [(0, -1, -1, -1, 1)]);
    }
}
