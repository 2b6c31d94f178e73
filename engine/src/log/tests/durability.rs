//! The durable state of a log after a power loss at any disk operation: all batches below the
//! recovery point that its checkpoint may contain, and all assigned epochs. Indexes and epochs
//! agree with the batches.

use super::*;
use crate::log::{EpochEntry, Segment, files};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append { newer_epoch: bool },
    Assign,
    Truncate { back: i64 },
    Flush,
    FlushRolled,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::bool::weighted(0.15).prop_map(|newer_epoch| Step::Append { newer_epoch }),
        1 => Just(Step::Assign),
        1 => (0_i64..12).prop_map(|back| Step::Truncate { back }),
        1 => Just(Step::Flush),
        2 => Just(Step::FlushRolled),
    ]
}

/// A log, and the state that its next load has to restore.
struct Bench {
    log: Log,
    disk: TestDisk,
    epoch: i32,
    /// Every batch in the log, in order.
    batches: Vec<Bytes>,
    /// The recovery point after the last successful step.
    recovery_point: i64,
    /// The epochs that were assigned and not truncated, each with its start offset.
    assigned: Vec<(i32, i64)>,
}

impl Bench {
    /// Takes a step. An error means that the power failed during the step.
    fn apply(&mut self, step: &Step) -> Result<(), LogError> {
        let Self { log, disk, epoch, batches, .. } = self;
        let end = log.end_offset();
        match *step {
            Step::Append { newer_epoch } => {
                *epoch += i32::from(newer_epoch);
                let appended = log.append_as_leader(batch(2, 50), *epoch, NOW, disk)?;
                batches.push(appended.batch);
                self.note_epoch(end);
            }
            Step::Assign => {
                *epoch += 1;
                log.assign_epoch(*epoch, end, disk)?;
                self.note_epoch(end);
            }
            Step::Truncate { back } => {
                let to = (end - back).max(0);
                // Even if the truncation fails, its owner does not rely on records above it.
                self.recovery_point = self.recovery_point.min(to);
                self.assigned.retain(|(_, start)| *start < to);
                batches.retain(|bytes| Batch::new(bytes).expect("a batch").next_offset() <= to);
                log.truncate_to(to, disk)?;
                log.flush_epochs(disk)?;
            }
            Step::Flush => log.flush(disk)?,
            Step::FlushRolled => log.flush_pending(disk)?,
        }
        self.recovery_point = self.log.recovery_point();
        Ok(())
    }

    fn note_epoch(&mut self, start: i64) {
        if self.assigned.last().is_none_or(|(epoch, _)| *epoch < self.epoch) {
            self.assigned.retain(|(_, known)| *known < start);
            self.assigned.push((self.epoch, start));
        }
    }

    /// Loads the log after a power loss, and compares it with the durable batches.
    fn load(mut self) {
        self.disk.writes_left = None;
        self.disk.lose_unsynced();
        let (log, _) = open(&mut self.disk, false, self.recovery_point);
        let found = all(&log, &mut self.disk);
        for bytes in &self.batches {
            let durable = Batch::new(bytes).expect("a batch").next_offset() <= self.recovery_point;
            assert!(!durable || found.contains(bytes), "below the recovery point");
        }
        for (epoch, start) in &self.assigned {
            let is_its = |entry: &EpochEntry| (entry.epoch, entry.start_offset) == (*epoch, *start);
            let has = log.epochs().entries().iter().any(is_its);
            assert!(has || *start >= log.end_offset(), "epoch {epoch} from {start} was assigned");
        }
        for bytes in &found {
            let view = Batch::new(bytes).expect("a batch");
            assert_eq!(log.epoch_of(view.base_offset()), Some(view.leader_epoch()), "epochs");
        }
        for segment in &log.segments {
            index_points_at_batches(segment, &mut self.disk);
        }
    }
}

/// Every entry of the index is the end of a batch, and its position is where that batch starts.
fn index_points_at_batches(segment: &Segment, disk: &mut TestDisk) {
    let path = files::at_offset(DIR, segment.base_offset, files::INDEX);
    let content = disk.content(&path).unwrap_or_default().to_vec();
    for entry in content.chunks_exact(8) {
        let relative = i32::from_be_bytes(entry[..4].try_into().expect("four bytes"));
        let position = u32::from_be_bytes(entry[4..].try_into().expect("four bytes"));
        let (placed, _) = segment.batch_at(position, disk).expect("a read").expect("a batch");
        assert_eq!(placed.last_offset, segment.base_offset + i64::from(relative), "index");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// The power fails at the disk operation after the first `operations`.
    #[test]
    fn flushed_batches_and_assigned_epochs_survive_any_power_loss(
        steps in prop::collection::vec(step(), 1..40),
        operations in 0_u32..120,
    ) {
        let mut disk = TestDisk::default();
        let (log, _) = open(&mut disk, false, 0);
        disk.writes_left = Some(operations);
        let mut bench = Bench {
            log, disk, epoch: 0, batches: Vec::new(), recovery_point: 0, assigned: Vec::new(),
        };
        for step in &steps {
            if bench.apply(step).is_err() {
                break;
            }
        }
        bench.load();
    }
}

/// The test above fails if the fsync of a full segment is left out.
#[test]
#[should_panic(expected = "below the recovery point")]
fn a_recovery_point_above_the_synced_records_is_noticed() {
    let mut disk = TestDisk::default();
    let (log, _) = open(&mut disk, false, 0);
    let mut bench =
        Bench { log, disk, epoch: 0, batches: Vec::new(), recovery_point: 0, assigned: Vec::new() };
    for _ in 0..4 {
        bench.apply(&Step::Append { newer_epoch: false }).expect("an append");
    }
    bench.apply(&Step::Flush).expect("a flush");
    bench.disk.forget_syncs(&files::at_offset(DIR, 0, files::LOG));
    bench.load();
}

/// The test above fails if the fsync of the epoch file is left out, for an epoch whose segment is
/// not scanned.
#[test]
#[should_panic(expected = "was assigned")]
fn an_epoch_that_was_not_synced_is_noticed() {
    let mut disk = TestDisk::default();
    let (log, _) = open(&mut disk, false, 0);
    let mut bench =
        Bench { log, disk, epoch: 0, batches: Vec::new(), recovery_point: 0, assigned: Vec::new() };
    bench.apply(&Step::Append { newer_epoch: false }).expect("an append");
    bench.apply(&Step::Assign).expect("an epoch");
    for _ in 0..12 {
        bench.apply(&Step::Append { newer_epoch: false }).expect("an append");
    }
    bench.apply(&Step::Flush).expect("a flush");
    bench.disk.forget_syncs(&format!("{DIR}/{}", files::LEADER_EPOCHS));
    bench.recovery_point = bench.log.end_offset();
    bench.load();
}

/// Seed 10078 of `swarm`: the first batch of a segment is read before the first append, not when
/// the log is loaded.
#[test]
fn an_unreadable_first_batch_prevents_appends_but_not_loading() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    for n in 0..7 {
        let batch = batch_at(NOW.0 + 10 * n, 2, 50);
        log.append_as_leader(batch, 0, NOW, &mut disk).expect("an append");
    }
    log.close_cleanly(&mut disk).expect("a clean shutdown");
    let bases: Vec<i64> = log.segments.iter().map(|segment| segment.base_offset).collect();
    let [closed, active] = bases[..] else { panic!("two segments: {bases:?}") };
    let append_after_damage = |of: i64| {
        let mut disk = disk.clone();
        let path = files::at_offset(DIR, of, files::LOG);
        disk.edit(&path, |bytes| bytes[..64].fill(0xff));
        let (mut reopened, recovery) = open(&mut disk, true, log.end_offset());
        assert_eq!((reopened.end_offset(), recovery.truncated_bytes), (log.end_offset(), 0));
        reopened.append_as_leader(batch_at(NOW.0 + 100, 2, 50), 0, NOW, &mut disk).map(|_| ())
    };
    assert_eq!(append_after_damage(closed), Ok(()));
    assert!(matches!(append_after_damage(active), Err(LogError::Corrupt(_))));
}
