use super::*;
use crate::client::testing::{Asked, Stage, boot, orders};
use crate::config::{Acks, Partitioner};
use crate::ids::TopicPartition;
use crate::protocol::{
    LeaderIdAndEpoch, ProduceRequest, ProduceResponse, ProducedPartition, Request,
};
use crate::record;
use machine::Span;

/// A producer without linger and idempotence on partitions led by these brokers, all in epoch 1.
fn scene(leaders: &[u16], change: impl FnOnce(&mut ProducerConfig)) -> (Stage, Producer) {
    let defaults = ProducerConfig::default();
    let mut config = ProducerConfig { linger: Span::ZERO, enable_idempotence: false, ..defaults };
    change(&mut config);
    let leaders: Vec<_> = leaders.iter().map(|id| (*id, 1)).collect();
    (Stage::new(&leaders), Producer::new(&config, Rulebook::kafka(), &boot(), &[1, 2, 3]))
}

fn send(stage: &mut Stage, producer: &mut Producer, partition: i32, tag: u64) {
    send_value(stage, producer, Some(partition), tag, b"value");
}

fn send_value(
    stage: &mut Stage,
    producer: &mut Producer,
    partition: Option<i32>,
    tag: u64,
    value: &[u8],
) {
    let record = ProducerRecord {
        topic: "orders",
        partition,
        key: None,
        value: Some(value),
        headers: &[],
        timestamp: None,
    };
    producer.send(stage.now, record, tag, &mut stage.out).unwrap();
}

fn produce(asked: &Asked) -> &ProduceRequest {
    let Request::Produce(request) = &asked.body else { panic!("{asked:?}") };
    request
}

/// The partitions of a request with the number of records for each.
fn contents(asked: &Asked) -> Vec<(i32, usize)> {
    let count = |records| record::records(records).unwrap().len();
    let partitions = &produce(asked).partitions;
    partitions.iter().map(|p| (p.partition.partition, count(&p.records))).collect()
}

fn respond(asked: &Asked, error: ErrorCode, hint: Option<LeaderIdAndEpoch>) -> ProduceResponse {
    let partition = |partition: TopicPartition| ProducedPartition {
        partition,
        error,
        base_offset: if error.is_none() { 40 } else { -1 },
        log_append_time: -1,
        log_start_offset: 0,
        current_leader: hint,
    };
    let partitions = &produce(asked).partitions;
    ProduceResponse { partitions: partitions.iter().map(|p| partition(p.partition)).collect() }
}

impl Stage {
    fn accept(&mut self, producer: &mut Producer, asked: &Asked) {
        self.answer(producer, asked, respond(asked, ErrorCode::None, None));
    }

    fn refuse(&mut self, producer: &mut Producer, asked: &Asked, error: ErrorCode) {
        self.answer(producer, asked, respond(asked, error, None));
    }
}

/// The tags of confirmed batches, in the order of the callbacks.
fn confirmed(producer: &mut Producer) -> Vec<Vec<u64>> {
    let tags = |event| match event {
        ProducerEvent::Confirmed { tags, .. } => Some(tags),
        ProducerEvent::Failed { .. } => panic!("{event:?}"),
        _ => None,
    };
    producer.take_events().filter_map(tags).collect()
}

/// What failed: error, doubt, tags.
fn failed(producer: &mut Producer) -> Vec<(ErrorCode, bool, Vec<u64>)> {
    let failure = |event| match event {
        ProducerEvent::Failed { error, maybe_written, tags, .. } => {
            Some((error, maybe_written, tags))
        }
        _ => None,
    };
    producer.take_events().filter_map(failure).collect()
}

#[test]
fn batches_of_one_handler_share_requests_and_callbacks_follow_the_order_of_sends() {
    let (mut stage, mut producer) = scene(&[1, 2, 1], |_| {});
    for tag in 0..9 {
        send(&mut stage, &mut producer, tag as i32 % 3, tag);
    }
    stage.settle(&mut producer);
    let (first, second) = (stage.next(), stage.next());
    let mut requests = [(first.broker, contents(&first)), (second.broker, contents(&second))];
    requests.sort();
    assert_eq!(requests, [(1, vec![(0, 3), (2, 3)]), (2, vec![(1, 3)])]);
    assert_eq!(produce(&first).acks, -1);
    for asked in [first, second] {
        stage.accept(&mut producer, &asked);
    }
    let events: Vec<_> = producer.take_events().collect();
    assert_eq!(events[0], ProducerEvent::Sent { tag: 0, partition: orders(0) });
    let mut batches: Vec<_> = events.into_iter().skip(9).collect();
    batches.sort_by_key(|event| match event {
        ProducerEvent::Confirmed { tags, .. } => tags[0],
        _ => u64::MAX,
    });
    for (index, event) in batches.into_iter().enumerate() {
        let tags = vec![index as u64, index as u64 + 3, index as u64 + 6];
        let ProducerEvent::Confirmed { partition, base_offset, tags: confirmed, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!((partition, base_offset, confirmed), (orders(index as i32), Some(40), tags));
    }
    assert!(producer.is_idle());
}

#[test]
fn a_batch_lingers_until_it_is_full() {
    let (mut stage, mut producer) = scene(&[1], |config| {
        config.linger = Span::millis(5);
        config.batch_size = 200;
    });
    send(&mut stage, &mut producer, 0, 0);
    stage.settle(&mut producer);
    stage.pass(&mut producer, Span::millis(4));
    assert!(stage.asked.is_empty());
    stage.pass(&mut producer, Span::millis(1));
    assert_eq!(contents(&stage.next()), [(0, 1)]);
    for tag in 1..20 {
        send(&mut stage, &mut producer, 0, tag);
    }
    stage.settle(&mut producer);
    assert_eq!(contents(&stage.next()), [(0, 11)], "full ones leave at once");
}

#[test]
fn with_one_request_in_flight_a_partition_is_muted_and_keeps_its_order() {
    let (mut stage, mut producer) = scene(&[1], |config| config.max_in_flight = 1);
    send(&mut stage, &mut producer, 0, 0);
    stage.settle(&mut producer);
    send(&mut stage, &mut producer, 0, 1);
    stage.settle(&mut producer);
    let first = stage.next();
    assert!(stage.asked.is_empty());
    stage.refuse(&mut producer, &first, ErrorCode::NotEnoughReplicas);
    assert!(stage.asked.is_empty(), "the second batch waits behind the first one's back-off");
    let last = producer.take_events().next_back();
    let error = ErrorCode::NotEnoughReplicas;
    assert_eq!(last, Some(ProducerEvent::Retried { partition: orders(0), error, tags: vec![0] }));
    stage.pass(&mut producer, Span::millis(120));
    let again = stage.next();
    stage.accept(&mut producer, &again);
    let second = stage.next();
    stage.accept(&mut producer, &second);
    assert_eq!(confirmed(&mut producer), [[0], [1]]);
    assert_eq!(producer.stats().retries, 1);
}

#[test]
fn with_five_in_flight_and_no_idempotence_a_retry_is_overtaken() {
    let (mut stage, mut producer) = scene(&[1], |_| {});
    for tag in 0..2 {
        send(&mut stage, &mut producer, 0, tag);
        stage.settle(&mut producer);
    }
    let (first, second) = (stage.next(), stage.next());
    stage.refuse(&mut producer, &first, ErrorCode::NotEnoughReplicas);
    stage.accept(&mut producer, &second);
    stage.pass(&mut producer, Span::millis(120));
    let again = stage.next();
    stage.accept(&mut producer, &again);
    assert_eq!(confirmed(&mut producer), [[1], [0]]);
}

#[test]
fn a_hint_of_another_leader_saves_the_back_off() {
    let (mut stage, mut producer) = scene(&[1], |_| {});
    send(&mut stage, &mut producer, 0, 0);
    stage.settle(&mut producer);
    let asked = stage.next();
    // The brokers' metadata lags behind, and does not undo the hint.
    let hint = Some(LeaderIdAndEpoch { leader: Some(2), epoch: 2 });
    let response = respond(&asked, ErrorCode::NotLeaderOrFollower, hint);
    stage.answer(&mut producer, &asked, response);
    let again = stage.next();
    assert_eq!(again.broker, 2);
    assert!(stage.metadata_requests >= 2, "the metadata is refreshed all the same");
    stage.accept(&mut producer, &again);
    assert_eq!(confirmed(&mut producer), [[0]]);
}

#[test]
fn a_send_without_memory_waits_its_turn_and_fails_after_max_block() {
    let (mut stage, mut producer) = scene(&[1], |config| {
        config.batch_size = 100;
        config.buffer_memory = 250;
        config.max_block = Span::secs(2);
    });
    let value = [0; 60];
    for tag in 0..2 {
        send_value(&mut stage, &mut producer, Some(0), tag, &value);
    }
    stage.settle(&mut producer);
    stage.pass(&mut producer, Span::secs(1));
    for tag in 2..4 {
        send_value(&mut stage, &mut producer, Some(0), tag, &value);
    }
    assert!(producer.is_blocked());
    stage.pass(&mut producer, Span::millis(1900));
    let first = stage.next();
    assert_eq!(contents(&first), [(0, 1)]);
    stage.accept(&mut producer, &first);
    assert!(producer.is_blocked(), "there was memory for one of them");
    stage.pass(&mut producer, Span::millis(100));
    assert!(!producer.is_blocked());
    let events: Vec<_> = producer.take_events().collect();
    let error = ErrorCode::RequestTimedOut;
    let failure = ProducerEvent::Failed {
        partition: None,
        error,
        maybe_written: false,
        tags: vec![3],
        over: None,
    };
    assert_eq!(events.last(), Some(&failure));
    assert!(events.contains(&ProducerEvent::Sent { tag: 2, partition: orders(0) }));
}

#[test]
fn a_send_to_an_unknown_topic_waits_for_it() {
    let (mut stage, mut producer) = scene(&[], |config| config.max_block = Span::secs(2));
    send(&mut stage, &mut producer, 0, 0);
    stage.pass(&mut producer, Span::secs(1));
    assert!(producer.is_blocked() && stage.metadata_requests > 2);
    stage.leaders = vec![(Some(3), 0)];
    stage.pass(&mut producer, Span::millis(900));
    let asked = stage.next();
    stage.accept(&mut producer, &asked);
    assert_eq!(confirmed(&mut producer), [[0]]);

    let (mut stage, mut producer) = scene(&[], |config| config.max_block = Span::secs(2));
    send(&mut stage, &mut producer, 0, 0);
    stage.pass(&mut producer, Span::secs(2));
    assert_eq!(failed(&mut producer), [(ErrorCode::RequestTimedOut, false, vec![0])]);
}

/// A scene with two seconds from a record's send to its outcome.
fn hurried(leaders: &[u16]) -> (Stage, Producer) {
    scene(leaders, |config| {
        config.delivery_timeout = Span::secs(2);
        config.request_timeout = Span::secs(30);
    })
}

#[test]
fn a_batch_that_expires_before_it_was_sent_is_certainly_not_written() {
    let (mut stage, mut producer) = hurried(&[1]);
    send(&mut stage, &mut producer, 0, 0);
    stage.settle(&mut producer);
    let asked = stage.next();
    stage.accept(&mut producer, &asked);
    stage.silent = vec![1, 2, 3];
    stage.cut(&mut producer, &asked);
    producer.take_events();
    send(&mut stage, &mut producer, 0, 1);
    stage.pass(&mut producer, Span::millis(1999));
    assert!(!producer.has_events() || failed(&mut producer).is_empty());
    stage.pass(&mut producer, Span::millis(1));
    assert_eq!(failed(&mut producer), [(ErrorCode::RequestTimedOut, false, vec![1])]);
    assert!(stage.asked.is_empty());
}

#[test]
fn a_batch_that_expires_in_flight_may_be_written_and_keeps_its_memory() {
    let (mut stage, mut producer) = hurried(&[1]);
    send(&mut stage, &mut producer, 0, 0);
    stage.pass(&mut producer, Span::secs(2));
    assert_eq!(failed(&mut producer), [(ErrorCode::RequestTimedOut, true, vec![0])]);
    assert!(producer.is_idle());
    assert!(producer.accumulator.free < producer.config.buffer_memory);
    let asked = stage.next();
    stage.accept(&mut producer, &asked);
    assert_eq!(producer.accumulator.free, producer.config.buffer_memory);
    assert!(!producer.has_events(), "its outcome has been reported");
}

/// Two batches fail together and wait to be sent again, the younger one in front. That the older
/// one is overdue there is no reason to wake up at once and forever.
#[test]
fn an_overdue_batch_behind_a_younger_one_expires_when_that_has_left() {
    let (mut stage, mut producer) = hurried(&[1]);
    send(&mut stage, &mut producer, 0, 0);
    stage.settle(&mut producer);
    let older = stage.next();
    stage.accept(&mut producer, &older);
    producer.take_events();
    send(&mut stage, &mut producer, 0, 1);
    stage.settle(&mut producer);
    let older = stage.next();
    stage.pass(&mut producer, Span::millis(1_000));
    send(&mut stage, &mut producer, 0, 2);
    stage.settle(&mut producer);
    let younger = stage.next();
    stage.pass(&mut producer, Span::millis(980));
    stage.refuse(&mut producer, &older, ErrorCode::NotEnoughReplicas);
    stage.refuse(&mut producer, &younger, ErrorCode::NotEnoughReplicas);
    // The younger one backs off for 80 ms at least.
    stage.pass(&mut producer, Span::millis(30));
    assert_eq!(failed(&mut producer), []);
    assert!(producer.next_wake(stage.now.mono) > stage.now.mono);
    stage.pass(&mut producer, Span::millis(150));
    assert_eq!(failed(&mut producer), [(ErrorCode::RequestTimedOut, false, vec![1])]);
    assert_eq!(contents(&stage.next()), [(0, 1)]);
    assert!(stage.asked.is_empty(), "only the younger one was sent again");
}

/// Lets the first transmission end as `first` does and the following with a definite refusal that
/// is retried, until the delivery time-out; returns whether the batch may be written then.
fn doubt_after(first: impl FnOnce(&mut Stage, &mut Producer, &Asked)) -> bool {
    let (mut stage, mut producer) = hurried(&[1]);
    send(&mut stage, &mut producer, 0, 0);
    stage.settle(&mut producer);
    let asked = stage.next();
    first(&mut stage, &mut producer, &asked);
    for _ in 0..40 {
        stage.pass(&mut producer, Span::millis(100));
        while let Some(asked) = stage.asked.pop_front() {
            stage.refuse(&mut producer, &asked, ErrorCode::NotEnoughReplicas);
        }
    }
    let failed = failed(&mut producer);
    assert_eq!(failed.len(), 1, "{failed:?}");
    failed[0].1
}

#[test]
fn after_one_request_without_outcome_a_batch_may_be_written() {
    use ErrorCode as E;
    for (error, doubt) in [
        (E::NotEnoughReplicas, false),
        (E::UnknownTopicOrPartition, false),
        (E::CorruptMessage, false),
        (E::MessageTooLarge, false),
        (E::InvalidRecord, false),
        (E::NotLeaderOrFollower, true),
        (E::NotEnoughReplicasAfterAppend, true),
        (E::RequestTimedOut, true),
        (E::KafkaStorageError, true),
        (E::UnknownServerError, true),
    ] {
        let after = doubt_after(|stage, producer, asked| stage.refuse(producer, asked, error));
        assert_eq!(after, doubt, "{error}");
    }
    assert!(doubt_after(|stage, producer, asked| stage.cut(producer, asked)), "disconnect");
}

#[test]
fn an_overdue_request_fails_all_that_is_in_flight_on_its_connection() {
    let (mut stage, mut producer) = scene(&[1], |config| config.request_timeout = Span::secs(1));
    for tag in 0..2 {
        send(&mut stage, &mut producer, 0, tag);
        stage.settle(&mut producer);
        stage.pass(&mut producer, Span::millis(300));
    }
    let connection = stage.next().conn;
    assert_eq!(stage.asked.len(), 1);
    stage.pass(&mut producer, Span::millis(600));
    let again = [stage.next(), stage.next()];
    assert!(again.iter().all(|asked| asked.conn != connection), "over a new connection");
    assert_eq!(producer.stats().retries, 2);
}

#[test]
fn a_batch_that_is_too_large_is_split_in_order() {
    let (mut stage, mut producer) = scene(&[1], |_| {});
    for tag in 0..8 {
        send_value(&mut stage, &mut producer, Some(0), tag, &[0; 100]);
    }
    stage.settle(&mut producer);
    let mut sizes = Vec::new();
    let limit = 500;
    while let Some(asked) = stage.asked.pop_front() {
        let size = produce(&asked).partitions[0].records.len();
        sizes.push(size);
        if size > limit {
            stage.refuse(&mut producer, &asked, ErrorCode::MessageTooLarge);
        } else {
            stage.accept(&mut producer, &asked);
        }
    }
    assert!(sizes[0] > limit && sizes[1] == sizes[0], "at first by batch.size: {sizes:?}");
    let again = producer.events.iter().find_map(|event| match event {
        ProducerEvent::Retried { error, tags, .. } => Some((*error, tags.clone())),
        _ => None,
    });
    assert_eq!(again, Some((ErrorCode::MessageTooLarge, (0..8).collect())));
    let confirmed = confirmed(&mut producer);
    assert!(confirmed.len() > 1);
    assert_eq!(confirmed.concat(), (0..8).collect::<Vec<_>>());
    assert_eq!(producer.accumulator.free, producer.config.buffer_memory);
}

#[test]
fn a_single_record_that_is_too_large_fails() {
    let (mut stage, mut producer) = scene(&[1], |config| config.max_request_size = 1000);
    send(&mut stage, &mut producer, 0, 0);
    stage.settle(&mut producer);
    let asked = stage.next();
    stage.refuse(&mut producer, &asked, ErrorCode::MessageTooLarge);
    assert_eq!(failed(&mut producer), [(ErrorCode::MessageTooLarge, false, vec![0])]);
    let record = ProducerRecord {
        topic: "orders",
        partition: None,
        key: None,
        value: Some(&[0; 1000]),
        headers: &[],
        timestamp: None,
    };
    let refused = producer.send(stage.now, record, 1, &mut stage.out);
    assert_eq!(refused, Err(SendError::TooLarge { size: 1082 }));
}

#[test]
fn a_request_has_at_most_max_request_size_bytes_and_no_partition_starves() {
    let (mut stage, mut producer) = scene(&[1, 1, 1], |config| {
        config.max_request_size = 300;
        config.max_in_flight = 1;
    });
    for tag in 0..3 {
        send_value(&mut stage, &mut producer, Some(tag), tag as u64, &[0; 60]);
    }
    stage.settle(&mut producer);
    let first = stage.next();
    assert_eq!(contents(&first), [(0, 1), (1, 1)]);
    send_value(&mut stage, &mut producer, Some(0), 3, &[0; 60]);
    stage.accept(&mut producer, &first);
    assert_eq!(contents(&stage.next()), [(2, 1), (0, 1)], "it begins where the last one ended");
}

#[test]
fn without_acks_nothing_is_awaited_or_confirmed() {
    let (mut stage, mut producer) = scene(&[1], |config| config.acks = Acks::None);
    send(&mut stage, &mut producer, 0, 7);
    stage.settle(&mut producer);
    assert_eq!(produce(&stage.next()).acks, 0);
    let last = producer.take_events().next_back();
    let Some(ProducerEvent::Confirmed { base_offset: None, tags, over, .. }) = last else {
        panic!("{last:?}")
    };
    assert_eq!(tags, [7]);
    assert!(over.is_some(), "it is known what order it has to others");
    assert!(producer.is_idle());
}

/// The partitions of the first `count` records of 100 bytes without a key.
fn partitions_chosen(count: u64, change: impl FnOnce(&mut ProducerConfig)) -> Vec<i32> {
    let (mut stage, mut producer) = scene(&[1, 2, 3, 1], change);
    send_value(&mut stage, &mut producer, None, 0, &[0; 100]);
    stage.settle(&mut producer);
    for tag in 1..count {
        send_value(&mut stage, &mut producer, None, tag, &[0; 100]);
    }
    let partition = |event| match event {
        ProducerEvent::Sent { partition, .. } => partition.partition,
        event => panic!("{event:?}"),
    };
    producer.take_events().map(partition).collect()
}

#[test]
fn records_without_key_stick_to_a_partition_for_a_batch_or_two() {
    let chosen = partitions_chosen(400, |config| config.batch_size = 1100);
    let runs: Vec<usize> = chosen.chunk_by(|a, b| a == b).map(<[i32]>::len).collect();
    let inner = &runs[..runs.len() - 1];
    // Ten records begin the next batch at more than batch.size bytes in all; the limit is twice
    // that. A run that comes back to the same partition counts as one.
    assert!(inner.iter().all(|run| *run >= 10), "{runs:?}");
    assert!(runs.len() > 8, "{runs:?}");
    assert!((0..4).all(|partition| chosen.contains(&partition)), "{chosen:?}");
}

#[test]
fn round_robin_takes_one_after_the_other() {
    let chosen = partitions_chosen(6, |config| config.partitioner = Partitioner::RoundRobin);
    assert_eq!(chosen, [0, 1, 2, 3, 0, 1]);
}
