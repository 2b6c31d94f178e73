use super::*;
use crate::log::EpochCache;
use crate::protocol::EpochEndOffset;
use proptest::prelude::*;

fn end(epoch: i32, end_offset: i64) -> Option<EpochEndOffset> {
    Some(EpochEndOffset { epoch, end_offset })
}

#[test]
fn epochs_without_records_have_an_end() {
    let (mut log, mut disk) = filled(5);
    log.assign_epoch(3, 10, &mut disk).expect("an epoch");
    assert_eq!(log.end_offset_for(0), end(0, 10));
    assert_eq!(log.end_offset_for(1), end(0, 10), "an epoch between: the one below");
    assert_eq!(log.end_offset_for(3), end(3, 10));
    assert_eq!(log.end_offset_for(4), None, "above all");
    assert_eq!(log.end_offset_for(-1), None, "undefined (KAFKA-6857)");
    disk.lose_unsynced();
    let content = disk.content("logs/orders-0/leader-epoch-checkpoint");
    assert_eq!(content, Some(&b"0\n2\n0 0\n3 10\n"[..]), "fsynced at once");
}

#[test]
fn an_epoch_below_all_ends_where_the_first_starts() {
    let mut cache = EpochCache::default();
    cache.assign(5, 20);
    assert_eq!(cache.end_offset_for(2, 30), end(2, 20));
    assert_eq!((cache.epoch_of(19), cache.epoch_of(20)), (None, Some(5)));
    assert_eq!((cache.previous(5), cache.previous(6).map(|entry| entry.epoch)), (None, Some(5)));
}

#[test]
fn truncating_at_the_end_forgets_epochs_that_start_there() {
    let (mut log, mut disk) = filled(5);
    log.assign_epoch(3, 10, &mut disk).expect("an epoch");
    assert_eq!(log.truncate_to(10, &mut disk), Ok(false));
    assert_eq!(log.latest_epoch(), Some(0), "KAFKA-10706");
}

#[test]
fn recovery_finds_epochs_in_batches_from_epoch_zero_on() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    for epoch in [0, 0, 2, 2, 5] {
        log.append_as_leader(batch(1, 10), epoch, NOW, &mut disk).expect("an append");
    }
    let known = log.epochs().entries().to_vec();
    disk.edit("logs/orders-0/leader-epoch-checkpoint", Vec::clear);
    let (log, _) = open(&mut disk, false, 0);
    assert_eq!(log.epochs().entries(), known, "KAFKA-10432");
    // With a damaged line the whole file is ignored, so that it cannot contradict the batches.
    disk.edit("logs/orders-0/leader-epoch-checkpoint", |bytes| bytes[4] = b'-');
    let (log, _) = open(&mut disk, false, 0);
    assert_eq!(log.epochs().entries(), known);
}

#[test]
fn epochs_removed_by_a_truncation_are_removed_again_on_load() {
    let (mut log, mut disk) = filled(5);
    log.append_as_leader(batch(1, 10), 4, NOW, &mut disk).expect("an append");
    log.flush(&mut disk).expect("a flush");
    log.truncate_to(7, &mut disk).expect("a cut");
    assert_eq!(log.latest_epoch(), Some(0));
    let stale = disk.content("logs/orders-0/leader-epoch-checkpoint").expect("a file");
    assert!(stale.ends_with(b"4 10\n"), "written in the background");
    assert!(log.has_stale_epochs());
    let (log, _) = open(&mut disk, false, 0);
    assert_eq!(log.latest_epoch(), Some(0));
}

#[test]
fn the_epoch_file_is_written_in_the_background_after_a_truncation() {
    let (mut log, mut disk) = filled(5);
    log.append_as_leader(batch(1, 10), 4, NOW, &mut disk).expect("an append");
    log.truncate_to(7, &mut disk).expect("a truncation");
    log.flush_epochs(&mut disk).expect("the background write");
    assert!(!log.has_stale_epochs());
    disk.lose_unsynced();
    let content = disk.content("logs/orders-0/leader-epoch-checkpoint");
    assert_eq!(content, Some(&b"0\n1\n0 0\n"[..]), "B15: durable");
}

/// B15: the window that Kafka leaves open. A crash comes before the background write, and records
/// of an older epoch stand past the start of the entry that truncation removed.
#[test]
fn a_crash_before_the_background_write_can_leave_a_stale_epoch() {
    let (mut log, mut disk) = filled(5);
    log.append_as_leader(batch(1, 10), 4, NOW, &mut disk).expect("an append");
    log.truncate_to(10, &mut disk).expect("a truncation");
    let older = crate::record::stamp(batch(3, 10), 10, 0);
    log.append_as_follower(older, &mut disk).expect("a copy");
    assert_eq!(log.epoch_of(11), Some(0));
    let (log, _) = open(&mut disk, false, 0);
    assert_eq!(log.end_offset(), 13);
    assert_eq!(log.epoch_of(11), Some(4), "recovery assigns an epoch only above the latest known");
}

#[test]
fn truncating_beyond_the_end_removes_epochs_without_records() {
    let (mut log, mut disk) = filled(5);
    log.assign_epoch(3, 10, &mut disk).expect("an epoch");
    assert_eq!(log.truncate_to(12, &mut disk), Ok(false));
    assert_eq!(log.latest_epoch(), Some(0), "KAFKA-10706");
}

proptest! {
    /// The cache against the epochs of the records themselves. Epochs are entered as a leader or
    /// a follower enters them: never lower ones, always at the end.
    #[test]
    fn the_cache_against_a_naive_model(
        steps in prop::collection::vec((0_i32..3, 0_i64..4, 0_i64..30, 0_u8..6), 1..40)
    ) {
        let mut cache = EpochCache::default();
        let mut records: Vec<i32> = Vec::new();
        let mut epoch = 0;
        for (newer, count, cut, what) in steps {
            let entered = if what == 0 {
                let cut = (cut as usize).min(records.len());
                records.truncate(cut);
                cache.truncate_from_end(cut as i64);
                None
            } else {
                epoch += newer;
                cache.assign(epoch, records.len() as i64);
                records.extend((0..count).map(|_| epoch));
                Some(epoch)
            };
            cache.invariants();
            let log_end = records.len() as i64;
            for (offset, written) in records.iter().enumerate() {
                prop_assert_eq!(cache.epoch_of(offset as i64), Some(*written));
            }
            for asked in 0..=epoch + 1 {
                let known = records.last().copied().max(entered);
                let expected = if known.is_none_or(|known| asked > known) {
                    None
                } else {
                    let end_offset = records.iter().filter(|at| **at <= asked).count() as i64;
                    let floor = records.iter().rfind(|at| **at <= asked).copied();
                    let floor = if entered == Some(asked) { entered } else { floor };
                    Some((floor.unwrap_or(asked), end_offset))
                };
                let answer = cache.end_offset_for(asked, log_end);
                prop_assert_eq!(answer.map(|end| (end.epoch, end.end_offset)), expected);
            }
        }
    }

    #[test]
    fn the_start_keeps_the_epoch_in_force(
        starts in prop::collection::btree_set(0_i64..50, 1..8),
        at in 0_i64..60,
    ) {
        let mut cache = EpochCache::default();
        for (epoch, start) in starts.iter().enumerate() {
            cache.assign(epoch as i32, *start);
        }
        let before = cache.clone();
        cache.truncate_from_start(at);
        cache.invariants();
        for offset in at..70 {
            prop_assert_eq!(cache.epoch_of(offset), before.epoch_of(offset));
        }
        prop_assert!(at == 0 || cache.epoch_of(at - 1).is_none() || before.epoch_of(at).is_none());
    }
}
