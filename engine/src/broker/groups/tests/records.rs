//! Records of `__consumer_offsets` as Apache Kafka 4.1.1 has written them: the logs of its only partition
//! after groups of both protocols, and after transactions with offsets.

use super::super::group::Group;
use super::super::record::{OffsetValue, Record};
use super::super::shard::{Replay, State};
use crate::broker::fields::Malformed;
use crate::protocol::GroupState;
use crate::record::{self, Batch, BatchBuilder, EndTransactionMarker};
use bytes::Bytes;

const GROUPS: &[u8] = include_bytes!("../../../../tests/fixtures/kafka-4.1.1-consumer-offsets.log");
const TRANSACTIONS: &[u8] =
    include_bytes!("../../../../tests/fixtures/kafka-4.1.1-consumer-offsets-2.log");

fn batches(log: &'static [u8]) -> Vec<Bytes> {
    record::split(Bytes::from_static(log)).expect("whole batches")
}

/// The records of a batch; `None` if one is of another type.
fn read(bytes: &Bytes) -> Option<Vec<Record>> {
    let all = record::records(bytes)
        .expect("records")
        .into_iter()
        .map(|it| Record::read(&it.key.expect("a key"), it.value.as_deref()).expect("a record"));
    all.collect()
}

#[test]
fn records_that_kafka_wrote_are_written_alike() {
    let (mut written, mut skipped) = (0, 0);
    for bytes in [GROUPS, TRANSACTIONS].into_iter().flat_map(batches) {
        let header = Batch::new(&bytes).expect("a batch");
        if header.is_control() {
            continue;
        }
        let Some(records) = read(&bytes) else {
            skipped += 1;
            continue;
        };
        let (producer_id, epoch) = (header.producer_id(), header.producer_epoch());
        let mut batch = BatchBuilder::new()
            .producer(producer_id, epoch, 0)
            .transactional(header.is_transactional());
        let times = record::records(&bytes).expect("records");
        for (record, at) in records.iter().zip(times) {
            batch.append(at.timestamp, Some(&record.key()), record.value().as_deref(), &[]);
        }
        let (offset, leader_epoch) = (header.base_offset(), header.leader_epoch());
        assert_eq!(record::stamp(batch.build(), offset, leader_epoch), bytes, "at {offset}");
        written += 1;
    }
    assert_eq!((written, skipped), (99, 0), "batches, and those with records of other types");
}

#[test]
fn an_offset_that_expires_by_itself_has_the_version_without_an_epoch() {
    let value = OffsetValue {
        offset: 7,
        leader_epoch: 3,
        metadata: "m".into(),
        commit_ms: 1000,
        expire_ms: Some(5000),
    };
    let partition = ("t".into(), 2);
    let record = Record::Offset { group: "g".into(), partition, value: Some(value.clone()) };
    let bytes = record.value().expect("a value");
    assert_eq!(bytes.len(), 2 + 8 + 2 + 1 + 8 + 8);
    assert_eq!(bytes[..2], [0, 1]);
    let found = Record::read(&record.key(), Some(&bytes)).expect("a record").expect("known");
    let Record::Offset { value: Some(found), .. } = found else { panic!("{found:?}") };
    assert_eq!(found, OffsetValue { leader_epoch: -1, ..value });
}

#[test]
fn what_is_no_record_is_refused_and_other_types_are_skipped() {
    assert_eq!(Record::read(b"\0\x0b\0\x01g", None), Ok(None), "of share groups");
    assert_eq!(Record::read(b"\0\x02\0\x02g", None), Err(Malformed("a string ends early")));
    let group = |value: &[u8]| Record::read(b"\0\x02\0\x01g", Some(value));
    assert_eq!(group(b"\0\x09"), Err(Malformed("a group of another version")));
    let offset = |value: &[u8]| Record::read(b"\0\x01\0\x01g\0\x01t\0\0\0\0", Some(value));
    assert_eq!(offset(b"\0\x00"), Err(Malformed("an offset of another version")));
    assert_eq!(offset(b"\0\x04\0\0"), Err(Malformed("ends early")));
}

/// What replaying a log gives.
fn loaded(log: &'static [u8]) -> State {
    let mut state = State::new();
    let rules = crate::rules::Rulebook::kafka();
    let mut out = crate::Outbox::new(machine::NodeId::new(0, 1), 1);
    for bytes in batches(log) {
        let batch = Batch::new(&bytes).expect("a batch");
        let producer_id = batch.producer_id();
        if let Some(marker) = EndTransactionMarker::of(batch).expect("a marker") {
            let at = batch.base_offset();
            state.replay_marker(at, producer_id, marker.committed, &rules, &mut out);
            continue;
        }
        let producer_id = batch.is_transactional().then_some(producer_id);
        for it in record::records(&bytes).expect("records") {
            let found = Record::read(&it.key.expect("a key"), it.value.as_deref());
            if let Some(record) = found.expect("a record") {
                let mut with = Replay { now_ms: 0, rules: &rules, out: &mut out };
                state.replay(it.offset, producer_id, record, &mut with);
            }
        }
    }
    state.invariants();
    state
}

fn offset(state: &State, group: &str, topic: &str, index: i32) -> Option<i64> {
    let key = (group.into(), (topic.into(), index));
    state.offsets.get(&key).map(|written| written.value.offset)
}

#[test]
fn what_kafka_wrote_gives_the_groups_and_offsets_that_it_had() {
    let mut state = loaded(GROUPS);
    // One offset of each group was deleted.
    for (group, each) in [("classic-group", 10), ("cooperative-group", 20), ("consumer-group", 30)]
    {
        let offsets = [0, 1, 2, 3].map(|index| offset(&state, group, "work", index));
        assert_eq!(offsets, [Some(each), Some(each), Some(each), None], "{group}");
        let found = state.groups.get(&group.into()).expect("a group").state();
        assert_eq!(found, GroupState::Empty, "{group}: all have left");
    }
    assert_eq!(offset(&state, "standalone", "work", 0), Some(5));
    assert_eq!(state.classic(&"classic-group".into()).expect("a group").generation(), 5);
    let Some(Group::Consumer(group)) = state.groups.get(&"consumer-group".into()) else {
        panic!("a group of the consumer protocol")
    };
    assert!(group.epoch() > group.target_epoch() && group.target_epoch() > 0, "members have left");

    let state = loaded(TRANSACTIONS);
    let pending: Vec<_> =
        state.groups.iter().map(|(id, _)| state.offsets.has_pending_of(id)).collect();
    assert!(!pending.is_empty() && !pending.contains(&true), "all transactions have ended");
}
