//! Open, ended and aborted transactions of a log, compared with files that Kafka wrote.

use super::*;
use crate::log::Undecided;
use crate::protocol::AbortedTransaction;
use crate::record::{EndTransactionMarker, split};
use std::collections::BTreeMap;

fn kafkas() -> BTreeMap<&'static str, BTreeMap<&'static str, Vec<u8>>> {
    kafka_files::kafkas(include_str!("../../../tests/fixtures/kafka-4.1.1-transactions.txt"))
}

fn as_kafka_had() -> LogConfig {
    LogConfig {
        segment_ms: 3000,
        segment_index_bytes: 1024,
        index_interval_bytes: 64,
        ..LogConfig::default()
    }
}

/// A log with the batches of Kafka's files.
fn replayed(files: &BTreeMap<&str, Vec<u8>>, disk: &mut TestDisk) -> Log {
    let (mut log, _) = open_with(as_kafka_had(), disk, false, 0);
    for (_, bytes) in files.iter().filter(|(name, _)| name.ends_with(".log")) {
        for batch in split(Bytes::from(bytes.clone())).expect("batches") {
            log.append_as_follower(batch, disk).expect("an append");
        }
    }
    log
}

fn file<'a>(disk: &'a TestDisk, name: &str) -> Option<&'a [u8]> {
    disk.content(&format!("{DIR}/{name}"))
}

#[test]
fn after_a_crash_recovery_rebuilds_the_indexes() {
    for (partition, theirs) in kafkas() {
        let mut disk = TestDisk::default();
        let log = replayed(&theirs, &mut disk);
        let known = log.producers().first_open_transaction();
        let names = || theirs.keys().filter(|name| name.ends_with(".txnindex"));
        for name in names() {
            // As if the page cache had not been written back.
            disk.edit(&format!("{DIR}/{name}"), |bytes| bytes.truncate(20));
        }
        let (log, recovery) = open_with(as_kafka_had(), &mut disk, false, 0);
        assert_eq!(recovery.truncated_bytes, 0);
        assert_eq!(log.producers().first_open_transaction(), known);
        for name in names() {
            assert_eq!(file(&disk, name), Some(&theirs[name][..]), "{partition}/{name}");
        }
    }
}

#[test]
fn a_corrupt_index_is_rebuilt_even_after_a_clean_shutdown() {
    let partitions = kafkas();
    let theirs = &partitions["v2/txn-0"];
    let name = "00000000000000000014.txnindex";
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes.truncate(33),
        |bytes| bytes[1] = 1,
        // A marker before the segment.
        |bytes| bytes[18..26].copy_from_slice(&13_i64.to_be_bytes()),
    ];
    for damage in damages {
        let mut disk = TestDisk::default();
        replayed(theirs, &mut disk).close_cleanly(&mut disk).expect("a clean shutdown");
        disk.edit(&format!("{DIR}/{name}"), damage);
        let (_, recovery) = open_with(as_kafka_had(), &mut disk, true, 0);
        assert_eq!(recovery.segments_scanned, 1);
        assert_eq!(file(&disk, name), Some(&theirs[name][..]));
    }
}

#[test]
fn open_and_aborted_transactions_of_kafkas_logs_are_found() {
    let partitions = kafkas();
    for version in ["v1", "v2"] {
        let mut disk = TestDisk::default();
        let log = replayed(&partitions[&format!("{version}/txn-0")[..]], &mut disk);
        assert_eq!(log.undecided().open, Some(22), "a producer left its transaction open");
        let aborted = aborted_from(&log, 0, &mut disk);
        assert_eq!(aborted.iter().map(|it| it.first_offset).collect::<Vec<_>>(), [] as [i64; 0]);
        let firsts = |from| -> Vec<i64> {
            let aborted = aborted_from(&log, from, &mut disk.clone());
            aborted.iter().map(|it| it.first_offset).collect()
        };
        assert_eq!(firsts(2), [6], "and none of a later segment");
        assert_eq!(firsts(8), [6], "the marker itself");
        assert_eq!(firsts(9), [] as [i64; 0]);
        assert_eq!(firsts(14), [15, 18], "the transaction at 18 ends in the next segment");
        assert_eq!(firsts(18), [18]);
    }
}

fn aborted_from(log: &Log, from: i64, disk: &mut TestDisk) -> Vec<AbortedTransaction> {
    let read = log.read(from, 1 << 20, log.end_offset(), true, disk).expect("a read");
    log.aborted_transactions(from, &read, 1 << 20)
}

fn data(producer: i64, epoch: i16, sequence: i32) -> Bytes {
    let mut batch = BatchBuilder::new().producer(producer, epoch, sequence).transactional(true);
    for n in 0..3 {
        batch.append(NOW.0 + n, None, Some(b"value"), &[]);
    }
    batch.build()
}

fn marker(producer: i64, epoch: i16, committed: bool) -> Bytes {
    EndTransactionMarker { committed, coordinator_epoch: 7 }.batch(producer, epoch, NOW.0)
}

fn append(log: &mut Log, batch: Bytes, disk: &mut TestDisk) {
    log.append_as_leader(batch, 0, NOW, disk).expect("an append");
}

/// Producer 1 at 0..3 and producer 2 at 3..6.
fn two_open(disk: &mut TestDisk) -> Log {
    let (mut log, _) = open(disk, false, 0);
    append(&mut log, data(1, 0, 0), disk);
    append(&mut log, data(2, 0, 0), disk);
    log
}

const fn undecided(open: Option<i64>, unreplicated: Option<i64>) -> Undecided {
    Undecided { open, unreplicated }
}

#[test]
fn an_ended_transaction_is_undecided_until_its_marker_is_replicated() {
    let mut disk = TestDisk::default();
    let mut log = two_open(&mut disk);
    assert_eq!(log.undecided(), undecided(Some(0), None));
    append(&mut log, marker(1, 0, true), &mut disk);
    assert_eq!(log.undecided(), undecided(Some(3), Some(0)));
    log.on_replicated(6);
    assert_eq!(log.undecided(), undecided(Some(3), Some(0)), "the marker is at 6");
    log.on_replicated(7);
    assert_eq!(log.undecided(), undecided(Some(3), None));
}

#[test]
fn only_aborted_transactions_are_indexed() {
    let mut disk = TestDisk::default();
    let mut log = two_open(&mut disk);
    append(&mut log, marker(1, 0, true), &mut disk);
    append(&mut log, marker(1, 0, false), &mut disk);
    append(&mut log, marker(9, 0, false), &mut disk);
    assert_eq!(aborted_from(&log, 0, &mut disk), []);
    append(&mut log, marker(2, 1, false), &mut disk);
    let expected = [AbortedTransaction { producer_id: 2, first_offset: 3 }];
    assert_eq!(aborted_from(&log, 0, &mut disk), expected);
    assert_eq!(aborted_from(&log, 9, &mut disk), expected, "the marker itself");
    assert_eq!(log.undecided().open, None);
}

/// An entry has the last stable offset after its marker: the first offset of the next open
/// transaction.
#[test]
fn an_entry_has_the_first_offset_of_the_next_open_transaction() {
    let mut disk = TestDisk::default();
    let mut log = two_open(&mut disk);
    append(&mut log, marker(2, 0, false), &mut disk);
    append(&mut log, marker(1, 0, false), &mut disk);
    let bytes = file(&disk, "00000000000000000000.txnindex").expect("an index");
    let stable =
        |entry: usize| i64::from_be_bytes(bytes[34 * entry + 26..][..8].try_into().unwrap());
    assert_eq!((bytes.len(), stable(0), stable(1)), (68, 0, 8));
}

#[test]
fn a_truncation_opens_transactions_again() {
    let mut disk = TestDisk::default();
    let mut log = two_open(&mut disk);
    append(&mut log, marker(1, 0, false), &mut disk);
    append(&mut log, marker(2, 0, false), &mut disk);
    log.on_replicated(8);
    log.truncate_to(7, &mut disk).expect("a cut");
    assert_eq!(log.undecided(), undecided(Some(3), Some(0)), "until the high watermark is set");
    assert_eq!(file(&disk, "00000000000000000000.txnindex").map(<[u8]>::len), Some(34));
    log.truncate_to(3, &mut disk).expect("a cut");
    assert_eq!(log.undecided(), undecided(Some(0), None));
    log.truncate_fully_and_start_at(3, &mut disk).expect("a new start");
    assert_eq!(log.undecided(), undecided(None, None));
    assert_eq!(file(&disk, "00000000000000000000.txnindex"), None);
    log.invariants();
}

/// All producers were forgotten before a truncation, and the newest snapshot has two again, whose
/// transactions were open then. What follows it is read all the same.
#[test]
fn a_truncation_after_which_a_snapshot_brings_producers_back_reads_on() {
    let mut disk = TestDisk::default();
    let mut log = two_open(&mut disk);
    log.close_cleanly(&mut disk).expect("a snapshot");
    append(&mut log, marker(1, 0, false), &mut disk);
    append(&mut log, marker(2, 0, false), &mut disk);
    append(&mut log, batch(1, 1), &mut disk);
    assert_eq!(log.expire_producers(NOW, |_| true), 2);
    let end = log.end_offset();
    log.truncate_to(end - 1, &mut disk).expect("a cut");
    assert_eq!(log.undecided().open, None);
    log.invariants();
}

/// DeleteRecords into the batch that opened a transaction: the last stable offset is the start of that
/// batch, below the start of the log.
#[test]
fn an_open_transaction_below_the_log_start_begins_at_the_first_kept_batch() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    append(&mut log, batch(1, 1), &mut disk);
    append(&mut log, data(1, 0, 0), &mut disk);
    append(&mut log, data(1, 0, 3), &mut disk);
    log.advance_log_start(2, &mut disk).expect("a new start");
    assert_eq!((log.log_start(), log.undecided().open), (2, Some(1)));
    log.advance_log_start(6, &mut disk).expect("a new start");
    assert_eq!(log.undecided().open, Some(4));
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let opened = Log::open_from(DIR, &small(), &mut disk, true, 7, 6, NOW).expect("a log opens");
    assert_eq!(opened.0.undecided().open, Some(4), "also after a restart");
    log.advance_log_start(7, &mut disk).expect("a new start");
    assert_eq!(log.undecided().open, Some(7), "only the marker of the transaction is left");
}

#[test]
fn the_index_is_durable_when_its_segment_is() {
    let mut disk = TestDisk::default();
    let mut log = two_open(&mut disk);
    append(&mut log, marker(1, 0, false), &mut disk);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    disk.lose_unsynced();
    let (log, recovery) = open(&mut disk, true, 7);
    assert_eq!(recovery.segments_scanned, 0);
    assert_eq!(aborted_from(&log, 0, &mut disk).len(), 1);
}

#[test]
fn an_index_that_cannot_be_written_takes_the_log_offline() {
    let mut disk = TestDisk::default();
    let mut log = two_open(&mut disk);
    disk.writes_left = Some(1);
    let failed = log.append_as_leader(marker(1, 0, false), 0, NOW, &mut disk);
    assert!(matches!(failed, Err(LogError::Disk(_))), "{failed:?}");
    assert!(log.is_offline());
}
