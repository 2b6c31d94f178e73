use super::*;
use crate::log::files;
use crate::record::EndTransactionMarker;

fn from_producer(id: i64, epoch: i16, sequence: i32, transactional: bool) -> Bytes {
    let mut batch = BatchBuilder::new().producer(id, epoch, sequence).transactional(transactional);
    for n in 0..3 {
        batch.append(NOW.0 + n, None, Some(b"value"), &[]);
    }
    batch.build()
}

fn log_with_producers(disk: &mut TestDisk) -> Log {
    let (mut log, _) = open(disk, false, 0);
    for n in 0..7 {
        let data = from_producer(11, 2, n * 3, false);
        log.append_as_leader(data, 0, NOW, disk).expect("an append");
    }
    log.append_as_leader(from_producer(12, 0, 0, true), 0, NOW, disk).expect("an append");
    log
}

#[test]
fn the_last_five_batches_and_the_open_transaction_are_known() {
    let mut disk = TestDisk::default();
    let mut log = log_with_producers(&mut disk);
    let producer = log.producers().get(11).expect("a producer");
    let firsts: Vec<i32> = producer.batches().iter().map(|batch| batch.first_sequence()).collect();
    assert_eq!(firsts, [6, 9, 12, 15, 18]);
    assert_eq!((producer.epoch, producer.next_sequence()), (2, 21));
    assert_eq!(producer.batches()[4].first_offset(), 18);
    assert_eq!(log.producers().first_open_transaction(), Some(21));

    let marker = EndTransactionMarker { committed: true, coordinator_epoch: 7 };
    log.append_as_leader(marker.batch(12, 0, NOW.0), 0, NOW, &mut disk).expect("a marker");
    let producer = log.producers().get(12).expect("a producer");
    assert_eq!((producer.coordinator_epoch, producer.current_txn_first_offset), (7, None));
    assert_eq!(producer.last_sequence(), 2, "a marker of the same epoch keeps sequences");
    let marker = EndTransactionMarker { committed: false, coordinator_epoch: 8 };
    log.append_as_leader(marker.batch(12, 1, NOW.0), 0, NOW, &mut disk).expect("a marker");
    let producer = log.producers().get(12).expect("a producer");
    assert_eq!((producer.epoch, producer.next_sequence()), (1, 0), "a newer epoch starts anew");
}

#[test]
fn sequences_wrap() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    let data = from_producer(11, 0, i32::MAX - 1, false);
    log.append_as_leader(data, 0, NOW, &mut disk).expect("an append");
    let producer = log.producers().get(11).expect("a producer");
    assert_eq!((producer.last_sequence(), producer.next_sequence()), (0, 1));
    assert_eq!(producer.batches()[0].first_sequence(), i32::MAX - 1);
}

#[test]
fn a_replica_that_appends_the_same_batches_has_the_same_producer_state() {
    let mut disk = TestDisk::default();
    let log = log_with_producers(&mut disk);
    let known = log.producers().clone();
    let (recovered, _) = open(&mut disk, false, 0);
    let seen: Vec<_> =
        recovered.producers().iter().map(|(id, p)| (id, p.last_sequence())).collect();
    let expected: Vec<_> = known.iter().map(|(id, p)| (id, p.last_sequence())).collect();
    assert_eq!(seen, expected);
    let mut copy_disk = TestDisk::default();
    let (mut copy, _) = open(&mut copy_disk, false, 0);
    for bytes in all(&log, &mut disk) {
        copy.append_as_follower(bytes, &mut copy_disk).expect("a copy");
    }
    assert_eq!(copy.producers(), &known);
}

#[test]
fn a_snapshot_is_in_kafkas_layout_and_keeps_only_the_last_batch() {
    let mut disk = TestDisk::default();
    let mut log = log_with_producers(&mut disk);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let path = files::at_offset(DIR, 24, "snapshot");
    let bytes = disk.content(&path).expect("a snapshot").to_vec();
    assert_eq!(bytes.len(), 10 + 2 * 46);
    assert_eq!(&bytes[..2], [0, 1]);
    assert_eq!(bytes[2..6], crc32c::crc32c(&bytes[6..]).to_be_bytes());
    let mut first = Vec::new();
    first.extend_from_slice(&11_i64.to_be_bytes());
    first.extend_from_slice(&2_i16.to_be_bytes());
    first.extend_from_slice(&20_i32.to_be_bytes());
    first.extend_from_slice(&20_i64.to_be_bytes());
    first.extend_from_slice(&2_i32.to_be_bytes());
    first.extend_from_slice(&(NOW.0 + 2).to_be_bytes());
    first.extend_from_slice(&(-1_i32).to_be_bytes());
    first.extend_from_slice(&(-1_i64).to_be_bytes());
    assert_eq!(bytes[10..56], first);
    let (log, _) = open(&mut disk, true, 24);
    let producer = log.producers().get(11).expect("a producer");
    assert_eq!(producer.batches().len(), 1);
    assert_eq!(log.producers().first_open_transaction(), Some(21));
}

#[test]
fn a_truncated_snapshot_is_ignored() {
    let mut disk = TestDisk::default();
    let mut log = log_with_producers(&mut disk);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let path = files::at_offset(DIR, 24, "snapshot");
    let whole = disk.content(&path).expect("a snapshot").to_vec();
    disk.edit(&path, |bytes| bytes.truncate(60));
    let (log, _) = open(&mut disk, true, 24);
    assert_eq!(log.producers().get(11).map(|producer| producer.next_sequence()), Some(21));
    assert_eq!(disk.content(&path), Some(&whole[..]), "and written again");
}

/// The offsets of the snapshots on disk.
fn snapshots(disk: &TestDisk) -> Vec<i64> {
    let paths = disk.paths();
    paths.iter().filter_map(|path| files::offset_in(path.rsplit('/').next()?, "snapshot")).collect()
}

/// 34 batches of three records, in several segments.
fn rolled(disk: &mut TestDisk) -> Log {
    let (mut log, _) = open(disk, false, 0);
    for n in 0..34 {
        let data = from_producer(11, 2, n * 3, false);
        log.append_as_leader(data, 0, NOW, disk).expect("an append");
    }
    log
}

#[test]
fn a_roll_leaves_a_snapshot_and_a_clean_shutdown_one_more() {
    let mut disk = TestDisk::default();
    let mut log = rolled(&mut disk);
    let bases: Vec<i64> = log.segment_bases().skip(1).collect();
    assert!(bases.len() > 1, "{bases:?}");
    assert_eq!(snapshots(&disk), bases);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let all: Vec<i64> = bases.into_iter().chain([102]).collect();
    assert_eq!(snapshots(&disk), all);
    let (mut log, _) = open(&mut disk, true, 102);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    assert_eq!(snapshots(&disk), all, "nothing new");
}

#[test]
fn an_empty_log_has_no_snapshot() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    assert!(snapshots(&disk).is_empty());
}

/// Kafka writes a snapshot when it has recovered a segment, and then loads that snapshot, so that
/// only the last batch of each producer is known.
#[test]
fn after_a_crash_only_the_last_batch_of_a_producer_is_known() {
    let mut disk = TestDisk::default();
    let log = rolled(&mut disk);
    let known = log.producers().get(11).expect("a producer");
    assert_eq!(known.batches().len(), 5);
    let (log, _) = open(&mut disk, false, 0);
    let found = log.producers().get(11).expect("a producer");
    assert_eq!(found.batches(), &known.batches()[4..]);
    assert_eq!(snapshots(&disk).last(), Some(&102));
}

/// After a truncation, the batches since the last snapshot are known. That snapshot is at the base
/// offset of a segment.
#[test]
fn a_truncation_rebuilds_from_the_snapshot_before_it() {
    let mut disk = TestDisk::default();
    let mut log = rolled(&mut disk);
    let base = log.segment_bases().last().expect("a segment");
    log.truncate_to(base + 6, &mut disk).expect("a cut");
    let found = log.producers().get(11).expect("a producer");
    let ends: Vec<i64> = found.batches().iter().map(|batch| batch.last_offset).collect();
    assert_eq!(ends, [base - 1, base + 2, base + 5]);
    assert_eq!(snapshots(&disk).last(), Some(&(base + 6)), "a truncation also writes a snapshot");
}

#[test]
fn a_snapshot_is_removed_with_its_segment() {
    let mut disk = TestDisk::default();
    let mut log = rolled(&mut disk);
    let bases: Vec<i64> = log.segment_bases().collect();
    log.advance_log_start(bases[2], &mut disk).expect("a new start");
    assert_eq!(snapshots(&disk), &bases[2..], "the snapshot of the first segment remains");
    let known = log.producers().clone();
    log.advance_log_start(102, &mut disk).expect("a new start");
    assert_eq!(log.producers(), &known, "producers remain known after their batches are deleted");
    let (log, _) =
        Log::open_from(DIR, &small(), &mut disk, false, 0, 102, NOW).expect("a log opens");
    assert!(
        log.producers().get(11).is_none(),
        "but not after a restart: Kafka removes snapshots up to the log start"
    );
}

#[test]
fn stray_snapshots_are_removed_except_the_last_one() {
    let mut disk = TestDisk::default();
    let mut log = rolled(&mut disk);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let all = snapshots(&disk);
    for stray in [1, 4, 150] {
        let path = files::at_offset(DIR, stray, "snapshot");
        files::create_anew(&mut disk, &path).expect("a file");
    }
    open(&mut disk, true, 102);
    // The snapshot at 150 is stray, but the last one; it is removed because it lies beyond the log
    // end. The snapshot of the shutdown is removed with it, and written again.
    assert_eq!(snapshots(&disk), all);
}

#[test]
fn an_idle_producer_expires_by_the_timestamps_of_its_records() {
    let day = 24 * 3600 * 1000;
    let mut disk = TestDisk::default();
    let mut log = log_with_producers(&mut disk);
    let last = NOW.0 + 2;
    let expired = |log: &mut Log, now| log.expire_producers(Wall(now), |silent| silent >= day);
    assert_eq!(expired(&mut log, last + day - 1), 0);
    assert_eq!(expired(&mut log, last + day), 1);
    assert!(log.producers().get(11).is_none());
    assert!(log.producers().get(12).is_some(), "its transaction is open");
    log.close_cleanly(&mut disk).expect("a clean shutdown");

    let mut disk = TestDisk::default();
    let mut log = log_with_producers(&mut disk);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let later = Wall(last + day);
    let (log, _) = Log::open(DIR, &small(), &mut disk, true, 24, later).expect("a log opens");
    assert!(log.producers().get(11).is_none(), "nor is it restored from a snapshot");
    assert!(log.producers().get(12).is_some());
}

/// A snapshot of Kafka 4.1.1 for a log with these batches.
#[test]
fn a_snapshot_is_kafkas_byte_for_byte() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    for id in [2, 1005, 2004] {
        for sequence in 0..10 {
            let mut batch = BatchBuilder::new().producer(id, 0, sequence);
            batch.append(1_700_000_000_000 + i64::from(4 * sequence), None, Some(b"v"), &[]);
            log.append_as_leader(batch.build(), 0, NOW, &mut disk).expect("an append");
        }
    }
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let ours = disk.content(&files::at_offset(DIR, 30, "snapshot")).expect("a snapshot");
    assert_eq!(ours, include_bytes!("../../../tests/fixtures/kafka-4.1.1-30.snapshot"));
}

#[test]
fn truncation_restores_earlier_producer_state() {
    let mut disk = TestDisk::default();
    let mut log = log_with_producers(&mut disk);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    log.truncate_to(12, &mut disk).expect("a cut");
    assert_eq!(log.producers().get(11).map(|producer| producer.next_sequence()), Some(12));
    assert_eq!(log.producers().get(12), None);
    assert!(disk.content(&files::at_offset(DIR, 24, "snapshot")).is_none(), "beyond the end");
    log.truncate_fully_and_start_at(3, &mut disk).expect("a new start");
    assert!(log.producers().is_empty());
    log.invariants();
}
