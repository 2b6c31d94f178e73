use super::*;
use crate::log::files;

#[test]
fn a_leader_assigns_offsets_and_epoch() {
    let (mut log, mut disk) = filled(1);
    let info = log.append_as_leader(batch(3, 10), 4, NOW, &mut disk).expect("an append");
    assert_eq!((info.base_offset, info.last_offset, info.leader_epoch), (2, 4, 4));
    let read = log.read(2, 1, 5, true, &mut disk).expect("a read");
    assert_eq!(read.batches, [info.batch]);
    let view = Batch::new(&read.batches[0]).expect("a batch");
    assert_eq!((view.base_offset(), view.leader_epoch()), (2, 4));
    view.check_crc().expect("stamping leaves the checksum alone");
}

#[test]
fn reads_are_bounded_by_bytes_and_by_offset_and_whole() {
    let (log, mut disk) = filled(40);
    assert!(log.segment_count() > 5, "several segments");
    let one = log.read(0, 1, 80, true, &mut disk).expect("a read");
    assert_eq!((one.batches.len(), one.next_offset), (1, 2), "at least one");
    let none = log.read(0, 1, 80, false, &mut disk).expect("a read");
    assert!(none.batches.is_empty(), "not even one");
    assert!(one.is_cut && none.is_cut, "the limit ends them");
    let bounded = log.read(0, 10_000, 3, true, &mut disk).expect("a read");
    assert!(!bounded.is_cut, "the bound ends it");
    assert_eq!(bounded.next_offset, 2, "a batch that reaches the bound is not read");
    let inside = log.read(5, 1, 80, true, &mut disk).expect("a read");
    assert_eq!(Batch::new(&inside.batches[0]).expect("a batch").base_offset(), 4);
    assert!(log.read(80, 1, 80, true, &mut disk).expect("the end").batches.is_empty());
    assert_eq!(
        log.read(81, 1, 80, true, &mut disk),
        Err(LogError::OutOfRange { offset: 81, log_start: 0, log_end: 80 })
    );
    assert_eq!(bases(&log, &mut disk), (0..40).map(|n| n * 2).collect::<Vec<_>>());
}

/// Found by `swarm`: every read returned nothing, without waiting.
#[test]
fn a_batch_with_a_corrupt_header_is_read_and_its_checksum_is_wrong() {
    let (log, mut disk) = filled(40);
    let paths = disk.paths();
    let first = paths.iter().find(|path| path.ends_with("00000000000000000000.log"));
    // The last offset delta.
    disk.edit(first.expect("the first segment"), |bytes| bytes[23] ^= 0x5a);
    let read = log.read(0, 10_000, 80, true, &mut disk).expect("a read");
    assert_eq!(read.batches.len(), 1);
    assert!(Batch::new(&read.batches[0]).and_then(|batch| batch.check_crc()).is_err());
}

#[test]
fn a_position_is_on_an_older_segment_than_a_bound_behind_the_next_one() {
    let (log, _) = filled(40);
    let second = log.segment_bases().nth(1).expect("several segments");
    let last = log.segment_bases().last().expect("there is one");
    assert!(!log.is_on_older_segment(0, second), "the bound is where the first one ends");
    assert!(log.is_on_older_segment(0, second + 1));
    assert!(log.is_on_older_segment(last - 1, 80) && !log.is_on_older_segment(last, 80));
    assert!(!log.is_on_older_segment(80, 80) && !log.is_on_older_segment(80, 1), "not below it");
}

#[test]
fn a_follower_keeps_bytes_and_accepts_gaps_but_no_lower_offsets() {
    let (leader, mut leader_disk) = filled(3);
    let copies = all(&leader, &mut leader_disk);
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    log.append_as_follower(copies[0].clone(), &mut disk).expect("the first");
    log.append_as_follower(copies[2].clone(), &mut disk).expect("after a hole");
    assert_eq!(all(&log, &mut disk), [copies[0].clone(), copies[2].clone()]);
    assert_eq!(
        log.append_as_follower(copies[1].clone(), &mut disk).map(|_| ()),
        Err(LogError::OutOfOrder { base_offset: 2, log_end: 6 })
    );
    let in_hole = log.read(3, 1, 6, true, &mut disk).expect("a read from the hole");
    assert_eq!(in_hole.batches, [copies[2].clone()], "the next batch");
}

#[test]
fn an_empty_log_may_start_inside_a_batch() {
    let (leader, mut leader_disk) = filled(3);
    let copies = all(&leader, &mut leader_disk);
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    log.truncate_fully_and_start_at(3, &mut disk).expect("an empty log at 3");
    let info = log.append_as_follower(copies[1].clone(), &mut disk).expect("the batch of 2 and 3");
    assert_eq!((info.log_start, log.log_start(), log.end_offset()), (2, 2, 4));
}

#[test]
fn a_follower_refuses_corrupt_bytes() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    let mut bytes = batch(1, 10).to_vec();
    *bytes.last_mut().expect("bytes") ^= 1;
    let refused = log.append_as_follower(Bytes::from(bytes), &mut disk);
    assert!(matches!(refused, Err(LogError::Corrupt(_))));
    assert_eq!(log.end_offset(), 0);
}

#[test]
fn a_batch_larger_than_a_segment_is_refused_after_its_epoch_is_assigned() {
    let (mut log, mut disk) = filled(1);
    let refused = log.append_as_leader(batch(1, 1000), 9, NOW, &mut disk);
    assert_eq!(refused.map(|_| ()), Err(LogError::RecordListTooLarge));
    assert_eq!((log.latest_epoch(), log.end_offset()), (Some(9), 2));
}

#[test]
fn rolls_by_size_by_record_time_and_leaves_flushing_to_the_owner() {
    let (mut log, mut disk) = filled(5);
    assert_eq!(log.segment_count(), 1);
    let late = batch_at(NOW.0 + log.config().segment_ms + 10, 1, 1);
    assert!(log.append_as_leader(late, 0, NOW, &mut disk).expect("an append").rolled);
    assert_eq!(log.segment_bases().collect::<Vec<_>>(), [0, 10]);
    assert!(disk.content(&files::at_offset(DIR, 10, "snapshot")).is_some());
    assert!(log.needs_flush() && log.recovery_point() == 0);
    log.flush_pending(&mut disk).expect("a flush");
    assert_eq!((log.needs_flush(), log.recovery_point()), (false, 10));
    disk.lose_unsynced();
    let (log, _) = open(&mut disk, false, 10);
    assert_eq!(log.end_offset(), 10, "the full segment survives power loss");
}

#[test]
fn index_entries_follow_the_interval_per_batch() {
    let config = LogConfig { index_interval_bytes: 150, ..LogConfig::default() };
    let mut disk = TestDisk::default();
    let (mut log, _) = open_with(config, &mut disk, false, 0);
    let size = batch(1, 32).len() as u32;
    for n in 0..7 {
        log.append_as_leader(batch_at(NOW.0 - n, 1, 32), 0, NOW, &mut disk).expect("an append");
    }
    assert!(size < 150 && size * 2 > 150, "two batches exceed the interval: {size}");
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let mut expected = Vec::new();
    for n in [2, 4, 6] {
        expected.extend_from_slice(&u32::to_be_bytes(n));
        expected.extend_from_slice(&(n * size).to_be_bytes());
    }
    let index = files::at_offset(DIR, 0, "index");
    assert_eq!(disk.content(&index), Some(&expected[..]), "never the first batch of a segment");
    let time_index = disk.content(&files::at_offset(DIR, 0, "timeindex")).expect("a time index");
    let mut expected = NOW.0.to_be_bytes().to_vec();
    expected.extend_from_slice(&[0; 4]);
    assert_eq!(time_index, expected, "only if the timestamp grows");
}

#[test]
fn finds_the_first_record_of_a_time() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    for n in 0..30 {
        log.append_as_leader(batch_at(NOW.0 + n * 10, 2, 50), 0, NOW, &mut disk).expect("append");
    }
    for (after, offset) in [(-5, 0), (0, 0), (1, 1), (2, 2), (10, 2), (11, 3), (285, 58), (291, 59)]
    {
        let found = log.offset_for_timestamp(NOW.0 + after, 60, &mut disk).expect("a lookup");
        assert_eq!(found.map(|found| found.offset), Some(offset), "{after} ms after the first");
    }
    let later = log.offset_for_timestamp(NOW.0 + 292, 60, &mut disk).expect("a lookup");
    assert_eq!(later, None);
    let beyond = log.offset_for_timestamp(NOW.0 + 291, 59, &mut disk).expect("a lookup");
    assert_eq!(beyond, None, "not above the bound");
}

#[test]
fn truncation_removes_whole_batches_and_ends_at_the_requested_offset() {
    let (mut log, mut disk) = filled(20);
    assert!(log.truncate_to(11, &mut disk).expect("a cut"));
    assert_eq!(log.end_offset(), 11);
    assert_eq!(bases(&log, &mut disk), [0, 2, 4, 6, 8]);
    log.append_as_leader(batch(1, 10), 0, NOW, &mut disk).expect("an append");
    assert_eq!(bases(&log, &mut disk), [0, 2, 4, 6, 8, 11], "a hole at 10");
    log.invariants();
}

#[test]
fn log_append_time_restamps_and_reseals() {
    let config = LogConfig {
        message_timestamp_type: crate::record::TimestampType::LogAppendTime,
        ..small()
    };
    let mut disk = TestDisk::default();
    let (mut log, _) = open_with(config, &mut disk, false, 0);
    let info = log.append_as_leader(batch_at(5, 2, 5), 0, NOW, &mut disk).expect("an append");
    assert_eq!(info.append_time, Some(NOW.0));
    Batch::new(&info.batch).expect("a batch").check_crc().expect("a new checksum");
    let records = crate::record::records(&info.batch).expect("records");
    assert!(records.iter().all(|record| record.timestamp == NOW.0));
}

#[test]
fn after_a_failed_write_nothing_is_appended_until_reopened() {
    let (mut log, mut disk) = filled(2);
    disk.writes_left = Some(0);
    let failed = log.append_as_leader(batch(1, 10), 0, NOW, &mut disk);
    assert_eq!(failed.map(|_| ()), Err(LogError::Disk(machine::DiskError::Io)));
    disk.writes_left = None;
    let refused = log.append_as_leader(batch(1, 10), 0, NOW, &mut disk);
    assert_eq!(refused.map(|_| ()), Err(LogError::Offline));
    assert_eq!(log.end_offset(), 4);
    assert_eq!(log.truncate_to(0, &mut disk), Err(LogError::Offline));
    let (mut log, recovery) = open(&mut disk, false, 0);
    assert!(recovery.truncated_bytes > 0, "the part of the batch that was written is truncated");
    assert_eq!(log.end_offset(), 4);
    log.append_as_leader(batch(1, 10), 0, NOW, &mut disk).expect("an append");
}

#[test]
fn an_append_is_one_write_and_no_fsync() {
    let (mut log, mut disk) = filled(1);
    let (writes, syncs) = (disk.writes, disk.syncs);
    for _ in 0..5 {
        log.append_as_leader(batch(1, 10), 0, NOW, &mut disk).expect("an append");
    }
    assert_eq!((disk.writes - writes, disk.syncs - syncs), (5, 0));
    log.flush(&mut disk).expect("a flush");
    let syncs = disk.syncs;
    log.flush(&mut disk).expect("a flush");
    assert_eq!(disk.syncs, syncs, "nothing to do");
}

#[test]
fn a_higher_log_start_removes_whole_segments() {
    let (mut log, mut disk) = filled(20);
    let bases: Vec<i64> = log.segment_bases().collect();
    assert!(log.advance_log_start(bases[2] + 1, &mut disk).expect("a new start"));
    assert_eq!(log.segment_bases().collect::<Vec<_>>(), bases[2..]);
    assert!(disk.content(&files::at_offset(DIR, bases[1], "log")).is_none());
    assert!(matches!(log.read(bases[2], 1, 40, true, &mut disk), Err(LogError::OutOfRange { .. })));
    log.invariants();
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let (log, _) =
        Log::open_from(DIR, &small(), &mut disk, true, 40, bases[2] + 1, NOW).expect("a log opens");
    assert_eq!((log.log_start(), log.end_offset()), (bases[2] + 1, 40));
}
