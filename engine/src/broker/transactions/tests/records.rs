//! Records of `__transaction_state`, compared with records that Apache Kafka 4.1.1 wrote: the log
//! of its only partition after the same transactions at level 1 and at level 2 of
//! `transaction.version`.

use super::super::record::{batch, key, read_key, read_value, tombstones, value};
use super::super::state::TransactionMetadata;
use super::entry;
use crate::broker::fields::Malformed;
use crate::error::ErrorCode;
use crate::protocol::TransactionState as State;
use crate::record::{self, Batch, RecordView};
use bytes::Bytes;

const LEVEL_1: &[u8] =
    include_bytes!("../../../../tests/fixtures/kafka-4.1.1-transaction-state-1.log");
const LEVEL_2: &[u8] =
    include_bytes!("../../../../tests/fixtures/kafka-4.1.1-transaction-state-2.log");

fn batches(log: &'static [u8]) -> Vec<Bytes> {
    record::split(Bytes::from_static(log)).expect("whole batches")
}

fn only_record(batch: &Bytes) -> RecordView {
    let mut records = record::records(batch).expect("records");
    assert_eq!(records.len(), 1, "a coordinator writes one record at a time");
    records.remove(0)
}

#[test]
fn records_are_byte_for_byte_those_of_kafka() {
    let mut written = 0;
    for log in [LEVEL_1, LEVEL_2] {
        for bytes in batches(log) {
            let found = only_record(&bytes);
            let id = read_key(&found.key.expect("a key")).expect("a key").expect("of this type");
            let metadata = read_value(&found.value.expect("a value")).expect("a value");
            // Kafka's records have topics in the order of a hash table.
            if metadata.partitions.len() > 1 {
                continue;
            }
            let made = batch(&id, &metadata, 2, false, found.timestamp).expect("room for it");
            let header = Batch::new(&bytes).expect("a batch");
            let (offset, epoch) = (header.base_offset(), header.leader_epoch());
            assert_eq!(record::stamp(made, offset, epoch), bytes, "{id} at {}", found.offset);
            written += 1;
        }
    }
    assert_eq!(written, 111);
}

#[test]
fn the_states_of_an_id_come_in_the_order_of_a_transaction() {
    let of = |log, name: &str| {
        let all = batches(log).into_iter().map(|batch| only_record(&batch));
        let of_id = all.filter(|it| **it.key.as_ref().expect("a key") == *key(name));
        let value = |it: RecordView| read_value(&it.value.expect("a value")).expect("a value");
        of_id.map(value).collect::<Vec<_>>()
    };
    let summary = |it: &TransactionMetadata| (it.state, it.producer_epoch, it.client_version);
    let first = of(LEVEL_1, "tx-a");
    let shared: Vec<_> = first.iter().take(5).map(summary).collect();
    assert_eq!(
        shared,
        [
            (State::Empty, 0, 0),
            (State::Ongoing, 0, 0),
            (State::Ongoing, 0, 0),
            (State::PrepareCommit, 0, 0),
            (State::CompleteCommit, 0, 0),
        ]
    );
    assert!(first[2].contains("txn", 0) && first[2].contains("txn", 1));
    let second = of(LEVEL_2, "tx-a");
    let decided = second.iter().position(|it| it.state == State::PrepareCommit).expect("one");
    assert_eq!(summary(&second[decided]), (State::PrepareCommit, 1, 2), "the next epoch");
    assert_eq!(second[decided - 1].producer_epoch, 0);
}

#[test]
fn a_value_survives_being_written_and_read() {
    for state in [State::Ongoing, State::PrepareAbort, State::CompleteCommit, State::Empty] {
        for level in [0, 1, 2] {
            let mut metadata = entry(state).metadata;
            metadata.client_version = if level == 2 { 2 } else { 0 };
            metadata.previous_producer_id = -1;
            let bytes = value(&metadata, level, true).expect("room for it");
            assert_eq!(bytes[1], u8::from(level > 0), "the version");
            assert_eq!(read_value(&bytes), Ok(metadata));
        }
    }
}

/// KAFKA-20310: a coordinator that takes over has to know the next producer id.
#[test]
fn the_previous_and_next_producer_ids_are_written_when_the_producer_id_changes() {
    let mut metadata = entry(State::PrepareCommit).metadata;
    metadata.next_producer_id = 99;
    let read = |rotates| read_value(&value(&metadata, 2, rotates).unwrap()).unwrap();
    assert_eq!((read(true).previous_producer_id, read(true).next_producer_id), (7, 99));
    assert_eq!(read(false).next_producer_id, -1, "Kafka 4.1 does not write it");
}

/// O1: at level 0 the version of the client cannot be written.
#[test]
fn records_of_level_0_cannot_contain_the_version_of_the_client() {
    let mut metadata = entry(State::Ongoing).metadata;
    metadata.client_version = 2;
    assert_eq!(value(&metadata, 0, false), Err(ErrorCode::UnsupportedVersion));
}

#[test]
fn malformed_records_are_refused_and_records_of_other_types_skipped() {
    assert_eq!(read_key(&[0, 1, 0, 0]), Ok(None), "of another type");
    assert!(read_key(&[0, 0, 0, 9, b'a']).is_err());
    let good = value(&entry(State::Ongoing).metadata, 2, false).unwrap();
    for end in 0..good.len() {
        assert!(read_value(&good[..end]).is_err(), "cut at {end}");
    }
    let mut other = good.clone();
    other[1] = 2;
    assert_eq!(read_value(&other), Err(Malformed("a value of another version")));
    // A state other than Empty whose partitions are null.
    let mut null = value(&entry(State::Empty).metadata, 2, false).unwrap();
    null[16] = State::Ongoing as u8;
    assert_eq!(read_value(&null), Err(Malformed("a state without partitions")));
}

#[test]
fn tombstones_have_a_key_each_and_no_value() {
    let bytes = tombstones(["tx-a", "tx-b"].into_iter(), 5);
    let records = record::records(&bytes).expect("records");
    let ids: Vec<_> =
        records.iter().map(|it| read_key(it.key.as_ref().unwrap()).unwrap().unwrap()).collect();
    assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["tx-a", "tx-b"]);
    assert!(records.iter().all(|it| it.value.is_none()));
}
