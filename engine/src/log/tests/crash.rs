use super::*;
use crate::log::files;
use crate::log::{checkpoint, clean_shutdown, partition_metadata};
use proptest::prelude::*;

#[test]
fn a_start_after_a_clean_shutdown_reads_no_batches_and_loses_no_state() {
    let (mut log, mut disk) = filled(20);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    disk.lose_unsynced();
    let (reopened, recovery) = open(&mut disk, true, 40);
    assert_eq!(recovery, Recovery { clean: true, ..Recovery::default() });
    assert_eq!((reopened.end_offset(), reopened.recovery_point()), (40, 40));
    assert_eq!(bases(&reopened, &mut disk), (0..20).map(|n| n * 2).collect::<Vec<_>>());
}

#[test]
fn after_a_crash_segments_from_the_recovery_point_onwards_are_scanned() {
    let (log, mut disk) = filled(20);
    let segments: Vec<i64> = log.segment_bases().collect();
    let before = disk.content(&files::at_offset(DIR, segments[0], "index")).map(<[u8]>::to_vec);
    let (log, recovery) = open(&mut disk, false, segments[1]);
    assert_eq!(recovery.segments_scanned as usize, segments.len() - 1);
    assert_eq!((recovery.truncated_bytes, recovery.truncated_from), (0, None));
    assert_eq!(log.end_offset(), 40);
    let after = disk.content(&files::at_offset(DIR, segments[0], "index")).map(<[u8]>::to_vec);
    assert_eq!(before, after);
}

#[test]
fn the_first_corrupt_batch_ends_the_log_and_later_segments_are_removed() {
    let (log, mut disk) = filled(20);
    let segments: Vec<i64> = log.segment_bases().collect();
    disk.edit(&files::at_offset(DIR, segments[1], "log"), |bytes| bytes[250] ^= 0x40);
    let (log, recovery) = open(&mut disk, false, 0);
    assert_eq!(recovery.truncated_from, Some(log.end_offset()));
    assert_eq!(recovery.segments_deleted as usize, segments.len() - 2);
    assert!((segments[1]..segments[2]).contains(&log.end_offset()));
    let logs = disk.paths().iter().filter(|path| path.ends_with(".log")).count();
    assert_eq!(logs, 2);
    // Recovery does not check batches below the recovery point.
    let (log, mut disk) = filled(20);
    disk.edit(&files::at_offset(DIR, segments[0], "log"), |bytes| bytes[250] ^= 0x40);
    let (reopened, recovery) = open(&mut disk, false, log.end_offset());
    assert_eq!((recovery.truncated_bytes, reopened.end_offset()), (0, 40));
}

#[test]
fn a_log_ends_at_a_gap_left_by_a_power_loss_between_roll_and_flush() {
    let (mut log, mut disk) = filled(7);
    let segments: Vec<i64> = log.segment_bases().collect();
    assert_eq!((segments.len(), log.recovery_point()), (2, 0));
    log.assign_epoch(1, 14, &mut disk).expect("an epoch, whose fsync makes names durable");
    disk.lose_unsynced();
    let (log, recovery) = open(&mut disk, false, 0);
    assert!(recovery.gap && log.end_offset() < segments[1]);
    assert_eq!((recovery.segments_deleted, log.segment_count()), (1, 1));
    assert!(bases(&log, &mut disk).is_empty());
}

#[test]
fn missing_and_corrupt_indexes_are_rebuilt_even_after_a_clean_shutdown() {
    let (mut log, mut disk) = filled(20);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let path = files::at_offset(DIR, 0, "index");
    let good = disk.content(&path).expect("an index").to_vec();
    disk.edit(&path, |bytes| bytes.truncate(5));
    let (mut log, recovery) = open(&mut disk, true, 40);
    assert_eq!(recovery.segments_scanned, 1);
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    assert_eq!(disk.content(&path), Some(&good[..]));
}

#[test]
fn a_log_start_beyond_the_surviving_records_removes_them() {
    let (_, mut disk) = filled(4);
    let (log, _) =
        Log::open_from(DIR, &small(), &mut disk, false, 0, 50, NOW).expect("a log opens");
    assert_eq!((log.log_start(), log.end_offset(), log.segment_count()), (50, 50, 1));
    assert!(bases(&log, &mut disk).is_empty());
}

#[test]
fn the_mark_of_a_clean_shutdown_is_removed_when_it_is_read() {
    let mut disk = TestDisk::default();
    clean_shutdown::write(&mut disk, "", 42).expect("a mark");
    assert_eq!(
        disk.content(".kafka_cleanshutdown"),
        Some(&br#"{"version":0,"brokerEpoch":42}"#[..])
    );
    disk.lose_unsynced();
    assert_eq!(clean_shutdown::read(&mut disk, ""), Ok(Some(42)));
    assert_eq!(clean_shutdown::take(&mut disk, ""), Ok(true));
    disk.lose_unsynced();
    assert_eq!(clean_shutdown::read(&mut disk, ""), Ok(None), "gone for good");
    assert_eq!(clean_shutdown::take(&mut disk, ""), Ok(false));
}

#[test]
fn checkpoints_survive_and_a_truncated_one_counts_as_empty() {
    let mut disk = TestDisk::default();
    let offsets = [("a", 0, 17), ("b-c", 12, 0)];
    checkpoint::write(&mut disk, checkpoint::RECOVERY_POINTS, offsets).expect("a checkpoint");
    disk.lose_unsynced();
    assert_eq!(disk.content(checkpoint::RECOVERY_POINTS), Some(&b"0\n2\na 0 17\nb-c 12 0\n"[..]));
    let read = checkpoint::read(&mut disk, checkpoint::RECOVERY_POINTS).expect("a file");
    assert_eq!(read[&("b-c".to_owned(), 12)], 0);
    assert_eq!(read[&("a".to_owned(), 0)], 17);
    // A malformed line, or fewer lines than the file states.
    disk.edit(checkpoint::RECOVERY_POINTS, |bytes| bytes[8] = b'x');
    assert!(checkpoint::read(&mut disk, checkpoint::RECOVERY_POINTS).expect("a file").is_empty());
    disk.edit(checkpoint::RECOVERY_POINTS, |bytes| bytes.truncate(9));
    assert!(checkpoint::read(&mut disk, checkpoint::RECOVERY_POINTS).expect("a file").is_empty());
}

#[test]
fn topic_ids_are_written_as_kafka_writes_them() {
    let mut disk = TestDisk::default();
    partition_metadata::write(&mut disk, DIR, 1).expect("a file");
    let content = disk.content("logs/orders-0/partition.metadata");
    assert_eq!(content, Some(&b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n"[..]));
    assert_eq!(partition_metadata::read(&mut disk, DIR), Ok(Some(1)));
}

proptest! {
    #[test]
    fn topic_ids_round_trip(id: u128) {
        prop_assert_eq!(partition_metadata::decode(&partition_metadata::encode(id)), Some(id));
    }

    /// Truncated at any byte, the log keeps exactly the complete batches, and accepts appends.
    #[test]
    fn cut_at_any_byte(batches in 1_i32..8, cut in 0_usize..1200) {
        let config = LogConfig { index_interval_bytes: 150, ..LogConfig::default() };
        let mut disk = TestDisk::default();
        let (mut log, _) = open_with(config, &mut disk, false, 0);
        for n in 0..batches {
            log.append_as_leader(batch(1, 20 + n as usize), n / 2, NOW, &mut disk)?;
        }
        let before = all(&log, &mut disk);
        disk.edit(&files::at_offset(DIR, 0, "log"), |bytes| bytes.truncate(cut));
        let (mut log, recovery) = open_with(config, &mut disk, false, 0);
        let mut end = 0;
        let whole = before.iter().take_while(|batch| { end += batch.len(); end <= cut }).count();
        prop_assert_eq!(log.end_offset(), whole as i64);
        prop_assert_eq!(&all(&log, &mut disk)[..], &before[..whole]);
        let kept: usize = before[..whole].iter().map(Bytes::len).sum();
        let size: usize = before.iter().map(Bytes::len).sum();
        prop_assert_eq!(recovery.truncated_bytes as usize, cut.min(size) - kept);
        prop_assert_eq!(recovery.truncated_from.is_some(), cut.min(size) > kept);
        prop_assert!(log.epochs().entries().iter().all(|entry| entry.start_offset < whole as i64));
        log.append_as_leader(batch(1, 5), 9, NOW, &mut disk)?;
    }

    /// Whichever byte of a log file is corrupted, no corrupt batch is read.
    #[test]
    fn turn_any_byte(at in 0_usize..600, bit in 0_u8..8) {
        let (log, mut disk) = filled(3);
        let before = all(&log, &mut disk);
        let size: usize = before.iter().map(Bytes::len).sum();
        let at = at % size;
        disk.edit(&files::at_offset(DIR, 0, "log"), |bytes| bytes[at] ^= 1 << bit);
        let (log, _) = open(&mut disk, false, 0);
        let mut end = 0;
        let good = before.iter().take_while(|batch| { end += batch.len(); end <= at }).count();
        let after = all(&log, &mut disk);
        prop_assert_eq!(&after[..good], &before[..good]);
        for batch in &after {
            prop_assert!(Batch::new(batch)?.check_crc().is_ok());
        }
    }

    /// A disk error leaves the log either unchanged or offline, and the log can be opened again.
    #[test]
    fn a_disk_that_fails_anywhere(writes in 0_u32..60) {
        let mut disk = TestDisk::default();
        let (mut log, _) = open(&mut disk, false, 0);
        disk.writes_left = Some(writes);
        let mut acknowledged = Vec::new();
        for n in 0..30 {
            match log.append_as_leader(batch(2, 50), n / 7, NOW, &mut disk) {
                Ok(info) => acknowledged.push(info.batch),
                Err(error) => {
                    prop_assert_eq!(error, LogError::Disk(machine::DiskError::Io));
                    prop_assert!(log.is_offline());
                    break;
                }
            }
        }
        disk.writes_left = None;
        let (log, _) = open(&mut disk, false, 0);
        let found = all(&log, &mut disk);
        prop_assert_eq!(&found[..acknowledged.len()], &acknowledged[..]);
        prop_assert!(found.len() <= acknowledged.len() + 1);
    }
}
