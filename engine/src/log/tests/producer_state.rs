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
fn a_replica_that_replays_everything_knows_the_same() {
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
fn a_torn_snapshot_is_passed_over() {
    let mut disk = TestDisk::default();
    let mut log = log_with_producers(&mut disk);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let path = files::at_offset(DIR, 24, "snapshot");
    disk.edit(&path, |bytes| bytes.truncate(60));
    let (log, _) = open(&mut disk, true, 24);
    assert_eq!(log.producers().get(11).map(|producer| producer.next_sequence()), Some(21));
    assert!(disk.content(&path).is_none(), "and removed");
}

#[test]
fn truncation_takes_producers_back() {
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
